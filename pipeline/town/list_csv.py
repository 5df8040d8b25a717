"""Cells of one row of a CSV camera list exchanged; every other row keeps its bytes."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Record = tuple[str, list[str]]
"""A record as it is written, its line end included, and its cells."""


def with_cells(text: str, camera_id: str, cells: Mapping[str, str]) -> str:
    """The list with these cells in this camera's row; missing columns come at the end.

    ``text`` is a list that its reader takes. Raises KeyError for a camera that is not in it.
    """
    out: list[str] = []
    names: list[str] = []
    missing: list[str] = []
    found = False
    for written, record in _records(text):
        if not any(cell.strip() for cell in record):
            out.append(written)
        elif not names:
            names = [cell.strip() for cell in record]
            missing = [name for name in cells if name not in names]
            out.append(_longer(written, missing))
            names += missing
        elif not found and _cell(record, names, "camera_id") == camera_id:
            found = True
            out.append(_changed(written, record, names, cells))
        else:
            out.append(_longer(written, [""] * len(missing)))
    if not found:
        raise KeyError(camera_id)
    return "".join(out)


def _records(text: str) -> Iterator[Record]:
    """A quoted cell may span lines."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, strict=True)
    start = 0
    for record in reader:
        yield "".join(lines[start : reader.line_num]), record
        start = reader.line_num


def _cell(record: Sequence[str], names: Sequence[str], name: str) -> str:
    at = names.index(name)
    return record[at].strip() if at < len(record) else ""


def _longer(written: str, more: Sequence[str]) -> str:
    body = written.rstrip("\r\n")
    return "".join([body, *(f",{one}" for one in more), written[len(body) :]])


def _changed(
    written: str, record: Sequence[str], names: Sequence[str], cells: Mapping[str, str]
) -> str:
    new = [*record, *[""] * (len(names) - len(record))]
    for name, value in cells.items():
        new[names.index(name)] = value
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(new)
    return out.getvalue() + written[len(written.rstrip("\r\n")) :]
