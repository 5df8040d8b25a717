from __future__ import annotations

import shutil
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from console_town import EAST, PASSWORD
from ticket_town import NOON, small_town

from pipeline.console.accounts import ROLES, Accounts, User, made_up_password, passwords
from pipeline.console.accounts.attempts import (
    MOST_BY_ACCOUNT,
    MOST_BY_ADDRESS,
    WINDOW_S,
    Attempts,
)
from pipeline.console.accounts.database import Database
from pipeline.console.accounts.sessions import LONGEST_S
from pipeline.errors import AccountError, SignInError, TooManyAttemptsError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.clock import ManualClock


def sign_in(accounts: Accounts, name: str = "李四", password: str = PASSWORD) -> str:
    return accounts.sign_in(name, password, address="10.0.0.7")


def test_who_signs_in_is_known_by_the_session_and_nobody_by_another_secret(accounts: Accounts):
    secret = sign_in(accounts)
    found = accounts.of_session(secret)
    assert found is not None
    assert (found.user.name, found.user.role) == ("李四", "member")
    assert found.user.grids == {EAST}
    assert accounts.of_session(secret[:-1] + "x") is None
    assert accounts.of_session("") is None


@pytest.mark.parametrize("typed", ["Wang.Wu", "wang.wu", "  WANG.WU ", "ｗａｎｇ.ｗｕ"])
def test_a_name_is_the_same_however_it_is_typed(accounts: Accounts, typed: str):
    accounts.users.add("Wang.Wu", "viewer", [], PASSWORD)
    assert accounts.of_session(sign_in(accounts, typed)) is not None
    with pytest.raises(AccountError, match="already"):
        accounts.users.add(typed, "viewer", [], PASSWORD)


@pytest.mark.parametrize(
    "name,password",
    [
        ("李四", "wrong-password"),
        ("李五", PASSWORD),
        ("", ""),
        ("a b", PASSWORD),
        ("李四", "x" * 10**6),
    ],
)
def test_whatever_is_wrong_the_refusal_is_the_same(accounts: Accounts, name: str, password: str):
    with pytest.raises(SignInError, match=r"^wrong name or password$"):
        sign_in(accounts, name, password)


def test_neither_passwords_nor_secrets_nor_tokens_stand_in_the_file(
    accounts: Accounts, tmp_path: Path
):
    secret, token = sign_in(accounts), accounts.tokens.make("李四", "统计", 30)
    accounts.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("users.*"))
    for word in (PASSWORD, secret, token, token.rpartition("_")[2]):
        assert word.encode() not in kept
    assert b"$argon2id$" in kept
    assert (tmp_path / "users.sqlite").stat().st_mode & 0o077 == 0


def test_a_session_ends_after_idleness_and_at_the_latest_after_two_weeks(
    tmp_path: Path, accounts_file: Path, clock: ManualClock
):
    day_s = 86400.0
    shutil.copy(accounts_file, tmp_path / "a.sqlite")
    with Accounts(tmp_path / "a.sqlite", clock, session_idle_s=2 * day_s) as accounts:
        secret = accounts.sessions.begin("member")
        clock.move_to(NOON + 2 * day_s + 1)
        assert accounts.of_session(secret) is None
        secret, began = accounts.sessions.begin("member"), clock.now()
        while clock.now() + 1.5 * day_s < began + LONGEST_S:
            clock.sleep(1.5 * day_s)
            assert accounts.of_session(secret) is not None
        clock.move_to(began + LONGEST_S + 1)
        assert accounts.of_session(secret) is None


def test_signing_out_ends_one_session_and_signing_out_everywhere_all(accounts: Accounts):
    phone, desktop, tablet = (sign_in(accounts) for _ in range(3))
    accounts.sessions.end(phone)
    assert accounts.of_session(phone) is None
    assert accounts.sessions.count("李四") == 2
    accounts.sessions.end_all("李四")
    assert accounts.of_session(desktop) is accounts.of_session(tablet) is None


def test_a_new_password_or_being_disabled_turns_out_browsers_and_programs(accounts: Accounts):
    def inside() -> list[bool]:
        return [
            accounts.of_session(secret) is not None,
            accounts.of_token(token) is not None,
        ]

    secret, token = sign_in(accounts), accounts.tokens.make("李四", "统计", 30)
    assert inside() == [True, True]
    accounts.users.set_password("李四", "another-one-9")
    assert inside() == [False, False]
    secret, token = (
        sign_in(accounts, password="another-one-9"),
        accounts.tokens.make("李四", "a", 1),
    )
    accounts.users.disable("李四", disabled=True)
    assert inside() == [False, False]
    with pytest.raises(SignInError):
        sign_in(accounts, password="another-one-9")
    accounts.users.disable("李四", disabled=False)
    assert sign_in(accounts, password="another-one-9")


def test_a_user_changes_the_password_only_with_the_old_one(accounts: Accounts):
    with pytest.raises(SignInError):
        accounts.change_password("李四", "wrong-password", "new-password-1", address="a")
    accounts.change_password("李四", PASSWORD, "new-password-1", address="a")
    assert sign_in(accounts, password="new-password-1")


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "李四-2026-李四", "y" * 201, ""])
def test_too_easy_a_password_is_refused(accounts: Accounts, password: str):
    with pytest.raises(AccountError, match="password"):
        accounts.users.set_password("李四", password)
    assert sign_in(accounts)


def test_passwords_cost_a_thief_what_the_library_recommends(full_hasher: PasswordHasher):
    assert full_hasher.hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_kept_by_a_weaker_hash_is_hashed_anew_when_it_is_used(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
):
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", stronger)
    for _ in range(2):
        assert sign_in(accounts)
        found = accounts.users.with_password("李四")
        assert found is not None
        assert "m=16,t=2" in found[1]


def test_a_password_may_contain_a_name_of_one_letter(accounts: Accounts):
    accounts.users.add("h", "viewer", [], PASSWORD)
    assert sign_in(accounts, "h")


def test_made_up_passwords_are_good_enough_and_never_the_same(accounts: Accounts):
    assert len({made_up_password() for _ in range(1000)}) == 1000
    accounts.users.set_password("李四", made_up_password())


@pytest.mark.parametrize(
    "name,role,grids,said",
    [
        ("a b", "viewer", [], "not a user's name"),
        ("x" * 41, "viewer", [], "not a user's name"),
        ("a\x00b", "viewer", [], "not a user's name"),
        ("wang", "boss", [], "no role 'boss'"),
        ("wang", "member", [], "needs the grids"),
        ("wang", "head", [], "needs the grids"),
    ],
)
def test_a_user_that_can_not_be_is_refused(accounts: Accounts, name, role, grids, said):
    with pytest.raises(AccountError, match=said):
        accounts.users.add(name, role, grids, PASSWORD)
    assert "wang" not in [user.name for user in accounts.users.all()]


def test_after_a_few_wrong_passwords_even_the_right_one_must_wait(
    accounts: Accounts, clock: ManualClock
):
    for _ in range(MOST_BY_ACCOUNT):
        with pytest.raises(SignInError):
            sign_in(accounts, password="wrong-password")
        clock.sleep(1)
    with pytest.raises(TooManyAttemptsError) as refused:
        sign_in(accounts)
    assert refused.value.wait_s == WINDOW_S - MOST_BY_ACCOUNT
    clock.sleep(refused.value.wait_s)
    assert sign_in(accounts)


def test_the_right_password_clears_what_was_counted(accounts: Accounts):
    for _ in range(2):
        for _ in range(MOST_BY_ACCOUNT - 1):
            with pytest.raises(SignInError):
                sign_in(accounts, password="wrong-password")
        sign_in(accounts)


def test_one_address_can_not_try_all_accounts_and_leaves_the_others_alone(
    tmp_path: Path, clock: ManualClock
):
    attempts = Attempts(Database(tmp_path / "a.sqlite"), clock)
    for number in range(MOST_BY_ADDRESS):
        attempts.count(f"user{number}", "10.6.6.6")
    with pytest.raises(TooManyAttemptsError, match="try again in 15 min"):
        attempts.count("another", "10.6.6.6")
    attempts.count("another", "10.0.0.7")


def test_what_was_counted_outlives_a_restart(tmp_path: Path, clock: ManualClock):
    for _ in range(MOST_BY_ACCOUNT):
        Attempts(Database(tmp_path / "a.sqlite"), clock).count("李四", "a")
    with pytest.raises(TooManyAttemptsError):
        Attempts(Database(tmp_path / "a.sqlite"), clock).count("李四", "b")


def test_many_at_once_get_no_more_tries_than_one_after_the_other(
    tmp_path: Path, clock: ManualClock
):
    attempts, let_in = Attempts(Database(tmp_path / "a.sqlite"), clock), []

    def try_often() -> None:
        for _ in range(10):
            try:
                attempts.count("李四", "a")
            except TooManyAttemptsError:
                continue
            let_in.append(1)

    threads = [threading.Thread(target=try_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == MOST_BY_ACCOUNT


def test_a_token_is_its_users_until_it_is_revoked_or_its_time_is_up(
    accounts: Accounts, clock: ManualClock
):
    token = accounts.tokens.make("李四", "统计", 2)
    found = accounts.of_token(token)
    assert found is not None
    assert found.user.name == "李四"
    assert found.csrf is None
    (listed,) = accounts.tokens.of("李四")
    assert (listed.label, listed.ends_at) == ("统计", NOON + 2 * 86400)
    accounts.users.add("wang", "viewer", [], PASSWORD)
    accounts.tokens.revoke("wang", listed.token_id)
    assert accounts.of_token(token) is not None
    clock.sleep(2 * 86400)
    assert accounts.of_token(token) is None
    token = accounts.tokens.make("李四", "统计", 2)
    accounts.tokens.revoke("李四", accounts.tokens.of("李四")[0].token_id)
    assert accounts.of_token(token) is None


@pytest.mark.parametrize(
    "text", ["", "gw", "gw_", "gw__", "gw_ffffffff_x", "xx_{id}_{secret}", "gw_{id}_", "gw_{id}_x"]
)
def test_what_is_no_token_lets_nobody_in(accounts: Accounts, text: str):
    _, token_id, secret = accounts.tokens.make("李四", "a", 1).split("_", 2)
    text = text.replace("{id}", token_id).replace("{secret}", secret)
    assert accounts.of_token(text) is None


def test_tokens_need_a_label_and_are_not_made_without_end(accounts: Accounts):
    for label in ("", " ", "x" * 61, "a\nb"):
        with pytest.raises(AccountError, match="label"):
            accounts.tokens.make("李四", label, 1)
    for number in range(20):
        accounts.tokens.make("李四", str(number), 1)
    with pytest.raises(AccountError, match="20 tokens; revoke one first"):
        accounts.tokens.make("李四", "one more", 1)


def test_a_grid_is_owned_with_all_that_lies_in_it():
    grids, (one, other, top) = small_town().grids, (EAST, "410182102001001", "410182102")

    def owns(own: list[str], code: str) -> bool:
        return User("x", "member", frozenset(own), disabled=False, created_at=0).owns(code, grids)

    assert owns([one], one)
    assert not owns([one], other)
    assert not owns([one], top)
    assert owns([top], one)
    assert owns([], other)
    assert owns(["gone"], "gone")
    assert not owns([one], "unknown")


def test_two_processes_share_the_file(tmp_path: Path, clock: ManualClock):
    with (
        Accounts(tmp_path / "a.sqlite", clock) as one,
        Accounts(tmp_path / "a.sqlite", clock) as two,
    ):
        one.users.add("wang", "viewer", [], PASSWORD)
        secret = two.sign_in("wang", PASSWORD, address="a")
        assert one.of_session(secret) is not None
        one.users.disable("wang", disabled=True)
        assert two.of_session(secret) is None


def test_a_file_that_is_no_database_or_of_another_version_is_named(
    tmp_path: Path, clock: ManualClock
):
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"not a database, but longer than a header " * 100)
    with pytest.raises(AccountError, match=r"damaged\.sqlite"):
        Accounts(damaged, clock)
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(AccountError, match="version 9"):
        Accounts(newer, clock)
    with pytest.raises(AccountError, match="can't be opened"):
        Accounts(damaged / "below" / "a.sqlite", clock)


def test_the_roles_are_those_of_the_design():
    assert ROLES == ("member", "head", "command", "operator", "viewer", "admin")
