"""What pages ask for by themselves gives way to what people do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.console.lane import KEEP, Lane

RENEW = [(b"hx-request", b"true")]
FOR_LATER = [(KEEP.lower().encode(), b"1")]


class App:
    """An app whose answers can be held back; notes what is under way, and the most there was."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.under_way = self.most = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go_on.wait()
            if scope["path"] == "/fails":
                raise RuntimeError
        finally:
            self.under_way -= 1


def ask(lane: Lane, path: str, headers: list[Any], method: str = "GET") -> asyncio.Task[None]:
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    scope["query_string"] = query.encode()
    return asyncio.ensure_future(lane(scope, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", [RENEW, FOR_LATER])
def test_pages_that_ask_by_themselves_go_one_after_the_other_in_their_order(headers):
    async def story():
        app = App()
        lane = Lane(app)
        tasks = [ask(lane, f"/{number}", headers) for number in range(20)]
        await asyncio.sleep(0)
        assert app.begun == ["/0"]
        app.go_on.set()
        await asyncio.gather(*tasks)
        assert app.begun == [f"/{number}" for number in range(20)]
        assert app.most == 1

    asyncio.run(story())


def test_whoever_taps_or_opens_a_page_waits_for_none_of_them():
    async def story():
        app = App()
        lane = Lane(app)
        tasks = [ask(lane, f"/{number}", RENEW) for number in range(20)]
        tasks += [ask(lane, "/accept", RENEW, "POST"), ask(lane, "/queue?done=accept", RENEW)]
        tasks += [ask(lane, "/opened", [])]
        await asyncio.sleep(0)
        assert app.begun == ["/0", "/accept", "/queue", "/opened"]
        app.go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(story())


def test_one_that_fails_or_goes_away_holds_up_nobody():
    async def story():
        app = App()
        lane = Lane(app)
        first, gone, fails, last = (
            ask(lane, path, RENEW) for path in ("/first", "/gone", "/fails", "/last")
        )
        await asyncio.sleep(0)
        gone.cancel()
        app.go_on.set()
        told = await asyncio.gather(first, gone, fails, last, return_exceptions=True)
        assert [type(one) for one in told] == [
            type(None),
            asyncio.CancelledError,
            RuntimeError,
            type(None),
        ]
        assert app.begun == ["/first", "/fails", "/last"]

    asyncio.run(story())


def test_an_answer_that_stays_open_keeps_nobody_waiting():
    """As events do, or a page on a slow line."""

    async def story():
        forever = asyncio.Event()
        answered = []

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            answered.append(scope["path"])
            if scope["path"] == "/events":
                await forever.wait()

        async def send(_message: Any) -> None:
            pass

        lane = Lane(app)

        async def asked(path: str) -> None:
            scope = {"type": "http", "method": "GET", "path": path, "headers": RENEW}
            await lane(scope | {"query_string": b""}, None, send)  # type: ignore[arg-type]

        stays = asyncio.create_task(asked("/events"))
        await asyncio.gather(*(asked(f"/{number}") for number in range(3)))
        assert answered == ["/events", "/0", "/1", "/2"]
        forever.set()
        await stays

    asyncio.run(story())
