"""Redis failures become desk errors here, so that no caller ever meets one from redis-py."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import exceptions

from pipeline.errors import DeskError, DeskUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.BusyLoadingError,
    exceptions.MasterDownError,
    exceptions.ClusterError,
    exceptions.ClusterDownError,
    exceptions.RedisClusterException,
    exceptions.TryAgainError,
    exceptions.AskError,
    exceptions.MovedError,
    exceptions.NoPermissionError,
    OSError,
)

# What an operator can put right without the ticket being wrong. Redis 6.2 wraps the code of an
# error raised inside a script in the text of a plain ERR, so the text has to be looked at.
_AWAY_CODES = re.compile(
    r"(?:^|[-\s])(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|BUSY|TRYAGAIN"
    r"|MOVED|ASK|NOPERM|NOAUTH|UNKILLABLE) "
)


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """Raise DeskUnavailableError for what may pass by itself or by an operator, else DeskError."""
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        text = f"{doing}: {_one_line(error)}"
        if isinstance(error, _AWAY) or _AWAY_CODES.search(str(error)):
            raise DeskUnavailableError(text) from error
        raise DeskError(text) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
