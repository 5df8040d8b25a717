"""The first page of each role, and the switch of languages."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

from pipeline.console.context import visit_of
from pipeline.console.guard import is_https
from pipeline.console.pages.ways import inside

router = APIRouter()

_FIRST = {"operator": "/cameras", "command": "/command", "admin": "/command"}
_YEAR_S = 366 * 86400


@router.get("/")
def home(request: Request) -> RedirectResponse:
    return RedirectResponse(_FIRST.get(visit_of(request).by.role, "/queue"), 303)


@router.get("/language/{code}")
def language(request: Request, code: str, to: str = "/") -> RedirectResponse:
    answer = RedirectResponse(inside(to), 303)
    answer.set_cookie(
        "lang",
        "en" if code == "en" else "zh",
        max_age=_YEAR_S,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
    )
    return answer
