"""What holds for every answer, and for every body before anybody reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DRAINED_AT_MOST = 512_000_000  # read and thrown away, so that the browser hears why
_FIELDS_ROOM = 100_000  # beside the photo
_TOO_LARGE = "太大 / too large"


def policy(tiles: str | None) -> str:
    """The content security policy: nothing but our own files, and the town's tiles."""
    parts = urlsplit(tiles or "")
    host = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return (
        f"default-src 'none'; img-src 'self' blob: data:{host}; style-src 'self'; "
        f"script-src 'self'; connect-src 'self'{host}; worker-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Hardening:
    """Headers on every answer; a body that is larger than a photo may be is not taken."""

    def __init__(self, app: ASGIApp, *, tiles: str | None, https: bool, upload_mb: int) -> None:
        self._app = app
        self._most = upload_mb * 1_000_000 + _FIELDS_ROOM
        self._headers = {
            "Content-Security-Policy": policy(tiles),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(self), camera=(self), microphone=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        if https:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if await self._too_large(scope, receive):
            answer = PlainTextResponse(_TOO_LARGE, status_code=413)
            await answer(scope, receive, send_hardened)
            return
        try:
            await self._app(scope, self._counted(receive), send_hardened)
        except _TooLargeError:
            await PlainTextResponse(_TOO_LARGE, 413, {"Connection": "close"})(
                scope, receive, send_hardened
            )

    async def _too_large(self, scope: Scope, receive: Receive) -> bool:
        """Whether the request says that it is; then what comes is read to the end, kept nowhere."""
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdecimal() or int(told) <= self._most:
            return False
        read, more = 0, int(told) <= _DRAINED_AT_MOST
        while more and read < _DRAINED_AT_MOST:
            message = await receive()
            read += len(message.get("body", b""))
            more = message.get("more_body", False)
        return True

    def _counted(self, receive: Receive) -> Receive:
        """A body that doesn't say its length is cut where it becomes too long."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise _TooLargeError
            return message

        return counted


class _TooLargeError(Exception):
    pass
