"""API keys of those who send residents' reports. A file holds their hashes; a key is shown once."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import secrets
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pipeline.errors import ApiKeyError
from pipeline.town import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.clock import Clock

FILE_NAME = "open311-keys.json"

_PREFIX = "gw_"  # so that a key that leaks is known for what it is
_MOST_NAME = 40
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key by its name. ``sha256`` of the whole key; a key is random, so it needs no salt."""

    name: str
    sha256: str
    made_at: float
    revoked_at: float | None = None


class ApiKeys:
    """The keys in a file. What another process adds or revokes counts from the next call on.

    Raises ApiKeyError for a name that won't do, and for a file that can't be read.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[ApiKey, ...] = ()

    def add(self, name: str) -> str:
        """Make a key; it is returned this once and kept nowhere."""
        if not name.strip() or not name.isprintable() or len(name) > _MOST_NAME:
            raise ApiKeyError(
                "not a name for a key",
                where="name",
                found=repr(name),
                allowed=f"one line of up to {_MOST_NAME} characters",
            )
        key = _PREFIX + secrets.token_urlsafe(32)
        with self._changing() as keys:
            if any(one.name == name and one.revoked_at is None for one in keys):
                raise ApiKeyError(
                    "there is such a key", where="name", found=name, allowed="another name"
                )
            keys.append(ApiKey(name, _hash(key), self._clock.now()))
        return key

    def revoke(self, name: str) -> None:
        """From now on the key of this name is refused."""
        with self._changing() as keys:
            places = [
                at for at, one in enumerate(keys) if one.name == name and one.revoked_at is None
            ]
            if not places:
                known = ", ".join(one.name for one in keys if one.revoked_at is None) or "none"
                raise ApiKeyError("no such key", where="name", found=name, allowed=known)
            keys[places[0]] = replace(keys[places[0]], revoked_at=self._clock.now())

    def listed(self) -> tuple[ApiKey, ...]:
        """All keys ever made, in the order in which they were."""
        with self._lock:
            try:
                state = self._path.stat()
            except FileNotFoundError:
                self._seen, self._keys = None, ()
                return ()
            except OSError as error:
                raise ApiKeyError("can't be read", file=self._path, found=error.strerror) from None
            seen = (state.st_ino, state.st_mtime_ns, state.st_size)
            if seen != self._seen:
                self._keys, self._seen = _read(self._path), seen
            return self._keys

    def name_of(self, key: str) -> str | None:
        """Whose key this is; None for one that is unknown or revoked.

        Takes as long whichever it is, and whichever part of it is right.
        """
        given, found = _hash(key), None
        for one in self.listed():
            same = hmac.compare_digest(one.sha256, given)
            if same and one.revoked_at is None:
                found = one.name
        return found

    @contextmanager
    def _changing(self) -> Iterator[list[ApiKey]]:
        """One change at a time, also of several processes."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("w", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = list(self.listed())
                yield keys
                content = {"version": 1, "keys": [asdict(one) for one in keys]}
                text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
                write_atomically(self._path, text.encode(), mode=_MODE)
        except OSError as error:
            raise ApiKeyError("can't be written", file=self._path, found=error.strerror) from None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _read(path: Path) -> tuple[ApiKey, ...]:
    try:
        content = json.loads(path.read_bytes())
        return tuple(ApiKey(**one) for one in content["keys"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ApiKeyError(
            "is no file of API keys",
            file=path,
            found=f"{type(error).__name__}: {error}",
            allowed="what gridwatch open311 key wrote",
        ) from None
