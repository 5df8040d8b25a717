"""An HTTP server on loopback that does what a test wants of it, and keeps what came."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from redis import Redis
from ticket_town import small_town

from pipeline.clock import ManualClock
from pipeline.tickets import Notifier, NotifyStore

if TYPE_CHECKING:
    import ssl

    from pipeline.settings import Settings


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HttpReceiver:
    """Answers by ``script``, one item a request, the last one for ever.

    An item is a status, ``hang`` (no answer), ``slow`` (a byte now and then), ``redirect`` (to
    itself), ``close`` (the connection broken off), or bytes: a 200 with this body.
    """

    def __init__(self, *script: object, tls: ssl.SSLContext | None = None) -> None:
        self.script: list[object] = list(script) or [200]
        self.got: list[Got] = []
        self.freed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._server.handle_error = lambda *_: None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=hidden-key"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.freed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self) -> object:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Got(self.path, dict(self.headers.items()), body))
                answer(self, receiver._next(), receiver)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def answer(handler: BaseHTTPRequestHandler, item: object, receiver: HttpReceiver) -> None:
    if item == "hang":
        receiver.freed.wait(30)
    elif item == "close":
        handler.connection.close()
    elif item == "slow":
        drip(handler, receiver)
    else:
        body = item if isinstance(item, bytes) else b""
        handler.send_response(307 if item == "redirect" else item if isinstance(item, int) else 200)
        if item == "redirect":
            handler.send_header("Location", receiver.url)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def drip(handler: BaseHTTPRequestHandler, receiver: HttpReceiver) -> None:
    """An answer that never ends and never falls silent."""
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not receiver.freed.wait(0.1):
            handler.wfile.write(b"X")


def notify_for_ever(socket_path: str, prefix: str, settings: Settings, now: float) -> None:
    """What a box does, in a process of its own; ends by being killed."""
    with Redis(unix_socket_path=socket_path, decode_responses=True) as redis:
        store = NotifyStore(redis, prefix=prefix)
        with Notifier(store, settings, small_town().grids, clock=ManualClock(now)) as notifier:
            while True:
                notifier.round(0.1)
