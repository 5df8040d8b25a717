"""The one place where tickets are filed, merged and moved, atomically, in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.ticket import EvidenceRef, Filing, Step, Ticket
    from pipeline.tickets.wire import TicketMessage


class Desk:
    """Files incidents as tickets. Every method raises DeskUnavailableError when Redis is away."""

    def __init__(
        self,
        redis: Redis,
        town: object,
        *,
        clock: Clock,
        prefix: str = "gridwatch",
        cool_down_s: float = 600.0,
    ) -> None:
        raise NotImplementedError

    def file(self, incident: Incident, evidence: EvidenceRef | None = None) -> Filing:
        raise NotImplementedError

    def update(self, incident: Incident) -> str:
        """Later news of a filed incident (last seen, cleared); returns the ticket's number."""
        raise NotImplementedError

    def read_queue(self, grid_code: str) -> list[TicketMessage]:
        raise NotImplementedError

    def waiting(self) -> dict[str, int]:
        """Grid code -> how many tickets wait in its queue; grids with none are left out."""
        raise NotImplementedError

    def ticket(self, ticket_id: str) -> Ticket:
        """Raises UnknownTicketError."""
        raise NotImplementedError

    def tickets(
        self,
        *,
        state: str | None = None,
        grid: str | None = None,
        hazard: str | None = None,
        limit: int = 100,
    ) -> list[Ticket]:
        """Newest first."""
        raise NotImplementedError

    def history(self, ticket_id: str) -> tuple[Step, ...]:
        """Raises UnknownTicketError."""
        raise NotImplementedError
