"""Names of evidence: ``2026/11/23/<owner>-plain.jpg``, the day being that of the finding (UTC).

The owner is an incident, a report, or the ticket that a feedback or check is about.

Nothing else is a name, so no name leads out of the store, and its end says what it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.errors import UnknownEvidenceError

if TYPE_CHECKING:
    from pipeline.hazards.incident import Incident

MEDIA_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4"}

_NAME = re.compile(
    r"[0-9]{4}/[0-9]{2}/[0-9]{2}/"
    r"(?P<owner>[0-9A-Za-z][0-9A-Za-z_.-]{0,79})-(?P<part>[a-z][0-9a-z]{0,31})(?P<end>\.jpg|\.mp4)"
)


def name_of(incident: Incident, part: str, end: str = ".jpg") -> str:
    """The name of one part of an incident's evidence: ``plain``, ``clip``, ..."""
    return name_at(incident.incident_id, incident.confirmed_at, part, end)


def name_at(owner: str, at: float, part: str, end: str = ".jpg") -> str:
    """Likewise of a report or a ticket, at a moment (Unix seconds)."""
    day = datetime.fromtimestamp(at, UTC).strftime("%Y/%m/%d")
    return f"{day}/{owner}-{part}{end}"


def owner_of(name: str) -> str:
    """The incident, report or ticket that this is evidence of. Raises UnknownEvidenceError."""
    return _match(name)["owner"]


def media_type_of(name: str) -> str:
    """``image/jpeg`` or ``video/mp4``. Raises UnknownEvidenceError."""
    return MEDIA_TYPES[_match(name)["end"]]


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _match(name: str) -> re.Match[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise UnknownEvidenceError(
            f"{name[:80]!r} is no name of evidence; such are 2026/11/23/<incident>-plain.jpg"
        )
    return match
