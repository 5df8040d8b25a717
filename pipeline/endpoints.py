"""Where a box is watched from outside: ``/metrics``, ``/healthz`` and ``/readyz`` over HTTP.

The daemon's own threads never wait for whoever asks, and a daemon that hangs answers that it does.
"""

from __future__ import annotations

import errno
import json
import socket
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from prometheus_client.exposition import choose_encoder

from pipeline.errors import SettingsError
from pipeline.metrics import registry_of
from pipeline.telemetry import masked
from pipeline.vitals import readiness, stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.settings import TelemetrySettings
    from pipeline.vitals import Vitals

_ANSWER_S = 5.0
"""Longest wait for the daemon's numbers; then whoever asks hears that there are none."""
_MOST = 16
"""Requests at the same time; more are hung up on, so that nobody can take the box's memory."""

Answer = tuple[HTTPStatus, str, bytes]

log = structlog.get_logger()


@contextmanager
def serve_vitals(settings: TelemetrySettings, ask: Callable[[], Vitals]) -> Iterator[str | None]:
    """Serve until the block ends; gives the URL, or None where nothing is served.

    ``ask`` is called in threads of the server, one at a time. A port that is taken already, as by
    a second daemon on the box, is logged and the daemon goes on without: who can't be watched
    still watches. Raises SettingsError for an address that isn't this machine's.
    """
    server = _opened(settings, ask)
    if server is None:
        yield None
        return
    host, port = server.server_address[:2]
    url = f"http://[{host!s}]:{port}/" if ":" in str(host) else f"http://{host!s}:{port}/"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="telemetry", daemon=True
    )
    thread.start()
    log.info("telemetry", url=url)
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _opened(settings: TelemetrySettings, ask: Callable[[], Vitals]) -> _Server | None:
    if settings.port is None:
        return None
    try:
        return _Server((settings.address, settings.port), _Desk(ask, settings))
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            log.warning(
                "telemetry_off",
                why="端口已被占用 / the port is taken",
                address=f"{settings.address}:{settings.port}",
                todo="set telemetry.port to another one, or null",
            )
            return None
        raise SettingsError(
            "can't be listened on",
            where="telemetry.address, telemetry.port",
            found=f"{settings.address}:{settings.port} ({error})",
            allowed="an address of this machine and a free port; port null for none",
        ) from None


class _Desk:
    """Makes the answers; asks the daemon for one request at a time."""

    def __init__(self, ask: Callable[[], Vitals], settings: TelemetrySettings) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._failed = ""
        self._registry = registry_of(self._vitals, per_camera=settings.per_camera)

    def _vitals(self) -> Vitals:
        # Whoever asks first may hang with the daemon; the others must not heap up behind it.
        if not self._asking.acquire(timeout=_ANSWER_S):
            raise TimeoutError(f"the daemon gave no numbers for {_ANSWER_S:.0f} s")
        try:
            return self._ask()
        finally:
            self._asking.release()

    def answer(self, path: str, accept: str) -> Answer:
        """What the path says now; never raises."""
        try:
            answer = self._answer(path, accept)
        except Exception as error:
            why = masked(str(error)) or type(error).__name__
            if why != self._failed:  # once, not at every question
                log.exception("telemetry_failed")
            self._failed = why
            return _json({"answers": False, "why": why})
        self._failed = ""
        return answer

    def _answer(self, path: str, accept: str) -> Answer:
        match path:
            case "/metrics":
                encode, kind = choose_encoder(accept)
                return HTTPStatus.OK, kind, encode(self._registry)
            case "/healthz":
                return self._healthz()
            case "/readyz":
                return self._readyz()
        return HTTPStatus.NOT_FOUND, "text/plain", b"/metrics /healthz /readyz\n"

    def _healthz(self) -> Answer:
        vitals = self._vitals()
        hanging = stuck(vitals)
        ages = {name: round(age_s, 1) for name, age_s in vitals.threads.items()}
        return _json({"healthy": not hanging, "threads": ages, "hanging": sorted(hanging)})

    def _readyz(self) -> Answer:
        parts = readiness(self._vitals())
        ready = not any(parts.values())
        return _json({"ready": ready, "parts": {name: why or "ok" for name, why in parts.items()}})


def _json(body: dict[str, Any]) -> Answer:
    """The first value of ``body`` says whether all is well."""
    good = next(iter(body.values()))
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    text = json.dumps(body, ensure_ascii=False)
    return status, "application/json; charset=utf-8", text.encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], desk: _Desk) -> None:
        self.desk = desk
        self._places = threading.BoundedSemaphore(_MOST)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which looks up the machine's name: without DNS that takes seconds.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked hung up before the answer; nobody needs a traceback of that."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0  # of a client that says nothing
    server_version = "gridwatch"
    sys_version = ""

    def do_GET(self) -> None:
        accept = self.headers.get("Accept", "")
        status, kind, body = self.server.desk.answer(urlsplit(self.path).path, accept)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - likewise

    def log_message(self, *_: object) -> None:
        """Being asked every few seconds is no event."""
