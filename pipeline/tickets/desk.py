"""The one place where tickets are filed, merged and moved, atomically, in Redis.

The scripts in ``lua/`` decide; the modules behind this face tell them what they need to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.hazards import family_of
from pipeline.tickets.archive import Past
from pipeline.tickets.delivery import Delivery
from pipeline.tickets.evidence_desk import EvidenceDesk
from pipeline.tickets.ground import DeskTown, check_code
from pipeline.tickets.intake import Intake
from pipeline.tickets.joining import Joiner
from pipeline.tickets.keys import Keys
from pipeline.tickets.moving import Mover
from pipeline.tickets.orders import Order, check_number
from pipeline.tickets.reading import QueueTail, Reader
from pipeline.tickets.ringing import Bell
from pipeline.tickets.routing import Router
from pipeline.tickets.scripts import Scripts
from pipeline.town import HAZARDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Unpack

    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.alarms import Alarm
    from pipeline.tickets.archive import Archive, Found, Query
    from pipeline.tickets.delivery import News
    from pipeline.tickets.orders import Said
    from pipeline.tickets.report import Report
    from pipeline.tickets.routing import MapRound
    from pipeline.tickets.ticket import EvidenceRef, Filing, Ticket
    from pipeline.tickets.transitions import Action
    from pipeline.tickets.wire import TicketMessage
    from pipeline.town import Place


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
        archive: Archive | None = None,
    ) -> None:
        self.town = town
        self._keys = Keys(prefix)
        past = None if archive is None else Past(redis, self._keys, archive)
        self._reader = Reader(redis, self._keys, past)
        scripts = Scripts(redis, self._keys)
        self._intake = Intake(scripts, town, clock, cool_down_s, past)
        self._mover = Mover(scripts, self._reader, town, clock)
        self._joiner = Joiner(scripts, self._reader, town, clock)
        self._router = Router(scripts, self._reader, town, clock)
        self._bell = Bell(scripts, town, clock)
        self.evidence = EvidenceDesk(scripts, redis, self._keys, clock)
        self._delivery = Delivery(scripts, self._intake, self.evidence)

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

    def deliver(self, news: Sequence[News]) -> list[str | Exception]:
        """File, update and attach in this order, many in one exchange with Redis.

        For each the ticket's number, or why the desk will never take it. Raises
        DeskUnavailableError, and then it isn't known how many of the first were taken; all of them
        may be delivered again.
        """
        return self._delivery.deliver(news)

    def move(self, ticket_id: str, action: Action, **said: Unpack[Said]) -> Ticket:
        """Take one step that the table allows; the same ``command_id`` twice is taken once.

        ``reject`` needs a ``note``; ``reopen`` starts new clocks; ``feed_back`` closes the ticket
        at once where its duty asks for the camera's check alone and that has seen it gone. This
        and every other command raises UnknownTicketError, StaleTicketError, ForeignGridError, and
        DeskError where the table forbids it; then nothing has changed. ``Said`` tells its keywords.
        """
        return self._mover.move(ticket_id, action, self._order(said))

    def verify(self, ticket_id: str, *, good: bool, **said: Unpack[Said]) -> Ticket:
        """Say whether what was fed back is done; the same ``command_id`` twice is said once.

        ``good``: it is closed, once the camera's check is done too where its duty asks for one.
        Else it goes back to be done again (返工). Raises as ``move`` does.
        """
        return self._mover.verify(ticket_id, self._order(said), good=good)

    def merge(
        self, ticket_id: str, into: str, *, expected_into: int | None = None, **said: Unpack[Said]
    ) -> Ticket:
        """Make a ticket part of another; returns that one, which carries on.

        Incidents, evidence and counts go over, the graver finding and the better place win, limits
        are shortened by a graver finding alone. Raises as ``move`` does, for either ticket.
        """
        order = self._order(said)
        return self._joiner.merge(ticket_id, into, order, expected_into=expected_into)

    def split(self, ticket_id: str, incident_ids: Collection[str], **said: Unpack[Said]) -> Ticket:
        """Make a new ticket of some incidents, but not all; returns the new one.

        It is filed now: new number, new clocks, its own owner. The old one keeps owner and limits.
        Raises as ``move`` does.
        """
        return self._joiner.split(ticket_id, frozenset(incident_ids), self._order(said))

    def reroute(self, ticket_id: str, grid: str, **said: Unpack[Said]) -> Ticket:
        """Make another grid the owner; clocks go on, its place in the queue is a new one.

        Raises as ``move`` does, and UnknownGridError.
        """
        return self._router.reroute(ticket_id, grid, self._order(said))

    def follow_map(self, *, put_in_force: bool = False) -> MapRound:
        """Re-route open tickets whose owner was told by another version of the grid map.

        A bounded number in each round. A map that has been replaced by another changes nothing
        unless it is ``put_in_force`` again.
        """
        return self._router.follow_map(put_in_force=put_in_force)

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
        check_number(ticket_id)
        return self._reader.ticket(ticket_id)

    def carries_on(self, ticket_id: str) -> Ticket:
        """The ticket, or if it was merged, the one that carries on. Raises UnknownTicketError."""
        ticket = self.ticket(ticket_id)
        while ticket.merged_into is not None:
            ticket = self.ticket(ticket.merged_into)
        return ticket

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
        watcher: str | None = None,
        limit: int = 100,
        archived: bool = False,
    ) -> list[Ticket]:
        """The newest tickets, newest first; ``archived``: those in the archive as well.

        Nobody watches a ticket that is in the archive. Raises UnknownGridError.
        """
        for code in (grid, watcher):
            if code is not None:
                check_code(self.town, code)
        found = self._reader.newest(
            state=state, grid=grid, hazard=hazard, watcher=watcher, limit=limit
        )
        if archived and watcher is None:
            found += self._reader.archived(state=state, grid=grid, hazard=hazard, limit=limit)
            found.sort(key=lambda ticket: ticket.filed_at, reverse=True)
        return found[:limit]

    def near(self, place: Place, radius_m: float) -> list[Ticket]:
        """Tickets within so many metres of a place, the nearest first: open ones and just done."""
        families = sorted({family_of(hazard) for hazard in HAZARDS})
        return self._reader.near(place, radius_m, families)

    def histories(self, since_day: str = "0", until_day: str = "9") -> Iterator[Ticket]:
        """Live and archived tickets first filed on these local days (``20261123``), each once.

        Without their incidents, reports and evidence: for figures over many.
        """
        return self._reader.histories(since_day, until_day)

    def search(self, query: Query) -> list[Found]:
        """What the archive has, newest first. Raises ArchiveUnavailableError."""
        return self._reader.search(query)

    def _order(self, said: Said) -> Order:
        return Order.of(said, self.town)
