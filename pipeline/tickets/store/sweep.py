"""Deletes evidence whose time is over, and finds what a kill or another hand has left behind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import DutiesError, StoreUnavailableError
from pipeline.tickets.store.ledger import Item
from pipeline.tickets.store.names import owner_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pipeline.clock import Clock
    from pipeline.tickets.evidence_desk import EvidenceDesk, Standing
    from pipeline.tickets.store.store import EvidenceStore
    from pipeline.town import Duties

_DAY_S = 86400.0
_GRACE_S = 600.0  # a file younger than this may still be on its way into the ledger
_CHUNK = 2000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Due:
    """A file and what holds for it: by which rule it may be deleted from when on.

    ``delete_at`` None: not as long as its ticket is open or held; ``rule`` says which.
    """

    item: Item
    delete_at: float | None
    rule: str


@dataclass(slots=True)
class Swept:
    """What a sweep did: names of files. ``away``: left, because the bucket can't be reached."""

    deleted: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)


class Sweep:
    """``duties`` say how long evidence is kept, ``desk`` whose tickets are open or held.

    Nothing is deleted without the desk's word: raises DeskUnavailableError while it is away, and
    EvidenceError when the ledger or the disk fails.
    """

    def __init__(
        self, store: EvidenceStore, desk: EvidenceDesk, duties: Duties, clock: Clock
    ) -> None:
        self._store = store
        self._desk = desk
        self._duties = duties
        self._clock = clock

    def run(self) -> Swept:
        """Do all of it; may be called by several at once, and again after a kill."""
        swept = Swept()
        for item in self._store.ledger.begun():
            self._try(item, None, swept)
        self._adopt(swept)
        self._find_missing(swept)
        for due in self.dues():
            if self._is_over(due):
                (as_it_is,) = self.dues([due.item])  # somebody may have put it on hold meanwhile
                if self._is_over(as_it_is):
                    self._try(as_it_is.item, as_it_is.rule, swept)
        return swept

    def dues(self, items: Iterable[Item] | None = None) -> list[Due]:
        """Until when each file is kept, as things stand; what the desk says is noted down."""
        listed = list(self._store.ledger.items() if items is None else items)
        held = self._desk.holds().keys()
        found: list[Due] = []
        for start in range(0, len(listed), _CHUNK):
            chunk = listed[start : start + _CHUNK]
            named = {name for item in chunk for name in (item.owner, item.ticket_id) if name}
            standings = self._desk.standings(sorted(named))
            now = [
                # A ticket that was merged leaves Redis before the one that carries on.
                self._as_it_stands(
                    item, standings.get(item.owner) or standings.get(item.ticket_id or ""), held
                )
                for item in chunk
            ]
            changed = [new for old, (new, _) in zip(chunk, now, strict=True) if new != old]
            self._store.ledger.remember(changed)
            found += [self._due(item, is_open=is_open) for item, is_open in now]
        return found

    def _is_over(self, due: Due) -> bool:
        return due.delete_at is not None and due.delete_at <= self._clock.now()

    def _as_it_stands(
        self, item: Item, standing: Standing | None, held: Collection[str]
    ) -> tuple[Item, bool]:
        """The file with what the desk says of it now, and whether its ticket is open."""
        is_held = item.ticket_id in held or item.owner in held
        if standing is not None:
            is_held = is_held or standing.ticket_id in held
            item = replace(
                item,
                # A ticket on hold stays its ticket, though another one may have taken it over.
                ticket_id=item.ticket_id if item.ticket_id in held else standing.ticket_id,
                hazard=standing.hazard,
                kind=standing.kind,
                closed_at=standing.closed_at,
                held=is_held,
            )
            return item, standing.open
        closed_at = item.closed_at
        if item.ticket_id is not None and closed_at is None:
            closed_at = self._clock.now()  # it was open, and has left Redis since: it is done
        return replace(item, closed_at=closed_at, held=is_held), False

    def _due(self, item: Item, *, is_open: bool) -> Due:
        if item.held:
            return Due(item, None, "its ticket is on hold")
        if is_open:
            return Due(item, None, "its ticket is open")
        days = self._days(item)
        what = f"{item.hazard or 'unknown hazard'}{'/' + item.kind if item.kind else ''}"
        since = "it was made" if item.closed_at is None else "its ticket was done"
        begins = max(item.made_at, item.closed_at or 0.0)
        return Due(item, begins + days * _DAY_S, f"{what}: {days} days after {since}")

    def _days(self, item: Item) -> int:
        if item.hazard is not None:
            try:
                return self._duties.of(item.hazard, item.kind).evidence_days
            except DutiesError:  # a hazard of another version
                pass
        return max(duty.evidence_days for duty in self._duties)

    def _adopt(self, swept: Swept) -> None:
        """Files that no ledger knows: of a killed writer, a restored backup, an older version."""
        now, store = self._clock.now(), self._store
        store.folder.clear_aside(now - _GRACE_S)
        known: Mapping[str, Item] = {item.name: item for item in store.ledger.items()}
        for name, written_at in list(store.folder.names()):
            item = known.get(name)
            if item is None and written_at <= now - _GRACE_S:
                data = store.folder.read(name)
                if data is not None:
                    store.ledger.add([_foundling(name, data, min(now, written_at))])
                    swept.adopted.append(name)
            elif item is not None and item.place == "bucket":
                self._drop_copy(item)

    def _drop_copy(self, item: Item) -> None:
        """It was carried, and a kill came before its removal here."""
        bucket = self._store.bucket
        try:
            if bucket is not None and bucket.sha256(item.name) == item.sha256:
                self._store.folder.remove(item.name)
        except StoreUnavailableError:
            return

    def _find_missing(self, swept: Swept) -> None:
        """What should be here and isn't: somebody else removed it, and the record says so."""
        now = self._clock.now()
        here = {name for name, _ in self._store.folder.names()}
        for item in self._store.ledger.items():
            gone = item.place == "disk" and item.name not in here
            if not gone or item.made_at > now - _GRACE_S:
                continue
            fresh = self._store.ledger.item(item.name)  # it may have been carried meanwhile
            if fresh is not None and fresh.place == "disk":
                log.error("evidence.missing_file", name=item.name)
                self._store.delete(item, "missing: somebody else removed it")
                swept.missing.append(item.name)

    def _try(self, item: Item, rule: str | None, swept: Swept) -> None:
        """``rule`` None: the deletion was begun by one that has one."""
        try:
            if rule is None:
                self._store.end_deletion(item)
            else:
                self._store.delete(item, rule)
        except StoreUnavailableError:
            swept.away.append(item.name)
        else:
            swept.deleted.append(item.name)


def _foundling(name: str, data: bytes, made_at: float) -> Item:
    return Item(
        name=name,
        owner=owner_of(name),
        camera_id=None,
        hazard=None,
        kind=None,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        made_at=made_at,
    )
