"""Signing in and out. What was typed into another form, when the session had ended, is kept."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console.accounts.sessions import LONGEST_S
from pipeline.console.context import Visit, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import address_of, by_of, cookie_name, is_https
from pipeline.console.pages.ways import inside
from pipeline.errors import SignInError, TooManyAttemptsError

router = APIRouter()

KEPT = "kept."  # what stands before a field that waits for the session to be back
_NOT_KEPT = frozenset({"csrf", "name", "password", "old", "new", "again"})


@router.get("/sign-in")
def sign_in_page(request: Request, to: str = "/", out: str = "") -> Response:
    if visit_of(request).user is not None:
        return RedirectResponse(inside(to), 303)
    return draw(request, "sign_in.html", to=inside(to), kept={}, said=None, name="", out=out)


@router.post("/sign-in")
def sign_in(request: Request) -> Response:
    console, visit = console_of(request), visit_of(request)
    name, to = visit.text("name"), inside(visit.text("to", "/"))
    kept = kept_fields(visit)
    try:
        secret = console.accounts.sign_in(
            name,
            visit.text("password"),
            address=address_of(request),
            agent=request.headers.get("User-Agent", ""),
        )
    except TooManyAttemptsError as error:
        minutes = -(-error.wait_s // 60)
        said = visit.say(
            f"密码输错次数过多，请 {minutes} 分钟后再试",
            f"Too many wrong passwords; try again in {minutes} min",
        )
        status, wait = 429, {"Retry-After": str(error.wait_s)}
    except SignInError:
        said, status, wait = visit.say("用户名或密码不对", "Wrong name or password"), 401, {}
    else:
        if visit.secret:
            console.accounts.sessions.end(visit.secret)
        return _let_in(request, visit, secret, to, kept)
    return draw(
        request, "sign_in.html", status=status, headers=wait, to=to, kept=kept, said=said, name=name
    )


def _let_in(request: Request, visit: Visit, secret: str, to: str, kept: dict[str, str]) -> Response:
    answer: Response
    signed_in = console_of(request).accounts.of_session(secret)
    assert signed_in is not None
    visit.user, visit.csrf = signed_in.user, signed_in.csrf
    if request.headers.get("X-Dialog"):  # the page stays as it is; its form goes on
        answer = Response(
            status_code=204,
            headers={"X-CSRF-Token": str(visit.csrf), "X-User": signed_in.user.name.encode().hex()},
        )
    elif kept:
        answer = draw(request, "resume.html", to=to, kept=kept)
    else:
        answer = RedirectResponse(to, 303)
    answer.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(LONGEST_S),
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request) -> RedirectResponse:
    secret = visit_of(request).secret
    vouched = False
    if secret:
        sessions = console_of(request).accounts.sessions
        vouched = sessions.issuer(secret) is not None
        sessions.end(secret, by_of(request))
    # A form may not lead to another host: the way to the provider is a link of the next page.
    return signed_out(request, "/sign-in?out=oidc" if vouched else "/sign-in")


def signed_out(request: Request, to: str = "/sign-in") -> RedirectResponse:
    # Pictures are kept by the browser for a day: the next user of it must not find them.
    answer = RedirectResponse(to, 303, {"Clear-Site-Data": '"cache"'})
    answer.delete_cookie(
        cookie_name(request), path="/", secure=is_https(request), httponly=True, samesite="lax"
    )
    return answer


def kept_fields(visit: Visit, *, fresh: bool = False) -> dict[str, str]:
    """Fields of a form that could not be taken; ``fresh``: as that form itself sent them."""
    if visit.form is None:
        return {}
    texts: dict[str, str] = {}
    for name, value in visit.form.multi_items():
        if isinstance(value, str):  # what comes several times are words, see Visit.words
            texts[name] = f"{texts[name]} {value}" if name in texts else value
    if fresh:
        return {name: value for name, value in texts.items() if name not in _NOT_KEPT and value}
    return {
        name.removeprefix(KEPT): value for name, value in texts.items() if name.startswith(KEPT)
    }
