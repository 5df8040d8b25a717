"""Looks after the evidence while a box runs: carries it to the bucket, and sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pipeline.errors import DeskUnavailableError, EvidenceError, StoreUnavailableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from pipeline.clock import Clock
    from pipeline.tickets.store.store import EvidenceStore
    from pipeline.tickets.store.sweep import Sweep

ROUND_S = 5.0
FIRST_SWEEP_S = 60.0
SWEEP_S = 3600.0
_AGAIN_S = 300.0  # after a sweep that could not be done

log = structlog.get_logger()


class Keeper:
    """To be run in a thread of its own until ``stop`` is set; never raises for a fault outside."""

    def __init__(self, store: EvidenceStore, sweep: Sweep, clock: Clock) -> None:
        self._store = store
        self._sweep = sweep
        self._clock = clock
        self._sweep_at = clock.monotonic() + FIRST_SWEEP_S

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """``beat`` is called in every round."""
        while True:
            beat()
            self.round(stop)
            if self._clock.sleep(ROUND_S, until=stop):
                return

    def round(self, stop: threading.Event) -> None:
        """Carry what waits; sweep if it is time."""
        try:
            self._store.carry(stop)
            self._store.tell("carry", "")
        except EvidenceError as error:
            self._store.tell("carry", str(error))
        try:
            self._store.give_way()
        except EvidenceError as error:
            self._store.tell("carry", str(error))
        if self._clock.monotonic() >= self._sweep_at and not stop.is_set():
            self._sweep_at = self._clock.monotonic() + (SWEEP_S if self._swept() else _AGAIN_S)

    def _swept(self) -> bool:
        try:
            swept = self._sweep.run()
            if swept.away:
                raise StoreUnavailableError(f"{len(swept.away)} files could not be deleted there")
        except (EvidenceError, DeskUnavailableError, OSError) as error:
            self._store.tell("sweep", str(error))
            return False
        self._store.tell("sweep", "")
        log.info(
            "evidence.swept",
            deleted=len(swept.deleted),
            adopted=len(swept.adopted),
            missing=len(swept.missing),
        )
        return True
