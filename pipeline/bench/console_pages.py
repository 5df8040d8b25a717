"""Open pages by the thousand, as browsers have them: they listen, and ask anew when they hear.

A page that hears that a ticket of its grid has moved waits up to 1.5 s, as the real one does, then
asks for its queue; one that keeps tickets for later asks for those that moved as well. Each request
has a connection of its own: nothing is spared.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from pipeline.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.bench.console_server import Browser, Served
    from pipeline.tickets import Ticket

_SPREAD_S = 1.5  # as in static/console.js
_OPENED_AT_ONCE = 20
_SETTLE_S = 2.0
_LAST_NEWS_S = 4.0  # what the last actions set off is heard within this time
_LAST_ERRANDS_S = 30.0  # and asked for within this


@dataclass(slots=True)
class Load:
    """Seconds of each action and of each page asked for anew; what went wrong."""

    actions_s: list[float] = field(default_factory=list)
    renewed_s: list[float] = field(default_factory=list)
    kept_s: list[float] = field(default_factory=list)
    news: int = 0
    faults: list[str] = field(default_factory=list)
    took_s: float = 0.0
    open_pages: int = 0
    town_pages: int = 0


def run_pages(
    served: Served, pages: int, tickets: Sequence[Ticket], rate: float, *, seed: int = 7
) -> Load:
    """Have so many pages open while each ticket is accepted, ``rate`` of them a second."""
    return asyncio.run(_Run(served, seed).run(pages, tickets, rate))


class _Run:
    def __init__(self, served: Served, seed: int) -> None:
        parts = urlsplit(served.url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._browsers = served.browsers
        self._clock = SystemClock()
        self._random = random.Random(seed)  # noqa: S311 - who waits how long
        self._load = Load()
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self, pages: int, tickets: Sequence[Ticket], rate: float) -> Load:
        listening = []
        for number in range(pages):
            # Those who see the whole town come first, then the grids in turn.
            browser = self._browsers[-1 - number % len(self._browsers)]
            self._load.town_pages += browser.grid is None
            listening.append(asyncio.create_task(self._page(browser)))
            if number % _OPENED_AT_ONCE == 0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(_SETTLE_S)
        self._load.open_pages = sum(not task.done() for task in listening)
        by_grid = {one.grid: one for one in self._browsers}
        began = self._clock.monotonic()
        actions = []
        for number, ticket in enumerate(tickets):
            await asyncio.sleep(max(0.0, began + number / rate - self._clock.monotonic()))
            actions.append(asyncio.create_task(self._accept(by_grid[ticket.grid_code], ticket)))
        await asyncio.gather(*actions)
        self._load.took_s = self._clock.monotonic() - began
        await asyncio.sleep(_LAST_NEWS_S)
        if self._errands:
            await asyncio.wait(self._errands, timeout=_LAST_ERRANDS_S)
        for task in (*listening, *self._errands):
            task.cancel()
        await asyncio.gather(*listening, *self._errands, return_exceptions=True)
        return self._load

    async def _accept(self, browser: Browser, ticket: Ticket) -> None:
        form = {
            "csrf": browser.csrf,
            "command_id": f"bench-{ticket.ticket_id}",
            "version": str(ticket.version),
            "from": "queue",
        }
        status, took_s = await self._ask(
            "POST", f"/tickets/{ticket.ticket_id}/accept", browser, form
        )
        self._load.actions_s.append(took_s)
        if status != 303:
            self._load.faults.append(f"accept {ticket.ticket_id}: {status}")

    async def _page(self, browser: Browser) -> None:
        """One open page: hears, waits a moment, asks; never twice at the same time."""
        heard: set[str] = set()
        asking: asyncio.Task[None] | None = None
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._head("GET", "/events", browser))
            while line := await reader.readline():
                if line.startswith(b"data: {"):
                    self._load.news += 1
                    heard |= json.loads(line[6:]).keys()
                    if asking is None or asking.done():
                        asking = asyncio.create_task(self._renew(browser, heard))
                        self._errands.add(asking)
                        asking.add_done_callback(self._errands.discard)
        finally:
            writer.close()

    async def _renew(self, browser: Browser, heard: set[str]) -> None:
        while heard:
            await asyncio.sleep(self._random.random() * _SPREAD_S)
            moved = set(heard)
            heard.clear()
            path = "/queue" if browser.grid else "/command"
            status, took_s = await self._ask("GET", path, browser)
            self._load.renewed_s.append(took_s)
            if status != 200:
                self._load.faults.append(f"{path}: {status}")
            for ticket_id in moved if browser.grid else ():
                status, took_s = await self._ask("GET", f"/tickets/{ticket_id}", browser)
                self._load.kept_s.append(took_s)
                if status != 200:
                    self._load.faults.append(f"{ticket_id}: {status}")

    async def _ask(
        self, method: str, path: str, browser: Browser, form: Mapping[str, str] | None = None
    ) -> tuple[int, float]:
        """Status, and seconds until the whole answer was there."""
        body = urlencode(form or {}).encode()
        began = self._clock.monotonic()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._head(method, path, browser, body) + body)
            answer = await reader.read()
        finally:
            writer.close()
        status = int(answer.split(b" ", 2)[1]) if answer else 0
        return status, self._clock.monotonic() - began

    def _head(self, method: str, path: str, browser: Browser, body: bytes = b"") -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            f"Cookie: gridwatch={browser.secret}",
        ]
        if method == "POST":
            lines += [
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(body)}",
            ]
        elif path != "/events":  # that a browser asks for without htmx
            lines.append("HX-Request: true")
        if path != "/events":
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()
