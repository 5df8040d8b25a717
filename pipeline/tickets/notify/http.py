"""One POST: to a checked address, within a time limit, redirects not followed."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline import __version__
from pipeline.errors import NotifyError
from pipeline.tickets.notify.guard import connected, time_limit

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from pipeline.tickets.notify.guard import Network

_MOST_ANSWER = 64 * 1024
# What the other side may still come to take; every other refusal is its last word.
_LATER = frozenset({408, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class Poster:
    """``allow``: private networks that may be reached. ``timeout_s`` counts for the whole POST."""

    allow: Sequence[Network]
    timeout_s: float

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The beginning of the answer, where the status is 2xx.

        Raises NotifyError, which names the host and never the rest of the URL: a robot's key stands
        there.
        """
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise NotifyError("the port in the url is none", again=False) from None
        port = port or (443 if parts.scheme == "https" else 80)
        raw = connected(host, port, allow=self.allow, timeout_s=self.timeout_s)
        with raw, time_limit(raw, self.timeout_s):
            try:
                return self._exchange(raw, parts.scheme, host, port, _target(url), body, headers)
            except ssl.SSLCertVerificationError as error:
                raise NotifyError(f"{host}: {error.verify_message}") from None
            except TimeoutError:
                raise NotifyError(f"{host}: no answer within {self.timeout_s:g} s") from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = getattr(error, "strerror", None) or type(error).__name__
                raise NotifyError(f"{host} broke off: {why}") from None

    def _exchange(
        self,
        raw: socket.socket,
        scheme: str,
        host: str,
        port: int,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> bytes:
        connection = http.client.HTTPConnection(host, port, timeout=self.timeout_s)
        if scheme == "https":
            context = ssl.create_default_context()
            raw = context.wrap_socket(raw, server_hostname=host)
        connection.sock = raw  # what was judged, so that it connects to nothing else
        connection.auto_open = False  # nor once more, elsewhere
        try:
            all_headers = {"User-Agent": f"gridwatch/{__version__}", "Connection": "close"}
            connection.request("POST", target, body, all_headers | dict(headers))
            answer = connection.getresponse()
            text = answer.read(_MOST_ANSWER)
        finally:
            connection.close()
        status = answer.status
        if 200 <= status < 300:
            return text
        if 300 <= status < 400:
            raise NotifyError(f"{host} answers {status}: redirects are not followed", again=False)
        raise NotifyError(
            f"{host} answers {status} {answer.reason[:40]}", again=status >= 500 or status in _LATER
        )


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
