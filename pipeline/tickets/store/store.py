"""Where evidence is kept and through which alone it is read: a folder here, or a bucket as well.

With a bucket everything is written here first and carried there later, so that a bucket which is
away holds up nothing.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import structlog

from pipeline.errors import EvidenceError, StoreUnavailableError, UnknownEvidenceError
from pipeline.tickets.store.bucket import Bucket, bucket_of
from pipeline.tickets.store.folder import Folder
from pipeline.tickets.store.ledger import Item, Ledger
from pipeline.tickets.store.names import media_type_of, owner_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.settings import EvidenceSettings, Settings

Part = Literal["keep", "carry", "sweep"]

_AT_ONCE = 50  # files looked up together while they are carried

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class About:
    """Of what a file is evidence: an incident, report or ticket, its camera, hazard and kind."""

    owner: str
    camera_id: str | None
    hazard: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class Who:
    """Who reads: a user's name, from where (address or machine), and by which way."""

    name: str
    origin: str
    way: Literal["cli", "console", "desk"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What was read. ``media_type`` is ``image/jpeg`` or ``video/mp4``."""

    name: str
    data: bytes
    media_type: str


class EvidenceStore:
    """The evidence of one ``data_dir``; safe among threads and processes.

    ``trouble`` says in words what keeps evidence from being kept, carried or swept now.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: EvidenceSettings,
        clock: Clock,
        *,
        bucket: Bucket | None = None,
    ) -> None:
        self.folder = Folder(data_dir / "evidence")
        self.ledger = Ledger(data_dir / "evidence.sqlite", clock)
        self.bucket = bucket
        self._trouble: dict[Part, str] = {}
        self._settings = settings
        self._clock = clock

    def close(self) -> None:
        self.ledger.close()

    def keep(self, files: Mapping[str, bytes], about: About) -> None:
        """Write all of them or none, and enter them into the ledger.

        Raises EvidenceError, and has kept nothing then.
        """
        try:
            self._keep(files, about)
        except EvidenceError as error:
            self.tell("keep", str(error))
            raise
        self.tell("keep", "")

    def read(self, name: str, who: Who) -> Content:
        """The only way to evidence: gives it after the read has been recorded.

        Raises UnknownEvidenceError, StoreUnavailableError, and EvidenceError when the read can't
        be recorded or the file is not what was kept.
        """
        media_type, owner = media_type_of(name), owner_of(name)
        item = self.ledger.item(name)
        data = self._find(name, item)
        digest = hashlib.sha256(data).hexdigest()
        if item is not None and digest != item.sha256:
            log.error("evidence.changed", name=name)
            raise EvidenceError(f"{name} is not what was kept: its SHA-256 differs")
        self.ledger.note_read(
            {
                "at": self._clock.now(),
                "who": who.name,
                "from": who.origin,
                "way": who.way,
                "why": who.why,
                "name": name,
                "owner": owner,
                "ticket_id": None if item is None else item.ticket_id,
                "sha256": digest,
            }
        )
        return Content(name, data, media_type)

    def delete(self, item: Item, rule: str) -> None:
        """Delete a file for good and record what, when and by which rule.

        Begun before and ended after, so that a kill between leaves neither a file that counts as
        deleted nor a deletion that nobody knows of. Raises EvidenceError; to be done again then.
        """
        self.ledger.begin_deletion(item.name, rule, self._state(item))
        self.end_deletion(item)

    def end_deletion(self, item: Item) -> None:
        """The second half of ``delete``; by several at once, or again, it is recorded once."""
        if item.place == "bucket":
            self._bucket_of(item).delete(item.name)
        self.folder.remove(item.name)
        facts = asdict(item)
        recorded = ("name", "owner", "ticket_id", "sha256", "size", "made_at", "place")
        said = {"at": self._clock.now(), **{key: facts[key] for key in recorded}}
        self.ledger.end_deletion(item.name, said)

    def carry(self, stop: threading.Event) -> int:
        """Bring what waits here to the bucket, oldest first; returns how many files.

        Raises StoreUnavailableError; what hasn't arrived stays.
        """
        carried = 0
        while self.bucket is not None and not stop.is_set():
            waiting = self.ledger.waiting(_AT_ONCE)
            if not waiting:
                break
            for item in waiting:
                if not stop.is_set():
                    carried += self._carry(self.bucket, item)
        return carried

    def give_way(self) -> int:
        """While the bucket is away: delete the oldest that waits beyond the bounds of this disk.

        What is held stays. Returns how many files.
        """
        gone = 0
        while self.bucket is not None and (why := self._too_much()):
            item = next((one for one in self.ledger.waiting(1000) if not one.held), None)
            if item is None:
                break
            log.error("evidence.gave_way", name=item.name, why=why)
            self.delete(item, f"gave way: {why}")
            gone += 1
        return gone

    def tell(self, part: Part, why: str) -> None:
        """What the operator must know; logged when it begins and ends. Empty: all is well."""
        before = self._trouble.get(part, "")
        if why and not before:
            log.error("evidence.trouble", part=part, why=why)
        elif before and not why:
            log.info("evidence.goes_on", part=part)
        self._trouble = {**self._trouble, part: why}

    @property
    def trouble(self) -> str:
        return "; ".join(filter(None, self._trouble.values()))

    def _keep(self, files: Mapping[str, bytes], about: About) -> None:
        now = self._clock.now()
        items = [
            Item(
                name=name,
                owner=about.owner,
                camera_id=about.camera_id,
                hazard=about.hazard,
                kind=about.kind,
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
                made_at=now,
            )
            for name, data in files.items()
            if media_type_of(name)
        ]
        try:
            self.folder.need(self._settings.min_free_mb)
            self.folder.write(files)
        except OSError as error:
            raise EvidenceError(f"{self.folder.root}: {error.strerror or error}") from error
        try:
            self.ledger.add(items)
        except EvidenceError:
            for name in files:  # a kill here leaves files that the sweep enters
                self.folder.remove(name)
            raise

    def _too_much(self) -> str:
        """Why something of what waits has to give way; empty: nothing has to."""
        most = self._settings.store.waiting_mb
        if self.ledger.waiting_bytes() > most * 1_000_000:
            return f"more than {most} MB waited for {self.bucket}"
        free, least = self.folder.free_mb(), self._settings.min_free_mb
        return f"{free} MB of disk free, kept for tickets: {least} MB" if free < least else ""

    def _find(self, name: str, item: Item | None) -> bytes:
        data = self.folder.read(name)
        if data is None and self.bucket is not None:
            data = self.bucket.get(name)
        if data is not None:
            return data
        gone = self.ledger.deletion_of(name)
        if gone is not None:
            raise UnknownEvidenceError(f"{name} was deleted: {gone.said['rule']}")
        if item is not None and item.place == "bucket":
            self._bucket_of(item)
        raise UnknownEvidenceError(f"there is no {name}")

    def _carry(self, bucket: Bucket, item: Item) -> bool:
        data = self.folder.read(item.name)
        if data is None:
            return self._miss(item)
        bucket.put(item.name, data, item.sha256)
        self.ledger.placed(item.name)
        self.folder.remove(item.name)
        return True

    def _miss(self, item: Item) -> bool:
        """Gone without us; recorded, or it would be carried for ever."""
        log.error("evidence.missing_file", name=item.name)
        self.delete(item, "missing: somebody else removed it")
        return False

    def _state(self, item: Item) -> str:
        """Whether it still is what was kept."""
        here = self.folder.read(item.name)
        digest = None if here is None else hashlib.sha256(here).hexdigest()
        if here is None and item.place == "bucket":
            digest = self._bucket_of(item).sha256(item.name)
        if digest is None:
            return "missing"
        return "as kept" if digest == item.sha256 else "changed"

    def _bucket_of(self, item: Item) -> Bucket:
        if self.bucket is None:
            raise StoreUnavailableError(f"{item.name} is in a bucket, and the settings name none")
        return self.bucket


def open_store(settings: Settings, clock: Clock) -> EvidenceStore:
    """The store of these settings; opens nothing yet. Raises InputError without an extra."""
    evidence = settings.tickets.evidence
    return EvidenceStore(settings.data_dir, evidence, clock, bucket=bucket_of(evidence.store))


def this_user(why: str = "") -> Who:
    """Whoever runs this command on this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        name = "unknown"
    return Who(name, socket.gethostname(), "cli", why)
