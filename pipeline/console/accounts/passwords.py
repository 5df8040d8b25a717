"""Passwords: argon2id, with the library's own parameters (RFC 9106, low memory)."""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipeline.errors import AccountError

SHORTEST = 10
LONGEST = 200  # hashing must not be fed a book
_BESIDE_NAME = 8  # characters that aren't the user's name
_DIFFERENT = 4
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike when read out
_GROUPS, _GROUP = 4, 4  # 79 bits

_hasher = PasswordHasher()
# A hash takes 64 MiB for as long as it runs: a crowd that signs in must not take the box's memory.
_turns = threading.BoundedSemaphore(2)


def made_up_password() -> str:
    """A random one that can be read out over the telephone."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def hash_of(password: str, name: str) -> str:
    """What is kept of a password. Raises AccountError for one that is too easy."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(
            f"a password has {SHORTEST} to {LONGEST} characters, found {len(password)}"
        )
    beside = password.casefold().replace(name.casefold(), "")
    if len(beside) < _BESIDE_NAME or len(set(password)) < _DIFFERENT:
        raise AccountError("a password that is mostly the name or one letter is no good")
    with _turns:
        return _hasher.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes as long where there is no such user."""
    if len(password) > LONGEST:
        return False
    with _turns:
        try:
            return _hasher.verify(kept or _nobodys(), password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(kept: str) -> bool:
    """Whether it was hashed with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


_nobody: list[str] = []


def _nobodys() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash(secrets.token_hex()))
    return _nobody[0]
