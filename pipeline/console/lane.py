"""What pages ask for by themselves gives way to what people do.

When much happens, a thousand open pages ask anew at once. They are served one after the other, in
the order in which they asked; whoever taps a button waits for none of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEEP = "X-Gridwatch-Keep"
"""Sent by the service worker with what it fetches for later."""

# Python runs one at a time whatever this says; more would only take turns with what people do.
_AT_ONCE = 1


class Lane:
    """Of requests that nobody waits for, only so many are under way at a time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _by_itself(scope):
            await self._app(scope, receive, send)
            return
        await self._free.acquire()
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        async def send_released(message: Message) -> None:
            release()  # it is made; a slow line, or one that stays open, keeps nobody waiting
            await send(message)

        try:
            await self._app(scope, receive, send_released)
        finally:
            release()


def _by_itself(scope: Scope) -> bool:
    """Whether a page or its service worker asks, without anybody having tapped anything."""
    # The answer to a step is the page it leads to: asked for by the page, waited for by its user.
    if scope["method"] != "GET" or scope["query_string"].startswith(b"done="):
        return False
    headers = Headers(scope=scope)
    return KEEP in headers or ("HX-Request" in headers and "HX-Boosted" not in headers)
