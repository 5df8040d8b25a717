"""Incidents wait here, on local disk, until the desk has acknowledged them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.desk import Desk
    from pipeline.tickets.ticket import EvidenceRef


class Outbox:
    """Context manager; thread-safe. ``Outbox(data_dir / "outbox.sqlite", clock)``."""

    def __init__(self, path: Path, clock: Clock) -> None:
        raise NotImplementedError

    def put(
        self,
        kind: Literal["file", "update"],
        incident: Incident,
        evidence: EvidenceRef | None = None,
    ) -> None:
        """Durable when this returns. Raises OutboxError."""
        raise NotImplementedError

    def send(self, desk: Desk) -> int:
        """Everything that waits, in order; raises DeskUnavailableError. Returns how many."""
        raise NotImplementedError

    def drain(self, desk: Desk, stop: threading.Event, *, retry_s: float = 2.0) -> None:
        """Send until ``stop`` is set; never raises because Redis is away."""
        raise NotImplementedError

    def backlog(self) -> int:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
