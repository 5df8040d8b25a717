"""What happens to accounts is noted in the same step, and comes to the audit."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from console_town import EAST, PASSWORD
from ticket_town import NOON

from pipeline.console.accounts import Accounts, By, database
from pipeline.console.accounts.attempts import MOST_BY_ACCOUNT, WINDOW_S
from pipeline.errors import AccountError, LastAdminError, SignInError, TooManyAttemptsError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.clock import ManualClock

BOSS = By("admin", "10.0.0.1")
DAY_S = 86400.0


@pytest.fixture
def accounts(accounts: Accounts) -> Accounts:
    """Without the notes of how they were made."""
    accounts.journal.taken(10**9)
    return accounts


def noted(accounts: Accounts) -> list[tuple[str, str, str, str]]:
    return [
        (note.who, note.action, note.subject, note.result)
        for note in accounts.journal.waiting(1000)
    ]


def try_in(accounts: Accounts, name: str, password: str = PASSWORD) -> str | None:
    try:
        return accounts.sign_in(name, password, address="10.0.0.7")
    except (SignInError, TooManyAttemptsError):
        return None


def test_who_signs_in_and_who_is_not_let_in_is_noted(accounts: Accounts):
    secret = try_in(accounts, "李四")
    try_in(accounts, "李四", "wrong-password")
    try_in(accounts, PASSWORD, "李四")  # typed into the wrong fields
    accounts.users.disable("west", disabled=True, by=BOSS)
    try_in(accounts, "west")
    assert secret is not None
    accounts.sessions.end(secret, By("李四", "10.0.0.7"))
    assert noted(accounts) == [
        ("李四", "sign-in", "李四", "done"),
        ("李四", "sign-in", "李四", "refused: wrong password"),
        ("", "sign-in", "", "refused: no such user"),
        ("admin", "users disable", "west", "done"),
        ("west", "sign-in", "west", "refused: disabled"),
        ("李四", "sign-out", "李四", "done"),
    ]
    first = accounts.journal.waiting()[0]
    assert (first.at, first.origin) == (NOON, "10.0.0.7")


def test_a_flood_of_guesses_is_noted_once_more_and_not_each(accounts: Accounts, clock: ManualClock):
    for _ in range(MOST_BY_ACCOUNT + 30):
        try_in(accounts, "李四", "wrong-password")
    results = [result for *_, result in noted(accounts)]
    assert results[:-1] == ["refused: wrong password"] * MOST_BY_ACCOUNT
    assert results[-1].startswith("refused: too many attempts")
    clock.sleep(WINDOW_S + 1)
    assert try_in(accounts, "李四")
    assert noted(accounts)[-1][-1] == "done"


def test_every_change_of_a_user_says_who_made_it_and_what_it_was(accounts: Accounts):
    users = accounts.users
    users.add("wang", "member", [EAST], PASSWORD, by=BOSS)
    users.change("wang", "viewer", [], by=BOSS)
    users.change("wang", "viewer", [], by=BOSS)  # nothing new
    users.set_password("wang", "another-one-9", by=BOSS)
    users.disable("wang", disabled=True, by=BOSS)
    users.disable("wang", disabled=False, by=BOSS)
    accounts.change_password("wang", "another-one-9", "third-one-10", address="10.0.0.9")
    assert [action for _, action, _, _ in noted(accounts)] == [
        "users add",
        "users change",
        "users reset",
        "users disable",
        "users enable",
        "password change",
    ]
    assert {subject for *_, subject, _ in noted(accounts)} == {"wang"}
    notes = accounts.journal.waiting()
    assert notes[1].details == {
        "role": "member > viewer",
        "grids_before": [EAST],
        "grids": [],
    }
    assert (notes[-1].who, notes[-1].origin) == ("wang", "10.0.0.9")
    everything = str(notes)
    assert PASSWORD not in everything
    assert "another-one-9" not in everything


def test_what_is_refused_changes_nothing_and_notes_nothing(accounts: Accounts):
    with pytest.raises(AccountError, match="needs the grids"):
        accounts.users.change("李四", "head", [], by=BOSS)
    with pytest.raises(AccountError, match="no user"):
        accounts.users.change("nobody", "viewer", [], by=BOSS)
    assert noted(accounts) == []


def test_the_last_admin_can_neither_be_disabled_nor_become_something_else(accounts: Accounts):
    with pytest.raises(LastAdminError, match="last admin"):
        accounts.users.disable("admin", disabled=True, by=BOSS)
    with pytest.raises(LastAdminError):
        accounts.users.change("admin", "viewer", [], by=BOSS)
    found = accounts.users.find("admin")
    assert found is not None
    assert (found.role, found.disabled) == ("admin", False)
    assert noted(accounts) == []
    accounts.users.add("second", "admin", [], PASSWORD, by=BOSS)
    accounts.users.disable("admin", disabled=True, by=BOSS)
    with pytest.raises(LastAdminError):
        accounts.users.disable("second", disabled=True, by=BOSS)


def test_a_tokens_use_is_noted_once_a_day_for_each_address(accounts: Accounts, clock: ManualClock):
    token = accounts.tokens.make("李四", "统计", 30, by=By("李四", "10.0.0.7"))
    for address in ("10.0.0.7", "10.0.0.8", "10.0.0.7"):
        for _ in range(3):
            assert accounts.of_token(token, address=address)
            clock.sleep(61)
    uses = [one for one in accounts.journal.waiting() if one.action == "tokens use"]
    assert [(one.who, one.origin) for one in uses] == [("李四", "10.0.0.7"), ("李四", "10.0.0.8")]
    (listed,) = accounts.tokens.of("李四")
    assert listed.used_at == clock.now() - 61
    clock.sleep(DAY_S)
    assert accounts.of_token(token, address="10.0.0.7")
    accounts.tokens.revoke("李四", listed.token_id, by=BOSS)
    assert [action for _, action, _, _ in noted(accounts)] == [
        "tokens make",
        "tokens use",
        "tokens use",
        "tokens use",
        "tokens revoke",
    ]
    assert token.rpartition("_")[2] not in str(accounts.journal.waiting())


def test_an_admin_sees_the_sessions_of_a_user_and_ends_one_or_all(accounts: Accounts):
    phone = accounts.sign_in("李四", PASSWORD, address="10.0.0.7", agent="Phone")
    desk = accounts.sign_in("李四", PASSWORD, address="10.0.0.8", agent="Desk" * 100)
    other = accounts.sign_in("west", PASSWORD, address="10.0.0.9")
    listed = {one.address: one for one in accounts.sessions.of("李四")}
    assert (listed["10.0.0.7"].agent, len(listed["10.0.0.8"].agent)) == ("Phone", 200)
    assert not accounts.sessions.end_one("west", listed["10.0.0.7"].session_id, BOSS)
    assert accounts.sessions.end_one("李四", listed["10.0.0.7"].session_id, BOSS)
    assert accounts.of_session(phone) is None
    assert accounts.of_session(desk)
    accounts.sessions.end_all("李四", BOSS)
    assert accounts.of_session(desk) is None
    assert accounts.of_session(other)


def test_notes_stay_until_they_are_taken(accounts: Accounts):
    for number in range(3):
        accounts.journal.add(BOSS, "x", str(number))
    notes = accounts.journal.waiting(2)
    assert [note.subject for note in notes] == ["0", "1"]
    accounts.journal.taken(notes[0].number)
    assert [note.subject for note in accounts.journal.waiting()] == ["1", "2"]


def test_accounts_of_the_version_before_are_taken_over(tmp_path: Path, clock: ManualClock):
    file = tmp_path / "old.sqlite"
    db = sqlite3.connect(file)
    db.executescript(database._SCHEMA)
    db.execute("PRAGMA user_version = 1")
    db.execute("INSERT INTO users VALUES ('old', 'viewer', '[]', 'hash', 0, 1.0)")
    db.execute("INSERT INTO tokens VALUES ('ab', x'00', 'old', 'label', 1.0, 9e9)")
    db.commit()
    db.close()
    for _ in range(2):
        with Accounts(file, clock) as accounts:
            assert [user.name for user in accounts.users.all()] == ["old"]
            assert [token.used_at for token in accounts.tokens.of("old")] == [None]
            assert accounts.sessions.begin("old")
