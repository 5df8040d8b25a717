"""What a browser carries from the beginning of signing in to its end.

It stands in a cookie of this host that scripts can't read, for ten minutes: whoever comes back with
somebody else's answer doesn't have the state it belongs to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Self

LIFE_S = 600
_TEXTS = ("state", "nonce", "verifier", "to")


@dataclass(frozen=True, slots=True)
class Flow:
    """``to``: the page that was asked for. The other three are random."""

    state: str
    nonce: str
    verifier: str
    to: str

    @classmethod
    def begin(cls, to: str) -> Self:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, to)

    @classmethod
    def from_cookie(cls, text: str | None) -> Self | None:
        """None for what is no cookie of ours."""
        try:
            told = json.loads(base64.urlsafe_b64decode(text or ""))
            values = [told[name] for name in _TEXTS]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if not all(isinstance(value, str) and value for value in values):
            return None
        return cls(*values)

    def cookie(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @property
    def challenge(self) -> str:
        """Of the verifier, by S256 (RFC 7636)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_answered_by(self, state: str) -> bool:
        return hmac.compare_digest(self.state.encode(), state.encode())
