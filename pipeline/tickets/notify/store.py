"""What is to be sent to whom, in Redis: nothing here knows how it is sent.

An event is read from the stream by the group ``notify`` and handed to its recipients in one atomic
step. Per recipient there are two lanes (``urgent`` waits for nothing, ``normal`` may), and in each
at most one message under way, which one box has on lease while it tries. A box that dies leaves
its lease to run out; another tries again, with the same name of the message.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from redis.exceptions import ResponseError

from pipeline.tickets.codec import dump
from pipeline.tickets.keys import Keys
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis import Redis

Lane = Literal["urgent", "normal"]
LANES: tuple[Lane, ...] = ("urgent", "normal")
GROUP = "notify"

MOST_WAITING = 5000
"""Events that wait for one lane at most; beyond, the oldest are dropped and counted."""
_MOST_DEAD = 200  # dead letters of one recipient, likewise
_ORPHAN_MS = 60_000  # an event that its reader has not handed on for so long has lost its reader
_GONE_MS = 86_400_000  # a reader that was silent for a day is gone
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Taken:
    """A message on lease. ``events`` is a JSON array, ``made_at`` Unix seconds."""

    name: str
    lane: Lane
    message_id: str
    events: str
    tries: int
    made_at: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up; times are Unix seconds."""

    message_id: str
    lane: Lane
    tries: int
    made_at: float
    dead_at: float
    why: str
    events: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a recipient stands. ``waiting`` are events, ``dead`` messages; times Unix seconds."""

    name: str
    waiting: int
    tries: int
    sent: int
    failures: int
    dropped: int
    dead: tuple[DeadLetter, ...]
    last_sent_at: float | None
    why: str
    why_at: float | None


class NotifyStore:
    """One reader of the stream of events, with a random name. Raises DeskUnavailableError."""

    def __init__(self, redis: Redis, *, prefix: str = "gridwatch") -> None:
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._keys = Keys(prefix)
        self.box = uuid.uuid4().hex
        self._scripts: dict[str, Any] = {
            name: redis.register_script(_script(name))
            for name in ("route", "take", "settle", "revive", "notice")
        }

    def read(self, wait_s: float) -> list[tuple[str, str]]:
        """New events as (entry, JSON), at most ``AT_ONCE``; waits so long for a first one."""
        found = self._with_group(
            lambda: self._redis.xreadgroup(
                GROUP,
                self.box,
                {self._keys.events: ">"},
                count=AT_ONCE,
                block=max(1, round(1000 * wait_s)) if wait_s > 0 else None,
            )
        )
        return [(entry, fields["json"]) for _, entries in found or () for entry, fields in entries]

    def orphans(self) -> list[tuple[str, str]]:
        """Events that a box took and never handed on, and this box's own likewise."""
        answer = self._with_group(
            lambda: self._redis.xautoclaim(
                self._keys.events, GROUP, self.box, min_idle_time=_ORPHAN_MS, count=AT_ONCE
            )
        )
        with mapped("forgetting readers"):
            self._forget_readers()
        found = [(entry, fields["json"]) for entry, fields in answer[1] if fields]
        if len(found) < len(answer[1]):
            self._drop_trimmed()
        return found

    def route(self, entry: str, event: str, to: Iterable[tuple[str, Lane, float]]) -> bool:
        """Hand an event to (recipient, lane, due at Unix seconds); False: it has been already."""
        call = {
            "entry": entry,
            "event": event,
            "to": [[name, lane, repr(at)] for name, lane, at in to],
            "most_waiting": str(MOST_WAITING),
        }
        return bool(self._run("route", call))

    def due(self, now: float) -> list[tuple[str, Lane]]:
        """The lanes to look at now, those that have waited longest first."""
        with mapped("looking for what is to be sent"):
            members = self._redis.zrangebyscore(self._due, "-inf", repr(now))
        return [_lane_of(member) for member in members]

    def postpone(self, name: str, lane: Lane, until: float) -> None:
        """Look at a lane again then, Unix seconds."""
        with mapped("holding messages back"):
            self._redis.zadd(self._due, {f"{name}|{lane}": until}, xx=True)

    def take(
        self,
        name: str,
        lane: Lane,
        now: float,
        *,
        lease_s: float,
        pace_s: float,
        most: int,
        sweep: bool,
    ) -> Taken | None:
        """The message to send now, on lease for so long; None: there is none yet."""
        call = {
            "name": name,
            "lane": lane,
            "now": repr(now),
            "leased_until": repr(now + lease_s),
            "pace_s": repr(pace_s),
            "most": str(most),
            "sweep": "1" if sweep else "",
            "by": self.box,
            "message_id": uuid.uuid4().hex,
        }
        found = self._run("take", call)
        if found is None:
            return None
        message_id, events, tries, made_at = found
        return Taken(name, lane, message_id, events, int(tries), float(made_at))

    def sent(self, taken: Taken, now: float) -> bool:
        """The other side has it. False: the lease had run out and another box is at it."""
        return self._settle(taken, "sent", now)

    def again(self, taken: Taken, now: float, *, next_at: float, why: str) -> bool:
        """It failed and is tried again then. False as for ``sent``."""
        return self._settle(taken, "again", now, next_at=repr(next_at), why=why)

    def dead(self, taken: Taken, now: float, *, why: str) -> bool:
        """It is given up. False as for ``sent``."""
        return self._settle(taken, "dead", now, why=why, most_dead=str(_MOST_DEAD))

    def revive(self, name: str, now: float) -> int:
        """Send what was given up anew; how many messages."""
        with mapped("reading dead letters"):
            texts = self._redis.lrange(self._key("dead", name), 0, -1)
        letters = []
        for text in texts:
            letter = json.loads(text)
            letters.append([text, letter["lane"], [dump(event) for event in letter["events"]]])
        return int(self._run("revive", {"name": name, "now": repr(now), "letters": letters}))

    def notice(self, subject: str, state: str, event: str) -> bool:
        """An event of a camera or box, unless that was told; see lua/notice.lua."""
        call = {"subject": subject, "state": state, "event": event}
        return bool(self._run("notice", call))

    def told(self) -> dict[str, str]:
        """What is out of order as far as was told: subject -> state."""
        with mapped("reading what was told"):
            return dict(self._redis.hgetall(self._key("told")))

    def standings(self, names: Sequence[str]) -> list[Standing]:
        """How these recipients stand."""
        with mapped("reading how recipients stand"):
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(self._key("recipient", name))
                pipe.lrange(self._key("dead", name), 0, -1)
                for lane in LANES:
                    pipe.llen(self._key("waiting", name, lane))
                    pipe.hget(self._key("sending", name, lane), "tries")
            rows = pipe.execute()
        size = 2 + 2 * len(LANES)
        return [
            _standing(name, *rows[size * place : size * (place + 1)])
            for place, name in enumerate(names)
        ]

    def names(self) -> list[str]:
        """Recipients that something waits for, whether or not the settings know them."""
        with mapped("reading how recipients stand"):
            members = self._redis.zrange(self._due, 0, -1)
        return sorted({_lane_of(member)[0] for member in members})

    def unread(self) -> int:
        """Events that no box has handed on yet."""
        with mapped("counting events"):
            if not self._redis.exists(self._keys.events):
                return 0
            group = self._group()
            after = self._redis.xrange(self._keys.events, f"({group['last-delivered-id']}", "+")
        return int(group["pending"]) + len(after)

    def trim(self, before: float) -> None:
        """Forget events older than that (Unix seconds), but none that is not handed on."""
        with mapped("forgetting old events"):
            if not self._redis.exists(self._keys.events):
                return
            group = self._group()
            least = f"{max(0, int(before * 1000))}-0"
            pending = self._redis.xpending(self._keys.events, GROUP)["min"]
            for kept in (group["last-delivered-id"], pending):
                if kept is not None and _position(kept) < _position(least):
                    least = kept
            self._redis.xtrim(self._keys.events, minid=least, approximate=True)

    def _with_group(self, read: Callable[[], Any]) -> Any:
        """Read; before the first event there is neither a stream nor the group."""
        with mapped("reading events"):
            try:
                return read()
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                with suppress(ResponseError):  # another box has just made it
                    self._redis.xgroup_create(self._keys.events, GROUP, id="0", mkstream=True)
                return read()

    def _drop_trimmed(self) -> None:
        """What was cut off the stream before anybody handed it on: Redis 6.2 keeps it pending."""
        with mapped("dropping events"):
            pending = self._redis.xpending_range(
                self._keys.events, GROUP, "-", "+", AT_ONCE, consumername=self.box
            )
            for item in pending:
                entry = item["message_id"]
                if not self._redis.xrange(self._keys.events, entry, entry):
                    self._redis.xack(self._keys.events, GROUP, entry)

    def _group(self) -> dict[str, Any]:
        groups = self._redis.xinfo_groups(self._keys.events)
        found: dict[str, Any] = next(one for one in groups if one["name"] == GROUP)
        return found

    def _forget_readers(self) -> None:
        for one in self._redis.xinfo_consumers(self._keys.events, GROUP):
            if one["name"] != self.box and one["pending"] == 0 and one["idle"] > _GONE_MS:
                self._redis.xgroup_delconsumer(self._keys.events, GROUP, one["name"])

    def _settle(self, taken: Taken, outcome: str, now: float, **more: str) -> bool:
        call = {
            "name": taken.name,
            "lane": taken.lane,
            "message_id": taken.message_id,
            "by": self.box,
            "outcome": outcome,
            "now": repr(now),
        }
        return bool(self._run("settle", call | more))

    def _run(self, name: str, call: dict[str, Any]) -> Any:
        with mapped("notifying"):
            return self._scripts[name](keys=[self._keys.root], args=[dump(call)])

    @property
    def _due(self) -> str:
        return self._key("due")

    def _key(self, *parts: str) -> str:
        return ":".join((self._keys.root, "notify", *parts))


@cache
def _script(name: str) -> str:
    folder = files("pipeline.tickets.notify") / "lua"
    return "".join((folder / f"{part}.lua").read_text("utf-8") for part in ("lanes", name))


def _lane_of(member: str) -> tuple[str, Lane]:
    name, _, lane = member.rpartition("|")
    return name, "urgent" if lane == "urgent" else "normal"


def _position(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)


def _standing(name: str, fields: dict[str, str], dead: list[str], *lanes: Any) -> Standing:
    waiting, tries = lanes[::2], lanes[1::2]
    return Standing(
        name=name,
        waiting=sum(waiting),
        tries=max((int(one) for one in tries if one is not None), default=0),
        sent=int(fields.get("sent", 0)),
        failures=int(fields.get("failures", 0)),
        dropped=int(fields.get("dropped", 0)),
        dead=tuple(map(_letter, dead)),
        last_sent_at=_time(fields.get("last_sent_at")),
        why=fields.get("why", ""),
        why_at=_time(fields.get("why_at")),
    )


def _letter(text: str) -> DeadLetter:
    found = json.loads(text)
    message_id, events = found.pop("id"), found.pop("events")
    return DeadLetter(message_id=message_id, events=len(events), **found)


def _time(text: str | None) -> float | None:
    return None if text is None else float(text)
