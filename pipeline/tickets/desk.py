"""The one place where tickets are filed, merged and moved, atomically, in Redis.

The scripts in ``lua/`` decide; the modules behind this face tell them what they need to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.tickets.evidence_desk import EvidenceDesk
from pipeline.tickets.ground import DeskTown, check_code
from pipeline.tickets.intake import Intake
from pipeline.tickets.keys import Keys
from pipeline.tickets.moving import Mover
from pipeline.tickets.reading import QueueTail, Reader
from pipeline.tickets.ringing import Bell
from pipeline.tickets.scripts import Scripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.alarms import Alarm
    from pipeline.tickets.report import Report
    from pipeline.tickets.ticket import EvidenceRef, Filing, Ticket
    from pipeline.tickets.transitions import Action
    from pipeline.tickets.wire import TicketMessage


class Desk:
    """Files incidents and reports as tickets.

    ``cool_down_s``: a ticket done this shortly before an incident still takes it in; one that was
    closed is opened again. Every method raises DeskUnavailableError when Redis is away, read-only
    or out of memory: the same call may be made again, and changes nothing twice.
    """

    def __init__(
        self,
        redis: Redis,
        town: DeskTown,
        *,
        clock: Clock,
        prefix: str = "gridwatch",
        cool_down_s: float = 600.0,
    ) -> None:
        self.town = town
        self._keys = Keys(prefix)
        self._reader = Reader(redis, self._keys)
        scripts = Scripts(redis, self._keys)
        self._intake = Intake(scripts, town, clock, cool_down_s)
        self._mover = Mover(scripts, self._reader, town, clock)
        self._bell = Bell(scripts, town, clock)
        self.evidence = EvidenceDesk(scripts, redis, self._keys, clock)

    def file(self, incident: Incident, evidence: EvidenceRef | None = None) -> Filing:
        """Make a ticket of the incident, or part of one; filed again, it changes nothing."""
        return self._intake.file(incident, evidence)

    def file_report(self, report: Report) -> Filing:
        """Likewise of a report; it merges with what the cameras found, and with other reports."""
        return self._intake.file_report(report)

    def update(self, incident: Incident) -> str:
        """Later news of a filed incident: last seen, gone. Returns the ticket's number.

        That it is gone is a step and evidence; it closes only what was fed back and whose duty
        leaves the check to the camera. That it is still seen a minute after its ticket was closed
        opens the ticket again, as found now; a rejected one stays rejected. Raises
        UnknownTicketError if the incident was never filed.
        """
        return self._intake.update(incident)

    def move(
        self,
        ticket_id: str,
        action: Action,
        *,
        by: str,
        note: str = "",
        command_id: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> Ticket:
        """Take one step that the table allows; the same ``command_id`` twice is taken once.

        ``facts`` stand in the step. ``feed_back`` closes the ticket at once where its duty asks for
        the camera's check alone and the camera has seen that it is gone. Raises UnknownTicketError,
        and DeskError where the table forbids it.
        """
        return self._mover.move(ticket_id, action, by, note, command_id, facts or {})

    def verify(
        self,
        ticket_id: str,
        *,
        good: bool,
        by: str,
        note: str = "",
        command_id: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> Ticket:
        """Say whether what was fed back is done; the same ``command_id`` twice is said once.

        ``good``: it is closed, once the camera's check is done too where its duty asks for one.
        Else it goes back to be done again (返工). Raises UnknownTicketError, and DeskError for a
        ticket that was not fed back.
        """
        return self._mover.verify(
            ticket_id, good=good, by=by, note=note, command_id=command_id, facts=facts or {}
        )

    def tick(self) -> list[Alarm]:
        """Let ring what has come due: reminders, limits used up, tickets that go up for it.

        To be called every few seconds, by any number of boxes: each alarm rings once.
        """
        return self._bell.tick()

    def read_queue(self, grid_code: str) -> list[TicketMessage]:
        """What waits for a grid, oldest first, as it entered the queue, without taking it.

        An entry waits until a consumer of the group ``grid`` has acknowledged it or the ticket has
        moved on. Raises UnknownGridError.
        """
        check_code(self.town, grid_code)
        return self._reader.queue(grid_code)

    def follow_queue(self, grid_code: str) -> QueueTail:
        """What enters a grid's queue from now on. Raises UnknownGridError."""
        check_code(self.town, grid_code)
        return QueueTail(self._reader, grid_code)

    def waiting(self) -> dict[str, int]:
        """Grid code -> how many tickets wait to be taken on; grids with none are left out."""
        return self._reader.waiting()

    def ticket(self, ticket_id: str) -> Ticket:
        """Raises UnknownTicketError."""
        return self._reader.ticket(ticket_id)

    def ticket_of(self, incident_id: str) -> Ticket:
        """The ticket that holds this incident or report. Raises UnknownTicketError."""
        return self._reader.ticket_of(incident_id)

    def reported(self, from_at: float, to_at: float) -> Iterator[tuple[Report, Ticket]]:
        """Residents' reports made between two times (Unix seconds), newest first, with tickets."""
        return self._reader.reported(from_at, to_at)

    def tickets(
        self,
        *,
        state: str | None = None,
        grid: str | None = None,
        hazard: str | None = None,
        limit: int = 100,
    ) -> list[Ticket]:
        """The newest tickets, newest first. Raises UnknownGridError."""
        if grid is not None:
            check_code(self.town, grid)
        return self._reader.newest(state=state, grid=grid, hazard=hazard, limit=limit)
