"""What moves at the desk, told as it happens, to those who listen.

Nothing relies on it: a change may be missed while Redis is away. Whoever shows tickets looks again
now and then as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from redis import Redis

_PARTS = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A ticket has a new step: which one, whose it is, how many steps it has now."""

    ticket_id: str
    grid_code: str
    steps: int


class Changes:
    """One subscription to what the scripts of the desk tell."""

    def __init__(self, redis: Redis, *, prefix: str = "gridwatch") -> None:
        self._redis: Any = redis
        self._channel = Keys(prefix).changes
        self._listening: Any = None

    def read(self, wait_s: float) -> Change | None:
        """The next change, or None where none came in this time.

        Raises DeskUnavailableError; called again later it listens anew.
        """
        try:
            with mapped("following the desk"):
                if self._listening is None:
                    listening = self._redis.pubsub(ignore_subscribe_messages=True)
                    listening.subscribe(self._channel)
                    self._listening = listening
                return _change(self._listening.get_message(timeout=wait_s))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _change(message: Any) -> Change | None:
    parts = str(message["data"]).split("|") if message else []
    if len(parts) != _PARTS or not parts[2].isdecimal():
        return None
    return Change(parts[0], parts[1], int(parts[2]))
