"""Signed webhooks: what is sent, and how the other side finds out that it is ours and fresh.

Headers of each delivery:

    Gridwatch-Delivery    names the message; the same however often it is tried
    Gridwatch-Timestamp   Unix seconds at which this try was signed
    Gridwatch-Signature   v1=<hex HMAC-SHA256 of "<timestamp>.<body>" with the shared secret>

A receiver checks with :class:`Verifier`, or with the few lines in docs/notifications.md, and keeps
the delivery names it has acted upon: a try whose answer was lost comes a second time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from pipeline.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.clock import Clock
    from pipeline.tickets.notify.http import Poster
    from pipeline.tickets.notify.message import Message

VERSION = "1"
TOLERANCE_S = 300.0
"""A delivery that was signed longer ago, or as far in the future, is refused."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the header ``Gridwatch-Signature``."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_headers(secret: str, message_id: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers of a try at ``now`` (Unix seconds)."""
    timestamp = str(int(now))
    return {
        "Gridwatch-Delivery": message_id,
        "Gridwatch-Timestamp": timestamp,
        "Gridwatch-Signature": signature(secret, timestamp, body),
    }


class Verifier:
    """For a receiver: takes what was signed by a secret it knows, lately, and only once.

    ``secrets``: more than one while an old secret gives way to a new one. Keeps the signatures of
    the last ``tolerance_s`` in memory, so one receiver with several processes must let one of them
    verify, or also drop deliveries whose name it knows.
    """

    def __init__(
        self, secrets: Sequence[str], *, clock: Clock, tolerance_s: float = TOLERANCE_S
    ) -> None:
        self._secrets = tuple(secrets)
        self._clock = clock
        self._tolerance_s = tolerance_s
        self._seen: dict[str, float] = {}

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        """The name of the delivery; raises SignatureError for what must not be believed."""
        given = {name.lower(): value for name, value in headers.items()}
        try:
            delivery, timestamp, signed = (
                given[f"gridwatch-{name}"] for name in ("delivery", "timestamp", "signature")
            )
            at = int(timestamp)
        except (KeyError, ValueError):
            raise SignatureError("a header of the signature is missing or wrong") from None
        now = self._clock.now()
        if abs(now - at) > self._tolerance_s:
            raise SignatureError(f"signed {now - at:.0f} s ago; at most {self._tolerance_s:g} s")
        for secret in self._secrets:
            if hmac.compare_digest(signature(secret, timestamp, body).encode(), signed.encode()):
                break
        else:
            raise SignatureError("not signed with the shared secret")
        self._seen = {one: until for one, until in self._seen.items() if until >= now}
        if signed in self._seen:
            raise SignatureError("came before: somebody replays it")
        self._seen[signed] = at + self._tolerance_s
        return delivery


def body_of(message: Message) -> dict[str, Any]:
    """What a webhook gets, as JSON: the words and all events."""
    return {
        "v": VERSION,
        "delivery": message.message_id,
        "made_at": message.made_at,
        "title": message.title,
        "text": message.text,
        "events": [event.model_dump(mode="json") for event in message.events],
    }


class Webhook:
    """Generic JSON, signed."""

    def __init__(self, poster: Poster, url: str, secret: str) -> None:
        self._poster = poster
        self._url = url
        self._secret = secret

    def send(self, message: Message, now: float) -> None:
        """See Channel.send."""
        body = json.dumps(body_of(message), ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(self._secret, message.message_id, body, now)
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self._poster.post(self._url, body, kind | headers)
