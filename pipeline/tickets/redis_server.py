"""A connection to the Redis that holds the tickets: one by URL, or a private one of our own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from pipeline.settings import RedisSettings


@contextmanager
def open_redis(settings: RedisSettings, data_dir: Path, *, fsync: bool = True) -> Iterator[Redis]:
    """A checked client: connected to ``settings.url``, or to a private Redis under ``data_dir``.

    ``fsync=False`` keeps a private Redis in memory only, for replay and tests. Raises
    DeskUnavailableError (with the URL's credentials masked) and SettingsError.
    """
    raise NotImplementedError
    yield
