"""Everything that is asked passes here first: who asks, whether the table lets them, for what.

A page is asked for with the cookie of a session, and whatever changes something carries the
session's form token as well. The API is asked with a token, or with both of these.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.concurrency import run_in_threadpool

from pipeline.console.accounts import By
from pipeline.console.context import Refused, Visit, console_of, visit_of
from pipeline.console.rules import RULES, reaches, sees
from pipeline.errors import UnknownTicketError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.console.rules import Rule

API = "/api/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FIELDS_AT_MOST = 400  # a head of a large village has many grids to tick


async def guard(request: Request) -> AsyncIterator[None]:
    """Refuse with 401, 403 or 404, or note in the visit what was found; see ``Visit``."""
    rule = RULES.get(request.scope["route"].name)
    if rule is None:
        raise Refused(403, ("此功能未列入权限表", "no rule allows this"))
    _check_origin(request)
    visit = visit_of(request)
    await run_in_threadpool(_recognise, request, visit)
    try:
        if not rule.open:
            await _check_sender(request, visit)
            await run_in_threadpool(_check_reach, request, visit, rule)
        elif request.method not in _SAFE:
            visit.form = await request.form(max_fields=_FIELDS_AT_MOST, max_files=0)
        yield
    finally:  # refused or not: what was uploaded lies in a file
        if visit.form is not None:
            await visit.form.close()


def address_of(request: Request) -> str:
    """Where a request comes from, as the web server in front says it."""
    return request.client.host if request.client else ""


def by_of(request: Request) -> By:
    """Who asks, and from where: for whatever keeps a record. Only of who is signed in."""
    return By(visit_of(request).by.name, address_of(request))


def cookie_name(request: Request) -> str:
    """A browser takes the first name only over https, from this very host, for all of it."""
    return "__Host-gridwatch" if is_https(request) else "gridwatch"


def is_https(request: Request) -> bool:
    return console_of(request).settings.https or request.url.scheme == "https"


def _recognise(request: Request, visit: Visit) -> None:
    accounts = console_of(request).accounts
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if request.url.path.startswith(API) and scheme.lower() == "bearer":
        signed_in = accounts.of_token(token.strip(), address=address_of(request))
    else:
        visit.secret = request.cookies.get(cookie_name(request))
        signed_in = accounts.of_session(visit.secret) if visit.secret else None
    if signed_in is not None:
        visit.user, visit.csrf = signed_in.user, signed_in.csrf


def _check_origin(request: Request) -> None:
    """What changes something comes from our own pages, or from a program."""
    if request.method in _SAFE:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None and site is None:
        foreign = urlsplit(origin).netloc != request.headers.get("Host")
    if foreign:
        raise Refused(403, ("请求来自其他网站，已拒绝", "sent from another site: refused"))


async def _check_sender(request: Request, visit: Visit) -> None:
    if visit.user is None:
        raise Refused(
            401,
            ("请先登录", "sign in first"),
            headers={"WWW-Authenticate": 'Bearer realm="gridwatch"'},
        )
    if request.method in _SAFE or visit.csrf is None:
        return
    sent = request.headers.get("X-CSRF-Token")
    if not request.url.path.startswith(API):
        visit.form = await request.form(max_fields=_FIELDS_AT_MOST, max_files=1)
        sent = sent or visit.text("csrf")
    if not hmac.compare_digest((sent or "").encode(), visit.csrf.encode()):
        raise Refused(403, ("页面已过期，请刷新后再试", "the page is out of date: load it again"))


def _check_reach(request: Request, visit: Visit, rule: Rule) -> None:
    desk, user = console_of(request).desk, visit.by
    if user.role not in rule.reach:
        raise Refused(403, ("您的角色无此权限", "not for your role"))
    ticket_id = request.path_params.get("ticket_id")
    if ticket_id is not None:
        try:
            visit.ticket = desk.ticket(ticket_id)
        except UnknownTicketError:
            raise Refused(404, ("没有这个案卷", "there is no such ticket")) from None
        if not sees(rule, user, visit.ticket, desk.town.grids):
            raise Refused(403, ("这个案卷不属于您的网格", "this ticket is another grid's"))
    camera_id = request.path_params.get("camera_id")
    if camera_id is not None:
        visit.camera = console_of(request).cameras.of(camera_id)
        if visit.camera is None:
            raise Refused(404, ("没有这台摄像机", "there is no such camera"))
        if not reaches(rule, user, visit.camera.get("grid"), desk.town.grids):
            raise Refused(403, ("这台摄像机不属于您的网格", "this camera is another grid's"))
    code = request.query_params.get("grid") or request.path_params.get("grid")
    if code and not reaches(rule, user, code, desk.town.grids):
        raise Refused(403, ("这个网格不归您管", "this grid is not yours"))
