"""The file of duties edited one duty at a time: comments stay, everything is checked as ever.

What is written must read back, by the code that reads the file anywhere else, as the very change
that was asked for and no other; else nothing is written.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from pipeline.errors import DutiesChangedError, DutiesError
from pipeline.strict_yaml import load_yaml
from pipeline.town import Duties, Duty, Limit, load_duties
from pipeline.town.duties import duties_of
from pipeline.town.files import read_bytes, read_text, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.town.duties import Hazard

FIELDS = tuple(one.name for one in fields(Duty) if one.name not in ("hazard", "kind"))
BEFORE = ".before"
"""Behind the file's name: as it was before the last change."""
_DEFAULTS = {
    one.name: one.default for one in fields(Duty) if one.default is not MISSING
}  # what a hazard's duty has where the file says nothing


@dataclass(frozen=True, slots=True)
class Listed:
    """What the file holds; ``version`` tells its content from any other."""

    duties: Duties
    version: str


@dataclass(frozen=True, slots=True)
class Change:
    """One duty before and after; None: the list had, or has, no such kind of its own."""

    before: Duty | None
    after: Duty | None

    def fields(self) -> dict[str, str]:
        """What differs, as ``old > new``."""
        texts = [{} if one is None else values_of(one) for one in (self.before, self.after)]
        return {
            name: f"{texts[0].get(name, '–')} > {texts[1].get(name, '–')}"
            for name in FIELDS
            if texts[0].get(name) != texts[1].get(name)
        }


def values_of(duty: Duty) -> dict[str, Any]:
    """The fields of a duty as they stand in the file."""
    return {
        name: str(value) if isinstance(value := getattr(duty, name), Limit) else value
        for name in FIELDS
    }


class DutyList:
    """Raises DutiesError for what may not stand in the file, and OSError where it can't be written.

    Several processes may edit it: a change is refused when the file is not the one it was made for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Listed:
        raw = read_bytes(self.path, DutiesError, "a YAML file")
        return Listed(load_duties(self.path), hashlib.sha256(raw).hexdigest())

    def change(
        self, hazard: Hazard, kind: str | None, values: Mapping[str, Any], version: str
    ) -> Change:
        """Give one duty these values, as they would stand in the file; the rest stays.

        A kind that has no duty of its own gets one. Raises DutiesChangedError as well.
        """
        with self._editing(version) as (before, document):
            entry = document[hazard]
            without: Mapping[str, Any] = _DEFAULTS
            if kind is not None:
                without = values_of(_own(before, hazard, None))
                entry = entry.setdefault("kinds", {}).setdefault(kind, {})
            for name in FIELDS:
                if name in entry or values[name] != without.get(name):
                    _put(entry, name, values[name])
            after = self._checked(document, before, hazard, kind)
            _check_values(_own(after, hazard, kind), values, self.path)
            self._write(document)
        return Change(before.own(hazard, kind), after.own(hazard, kind))

    def remove(self, hazard: Hazard, kind: str, version: str) -> Change:
        """Take a kind's own duty away: its hazard's holds for it from then on."""
        with self._editing(version) as (before, document):
            gone = _own(before, hazard, kind)
            del document[hazard]["kinds"][kind]
            if not document[hazard]["kinds"]:
                del document[hazard]["kinds"]
            self._checked(document, before, hazard, kind)
            self._write(document)
        return Change(gone, None)

    @contextmanager
    def _editing(self, version: str) -> Iterator[tuple[Duties, Any]]:
        """The duties and the document of the file, which nobody else edits meanwhile."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            listed = self.read()
            if listed.version != version:
                raise DutiesChangedError(
                    "has changed since it was opened for editing",
                    file=self.path,
                    allowed="look at it again and decide anew",
                )
            text = read_text(self.path, DutiesError, "a YAML file")
            yield listed.duties, _round_trip().load(text)
        except YAMLError as error:
            raise DutiesError(
                "can't be edited here", file=self.path, found=type(error).__name__
            ) from None
        finally:
            os.close(folder)

    def _checked(self, document: Any, before: Duties, hazard: str, kind: str | None) -> Duties:
        """The duties of the document, as anybody will read them, if no others have changed."""
        after = duties_of(load_yaml(_text_of(document)), self.path)
        pairs = {(one.hazard, one.kind) for duties in (before, after) for one in duties}
        for other, its_kind in pairs:
            inherits = kind is None and other == hazard
            is_it = (other, its_kind) == (hazard, kind)
            if not (inherits or is_it) and before.own(other, its_kind) != after.own(
                other, its_kind
            ):
                raise DutiesError("would change another duty as well", file=self.path, where=other)
        return after

    def _write(self, document: Any) -> None:
        kept = self.path.with_name(self.path.name + BEFORE)
        write_atomically(kept, self.path.read_bytes())
        write_atomically(self.path, _text_of(document).encode())


def _own(duties: Duties, hazard: str, kind: str | None) -> Duty:
    duty = duties.own(hazard, kind)
    if duty is None:
        raise DutiesError("no such duty", found=f"{hazard} {kind or ''}".strip())
    return duty


def _round_trip() -> YAML:
    """Reads and writes with comments, quotes and blank lines as they are."""
    reader = YAML()
    reader.preserve_quotes = True
    reader.width = 4096
    return reader


def _text_of(document: Any) -> str:
    out = io.StringIO()
    _round_trip().dump(document, out)
    return out.getvalue()


def _put(entry: Any, name: str, value: Any) -> None:
    if entry.get(name) == value and type(entry.get(name)) is not str:
        return  # 15 stays 15 where 15.0 was asked for
    if isinstance(value, str):
        # Quoted where YAML would take it for something else, such as a code for a number.
        plain = name != "event_code" and _reads_as(value) == value
        if str(entry.get(name)) != value:
            entry[name] = value if plain else DoubleQuotedScalarString(value)
    else:
        whole = isinstance(value, float) and value.is_integer()
        entry[name] = int(value) if whole else value


def _reads_as(text: str) -> object:
    try:
        return load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _check_values(duty: Duty, values: Mapping[str, Any], path: Path) -> None:
    """Raises DutiesError where the file would hold something else than was asked for."""
    for name, found in values_of(duty).items():
        wanted = values[name]
        if isinstance(getattr(duty, name), Limit):
            wanted = str(Limit.parse(wanted))
        if found != wanted:
            raise DutiesError("can't be written", file=path, where=name, found=repr(wanted))
