"""The daemon's outbox: what a full or locked disk doesn't take waits in memory."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

import structlog

from pipeline.errors import OutboxError
from pipeline.tickets.outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.hazards.incident import Incident
    from pipeline.tickets.desk import Desk
    from pipeline.tickets.ticket import EvidenceRef

    Kind = Literal["file", "update", "evidence"]

log = structlog.get_logger()


class PatientOutbox(Outbox):
    """An outbox that a full or locked disk doesn't stop: what can't be written waits in memory.

    It is written as soon as the disk takes it, in its order; of each incident only the newest news
    waits, so that days of a full disk don't fill the memory. Only a kill loses it.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path, clock)
        self._memory: dict[tuple[str, Kind], tuple[Incident, EvidenceRef | None]] = {}
        self._memory_lock = threading.Lock()

    def put(self, kind: Kind, incident: Incident, evidence: EvidenceRef | None = None) -> None:
        """See Outbox.put. Raises OutboxError only for an incident that can't be written down."""
        with self._memory_lock:
            waits = bool(self._memory)  # then this one waits behind them
        if not waits:
            try:
                return super().put(kind, incident, evidence)
            except OutboxError as error:
                if _is_hopeless(error):
                    raise
                log.warning("outbox_in_memory", why=str(error))
        with self._memory_lock:
            key = incident.incident_id, kind
            older = self._memory.pop(key, None)
            if older and older[1] and evidence:  # what came first is not lost by what comes next
                evidence = replace(
                    older[1], **{k: v for k, v in asdict(evidence).items() if v is not None}
                )
            self._memory[key] = incident, evidence
        return None

    def send(self, desk: Desk) -> int:
        """See Outbox.send. Raises OutboxError also while the disk takes nothing."""
        try:
            self._write_down()
        finally:
            sent = super().send(desk)
        return sent

    def backlog(self) -> int:
        """How many entries wait to be sent; if the disk can't be read, those in memory alone."""
        with self._memory_lock:
            waiting = len(self._memory)
        with suppress(OutboxError):
            waiting += super().backlog()
        return waiting

    @property
    def on_disk(self) -> bool:
        """Whether the disk takes what comes, so that a kill loses nothing."""
        with self._memory_lock:
            return not self._memory

    def close(self) -> None:
        """Closes the file; logs what it could not take to the last."""
        try:
            self._write_down()
        except OutboxError as error:
            lost = [
                {"incident_id": one.incident_id, "camera_id": one.camera_id, "hazard": one.hazard}
                for one, _ in self._memory.values()
            ]
            log.critical("outbox_lost", why=str(error), incidents=lost)
        super().close()

    def _write_down(self) -> None:
        while True:
            with self._memory_lock:
                if not self._memory:
                    return
                key, entry = next(iter(self._memory.items()))
            try:
                super().put(key[1], *entry)
            except OutboxError as error:
                if not _is_hopeless(error):
                    raise
                log.critical("outbox_refused", incident_id=key[0], why=str(error))
            with self._memory_lock:
                if self._memory.get(key) is entry:  # no newer news came meanwhile
                    del self._memory[key]
                if not self._memory:
                    log.info("outbox_on_disk_again")


def _is_hopeless(error: OutboxError) -> bool:
    """Whether the incident is at fault and not the disk, so that no later attempt can succeed."""
    return isinstance(error.__cause__, ValueError)
