"""What the pages of the office need beside the desk. Without a part its page says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.console.duty_list import DutyList
    from pipeline.console.oidc import Provider
    from pipeline.tickets import Audit

FILE_WITHIN_S = 600.0  # as ``tickets.file_within_s`` has it by default


@dataclass(frozen=True, slots=True)
class Office:
    """``file_within_s``: by then a finding must be decided on, for the index of it."""

    audit: Audit | None = None
    file_within_s: float = FILE_WITHIN_S
    duties: DutyList | None = None
    oidc: Provider | None = None
