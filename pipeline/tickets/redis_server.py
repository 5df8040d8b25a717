"""A connection to the Redis that holds the tickets: one by URL, or a private one of our own.

Credentials of a URL never appear in a message.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - the one that redis raises
    NoPermissionError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - likewise
)
from redis.retry import Retry

from pipeline.errors import DeskUnavailableError, SettingsError
from pipeline.tickets.embedded_redis import LEAST_VERSION, EmbeddedRedis
from pipeline.tickets.redis_errors import mapped
from pipeline.town import masked_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.settings import RedisSettings

_START_LIMIT_S = 30.0  # for a private server to answer, the loading of its data not counted
_START_POLL_S = 0.002
_HANDOVER_S, _HANDOVER_TRIES = 0.05, 40

_URL_HELP = (
    "redis://[user:password@]host[:port][/db], rediss://..., unix:///path, or null; "
    "in a password write / ? # @ as %2F %3F %23 %40"
)


@contextmanager
def open_redis(settings: RedisSettings, data_dir: Path, *, fsync: bool = True) -> Iterator[Redis]:
    """A checked client: connected to ``settings.url``, or to a private Redis under ``data_dir``.

    The private server is shared by all processes that name the same ``data_dir`` and ends with the
    last of them. ``fsync=False`` keeps it in memory only, for replay and tests. Raises
    DeskUnavailableError when Redis can't be reached and SettingsError when it is the wrong one.
    """
    if settings.url is not None:
        with _connect(settings.url, settings.timeout_s) as client:
            yield client
        return
    with EmbeddedRedis(data_dir, fsync=fsync) as server:
        _wait_until_ready(server, settings.timeout_s)
        # While another process hands the server over to this one, it is away for a moment.
        handover = Retry(ConstantBackoff(_HANDOVER_S), _HANDOVER_TRIES, (ConnectionError,))
        client = _private(server, settings.timeout_s, handover)
        try:
            yield client
        finally:
            client.close()


def redis_risks(client: Redis) -> list[str]:
    """What in the settings of this Redis may lose tickets, as sentences for people.

    Empty too where the server doesn't show its settings, as hosted ones do. Raises
    DeskUnavailableError.
    """
    with mapped("reading the settings of Redis"):
        try:
            found: dict[str, str] = {}
            for pattern in ("maxmemory*", "appendonly", "save"):
                found |= client.config_get(pattern)  # type: ignore[arg-type]  # sync client
        except ResponseError:
            return []
    risks = []
    policy = found.get("maxmemory-policy", "noeviction")
    if found.get("maxmemory", "0") != "0" and policy != "noeviction":
        risks.append(
            f"Redis 内存用满时会丢弃数据, 请设 maxmemory-policy noeviction (现为 {policy}) / "
            f"Redis throws data away when its memory is full: maxmemory-policy is {policy}, "
            "set noeviction"
        )
    if found.get("appendonly") == "no" and found.get("save") == "":
        risks.append(
            "Redis 不落盘, 重启后案卷全部丢失, 请设 appendonly yes / "
            "Redis keeps nothing on disk, a restart loses all tickets: set appendonly yes"
        )
    return risks


def _private(server: EmbeddedRedis, timeout_s: float, retry: Retry) -> Redis:
    return Redis(
        unix_socket_path=server.socket_path,
        decode_responses=True,
        protocol=2,
        socket_timeout=timeout_s,
        retry=retry,
    )


@contextmanager
def _connect(url: str, timeout_s: float) -> Iterator[Redis]:
    name = masked_url(url)
    try:
        if not url.startswith("unix:") and "@" in url and "@" not in urlsplit(url).netloc:
            raise ValueError  # noqa: TRY301 - else redis-py takes half a password for the host
        client: Redis = Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,  # the one that a Redis too old for us speaks too, to tell us so
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=_retry(),
        )
    except (ValueError, TypeError):
        # redis-py quotes the URL in its message, so none of it is passed on.
        raise SettingsError(
            "not a Redis URL", where="redis.url", found=name, allowed=_URL_HELP
        ) from None
    try:
        _check(client, name)
        yield client
    finally:
        client.close()


def _check(client: Redis, name: str) -> None:
    try:
        version = str(client.info("server")["redis_version"])
    except (AuthenticationError, NoPermissionError):
        raise SettingsError(
            "Redis refuses this user or password",
            where="redis.url",
            found=name,
            allowed="a user with all commands on the keys of redis.prefix",
        ) from None
    except (RedisError, OSError) as error:
        raise DeskUnavailableError(
            f"Redis can't be reached at {name}: {_reason(error)}; "
            "start it, put redis.url right, or set redis.url to null for a private Redis"
        ) from None
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < LEAST_VERSION:
        least = ".".join(str(part) for part in LEAST_VERSION)
        raise SettingsError(
            "Redis is too old",
            where="redis.url",
            found=f"{version} at {name}",
            allowed=f"Redis {least} or newer, or Valkey",
        )


def _reason(error: Exception) -> str:
    """Why in the words of the system: redis-py's own text may quote parts of the URL."""
    known = (error, error.__cause__, error.__context__)
    texts = [one.strerror for one in known if isinstance(one, OSError) and one.strerror]
    return texts[0] if texts else type(error).__name__


def _wait_until_ready(server: EmbeddedRedis, timeout_s: float) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    with _private(server, timeout_s, Retry(NoBackoff(), 0)) as probe:
        while True:
            try:
                probe.ping()
            except BusyLoadingError:
                deadline = time.monotonic() + _START_LIMIT_S
            except (ConnectionError, TimeoutError):
                _check_start(server, deadline)
            else:
                return
            time.sleep(_START_POLL_S)


def _check_start(server: EmbeddedRedis, deadline: float) -> None:
    if server.failure is not None:
        raise DeskUnavailableError(f"the private Redis does not start: {server.failure}") from None
    if time.monotonic() > deadline:
        raise DeskUnavailableError(
            f"the private Redis at {server.socket_path} does not answer; is another gridwatch with "
            "this data_dir stuck?"
        ) from None


def _retry() -> Retry:
    """Once more at once: a pooled connection may be stale after Redis was restarted."""
    return Retry(NoBackoff(), 1)
