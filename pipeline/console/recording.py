"""Brings to the audit what happens in the console; nobody waits for it.

What happens to accounts is in their journal until the audit has it. Steps of tickets stand in the
tickets; of these only so many wait here while the audit is away, and what is dropped is logged.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.errors import AccountError, DeskError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clock import Clock
    from pipeline.console.accounts import Accounts, By
    from pipeline.tickets import Audit

log = structlog.get_logger()

_EVERY_S = 2.0  # also what commands noted in the accounts comes over this soon
_MOST = 10_000  # steps of tickets that wait


@dataclass(frozen=True, slots=True)
class _Told:
    at: float
    by: By
    action: str
    subject: str
    result: str
    details: Mapping[str, Any]


class Recorder:
    """Writes lines in a thread of its own between ``start`` and ``close``. Thread-safe."""

    def __init__(self, accounts: Accounts, audit: Audit | None, clock: Clock) -> None:
        """Without an audit what is told is forgotten, and notes of accounts stay where they are."""
        self._accounts = accounts
        self._audit = audit
        self._clock = clock
        self._told: deque[_Told] = deque()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._away = False

    def start(self) -> None:
        if self._audit is not None:
            self._thread = threading.Thread(target=self._run, name="console-audit", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what is left and end. What can't be written now: notes wait for the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def tell(
        self,
        by: By,
        action: str,
        subject: str,
        *,
        result: str = "done",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Have a line written soon."""
        if self._audit is None:
            return
        if len(self._told) >= _MOST:
            dropped = self._told.popleft()
            log.error("console.not_audited", action=dropped.action, subject=dropped.subject)
        self._told.append(_Told(self._clock.now(), by, action, subject, result, details or {}))
        self._wake.set()

    def flush(self) -> None:
        """Write all that waits. Raises DeskUnavailableError and AccountError; it waits on then."""
        if self._audit is None:
            return
        with self._writing:
            self._take_over_notes(self._audit)
            while self._told:
                one = self._told.popleft()
                try:
                    self._audit.record(
                        one.action,
                        one.subject,
                        who=one.by.who,
                        origin=one.by.origin,
                        result=one.result,
                        details=one.details,
                        at=one.at,
                    )
                except DeskError:
                    self._told.appendleft(one)
                    raise

    def _take_over_notes(self, audit: Audit) -> None:
        """A note is forgotten when its line is kept: killed between, the line stands twice."""
        journal = self._accounts.journal
        while notes := journal.waiting():
            for note in notes:
                audit.record(
                    note.action,
                    note.subject,
                    who=note.who,
                    origin=note.origin,
                    result=note.result,
                    details={**note.details, "note": note.number},
                    at=note.at,
                )
                journal.taken(note.number)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            try:
                self.flush()
            except (DeskError, AccountError) as error:
                if not self._away:
                    log.warning("console.audit_away", reason=str(error))
                self._away = True
                self._stop.wait(_EVERY_S)
            else:
                self._away = False
