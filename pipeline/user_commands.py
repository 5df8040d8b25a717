"""The commands about who may use the console: add, list, reset, disable."""

from __future__ import annotations

import csv
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from pipeline.clock import SystemClock
from pipeline.errors import AccountError, InputError
from pipeline.terminal import (
    AsJson,
    SettingsFile,
    err,
    machine,
    out,
    person,
    print_json,
    town_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.console.accounts import Accounts, By, Role

app = typer.Typer(no_args_is_help=True, help="控制台用户 / users of the console")

Name = Annotated[str, typer.Argument(help="what the user signs in with")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="read the password from standard input")
]
# The roles as the console knows them; repeated, since Typer must see them before it is imported.
RoleName = Literal["member", "head", "command", "operator", "viewer", "admin"]


@app.command("add")
def users_add(
    name: Name,
    role: Annotated[RoleName, typer.Option(help="what the user may do")],
    grids: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="CODE", help="a grid that is the user's; may be repeated"),
    ] = None,
    password_stdin: FromStdin = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """新增用户 / a new user; the password is asked for, or made up and shown once."""
    with _opened(settings_file) as accounts:
        _check_grids(settings_file, grids or ())
        password, shown = _password(password_stdin)
        user = accounts.users.add(name, role, grids or (), password, by=_by())
    _tell(user.name, shown, as_json=as_json)


@app.command("import")
def users_import(
    source: Annotated[Path, typer.Argument(help="CSV: name, role, grids (separated by spaces)")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """批量新增用户 / many new users; each gets a made-up password, shown once as CSV."""
    rows = _rows_of(source)
    with _opened(settings_file) as accounts:
        from pipeline.console.accounts import made_up_password

        known = {user.name for user in accounts.users.all()}
        for where, name, *_ in rows:
            if name in known:
                raise InputError("is a user already", file=source, where=where, found=name)
            known.add(name)
        _check_grids(settings_file, (code for *_, grids in rows for code in grids))
        made = []
        for _, name, role, grids in rows:
            password = made_up_password()
            accounts.users.add(name, role, grids, password, by=_by())
            made.append({"name": name, "password": password})
    if as_json:
        print_json(made)
        return
    for one in made:
        out.print(f"{one['name']},{one['password']}", highlight=False, soft_wrap=True)
    err.print(f"{len(made)} 个用户，密码只显示这一次 / users; the passwords are shown this once")


@app.command("list")
def users_list(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """用户列表 / users, their roles and grids."""
    with _opened(settings_file) as accounts:
        users = accounts.users.all()
    if as_json:
        print_json([asdict(user) | {"grids": sorted(user.grids)} for user in users])
        return
    table = Table("用户 / user", "角色 / role", "网格 / grids", "自 / since", "状态 / state")
    for user in users:
        since = datetime.fromtimestamp(user.created_at, UTC).strftime("%Y-%m-%d")
        state = "停用 / disabled" if user.disabled else "可用 / active"
        table.add_row(
            user.name, user.role, ", ".join(sorted(user.grids)) or "全镇 / all", since, state
        )
    out.print(table if users else "没有用户 / no users: gridwatch users add NAME --role admin")


@app.command("reset")
def users_reset(
    name: Name,
    password_stdin: FromStdin = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """重设密码，并退出其所有登录 / a new password; ends all sessions and tokens of the user."""
    from pipeline.console.accounts.users import checked_name

    with _opened(settings_file) as accounts:
        name = checked_name(name)
        if accounts.users.find(name) is None:
            raise AccountError(f"there is no user {name}")
        password, shown = _password(password_stdin)
        accounts.users.set_password(name, password, by=_by())
    _tell(name, shown, as_json=as_json)


@app.command("disable")
def users_disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="let the user in again")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """停用(或恢复)用户 / keep a user out; sessions and tokens end at once."""
    from pipeline.console.accounts.users import checked_name

    with _opened(settings_file) as accounts:
        accounts.users.disable(checked_name(name), disabled=not undo, by=_by())
    out.print(f"{name}: {'可用 / active' if undo else '已停用 / disabled'}", highlight=False)


def _by() -> By:
    """Whoever sits there; the console brings it to the audit."""
    from pipeline.console.accounts import By

    return By(person(), machine())


def _rows_of(source: Path) -> list[tuple[str, str, Role, list[str]]]:
    """Line, name, role and grids of each user; the whole list is refused for one bad line."""
    from pipeline.console.accounts.users import check_user, checked_name

    try:
        lines = list(csv.DictReader(source.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("can't be read", file=source, found=error, allowed="CSV, UTF-8") from None
    rows = []
    for number, line in enumerate(lines, start=2):
        where = f"line {number}"
        grids = (line.get("grids") or "").split()
        try:
            name = checked_name(line.get("name") or "")
            role = check_user(line.get("role") or "", grids)
        except AccountError as error:
            raise InputError(str(error), file=source, where=where) from None
        rows.append((where, name, role, grids))
    if not rows:
        raise InputError("no users in it", file=source, allowed="columns name, role, grids")
    return rows


@contextmanager
def _opened(settings_file: Path | None) -> Iterator[Accounts]:
    try:
        from pipeline.console.accounts import Accounts
    except ModuleNotFoundError as error:
        raise InputError(
            f"users need {error.name}",
            found="gridwatch without extras",
            allowed="gridwatch[console]",
        ) from None
    settings = town_settings(settings_file)
    with Accounts(settings.accounts_file, SystemClock()) as accounts:
        yield accounts


def _check_grids(settings_file: Path | None, codes: Iterable[str]) -> None:
    """Raises UnknownGridError for a grid that isn't on the map."""
    from pipeline.town import load_grids

    if codes := list(codes):
        grids = load_grids(town_settings(settings_file).town.grids)
        for code in codes:
            grids.get(code)


def _password(from_stdin: bool) -> tuple[str, str | None]:
    """The password, and once more if it was made up and must be shown."""
    from pipeline.console.accounts import made_up_password

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), None
    if sys.stdin.isatty():
        asked = typer.prompt(
            "密码(留空则生成) / password (empty: made up)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt="再输一次 / once more",
            err=True,
        )
        if asked:
            return asked, None
    made_up = made_up_password()
    return made_up, made_up


def _tell(name: str, shown: str | None, *, as_json: bool) -> None:
    """The made-up password goes to standard output alone, this once."""
    if as_json:
        print_json({"name": name, "password": shown})
        return
    err.print(f"{name}: 完成 / done", highlight=False)
    if shown is not None:
        err.print("密码只显示这一次 / the password is shown this once:")
        out.print(shown, highlight=False)
