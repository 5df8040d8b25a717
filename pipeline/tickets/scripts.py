"""The desk's Lua scripts: each changes Redis in one step, and is told what it can't know."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.tickets.codec import dump
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

    from pipeline.tickets.keys import Keys

# Each script stands behind the files that it shares with others; events.lua stands in all.
_PARTS = {
    "tick": ("common", "tick"),
    "move": ("common", "closing", "command", "move"),
    "verify": ("common", "closing", "command", "verify"),
    "merge": ("common", "closing", "case", "command", "merge"),
    "split": ("common", "closing", "case", "command", "split"),
    "reroute": ("common", "command", "reroute"),
    "map": ("common", "map"),
    "hold": ("common", "hold"),
}
# What boxes send comes many at a time: one script knows all of it.
_ACTS = ("file", "update", "attach")


class Scripts:
    """Runs them by name."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._root = keys.root
        self._scripts: dict[str, Any] = {
            name: redis.register_script(_text(*parts)) for name, parts in _PARTS.items()
        }
        self._intake: Any = redis.register_script(_intake_text())

    def run(self, name: str, doing: str, call: Mapping[str, object]) -> Any:
        """The script's answer; what is None is left out of the call.

        ``doing`` says in an error what was tried. Raises DeskError, and DeskUnavailableError when
        Redis is away, read-only or out of memory.
        """
        given = {key: value for key, value in call.items() if value is not None}
        with mapped(doing):
            return self._scripts[name](keys=[self._root], args=[dump(given)])

    def intake(self, doing: str, calls: Sequence[Mapping[str, object]]) -> list[Any]:
        """What ``file``, ``update`` and ``attach`` answer, whichever each call's ``act`` names.

        In their order, in one step of Redis, and at once on its disk. Fewer answers than calls: the
        last one's caller has to look into the archive, those behind it were not done. Raises as
        ``run`` does; then it isn't known how many of the calls were done.
        """
        texts = [
            dump({key: value for key, value in call.items() if value is not None}) for call in calls
        ]
        with mapped(doing):
            answers: list[Any] = self._intake(keys=[self._root], args=texts)
        return answers


@cache
def _text(*parts: str) -> str:
    """What the parts share, then the last of them as a whole, then what it has to tell."""
    common, *more, act = map(_lua, parts)
    told = "local answer = act()\ntell_emergencies()\nreturn answer\n"
    return "".join([common, _lua("events"), *more, "local function act()\n", act, "end\n", told])


@cache
def _intake_text() -> str:
    acts = [f"function acts.{name}()\n{_lua(name)}end\n" for name in _ACTS]
    shared = [_lua(part) for part in ("common", "events", "closing", "case")]
    return "".join([*shared, "local acts = {}\n", *acts, _lua("intake")])


def _lua(part: str) -> str:
    return (files("pipeline.tickets") / "lua" / f"{part}.lua").read_text("utf-8")
