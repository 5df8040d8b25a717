"""Tickets as they stand in Redis, read without changing anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.errors import DeskError, UnknownTicketError
from pipeline.tickets.archive import Query
from pipeline.tickets.archive.tables import day_of
from pipeline.tickets.codec import evidence_from_json, findings_from_json
from pipeline.tickets.redis_errors import mapped
from pipeline.tickets.ticket import Facts, Step, Ticket
from pipeline.tickets.transitions import LEVEL_OF
from pipeline.tickets.wire import TicketMessage
from pipeline.town.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from redis import Redis

    from pipeline.tickets.archive import Found, Past
    from pipeline.tickets.archive.packed import Packed
    from pipeline.tickets.keys import Keys
    from pipeline.tickets.report import Report

_PAGE = 100  # tickets fetched in one exchange
_PARTS = 4  # commands per ticket in an exchange
_ALL = 10**6  # XPENDING wants a count


class Reader:
    """Reads what the desk wrote. Raises DeskUnavailableError when Redis is away."""

    def __init__(self, redis: Redis, keys: Keys, past: Past | None = None) -> None:
        self._redis: Any = redis  # redis-py types every answer as one that may be awaited
        self._keys = keys
        self._past = past

    def ticket(self, ticket_id: str) -> Ticket:
        """Raises UnknownTicketError."""
        found = self._fetch([ticket_id])
        if found:
            return found[0]
        # Tickets go from Redis to the archive, so asked in this order it is in one of them.
        packed = None if self._past is None else self._past.ticket(ticket_id)
        if packed is None:
            raise UnknownTicketError(f"there is no ticket {ticket_id}")
        return _unpacked(packed)

    def ticket_of(self, incident_id: str) -> Ticket:
        """Raises UnknownTicketError."""
        with mapped("looking an incident up"):
            ticket_id = self._redis.hget(self._keys.incidents, incident_id)
        if ticket_id is None and self._past is not None:
            ticket_id = self._past.ticket_of(incident_id)
        if ticket_id is None:
            raise UnknownTicketError(f"there is no incident {incident_id}")
        return self.ticket(ticket_id)

    def refuse_gone(self, ticket_id: str) -> NoReturn:
        """Say why it isn't among the live ones: UnknownTicketError, or DeskError of an old one."""
        self.ticket(ticket_id)
        raise DeskError(f"ticket {ticket_id} is in the archive and takes no more steps")

    def facts(self, ticket_id: str) -> Facts:
        """What commands are worked out from. Raises as ``refuse_gone`` does."""
        of_place = "lon", "lat", "radius_m", "method"
        names = "version", "hazard", *of_place, "grid", "map", "by_hand", "unplaced", "ground"
        with mapped("reading tickets"):
            version, hazard, *place, grid, map_version, by_hand, unplaced, ground = (
                self._redis.hmget(self._keys.ticket(ticket_id), names)
            )
        if hazard is None:
            self.refuse_gone(ticket_id)
        lon, lat, radius_m, method = place
        return Facts(
            ticket_id,
            int(version or 0),
            hazard,
            Place(float(lon), float(lat), float(radius_m), method),
            grid,
            map_version,
            by_hand is not None,
            unplaced is None,
            json.loads(ground)["address"],
        )

    def made_by(self, ticket_id: str, command_id: str) -> str | None:
        """The ticket that this command has split off, if it has."""
        with mapped("reading tickets"):
            made: str | None = self._redis.hget(self._keys.ticket(ticket_id), f"split:{command_id}")
        return made

    def of_other_maps(self, version: str, *, most: int) -> list[str]:
        """Open tickets whose owner another version of the grid map told, the oldest ``most``."""
        found: list[tuple[float, str]] = []
        with mapped("looking for tickets of other grid maps"):
            for other in self._redis.smembers(self._keys.filed_maps) - {version}:
                oldest = self._redis.zrange(self._keys.map(other), 0, most - 1, withscores=True)
                found += [(filed_at, ticket_id) for ticket_id, filed_at in oldest]
        return [ticket_id for _, ticket_id in sorted(found)[:most]]

    def adopt_unknown_maps(self) -> None:
        """Note open tickets that were filed before maps had versions, as of an unknown one."""
        for state, level in LEVEL_OF.items():
            if level == "done":
                continue
            for page in self._pages(self._keys.state(state)):
                with mapped("noting tickets of unknown grid maps"):
                    maps = [self._redis.hget(self._keys.ticket(one), "map") for one in page]
                    old = {
                        one: self._redis.zscore(self._keys.tickets, one)
                        for one, known in zip(page, maps, strict=True)
                        if known is None
                    }
                    if old:
                        self._redis.zadd(self._keys.map("unknown"), old)
                        self._redis.sadd(self._keys.filed_maps, "unknown")

    def newest(
        self,
        *,
        state: str | None,
        grid: str | None,
        hazard: str | None,
        limit: int,
        watcher: str | None = None,
    ) -> list[Ticket]:
        """The newest ``limit`` tickets that fit, newest first."""
        index = self._keys.tickets
        if watcher is not None:
            index = self._keys.watch(watcher)
        elif grid is not None:
            index = self._keys.grid(grid)
        elif state is not None:
            index = self._keys.state(state)
        found: list[Ticket] = []
        for page in self._pages(index):
            found += [
                ticket
                for ticket in self._fetch(page)
                if (state is None or ticket.state == state)
                and (grid is None or ticket.grid_code == grid)
                and (hazard is None or ticket.hazard == hazard)
            ]
            if len(found) >= limit:
                break
        return found[:limit]

    def near(self, place: Place, radius_m: float, families: Iterable[str]) -> list[Ticket]:
        """Tickets of these families within so many metres: open ones and those just done.

        The nearest ``_PAGE`` of each family and index, the nearest first.
        """
        around = {"unit": "m", "sort": "ASC", "count": _PAGE, "withdist": True}
        found: dict[str, float] = {}
        with mapped("looking for tickets near a place"):
            pipe = self._redis.pipeline(transaction=False)
            for part in (part for family in families for part in self._keys.places(family)):
                pipe.geosearch(
                    part,
                    longitude=place.lon,
                    latitude=place.lat,
                    radius=radius_m,
                    **around,
                )
            for rows in pipe.execute():
                found |= {ticket_id: float(away_m) for ticket_id, away_m in rows}
        return self._fetch(sorted(found, key=lambda one: (found[one], one)))

    def search(self, query: Query) -> list[Found]:
        """What the archive has, newest first."""
        return [] if self._past is None else self._past.search(query)

    def archived(
        self, *, state: str | None, grid: str | None, hazard: str | None, limit: int
    ) -> list[Ticket]:
        """The newest ``limit`` tickets of the archive that fit, newest first."""
        if self._past is None:
            return []
        wanted = Query(state=state, grid=grid, hazard=hazard, limit=limit)
        return [_unpacked(packed) for packed in self._past.tickets(wanted)]

    def histories(self, since_day: str, until_day: str) -> Iterator[Ticket]:
        """Live and archived tickets first filed on these local days (``20261123``), each once.

        Without their incidents and evidence.
        """
        seen = set()
        with mapped("listing tickets"):
            live = self._redis.zrange(self._keys.tickets, 0, -1)
        within = [name for name in live if since_day <= day_of(name) <= until_day]
        for start in range(0, len(within), _PAGE):
            for ticket_id, fields, steps in self._brief(within[start : start + _PAGE]):
                seen.add(ticket_id)
                yield _ticket(ticket_id, fields, [], {}, steps)
        if self._past is not None:
            for ticket_id, fields, steps in self._past.histories(since_day, until_day):
                if ticket_id not in seen:
                    yield _ticket(ticket_id, fields, [], {}, steps)

    def _archived_with(self, name: str) -> Ticket | None:
        """The archived ticket that holds this incident or report."""
        ticket_id = None if self._past is None else self._past.ticket_of(name)
        return None if ticket_id is None else self.ticket(ticket_id)

    def _brief(self, ticket_ids: Sequence[str]) -> list[tuple[str, dict[str, str], list[str]]]:
        with mapped("reading tickets"):
            pipe = self._redis.pipeline(transaction=False)
            for ticket_id in ticket_ids:
                pipe.hgetall(self._keys.ticket(ticket_id))
                pipe.lrange(self._keys.ticket(ticket_id, "steps"), 0, -1)
            answers = pipe.execute()
        rows = zip(ticket_ids, answers[::2], answers[1::2], strict=True)
        return [row for row in rows if row[1]]

    def reported(self, from_at: float, to_at: float) -> Iterator[tuple[Report, Ticket]]:
        """Residents' reports made between two times, newest first, each with its ticket."""
        start = 0
        while True:
            with mapped("listing reports"):
                names = self._redis.zrevrangebyscore(
                    self._keys.reported, to_at, from_at, start=start, num=_PAGE
                )
                held = self._redis.hmget(self._keys.incidents, names) if names else []
            if not names:
                return
            held_by = dict(zip(names, held, strict=True))
            tickets = self._fetch(sorted({ticket_id for ticket_id in held if ticket_id}))
            found = {ticket.ticket_id: ticket for ticket in tickets}
            for name in names:
                ticket = found.get(held_by[name]) or self._archived_with(name)
                for report in ticket.reports if ticket else ():
                    if report.report_id == name and ticket:
                        yield report, ticket
            start += _PAGE

    def queue(self, code: str) -> list[TicketMessage]:
        """What waits: entries that no consumer has acknowledged, oldest first."""
        stream = self._keys.queue(code)
        with mapped(f"reading the queue of {code}"):
            entries = self._redis.xrange(stream)
            if not entries:
                return []
            groups = self._redis.xinfo_groups(stream)
            pending = self._redis.xpending_range(stream, "grid", "-", "+", _ALL)
        delivered = next(one["last-delivered-id"] for one in groups if one["name"] == "grid")
        unacknowledged = {item["message_id"] for item in pending}
        return [
            TicketMessage.model_validate_json(fields["json"])
            for entry, fields in entries
            if entry in unacknowledged or _position(entry) > _position(delivered)
        ]

    def newest_entry(self, code: str) -> str:
        """The newest entry of a queue, or what stands before all."""
        with mapped(f"reading the queue of {code}"):
            entries = self._redis.xrevrange(self._keys.queue(code), count=1)
        return str(entries[0][0]) if entries else "0-0"

    def after(self, code: str, entry: str, wait_s: float) -> list[tuple[str, TicketMessage]]:
        """Entries that came after this one; waits so long for a first."""
        stream = self._keys.queue(code)
        with mapped(f"following the queue of {code}"):
            found = self._redis.xread({stream: entry}, block=max(1, round(1000 * wait_s)))
        return [
            (name, TicketMessage.model_validate_json(fields["json"]))
            for _, entries in found or ()
            for name, fields in entries
        ]

    def waiting(self) -> dict[str, int]:
        """Grid code -> how many tickets wait for it."""
        with mapped("counting what waits"):
            counts = self._redis.hgetall(self._keys.waiting)
        return {code: int(count) for code, count in sorted(counts.items())}

    def _pages(self, index: str) -> Iterator[list[str]]:
        start = 0
        while True:
            with mapped("listing tickets"):
                page = self._redis.zrevrange(index, start, start + _PAGE - 1)
            if not page:
                return
            yield page
            start += _PAGE

    def _fetch(self, ticket_ids: Sequence[str]) -> list[Ticket]:
        with mapped("reading tickets"):
            # No transaction: Redis refuses one, even for reading, when it is out of memory.
            pipe = self._redis.pipeline(transaction=False)
            for ticket_id in ticket_ids:
                pipe.hgetall(self._keys.ticket(ticket_id))
                pipe.hvals(self._keys.ticket(ticket_id, "incidents"))
                pipe.hgetall(self._keys.ticket(ticket_id, "evidence"))
                pipe.lrange(self._keys.ticket(ticket_id, "steps"), 0, -1)
            answers = pipe.execute()
        rows = [answers[i : i + _PARTS] for i in range(0, len(answers), _PARTS)]
        return [
            _ticket(ticket_id, *row)
            for ticket_id, row in zip(ticket_ids, rows, strict=True)
            if row[0]
        ]


class QueueTail:
    """What enters a queue from now on, without taking it."""

    def __init__(self, reader: Reader, code: str) -> None:
        """Raises DeskUnavailableError."""
        self._reader = reader
        self._code = code
        self._newest = reader.newest_entry(code)

    def read(self, wait_s: float) -> list[TicketMessage]:
        """What came since the last time, oldest first; waits up to ``wait_s`` for a first one.

        Raises DeskUnavailableError; called again later it goes on where it was.
        """
        found = self._reader.after(self._code, self._newest, wait_s)
        if found:
            self._newest = found[-1][0]
        return [message for _, message in found]


def _position(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)


def _unpacked(packed: Packed) -> Ticket:
    return _ticket(
        packed.ticket_id,
        packed.fields,
        list(packed.hash("incidents").values()),
        packed.hash("evidence"),
        list(packed.steps),
    )


def _ticket(
    ticket_id: str,
    fields: dict[str, str],
    incidents_json: list[str],
    evidence_json: dict[str, str],
    steps_json: list[str],
) -> Ticket:
    incidents, reports = findings_from_json(incidents_json)
    incidents.sort(key=lambda one: (one.confirmed_at, one.incident_id))
    reports.sort(key=lambda one: (one.reported_at, one.report_id))
    pictures = [
        (one.confirmed_at, evidence_from_json(evidence_json.get(one.incident_id)))
        for one in incidents
    ]
    pictures += [(one.reported_at, picture) for one in reports for picture in one.pictures]
    pictures.sort(key=lambda one: one[0])
    duty: Any = json.loads(fields["duty"])
    ground: Any = json.loads(fields["ground"])
    near = json.loads(fields["watchers"]) if "watchers" in fields else ground["near_grids"]
    ground["near_grids"] = tuple(near)
    texts: Any = {name: fields[name] for name in ("source", "hazard", "severity", "state")}
    method: Any = fields["method"]
    sources: Any = fields.get("sources", fields["source"]).split(",")
    verify: Any = fields.get("verify", "person")
    cameras = [one.camera_id for one in incidents]
    cameras += [one.camera_id for one in reports if one.camera_id]
    return Ticket(
        ticket_id=ticket_id,
        **texts,
        **duty,
        **ground,
        place=Place(float(fields["lon"]), float(fields["lat"]), float(fields["radius_m"]), method),
        camera_ids=tuple(dict.fromkeys(cameras)),
        count=int(fields["count"]),
        detected_at=float(fields["detected_at"]),
        filed_at=float(fields["filed_at"]),
        dispatched_at=_time(fields.get("dispatched_at")),
        closed_at=_time(fields.get("closed_at")),
        suspended_at=_time(fields.get("suspended_at")),
        accept_due_at=float(fields["accept_due_at"]),
        handle_due_at=float(fields["handle_due_at"]),
        remind_at=float(fields["handle_80_at"]),
        incidents=tuple(incidents),
        evidence=tuple(picture for _, picture in pictures if picture is not None),
        steps=tuple(Step(**json.loads(text)) for text in steps_json),
        version=int(fields.get("version", 0)),
        watchers=tuple(near),
        merged_into=fields.get("merged_into"),
        map_version=fields.get("map"),
        sources=tuple(sources),
        reports=tuple(reports),
        verify=verify,
        fed_back_at=_time(fields.get("fed_back_at")),
    )


def _time(text: str | None) -> float | None:
    return None if text is None else float(text)
