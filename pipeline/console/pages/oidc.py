"""Signing in at a provider of identities, and back."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console.accounts import Vouched
from pipeline.console.accounts.sessions import LONGEST_S
from pipeline.console.context import Refused, console_of, visit_of
from pipeline.console.drawing import draw
from pipeline.console.guard import address_of, cookie_name, is_https
from pipeline.console.oidc import Flow, Provider, mapped_to
from pipeline.console.oidc.flow import LIFE_S
from pipeline.console.pages.ways import inside
from pipeline.console.words import Pair
from pipeline.errors import AccountError, ProviderError, SignInError, TooManyAttemptsError

router = APIRouter(prefix="/sign-in/oidc")
log = structlog.get_logger()

Answer = Annotated[str, Query(max_length=4000)]

_AGAIN: Pair = (
    "登录没有完成或已超时，请重新开始",
    "signing in was not finished, or took too long: begin anew",
)
_AWAY: Pair = (
    "统一身份认证暂时不可用，请稍后再试，或用密码登录",
    "the provider of identities can't be used now: try again later, or use a password",
)


@router.get("")
def oidc_begin(request: Request, to: str = "/") -> Response:
    provider, flow = _provider(request), Flow.begin(inside(to))
    try:
        address = provider.sign_in_address(flow)
    except ProviderError as error:
        return _failed(request, 502, _AWAY, str(error))
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        _cookie(request),
        flow.cookie(),
        max_age=LIFE_S,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )
    return answer


@router.get("/back")
def oidc_back(
    request: Request,
    code: Answer = "",
    state: Answer = "",
    error: Answer = "",
    iss: Answer = "",
) -> Response:
    console, provider = console_of(request), _provider(request)
    flow = Flow.from_cookie(request.cookies.get(_cookie(request)))
    ours = flow is not None and flow.is_answered_by(state)
    if flow is None or not ours or iss not in ("", provider.settings.issuer):
        return _failed(request, 400, _AGAIN, "state, cookie or iss doesn't fit")
    if error or not code:
        return _failed(request, 403, _AGAIN, f"the provider says {error[:40] or 'nothing'}")

    def vouched() -> Vouched:
        claims = provider.claims(code, flow)
        return mapped_to(claims, provider.settings, console.desk.town.grids)

    try:
        secret = console.accounts.sign_in_vouched(
            vouched,
            issuer=provider.settings.issuer,
            address=address_of(request),
            agent=request.headers.get("User-Agent", ""),
        )
    except AccountError as problem:
        status, say = _refusal(problem)
        return _failed(request, status, say, str(problem))
    return _let_in(request, secret, flow.to)


@router.get("/out")
def oidc_out(request: Request) -> Response:
    """Sign out at the provider as well."""
    try:
        address = _provider(request).sign_out_address()
    except ProviderError as error:
        return _failed(request, 502, _AWAY, str(error))
    return RedirectResponse(address or "/sign-in", 303)


def _refusal(problem: AccountError) -> tuple[int, Pair]:
    match problem:
        case ProviderError():
            return 502, _AWAY
        case TooManyAttemptsError():
            minutes = -(-problem.wait_s // 60)
            return 429, (f"尝试次数过多，请 {minutes} 分钟后再试", f"try again in {minutes} min")
        case SignInError():
            return 403, (
                "您的身份没有本系统的权限，请联系管理员",
                "your identity has no rights here: ask an administrator",
            )
    return 403, (
        "不能为您的身份建立用户（可能已有同名用户），请联系管理员",
        (
            "no user can be made for your identity, there may be one of that name: "
            "ask an administrator"
        ),
    )


def _let_in(request: Request, secret: str, to: str) -> Response:
    old = visit_of(request).secret
    if old:
        console_of(request).accounts.sessions.end(old)
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
    _forget(request, answer)
    return answer


def _failed(request: Request, status: int, say: Pair, why: str) -> Response:
    """``why`` is for the log; neither has a code or a token in it."""
    log.warning("console.oidc_failed", status=status, why=why)
    visit = visit_of(request)
    answer = draw(
        request,
        "sign_in.html",
        status=status,
        to="/",
        kept={},
        said=visit.say(*say),
        name="",
    )
    _forget(request, answer)
    return answer


def _forget(request: Request, answer: Response) -> None:
    answer.delete_cookie(
        _cookie(request), path="/", secure=is_https(request), httponly=True, samesite="lax"
    )


def _cookie(request: Request) -> str:
    return f"{cookie_name(request)}-oidc"


def _provider(request: Request) -> Provider:
    """Raises Refused (404)."""
    provider = console_of(request).office.oidc
    if provider is None:
        raise Refused(404, ("没有设置统一身份认证", "no provider of identities is set"))
    return provider
