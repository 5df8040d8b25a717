"""Free text, made searchable in the same way by SQLite and PostgreSQL.

Chinese has no spaces between words, so what is indexed are pairs of neighbouring characters, each
written as ten hexadecimal digits: no database has an opinion on those, whatever its locale. A text
is found by any part of it, case and punctuation aside.
"""

from __future__ import annotations

import unicodedata
from operator import add
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Index, Table, Text, bindparam, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from pipeline.tickets.archive.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

LONGEST = 4000
"""Characters of a text that are indexed; PostgreSQL numbers positions up to 16383."""
_GAP = "zz"  # between two texts, so that nothing is found across them


def words_of(parts: Iterable[str], marks: Mapping[str, str]) -> list[str]:
    """The words of a ticket: its marks (grid, hazard, state), then pairs of its texts."""
    found = [_mark(name, value) for name, value in sorted(marks.items())]
    left = LONGEST
    for part in parts:
        letters = _letters(part)[:left]
        left -= len(letters)
        if letters:
            # The last letter once more by itself: one letter is looked for as the start of a pair.
            codes = list(map(_code, letters))
            found += [_GAP, *map(add, codes, codes[1:]), codes[-1]]
    return found


def words_asked(query: str, marks: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The marks and the run of pairs that a ticket must have; both empty: nothing to look for.

    A single letter comes back as one word of five digits: the start of a pair.
    """
    letters = _letters(query)
    codes = list(map(_code, letters))
    pairs = list(map(add, codes, codes[1:])) or codes
    return [_mark(name, value) for name, value in sorted(marks.items())], pairs


def _letters(part: str) -> str:
    folded = unicodedata.normalize("NFKC", part).casefold()
    return "".join(one for one in folded if one.isalnum())


def _code(letter: str) -> str:
    return f"{ord(letter):05x}"


def _mark(name: str, value: str) -> str:
    """A word that no text can contain: pairs are hexadecimal, this begins with another letter."""
    return "x" + name[0] + value.encode().hex()


class SqliteWords:
    """An FTS5 index without the text itself, which stands in the tickets."""

    def create(self, db: Connection) -> None:
        db.execute(
            text(
                "CREATE VIRTUAL TABLE IF NOT EXISTS ticket_words "
                "USING fts5(words, content='', tokenize='ascii')"
            )
        )

    def put(self, db: Connection, rows: Sequence[tuple[int, list[str]]]) -> None:
        db.execute(
            text("INSERT INTO ticket_words (rowid, words) VALUES (:key, :words)"),
            [{"key": key, "words": " ".join(words)} for key, words in rows],
        )

    def remove(self, db: Connection, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Needs the very words that were put: the index doesn't keep them in one place."""
        db.execute(
            text(
                "INSERT INTO ticket_words (ticket_words, rowid, words) "
                "VALUES ('delete', :key, :words)"
            ),
            [{"key": key, "words": " ".join(words)} for key, words in rows],
        )

    def matching(self, marks: list[str], pairs: list[str]) -> Any:
        """A FROM clause of the column ``key``, newest first when asked for by ``key``."""
        run = " + ".join(f'"{pair}"' for pair in pairs)
        if len(pairs) == 1 and len(pairs[0]) == len(_code("x")):
            run += " *"
        query = " AND ".join([*(f'"{mark}"' for mark in marks), run])
        found = text("SELECT rowid AS key FROM ticket_words WHERE ticket_words MATCH :query")
        return found.bindparams(bindparam("query", query, unique=True)).columns(
            Column("key", BigInteger)
        )


_table = Table(
    "ticket_words",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
    info={"only": "postgresql"},
)
Index("ticket_words_words", _table.c.words, postgresql_using="gin")


class PostgresWords:
    """A tsvector beside each ticket, written as such: no dictionary takes part."""

    def create(self, db: Connection) -> None:
        _table.create(db, checkfirst=True)

    def put(self, db: Connection, rows: Sequence[tuple[int, list[str]]]) -> None:
        db.execute(
            text("INSERT INTO ticket_words (key, words) VALUES (:key, CAST(:words AS tsvector))"),
            [
                {
                    "key": key,
                    "words": " ".join(f"{word}:{at}" for at, word in enumerate(words, start=1)),
                }
                for key, words in rows
            ],
        )

    def remove(self, db: Connection, rows: Sequence[tuple[int, list[str]]]) -> None:
        db.execute(_table.delete().where(_table.c.key.in_([key for key, _ in rows])))

    def matching(self, marks: list[str], pairs: list[str]) -> Any:
        """See SqliteWords.matching."""
        run = " <-> ".join(pairs)
        if len(pairs) == 1 and len(pairs[0]) == len(_code("x")):
            run += ":*"
        query = " & ".join([*marks, f"({run})"])
        found = text("SELECT key FROM ticket_words WHERE words @@ CAST(:query AS tsquery)")
        return found.bindparams(bindparam("query", query, unique=True)).columns(
            Column("key", BigInteger)
        )


Words = SqliteWords | PostgresWords
