"""``gridwatch users`` as the operator meets it."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline import cli
from pipeline.clock import SystemClock
from pipeline.console.accounts import Accounts
from pipeline.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Callable

YULONG = Path(__file__).parents[2] / "configs" / "yulong"


@pytest.fixture
def users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """``gridwatch users ...`` in a new town: exit code, standard output, standard error."""
    for name in ("cameras.csv", "grids.geojson", "duties.yaml"):
        shutil.copy(YULONG / name, tmp_path / name)
    (tmp_path / "settings.yaml").write_text("data_dir: data\n", "utf-8")

    def call(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        command = ["gridwatch", "users", *arguments, "-s", str(tmp_path / "settings.yaml")]
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return call


def lets_in(folder: Path, name: str, password: str) -> bool:
    with Accounts(folder / "data" / "accounts.sqlite", SystemClock()) as accounts:
        try:
            accounts.sign_in(name, password, address="a")
        except SignInError:
            return False
        return True


def test_the_first_admin_gets_a_password_that_is_shown_once(users, tmp_path: Path):
    code, out, err = users("add", "zhang", "--role", "admin")
    assert code == 0
    assert lets_in(tmp_path, "zhang", out.strip())
    assert "this once" in err
    code, listed, _ = users("list", "--json")
    assert [(one["name"], one["role"]) for one in json.loads(listed)] == [("zhang", "admin")]
    assert out.strip() not in listed


def test_a_password_can_be_given_and_reset(users, tmp_path: Path):
    grid = ("--grid", "410182102001001")
    code, out, _ = users(
        "add", "李四", "--role", "head", *grid, "--password-stdin", typed="rain-at-night-7\n"
    )
    assert (code, out) == (0, "")
    assert lets_in(tmp_path, "李四", "rain-at-night-7")
    _, new, _ = users("reset", "李四")
    assert not lets_in(tmp_path, "李四", "rain-at-night-7")
    assert lets_in(tmp_path, "李四", new.strip())


def test_a_disabled_user_is_kept_out_until_it_is_undone(users, tmp_path: Path):
    _, out, _ = users("add", "wang", "--role", "viewer")
    assert users("disable", "wang")[0] == 0
    assert not lets_in(tmp_path, "wang", out.strip())
    assert "disabled" in users("list")[1]
    assert users("disable", "wang", "--undo")[0] == 0
    assert lets_in(tmp_path, "wang", out.strip())


@pytest.mark.parametrize(
    "arguments,said",
    [
        (("add", "wang", "--role", "boss"), "boss"),
        (("add", "wang", "--role", "member"), "--grid"),
        (("add", "wang", "--role", "member", "--grid", "41018210200100"), "close to it"),
        (("reset", "nobody"), "there is no user nobody"),
        (("disable", "nobody"), "there is no user nobody"),
        (("add", "wang", "--role", "viewer", "--password-stdin"), "10 to 200 characters"),
    ],
)
def test_what_can_not_be_done_is_said_and_changes_nothing(users, arguments, said):
    code, _, err = users(*arguments, typed="short\n")
    assert code in (1, 2)
    assert said in " ".join(err.split())
    assert users("list", "--json")[1].strip() == "[]"


def test_a_list_of_users_is_taken_whole_or_not_at_all(users, tmp_path: Path):
    listed = tmp_path / "users.csv"
    good = "name,role,grids\n李四,member,410182102001001 410182102001002\nwang,viewer,\n"
    for bad, said in (
        ("zhao,member,\n", "line 4: a member needs the grids"),
        ("zhao,boss,\n", "line 4: no role 'boss'"),
        ("李四,viewer,\n", "line 4: is a user already"),
        ("zhao,head,999\n", "no grid '999'"),
    ):
        listed.write_text(good + bad, "utf-8")
        code, _, err = users("import", str(listed))
        assert code in (1, 2)
        assert said in " ".join(err.split())
        assert users("list", "--json")[1].strip() == "[]"
    listed.write_text(good, "utf-8-sig")
    code, out, _ = users("import", str(listed))
    assert code == 0
    for line in out.split():
        assert lets_in(tmp_path, *line.split(","))
