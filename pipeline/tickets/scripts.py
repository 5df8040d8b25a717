"""The desk's Lua scripts: each changes Redis in one step, and is told what it can't know."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.tickets.codec import dump
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from pipeline.tickets.keys import Keys

# Each script stands behind the files that it shares with others; events.lua stands in all.
_PARTS = {
    "file": ("common", "closing", "case", "file"),
    "update": ("common", "closing", "case", "update"),
    "tick": ("common", "tick"),
    "move": ("common", "closing", "command", "move"),
    "verify": ("common", "closing", "command", "verify"),
    "merge": ("common", "closing", "case", "command", "merge"),
    "split": ("common", "closing", "case", "command", "split"),
    "reroute": ("common", "command", "reroute"),
    "map": ("common", "map"),
    "attach": ("common", "attach"),
    "hold": ("common", "hold"),
}


class Scripts:
    """Runs them by name."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._root = keys.root
        self._scripts: dict[str, Any] = {
            name: redis.register_script(_text(*parts)) for name, parts in _PARTS.items()
        }

    def run(self, name: str, doing: str, call: Mapping[str, object]) -> Any:
        """The script's answer; what is None is left out of the call.

        ``doing`` says in an error what was tried. Raises DeskError, and DeskUnavailableError when
        Redis is away, read-only or out of memory.
        """
        given = {key: value for key, value in call.items() if value is not None}
        with mapped(doing):
            return self._scripts[name](keys=[self._root], args=[dump(given)])


@cache
def _text(*parts: str) -> str:
    """What the parts share, then the last of them as a whole, then what it has to tell."""
    folder = files("pipeline.tickets") / "lua"
    common, *more, act = ((folder / f"{part}.lua").read_text("utf-8") for part in parts)
    events = (folder / "events.lua").read_text("utf-8")
    told = "local answer = act()\ntell_emergencies()\nreturn answer\n"
    return "".join([common, events, *more, "local function act()\n", act, "end\n", told])
