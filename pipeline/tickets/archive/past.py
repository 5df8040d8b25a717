"""How the desk looks into its archive: only where what it was asked for may have gone there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.errors import ArchiveUnavailableError
from pipeline.tickets.archive.scripts import script_of
from pipeline.tickets.archive.tables import key_of
from pipeline.tickets.codec import dump
from pipeline.tickets.redis_errors import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis

    from pipeline.tickets.archive.packed import Packed
    from pipeline.tickets.archive.search import Found, Query
    from pipeline.tickets.archive.store import Archive
    from pipeline.tickets.keys import Keys

RECENT_S = 86400.0
"""An incident younger than this is in no archive: tickets stay at least two days after the last
that was heard of them, and clocks of boxes are less than a day apart."""


@dataclass(frozen=True, slots=True)
class Filed:
    """``ticket_id``: of the archived ticket that holds an incident.

    ``mark`` belongs into the call of the script that files it: what was looked up must still be so.
    """

    ticket_id: str | None = None
    mark: Mapping[str, str] = field(default_factory=dict)


class Past:
    """The archived tickets of a desk.

    Redis names the archive that its tickets have gone to. While it names none there is nothing to
    look for, and this box's archive is not even opened; where it names another than this box's, the
    box says so instead of answering wrongly.
    """

    def __init__(self, redis: Redis, keys: Keys, archive: Archive) -> None:
        self._redis: Any = redis
        self._keys = keys
        self._archive = archive
        self._restore: Any = redis.register_script(script_of("archive_restore"))

    def filed(self, incident_id: str, age_s: float) -> Filed:
        """Whether an incident that is so old is in the archive."""
        if age_s < RECENT_S:
            return Filed()
        # The order matters: a ticket that moves after this changes the generation.
        home, generation = self._home_and_generation()
        if home is None:
            return Filed(mark={"archive_generation": generation})
        self._check(home)
        return Filed(self._archive.ticket_of(incident_id), {"archive_generation": generation})

    def ticket(self, ticket_id: str) -> Packed | None:
        """To be asked for after Redis: tickets go from there to here."""
        return self._archive.ticket(ticket_id) if self._is_used() else None

    def ticket_of(self, incident_id: str) -> str | None:
        return self._archive.ticket_of(incident_id) if self._is_used() else None

    def search(self, query: Query) -> list[Found]:
        """The newest that fit and have not come back to life since."""
        if not self._is_used():
            return []
        found = self._archive.search(query)
        with mapped("looking up what is live"):
            pipe = self._redis.pipeline(transaction=False)
            for one in found:
                pipe.exists(self._keys.ticket(one.ticket_id))
            live = pipe.execute()
        return [one for one, alive in zip(found, live, strict=True) if not alive]

    def tickets(self, query: Query) -> list[Packed]:
        """The same as whole tickets."""
        return self._archive.tickets([key_of(one.ticket_id) for one in self.search(query)])

    def histories(
        self, since_day: str, until_day: str
    ) -> Iterator[tuple[str, dict[str, str], list[str]]]:
        """Number, fields and steps (JSON) of tickets filed on these local days, both included."""
        return self._archive.histories(since_day, until_day) if self._is_used() else iter(())

    def bring_back(self, incident_id: str) -> bool:
        """Put the ticket of an incident back into Redis; False where no archived one holds it."""
        ticket_id = self.ticket_of(incident_id)
        packed = None if ticket_id is None else self._archive.ticket(ticket_id)
        if packed is None:
            return False
        call = {
            "ticket_id": packed.ticket_id,
            "parts": packed.flat(),
            "incidents": list(packed.hash("incidents")),
        }
        with mapped(f"bringing {ticket_id} back"):
            self._restore(keys=[self._keys.root], args=[dump(call)])
        return True

    def _is_used(self) -> bool:
        home, _ = self._home_and_generation()
        if home is not None:
            self._check(home)
        return home is not None

    def _home_and_generation(self) -> tuple[str | None, str]:
        with mapped("asking where the archive is"):
            home, generation = self._redis.mget(
                self._keys.archive("home"), self._keys.archive("generation")
            )
        return home, generation or "0"

    def _check(self, home: str) -> None:
        if home != self._archive.identity:
            raise ArchiveUnavailableError(
                f"the archive of this town is not {self._archive.name}: name the one that its "
                "tickets went to in tickets.archive.url, the same for all boxes"
            )
