"""People for whom a provider of identities vouches: which user each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console.accounts.journal import By
from pipeline.console.accounts.users import SELECT_USER as COLUMNS
from pipeline.console.accounts.users import check_user, checked_name, user_of
from pipeline.errors import AccountError, SignInError

if TYPE_CHECKING:
    from pipeline.console.accounts.database import Database
    from pipeline.console.accounts.journal import Journal
    from pipeline.console.accounts.users import Role, User, Users

_NO_PASSWORD = ""  # fits no password, and takes as long to be refused


@dataclass(frozen=True, slots=True)
class Vouched:
    """What a provider says of somebody, and what the mapping makes of it.

    ``subject`` names the person within ``issuer`` for ever; ``name`` is what a new user is called.
    """

    issuer: str
    subject: str
    name: str
    role: Role
    grids: frozenset[str]


class Identities:
    """The links from subjects to users."""

    def __init__(self, db: Database, users: Users, journal: Journal) -> None:
        self._db = db
        self._users = users
        self._journal = journal

    def admit(self, who: Vouched, address: str) -> User:
        """The user of this subject, made where there is none, with the role and grids of now.

        Raises SignInError for a disabled user, and AccountError where there may be no such user,
        or the name is somebody else's already.
        """
        name = checked_name(who.name)
        by = By(name, address)
        check_user(who.role, who.grids)
        with self._db.writing() as db:
            row = db.execute(
                f"SELECT {COLUMNS} FROM identities JOIN users USING (name) "  # noqa: S608
                "WHERE issuer = ? AND subject = ?",
                (who.issuer, who.subject),
            ).fetchone()
            if row is None:
                user = self._users.insert(db, name, who.role, who.grids, _NO_PASSWORD, by)
                db.execute(
                    "INSERT INTO identities VALUES (?, ?, ?)", (who.issuer, who.subject, name)
                )
                self._journal.note(
                    db, by, "users link", name, issuer=who.issuer, identity=who.subject
                )
                return user
            known = user_of(row)
            if not known.disabled:
                here = By(known.name, address)
                self._users.assign(db, known.name, who.role, who.grids, here)
        if known.disabled:
            raise SignInError(f"{known.name} is disabled")
        found = self._users.find(known.name)
        if found is None:
            raise AccountError(f"there is no user {known.name}")
        return found

    def of(self, name: str) -> tuple[str, str] | None:
        """Issuer and subject of a user, None of one who has a password."""
        with self._db.reading() as db:
            row = db.execute(
                "SELECT issuer, subject FROM identities WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else (row[0], row[1])
