"""What the daemon tells while it runs: camera states, who was looked at, the pace for readers.

And it lets the alarms of tickets ring: any box of a town may, and some box always runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pipeline.errors import DeskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.clock import Clock
    from pipeline.ingest import CameraStatus, Coverage, LookSchedule, Workers
    from pipeline.tickets import CameraBoard, CoverageLedger, Desk, Notices

COVERAGE_S = 60.0
"""How often the ledger takes what was counted."""
TICK_S = 10.0
"""How often the desk's alarms are asked for, and tickets of other grid maps."""
CLOCK_SET_S = 5.0
"""A wall clock that moved this far from the time of the pictures is worth a word."""
FINE = ("connecting", "live", "disabled")

log = structlog.get_logger()


class Teller:
    """One round every second or two, by one thread; never raises for a desk that is away."""

    def __init__(
        self,
        workers: Workers,
        schedule: LookSchedule,
        coverage: Coverage,
        *,
        board: CameraBoard,
        ledger: CoverageLedger,
        desk: Desk,
        notices: Notices,
        clock: Clock,
    ) -> None:
        self.list_problem = ""
        """Why the camera list in the file is not in force; the board shows it."""
        self.list_digest = ""
        """SHA-256 of the one that is in force; empty: not known yet."""
        self._workers = workers
        self._schedule = schedule
        self._coverage = coverage
        self._board = board
        self._ledger = ledger
        self._desk = desk
        self._notices = notices
        self._clock = clock
        self._noted: dict[str, str] = {}  # camera states that stand in the log
        self._away: set[str] = set()  # what can't be told at present
        self._clock_off_s = 0.0
        self._superseded_by: str | None = None
        self._ledger_at = clock.monotonic()
        self._ticked_at = self._ledger_at - TICK_S  # what came due while no box ran is due now

    @property
    def desk_reachable(self) -> bool:
        """Whether the last round could tell the board."""
        return "board" not in self._away

    @property
    def coverage_lost(self) -> int:
        """Minutes of cameras that the ledger could not write in time."""
        return self._ledger.lost

    def round(self, *, last: bool = False) -> None:
        """Tell what is due; ``last``: all of it."""
        self._workers.pace(self._schedule.pace())
        statuses = self._workers.statuses()
        self._note_states(statuses.values())
        self._coverage.watch(statuses.values())
        self._try(
            "board",
            lambda: self._board.tell(
                statuses.values(),
                every=last,
                list_problem=self.list_problem,
                list_digest=self.list_digest,
            ),
        )
        now_s = self._clock.monotonic()
        if last or now_s - self._ledger_at >= COVERAGE_S:
            self._ledger_at = now_s
            rows = self._coverage.drain()
            self._try("coverage", lambda: self._ledger.write(rows))
        if now_s - self._ticked_at >= TICK_S:
            self._ticked_at = now_s
            self._try("alarms", self._let_ring)
            self._try("grid map", self._follow_map)
            self._try("notices", lambda: self._notices.tell(statuses.values()))
        self._note_clock()

    def _let_ring(self) -> None:
        for alarm in self._desk.tick():
            log.info(
                "alarm", ticket_id=alarm.ticket_id, alarm=alarm.name, escalated=alarm.escalated
            )

    def _follow_map(self) -> None:
        found = self._desk.follow_map()
        for ticket_id in found.rerouted:
            log.info("rerouted", ticket_id=ticket_id)
        if found.superseded_by != self._superseded_by:
            self._superseded_by = found.superseded_by
            if found.superseded_by is not None:
                log.warning("grid_map_superseded", in_force=found.superseded_by)

    def _try(self, what: str, tell: Callable[[], None]) -> None:
        try:
            tell()
        except DeskError as error:
            if what not in self._away:  # once, not in every round
                log.warning("cannot_tell", what=what, why=str(error))
            self._away.add(what)
        else:
            if what in self._away:
                log.info("can_tell_again", what=what)
            self._away.discard(what)

    def _note_states(self, statuses: Iterable[CameraStatus]) -> None:
        noted: dict[str, str] = {}
        for status in statuses:
            noted[status.camera_id] = status.state
            if self._noted.get(status.camera_id) != status.state:
                tell = log.info if status.state in FINE else log.warning
                tell("camera", camera_id=status.camera_id, state=status.state, why=status.why)
        self._noted = noted

    def _note_clock(self) -> None:
        """Looks are timed by the clock as it stood at the start: say so when it was set since."""
        off_s = self._clock.now() - self._clock.steady()
        if abs(off_s - self._clock_off_s) > CLOCK_SET_S:
            self._clock_off_s = off_s
            log.warning("clock_was_set", by_s=round(off_s, 1), todo="restart to follow it")
