"""The audit: who did or read what, when, from where, and what came of it. Lines are only added.

Each line's hash is made from the line and the hash before it, so whoever changes, takes out or puts
in a line must make every later one anew; who has noted a number and its hash elsewhere sees that.
The newest lines stand in a Redis stream, until the archive takes them over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DeskUnavailableError
from pipeline.tickets.archive.scripts import script_of
from pipeline.tickets.codec import dump
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.tickets.archive.store import Archive
    from pipeline.tickets.keys import Keys

Raw = tuple[int, str, str]
"""Number, content (JSON) and hash of a line."""

_NONE = (0, "")  # what stands before the first line
_TRIES = 200  # somebody else's line came first so often: something is wrong
_PAGE = 500
_LONGEST = 500  # characters of a text


@dataclass(frozen=True, slots=True)
class Line:
    """``at``: Unix seconds UTC. ``who``: a person or a key; ``origin``: the address or the machine.

    ``action`` is what was asked for (``tickets accept``), ``subject`` whereof (a ticket's number, a
    picture), ``result`` ``done`` or why not.
    """

    number: int
    at: float
    who: str
    origin: str
    action: str
    subject: str
    result: str
    details: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of one person, about one thing, of some actions, of some time.

    ``actions`` are first words (``tickets``); ``since`` (included) and ``until`` are Unix seconds.
    """

    who: str | None = None
    subject: str | None = None
    actions: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None

    def fits(self, line: Line) -> bool:
        return (
            self.who in (None, line.who)
            and self.subject in (None, line.subject)
            and (not self.actions or line.action.partition(" ")[0] in self.actions)
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """``lines`` were read, the newest has the hash ``head``; ``problem`` is the first fault."""

    lines: int
    head: str
    problem: str | None


class Audit:
    """Methods raise DeskUnavailableError; a line that was not acknowledged may be there or not."""

    def __init__(self, redis: Redis, keys: Keys, archive: Archive, *, clock: Clock) -> None:
        self._redis: Any = redis
        self._keys = keys
        self._archive = archive
        self._clock = clock
        self._add: Any = redis.register_script(script_of("audit"))
        self._newest: tuple[int, str] | None = None  # as it was when this process last looked

    def record(
        self,
        action: str,
        subject: str,
        *,
        who: str,
        origin: str,
        result: str = "done",
        details: Mapping[str, Any] | None = None,
        at: float | None = None,
    ) -> int:
        """Add a line; it is kept when this returns. Returns its number. ``at``: if it was before.

        Whoever must not show something unrecorded calls this first, and shows it then.
        """
        texts = {
            "who": who,
            "origin": origin,
            "action": action,
            "subject": subject,
            "result": result,
        }
        said = {name: text[:_LONGEST] for name, text in texts.items()}
        after = self._newest or self._head()
        for _ in range(_TRIES):
            number = after[0] + 1
            content = dump(
                {
                    "number": number,
                    "at": self._clock.now() if at is None else at,
                    **said,
                    "details": dict(details or {}),
                }
            )
            mine = (number, _hash_of(after[1], content))
            found = self._append(after, mine, content)
            if found == mine:
                self._newest = mine
                return number
            after = found
        raise DeskUnavailableError("the audit took no line: others were always first")

    def lines(
        self, *, who: str | None = None, subject: str | None = None, limit: int = 100
    ) -> list[Line]:
        """The newest, newest first, of one person or about one thing."""
        return self.search(Wanted(who=who, subject=subject), limit=limit)

    def search(self, wanted: Wanted, *, below: int | None = None, limit: int = 100) -> list[Line]:
        """The newest that are wanted, newest first; ``below``: of those before this number."""
        found: list[Line] = []
        for raw in self._live(newest_first=True):
            if below is not None and raw[0] >= below:
                continue
            line = _line(raw)
            if wanted.fits(line):
                found.append(line)
            if len(found) >= limit:
                return found
            below = raw[0]
        older = self._archive.newest_audit(wanted, below=below, limit=limit - len(found))
        return found + [_line(raw) for raw in older]

    def every(self, wanted: Wanted) -> Iterator[Line]:
        """All that are wanted, newest first."""
        below: int | None = None
        while page := self.search(wanted, below=below, limit=_PAGE):
            yield from page
            below = page[-1].number

    def all(self) -> Iterator[Line]:
        """Every line, oldest first, from the archive and from Redis."""
        return map(_line, self._raw())

    def verify(self, noted: tuple[int, str] | None = None) -> Verdict:
        """Read all and make every hash anew. ``noted``: number and hash as noted elsewhere."""
        head = self._head()
        before, count = "", 0
        for number, content, digest in self._raw():
            count += 1
            problem = None
            if number != count:
                problem = f"line {count} is missing: {number} comes next"
            elif digest != _hash_of(before, content):
                problem = f"line {number} or the one before it was changed"
            elif noted is not None and number == noted[0] and digest != noted[1]:
                problem = f"line {number} has another hash than was noted"
            if problem is not None:
                return Verdict(count, digest, problem)
            before = digest
        last = max(head[0], noted[0] if noted else 0)
        missing = f"line {last} is missing: {count} is the last" if count < last else None
        return Verdict(count, before, missing)

    def _head(self) -> tuple[int, str]:
        with mapped("reading the audit"):
            number, digest = self._redis.hmget(self._keys.audit("head"), "number", "hash")
        if number is not None:
            return int(number), digest
        return self._archive.last_audit() or _NONE  # Redis is new: go on where the archive ends

    def _append(
        self, after: tuple[int, str], mine: tuple[int, str], content: str
    ) -> tuple[int, str]:
        call = {
            "after": _said(after),
            "if_none": _said(after),
            "number": str(mine[0]),
            "hash": mine[1],
            "json": content,
        }
        with mapped("writing the audit"):
            number, digest = self._add(keys=[self._keys.root], args=[dump(call)])
        return int(number), digest

    def _raw(self) -> Iterator[Raw]:
        next_one = 1
        for raw in self._archive.audit():
            next_one = raw[0] + 1
            yield raw
        for raw in self._live():
            if raw[0] > next_one:  # what moved to the archive while it was read
                for moved in self._archive.audit(next_one):
                    if moved[0] < raw[0]:
                        yield moved
            if raw[0] >= next_one:
                next_one = raw[0] + 1
                yield raw

    def _live(self, *, newest_first: bool = False) -> Iterator[Raw]:
        start, end = "-", "+"
        while True:
            with mapped("reading the audit"):
                page = (
                    self._redis.xrevrange(self._keys.audit(), end, start, count=_PAGE)
                    if newest_first
                    else self._redis.xrange(self._keys.audit(), start, end, count=_PAGE)
                )
            for name, fields in page:
                yield int(name.partition("-")[0]), fields["json"], fields["hash"]
            if len(page) < _PAGE:
                return
            bound = f"({page[-1][0]}"
            start, end = (start, bound) if newest_first else (bound, end)


def _said(newest: tuple[int, str]) -> dict[str, str]:
    return {"number": str(newest[0]), "hash": newest[1]}


def _hash_of(before: str, content: str) -> str:
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def _line(raw: Raw) -> Line:
    _, content, digest = raw
    return Line(**json.loads(content), hash=digest)
