"""Open pages hear that a ticket of theirs has moved; what it is now they ask for themselves."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from pipeline.console.accounts import Role, User
from pipeline.console.rules import RULES, reaches
from pipeline.errors import DeskError, DeskUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.clock import Clock
    from pipeline.tickets import Change, Changes
    from pipeline.town import GridMap

Scope = tuple[Role, frozenset[str]]

_WAIT_S = 0.5  # how soon the listener notices that it shall stop
_AGAIN_S = 2.0  # Redis is away: this long until the next try
_TOGETHER_S = 0.5  # what comes within this time is told at once
_MOST_AT_ONCE = 100  # of tickets named in one event; a page that is told of more looks anyway
_STILL_S = 60.0  # whether the session still holds is asked this often

log = structlog.get_logger()


class Page:
    """One open page: what it has not been told yet."""

    def __init__(self) -> None:
        self.fresh = asyncio.Event()
        self.moved: dict[str, int] = {}

    def take(self) -> dict[str, int]:
        moved, self.moved = self.moved, {}
        self.fresh.clear()
        return moved


class Live:
    """One listener at the desk for all pages. Everything but ``_listen`` runs in the event loop."""

    def __init__(self, changes: Changes | None, grids: GridMap | None, clock: Clock) -> None:
        self._changes = changes
        self._grids = grids
        self._clock = clock
        self._pages: dict[Scope, set[Page]] = {}
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen from now on; in the event loop of the server."""
        self._loop = asyncio.get_running_loop()
        if self._changes is not None:
            self._thread = threading.Thread(target=self._listen, name="console-live", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End all streams, so that the server can stop; from any thread."""
        self._stop.set()
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # the loop ended at this very moment
                self._loop.call_soon_threadsafe(self._wake)
        if self._thread is not None:
            self._thread.join()

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return sum(map(len, self._pages.values()))

    async def stream(self, user: User, holds: Callable[[], bool]) -> AsyncIterator[dict[str, str]]:
        """Events for one page of this user, for as long as the session ``holds``."""
        scope, page = (user.role, user.grids), Page()
        self._pages.setdefault(scope, set()).add(page)
        try:
            while not self._stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(page.fresh.wait(), _STILL_S)
                if self._stop.is_set() or not await asyncio.to_thread(holds):
                    return
                if page.fresh.is_set():
                    await asyncio.sleep(_TOGETHER_S)
                    moved = dict(list(page.take().items())[-_MOST_AT_ONCE:])
                    yield {"event": "changed", "data": json.dumps(moved)}
        finally:
            self._pages[scope].discard(page)
            if not self._pages[scope]:
                del self._pages[scope]

    def _listen(self) -> None:
        assert self._changes is not None
        assert self._loop is not None
        while not self._stop.is_set():
            try:
                change = self._changes.read(_WAIT_S)
            except (DeskUnavailableError, DeskError) as error:
                log.warning("console.live_away", reason=str(error))
                self._clock.sleep(_AGAIN_S, until=self._stop)
                continue
            if change is not None and not self._stop.is_set():
                self._loop.call_soon_threadsafe(self._tell, change)
        self._changes.close()

    def _tell(self, change: Change) -> None:
        for (role, grids), pages in self._pages.items():
            if self._sees(role, grids, change.grid_code):
                for page in pages:
                    page.moved[change.ticket_id] = change.steps
                    page.fresh.set()

    def _sees(self, role: Role, own: frozenset[str], code: str) -> bool:
        user = User("", role, own, disabled=False, created_at=0)
        return self._grids is None or reaches(RULES["queue_page"], user, code, self._grids)

    def _wake(self) -> None:
        for pages in self._pages.values():
            for page in pages:
                page.fresh.set()
