"""Moves what is done from Redis to the archive, so that Redis holds what is live.

A ticket is written to the database and committed, and only then taken out of Redis, by a script
that does so only where it is still, to the byte, what was written. Killed in between, it is in
both, and the next round takes it out; at no time it is in neither. Any number of boxes may do this
at once: a lease keeps them from doing the same work twice, nothing else depends on it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import LockError

from pipeline.errors import ArchiveError, ArchiveUnavailableError, DeskError
from pipeline.hazards import family_of
from pipeline.tickets.archive.packed import Packed
from pipeline.tickets.archive.scripts import script_of
from pipeline.tickets.codec import dump
from pipeline.tickets.keys import TICKET_PARTS
from pipeline.tickets.redis_errors import mapped
from pipeline.tickets.transitions import LEVEL_OF

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from redis import Redis

    from pipeline.clock import Clock
    from pipeline.tickets.archive.store import Archive
    from pipeline.tickets.keys import Keys

DONE = tuple(state for state, level in LEVEL_OF.items() if level == "done")
_BATCH = 20  # a script holds Redis up for as long as it runs
_PAGE = 500  # tickets looked at, or lines of the audit moved, in one exchange
_LEASE_S = 120.0
_RETRY_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Moved:
    """What one round did. ``busy``: another box was at it."""

    tickets: int = 0
    audit: int = 0
    busy: bool = False


class Archivist:
    """``quiet_s``: for so long nobody must have heard of a ticket that is done.

    Methods raise DeskUnavailableError and ArchiveUnavailableError; the same round may be made
    again, and does nothing twice.
    """

    def __init__(
        self, redis: Redis, keys: Keys, archive: Archive, *, clock: Clock, quiet_s: float
    ) -> None:
        self._redis: Any = redis
        self._keys = keys
        self._archive = archive
        self._clock = clock
        self._quiet_s = quiet_s
        self._take: Any = redis.register_script(script_of("archive_parts", "archive_take"))
        self._drop: Any = redis.register_script(script_of("archive_parts", "archive_drop"))
        self._unfit: set[str] = set()  # tickets that the database will not take, already told of

    def run(self, stop: threading.Event, every_s: float) -> None:
        """Rounds until ``stop``; never raises for a Redis or a database that is away."""
        away = False
        while not stop.is_set():
            try:
                moved = self.round()
            except DeskError as error:
                if not away:
                    log.warning("archive_waits", why=str(error))
                away = True
                self._clock.sleep(min(_RETRY_S, every_s), until=stop)
                continue
            if away:
                log.info("archive_goes_on")
            away = False
            if moved.tickets:
                log.info("archived", tickets=moved.tickets)
            self._clock.sleep(every_s, until=stop)

    def round(self, told: Callable[[int], None] = lambda _: None) -> Moved:
        """Move all that is due; ``told`` hears how many tickets have moved so far."""
        lease = self._redis.lock(self._keys.archive("lease"), timeout=_LEASE_S, blocking=False)
        with mapped("beginning to archive"):
            if not lease.acquire():
                return Moved(busy=True)
        try:
            self._claim()
            tickets = 0
            for batch in self._due():
                tickets += self._move(batch)
                told(tickets)
                with mapped("archiving"):
                    lease.reacquire()
            return Moved(tickets, self._move_audit())
        except LockError:  # so slow that another box goes on with it
            return Moved(busy=True)
        finally:
            _release(lease)

    def waiting(self) -> int:
        """How many tickets are due to move."""
        return sum(len(batch) for batch in self._due())

    def take_over(self) -> None:
        """Make this archive the one that the town's tickets go to, whatever was before."""
        with mapped("naming the archive"):
            self._redis.set(self._keys.archive("home"), self._archive.identity)

    def _claim(self) -> None:
        home = self._keys.archive("home")
        with mapped("naming the archive"):
            self._redis.set(home, self._archive.identity, nx=True)
            found = self._redis.get(home)
        if found != self._archive.identity:
            raise ArchiveError(
                f"this town's tickets went to another archive than {self._archive.name}: name that "
                "one in tickets.archive.url, the same for all boxes, or, if it is lost, begin anew "
                "with `gridwatch archive run --take-over`"
            )

    def _due(self) -> Iterator[list[str]]:
        """Numbers of tickets that nobody has heard of for long, in small batches."""
        before = self._clock.now() - self._quiet_s
        for state in DONE:
            passed = 0
            while True:
                with mapped("looking for what is done"):
                    page = self._redis.zrangebyscore(
                        self._keys.state(state), "-inf", before, start=passed, num=_PAGE
                    )
                    ready = self._closed_before(page, before)
                for start in range(0, len(ready), _BATCH):
                    yield ready[start : start + _BATCH]
                if len(page) < _PAGE:
                    break
                with mapped("looking for what is done"):
                    passed += sum(self._still_there(state, page))

    def _closed_before(self, page: list[str], before: float) -> list[str]:
        pipe = self._redis.pipeline(transaction=False)
        for ticket_id in page:
            pipe.hget(self._keys.ticket(ticket_id), "closed_at")
        closed = pipe.execute()
        return [
            ticket_id
            for ticket_id, at in zip(page, closed, strict=True)
            if (at is None or float(at) < before) and ticket_id not in self._unfit
        ]

    def _still_there(self, state: str, page: list[str]) -> list[bool]:
        """Those that weren't moved: the next page begins behind them."""
        scores = self._redis.zmscore(self._keys.state(state), page)
        return [score is not None for score in scores]

    def _move(self, ticket_ids: list[str]) -> int:
        before = self._clock.now() - self._quiet_s
        taken = [
            one
            for one in self._snapshots(ticket_ids)
            if one.fields["state"] in DONE and one.quiet_since < before
        ]
        if not taken:
            return 0
        kept = self._kept(taken)
        # What an older Redis wrote, brought back from a backup, stays until its number is higher.
        behind = [one for one in taken if kept.get(one.ticket_id, one.digest) != one.digest]
        if behind:
            self._catch_up()
        sure = [one for one in taken if kept.get(one.ticket_id) == one.digest]
        return self._dropped(sure)

    def _snapshots(self, ticket_ids: list[str]) -> list[Packed]:
        call = {"ids": ticket_ids, "parts": TICKET_PARTS}
        with mapped("reading what is done"):
            rows = self._take(keys=[self._keys.root], args=[dump(call)])
        return [
            Packed.from_snapshot(name, int(take), digest, text) for name, take, digest, text in rows
        ]

    def _kept(self, taken: list[Packed]) -> dict[str, str]:
        try:
            return self._archive.write(taken)
        except ArchiveUnavailableError:
            raise
        except (ArchiveError, ValueError, KeyError):
            pass  # one of them is unfit; the others must not wait for it
        kept: dict[str, str] = {}
        for one in taken:
            try:
                kept |= self._archive.write([one])
            except ArchiveUnavailableError:
                raise
            except (ArchiveError, ValueError, KeyError) as error:
                self._unfit.add(one.ticket_id)
                log.error(  # noqa: TRY400 - the reason says all, a traceback nothing
                    "not_archived", ticket_id=one.ticket_id, why=f"{error}"[:300]
                )
        return kept

    def _dropped(self, sure: list[Packed]) -> int:
        if not sure:
            return 0
        call = {
            "parts": TICKET_PARTS,
            "home": self._archive.identity,
            "tickets": [
                {
                    "id": one.ticket_id,
                    "digest": one.digest,
                    "family": family_of(one.fields["hazard"]),
                }
                for one in sure
            ],
        }
        with mapped("taking out what is archived"):
            outcomes = self._drop(keys=[self._keys.root], args=[dump(call)])
        return sum(outcome == "dropped" for outcome in outcomes)

    def _catch_up(self) -> None:
        takes, least = self._keys.archive("takes"), self._archive.last_take()
        log.warning("archive_is_ahead", take=least)
        with mapped("numbering snapshots"):
            if int(self._redis.get(takes) or 0) < least:
                self._redis.set(takes, least)

    def _move_audit(self) -> int:
        stream, moved = self._keys.audit(), 0
        while True:
            with mapped("reading the audit"):
                entries = self._redis.xrange(stream, count=_PAGE)
            if not entries:
                return moved
            rows = [_audit_row(entry) for entry in entries]
            kept = self._archive.keep_audit(rows)
            wrong = [row["number"] for row in rows if kept.get(row["number"]) != row["hash"]]
            if wrong:
                raise ArchiveError(
                    f"line {wrong[0]} of the audit is another in the archive than in Redis; "
                    "see `gridwatch audit verify`"
                )
            with mapped("taking out the audit"):
                moved += int(self._redis.xdel(stream, *(entry for entry, _ in entries)))


def _audit_row(entry: tuple[str, dict[str, str]]) -> dict[str, Any]:
    name, fields = entry
    line = json.loads(fields["json"])
    known = {column: line[column] for column in ("at", "who", "action", "subject")}
    return {
        "number": int(name.partition("-")[0]),
        **known,
        "content": fields["json"],
        "hash": fields["hash"],
    }


def _release(lease: Any) -> None:
    with suppress(LockError, DeskError), mapped("ending to archive"):
        lease.release()
