"""Users: a name, a role, and the grids that are theirs."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipeline.console.accounts import passwords
from pipeline.console.accounts.journal import UNKNOWN
from pipeline.errors import AccountError, LastAdminError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pipeline.clock import Clock
    from pipeline.console.accounts.database import Database
    from pipeline.console.accounts.journal import By, Journal
    from pipeline.town import GridMap

Role = Literal["member", "head", "command", "operator", "viewer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

_OF_A_GRID: frozenset[Role] = frozenset({"member", "head"})
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in. Without ``grids`` the whole town is theirs."""

    name: str
    role: Role
    grids: frozenset[str]
    disabled: bool
    created_at: float

    def owns(self, code: str, grids: GridMap) -> bool:
        """Whether this grid, or one that it lies in, is the user's."""
        if not self.grids:
            return True
        while code in grids:
            if code in self.grids:
                return True
            parent = grids.get(code).parent
            if parent is None:
                return False
            code = parent
        return code in self.grids  # the map changed and no longer knows it


def checked_name(name: str) -> str:
    """A name as it is kept, the same however it was typed. Raises AccountError."""
    kept = unicodedata.normalize("NFKC", name).strip()
    if not kept or len(kept) > _LONGEST_NAME or not kept.isprintable() or " " in kept:
        raise AccountError(
            f"not a user's name; found {name[:60]!r}; allowed: up to {_LONGEST_NAME} letters, "
            "digits and signs without spaces, such as 李四 or li.si"
        )
    return kept.casefold()


def check_user(role: str, grids: Collection[str]) -> Role:
    """The role, if there may be such a user. Raises AccountError."""
    known = next((one for one in ROLES if one == role), None)
    if known is None:
        raise AccountError(f"no role {role!r}; allowed: {', '.join(ROLES)}")
    if known in _OF_A_GRID and not grids:
        raise AccountError(f"a {role} needs the grids that are theirs (--grid CODE)")
    return known


class Users:
    """The table of users; ``by`` does it and stands in the journal.

    Raises AccountError for what may not be.
    """

    def __init__(self, db: Database, clock: Clock, journal: Journal) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal

    def add(
        self, name: str, role: Role, grids: Iterable[str], password: str, *, by: By = UNKNOWN
    ) -> User:
        name, grids = checked_name(name), frozenset(grids)
        check_user(role, grids)
        kept = passwords.hash_of(password, name)
        with self._db.writing() as db:
            return self.insert(db, name, role, grids, kept, by)

    def insert(
        self, db: Any, name: str, role: Role, grids: frozenset[str], kept: str, by: By
    ) -> User:
        """Within a transaction of the caller's; ``kept`` is what is kept of a password."""
        now = self._clock.now()
        added = db.execute(
            "INSERT INTO users (name, role, grids, password, created_at) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (name, role, json.dumps(sorted(grids)), kept, now),
        )
        if not added.rowcount:
            raise AccountError(f"there is a user {name} already")
        self._journal.note(db, by, "users add", name, role=role, grids=sorted(grids))
        return User(name, role, grids, disabled=False, created_at=now)

    def change(self, name: str, role: str, grids: Iterable[str], *, by: By = UNKNOWN) -> User:
        """Give another role or other grids. Raises LastAdminError as well."""
        grids = frozenset(grids)
        known = check_user(role, grids)
        with self._db.writing() as db:
            was = self._known(db, name)
            self.assign(db, name, known, grids, by)
            self._keep_an_admin(db, was)
        found = self.find(name)
        assert found is not None
        return found

    def assign(self, db: Any, name: str, role: Role, grids: frozenset[str], by: By) -> None:
        """Within a transaction of the caller's; noted where it changes anything."""
        was = self._known(db, name)
        if (was.role, was.grids) == (role, grids):
            return
        db.execute(
            "UPDATE users SET role = ?, grids = ? WHERE name = ?",
            (role, json.dumps(sorted(grids)), name),
        )
        self._journal.note(
            db,
            by,
            "users change",
            name,
            role=f"{was.role} > {role}",
            grids_before=sorted(was.grids),
            grids=sorted(grids),
        )

    def all(self) -> list[User]:
        with self._db.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name").fetchall()  # noqa: S608
        return [user_of(row) for row in rows]

    def find(self, name: str) -> User | None:
        found = self.with_password(name)
        return found and found[0]

    def with_password(self, name: str) -> tuple[User, str] | None:
        """The user and what is kept of the password."""
        with self._db.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS}, password FROM users WHERE name = ?",  # noqa: S608
                (name,),
            ).fetchone()
        return None if row is None else (user_of(row[:-1]), row[-1])

    def set_password(
        self, name: str, password: str, *, by: By = UNKNOWN, action: str = "users reset"
    ) -> None:
        """Give a new password; whoever is signed in by the old one is so no longer."""
        kept = passwords.hash_of(password, name)
        with self._db.writing() as db:
            self._update(db, name, "password", kept)
            self._turn_out(db, name)
            self._journal.note(db, by, action, name)

    def keep_hash(self, name: str, before: str, after: str) -> None:
        """The same password hashed anew, unless it was changed meanwhile."""
        with self._db.writing() as db:
            db.execute(
                "UPDATE users SET password = ? WHERE name = ? AND password = ?",
                (after, name, before),
            )

    def disable(self, name: str, *, disabled: bool, by: By = UNKNOWN) -> None:
        """Keep a user out, or let in again. Raises LastAdminError as well."""
        with self._db.writing() as db:
            was = self._known(db, name)
            self._update(db, name, "disabled", int(disabled))
            if disabled:
                self._turn_out(db, name)
                self._keep_an_admin(db, was)
            self._journal.note(db, by, "users disable" if disabled else "users enable", name)

    @staticmethod
    def _known(db: Any, name: str) -> User:
        row = db.execute(f"SELECT {_COLUMNS} FROM users WHERE name = ?", (name,)).fetchone()  # noqa: S608
        if row is None:
            raise AccountError(f"there is no user {name}")
        return user_of(row)

    @staticmethod
    def _keep_an_admin(db: Any, was: User) -> None:
        """Raises LastAdminError where the change of this user left nobody who may administer."""
        if was.role != "admin" or was.disabled:
            return
        (left,) = db.execute(
            "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled"
        ).fetchone()
        if not left:
            raise LastAdminError(f"{was.name} is the last admin: make another one first")

    def _update(self, db: Any, name: str, column: Literal["password", "disabled"], to: Any) -> None:
        changed = db.execute(f"UPDATE users SET {column} = ? WHERE name = ?", (to, name))  # noqa: S608
        if not changed.rowcount:
            raise AccountError(f"there is no user {name}")

    @staticmethod
    def _turn_out(db: Any, name: str) -> None:
        db.execute("DELETE FROM sessions WHERE name = ?", (name,))
        db.execute("DELETE FROM tokens WHERE name = ?", (name,))


_COLUMNS = "users.name, role, grids, disabled, created_at"
SELECT_USER = _COLUMNS


def user_of(row: tuple[Any, ...]) -> User:
    """A user from the columns of SELECT_USER."""
    name, role, grids, disabled, created_at = row
    return User(name, role, frozenset(json.loads(grids)), bool(disabled), created_at)
