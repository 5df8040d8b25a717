"""Rows as CSV that spreadsheets open as what they are: Chinese as Chinese, texts as texts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MARK = "\ufeff"  # tells Excel that it is UTF-8
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(row: Mapping[str, object]) -> dict[str, object]:
    """A text that a spreadsheet would take for a formula is told to be text."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
        for name, value in row.items()
    }


def csv_of(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """A CSV file in pieces, its header first: UTF-8 with the mark, lines as RFC 4180 has them."""
    out = io.StringIO()
    writer = csv.DictWriter(out, names)
    out.write(_MARK)
    writer.writeheader()
    yield _taken(out)
    for row in rows:
        writer.writerow(harmless(row))
        yield _taken(out)


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode()
