"""Users, for administrators: who there is, who may do what, who is signed in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console import words
from pipeline.console.accounts import ROLES, Role, User, made_up_password
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import by_of
from pipeline.errors import AccountError, LastAdminError, UnknownGridError

router = APIRouter(prefix="/users")

Text = Annotated[str, Query(max_length=100)]

_SHOWN = 200
DONE: dict[str, words.Pair] = {
    "changed": ("角色和网格已保存", "Role and grids are saved"),
    "disabled": ("已停用，所有登录和令牌已失效", "Disabled: all sessions and tokens have ended"),
    "enabled": ("已恢复，可以登录", "Enabled: may sign in again"),
    "ended": ("已结束", "Ended"),
}
_LAST_ADMIN = (
    "这是最后一个可用的管理员，请先新增另一个管理员",
    "this is the last admin: make another one first",
)
_NEEDS_GRIDS = ("网格员和网格长必须至少有一个网格", "members and heads need at least one grid")
_OWN = (
    "不能停用自己，也不能改自己的角色；请由另一位管理员操作",
    "not your own account: ask another admin",
)


@router.get("")
def users_page(request: Request, q: Text = "", role: Text = "") -> Response:
    return _list(request, q=q, role=role)


@router.get("/one")
def user_page(request: Request, name: Text = "", done: Text = "") -> Response:
    visit = visit_of(request)
    said = words.pick(DONE[done], visit.language) if done in DONE else None
    return _page(request, _found(request, name), good=said)


@router.post("/add")
def add_user(request: Request) -> Response:
    console, visit = console_of(request), visit_of(request)
    password = made_up_password()
    try:
        role, grids = _chosen(request)
        user = console.accounts.users.add(
            visit.text("name"), role, grids, password, by=by_of(request)
        )
    except Refused as error:
        return _list(request, said=error.say)
    except AccountError as error:
        taken = console.accounts.users.find(visit.text("name").strip().casefold())
        say = (
            ("已有这个用户", str(error))
            if taken
            else ("用户名不能用：1 到 40 个字符，不含空格，例如 李四 或 li.si", str(error))
        )
        return _list(request, said=say)
    return _page(request, user, password=password)


@router.post("/change")
def change_user(request: Request) -> Response:
    user = _found(request, visit_of(request).text("name"))
    try:
        role, grids = _chosen(request)
        _keep_own_role(request, user, role)
        console_of(request).accounts.users.change(user.name, role, grids, by=by_of(request))
    except LastAdminError:
        return _page(request, user, said=_LAST_ADMIN)
    except Refused as error:
        return _page(request, user, said=error.say)
    return _back(user, "changed")


@router.post("/reset")
def reset_user(request: Request) -> Response:
    """A new password, shown this once; all sessions and tokens end."""
    user = _found(request, visit_of(request).text("name"))
    if _is_own(request, user):
        say = ("自己的密码请在“我的”页面修改", "change your own password on the account page")
        return _page(request, user, said=say)
    password = made_up_password()
    console_of(request).accounts.users.set_password(user.name, password, by=by_of(request))
    return _page(request, user, password=password)


@router.post("/disable")
def disable_user(request: Request) -> Response:
    user = _found(request, visit_of(request).text("name"))
    if _is_own(request, user):
        return _page(request, user, said=_OWN)
    try:
        console_of(request).accounts.users.disable(user.name, disabled=True, by=by_of(request))
    except LastAdminError:
        return _page(request, user, said=_LAST_ADMIN)
    return _back(user, "disabled")


@router.post("/enable")
def enable_user(request: Request) -> Response:
    user = _found(request, visit_of(request).text("name"))
    console_of(request).accounts.users.disable(user.name, disabled=False, by=by_of(request))
    return _back(user, "enabled")


@router.post("/sessions/end")
def end_user_sessions(request: Request) -> Response:
    """One session, or all of them where none is named."""
    visit, sessions = visit_of(request), console_of(request).accounts.sessions
    user = _found(request, visit.text("name"))
    if visit.text("session"):
        sessions.end_one(user.name, visit.text("session"), by_of(request))
    else:
        sessions.end_all(user.name, by_of(request))
    return _back(user, "ended")


@router.post("/tokens/end")
def end_user_token(request: Request) -> Response:
    visit = visit_of(request)
    user = _found(request, visit.text("name"))
    console_of(request).accounts.tokens.revoke(user.name, visit.text("token"), by=by_of(request))
    return _back(user, "ended")


def _found(request: Request, name: str) -> User:
    """Raises Refused (404)."""
    user = console_of(request).accounts.users.find(name)
    if user is None:
        raise Refused(404, ("没有这个用户", "there is no such user"))
    return user


def _keep_own_role(request: Request, user: User, role: Role) -> None:
    """Raises Refused (422): whoever takes the role off themselves can't give it back."""
    if _is_own(request, user) and role != user.role:
        raise Refused(422, _OWN)


def _is_own(request: Request, user: User) -> bool:
    return user.name == visit_of(request).by.name


def _chosen(request: Request) -> tuple[Role, list[str]]:
    """The role and the grids of the form. Raises Refused (422)."""
    visit, town = visit_of(request), console_of(request).desk.town.grids
    role = next((one for one in ROLES if one == visit.text("role")), None)
    if role is None:
        raise Refused(422, ("请选择角色", "choose a role"))
    codes = visit.words("grids")
    try:
        for code in codes:
            town.get(code)
    except UnknownGridError as error:
        raise Refused(422, ("没有这个网格", str(error))) from None
    if role in ("member", "head") and not codes:
        raise Refused(422, _NEEDS_GRIDS)
    return role, codes


def _back(user: User, done: str) -> Response:
    return RedirectResponse(f"/users/one?{urlencode({'name': user.name, 'done': done})}", 303)


def _list(
    request: Request, *, q: str = "", role: str = "", said: words.Pair | None = None
) -> Response:
    console, visit = console_of(request), visit_of(request)
    users = console.accounts.users.all()
    found = [one for one in users if q.casefold() in one.name and role in ("", one.role)]
    return draw(
        request,
        "users.html",
        status=422 if said else 200,
        said=words.pick(said, visit.language) if said else None,
        users=[(one, _named(request, one)) for one in found[:_SHOWN]],
        left_out=max(0, len(found) - _SHOWN),
        total=len(users),
        q=q,
        role=role,
        typed=visit.text("name"),
        wanted_role=visit.text("role"),
        choice=_choice(request, visit.words("grids")),
    )


def _page(
    request: Request,
    user: User,
    *,
    said: words.Pair | None = None,
    good: str | None = None,
    password: str | None = None,
) -> Response:
    """One user; what was just chosen stays chosen where it was refused."""
    console, visit = console_of(request), visit_of(request)
    accounts, now = console.accounts, console.clock.now()
    return draw(
        request,
        "user.html",
        status=422 if said else 200,
        said=words.pick(said, visit.language) if said else None,
        good=good,
        user=user,
        password=password,
        is_own=_is_own(request, user),
        now=now,
        identity=accounts.identities.of(user.name),
        sessions=accounts.sessions.of(user.name),
        tokens=accounts.tokens.of(user.name),
        grids=_named(request, user),
        choice=_choice(request, sorted(user.grids)),
    )


def _named(request: Request, user: User) -> list[str]:
    town = console_of(request).desk.town.grids
    return [town.get(code).name if code in town else code for code in sorted(user.grids)]


def _choice(request: Request, chosen: list[str]) -> list[tuple[str, str, bool]]:
    """Code, name and whether it is chosen, of every grid with a queue; the chosen ones first.

    A chosen one that the map no longer has stays, so that saving doesn't take it away unseen.
    """
    town = console_of(request).desk.town.grids
    codes = {grid.code: grid.name for grid in town if grid.kind != "micro"}
    gone = {code: code for code in chosen if code not in codes}
    return sorted(
        ((code, name, code in chosen) for code, name in (codes | gone).items()),
        key=lambda one: (not one[2], one[0]),
    )
