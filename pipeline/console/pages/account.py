"""One's own account: password, sessions, tokens for programs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console import words
from pipeline.console.context import console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import address_of, by_of
from pipeline.console.pages.sign_in import signed_out
from pipeline.errors import AccountError, SignInError, TooManyAttemptsError

router = APIRouter(prefix="/account")

_TOKEN_DAYS = 180


@router.get("")
def account_page(request: Request) -> Response:
    return _page(request)


@router.post("/password")
def change_password(request: Request) -> Response:
    console, visit = console_of(request), visit_of(request)
    new = visit.text("new")
    if new != visit.text("again"):
        return _page(request, ("两次输入的新密码不一样", "the new passwords differ"))
    try:
        console.accounts.change_password(
            visit.by.name, visit.text("old"), new, address=address_of(request)
        )
    except TooManyAttemptsError as error:
        minutes = -(-error.wait_s // 60)
        return _page(request, (f"请 {minutes} 分钟后再试", f"try again in {minutes} min"))
    except SignInError:
        return _page(request, ("原密码不对", "the old password is wrong"))
    except AccountError:
        return _page(
            request,
            (
                "新密码不合要求：10 到 200 个字符，不含用户名，不能只是重复的字符",
                "not good enough: 10 to 200 characters, without your name, not all the same",
            ),
        )
    return signed_out(request)


@router.post("/sign-out-everywhere")
def sign_out_everywhere(request: Request) -> Response:
    console_of(request).accounts.sessions.end_all(visit_of(request).by.name, by_of(request))
    return signed_out(request)


@router.post("/tokens")
def make_token(request: Request) -> Response:
    visit = visit_of(request)
    try:
        token = console_of(request).accounts.tokens.make(
            visit.by.name, visit.text("label"), _TOKEN_DAYS, by=by_of(request)
        )
    except AccountError:
        return _page(
            request,
            ("令牌要有 1 到 60 字的名称，最多 20 个", "a label of 1 to 60 characters; 20 at most"),
        )
    return _page(request, token=token)


@router.post("/tokens/{token_id}/revoke")
def revoke_token(request: Request, token_id: str) -> Response:
    console_of(request).accounts.tokens.revoke(
        visit_of(request).by.name, token_id, by=by_of(request)
    )
    return RedirectResponse("/account", 303)


def _page(request: Request, said: words.Pair | None = None, token: str | None = None) -> Response:
    console, visit = console_of(request), visit_of(request)
    now = console.clock.now()
    grids = console.desk.town.grids
    return draw(
        request,
        "account.html",
        status=422 if said else 200,
        said=words.pick(said, visit.language) if said else None,
        token=token,
        tokens=[
            (one, words.moment(one.ends_at, now, visit.language))
            for one in console.accounts.tokens.of(visit.by.name)
        ],
        sessions=console.accounts.sessions.count(visit.by.name),
        grids=[grids.get(code).name if code in grids else code for code in sorted(visit.by.grids)],
    )
