"""Reading RTSP requests and writing replies (RFC 2326), and checking a login (RFC 2617)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    454: "Session Not Found",
    461: "Unsupported Transport",
    501: "Not Implemented",
}
_REALM = "gridwatch rehearsal"
_NONCE = "a0c1f2e3d4b59687"  # a rehearsal keeps no secrets; real cameras change theirs
_DIGEST_FIELD = re.compile(r'(\w+)="?([^",]*)"?')


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``headers`` with lower-case names."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def camera_id(self) -> str:
        """First part of the path: rtsp://host/CAMERA/track1 -> CAMERA."""
        return urlsplit(self.url).path.strip("/").partition("/")[0]


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """What a camera asks for. ``scheme`` is how it asks."""

    user: str
    password: str
    scheme: Literal["basic", "digest"] = "digest"

    @property
    def challenge(self) -> str:
        if self.scheme == "basic":
            return f'Basic realm="{_REALM}"'
        return f'Digest realm="{_REALM}", nonce="{_NONCE}", algorithm=MD5'

    @property
    def in_url(self) -> str:
        """``user:password@``, escaped."""
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"

    def admits(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        scheme, _, rest = given.partition(" ")
        if scheme.lower() != self.scheme:
            return False
        if self.scheme == "basic":
            wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            return hmac.compare_digest(rest.strip(), wanted)
        fields = dict(_DIGEST_FIELD.findall(rest))
        who = _md5(f"{self.user}:{_REALM}:{self.password}")
        what = _md5(f"{request.method}:{fields.get('uri', '')}")
        return hmac.compare_digest(fields.get("response", ""), _md5(f"{who}:{_NONCE}:{what}"))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request; interleaved RTCP from the client is passed over. None at the end.

    Raises ValueError when what arrives isn't RTSP.
    """
    first = await reader.read(1)
    while first == b"$":
        header = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(header[1:], "big"))
        first = await reader.read(1)
    if not first:
        return None
    text = (first + await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
    request_line, *lines = text.strip().split("\r\n")
    parts = request_line.split()
    if len(parts) != 3 or not parts[2].startswith("RTSP/1."):
        raise ValueError(request_line)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(parts[0], parts[1], headers)


def reply(
    request: Request | None,
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    """A reply ready to be written."""
    lines = [f"RTSP/1.0 {status} {_REASONS[status]}"]
    if request is not None:
        lines.append(f"CSeq: {request.headers.get('cseq', '0')}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
