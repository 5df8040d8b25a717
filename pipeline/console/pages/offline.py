"""The console as an app on a telephone: what it is made of, and what it sends when back online.

The service worker (``static/service-worker.js``) keeps pages; what was done without a line waits
in the browser's database (``static/offline-store.js``) until it is sent here.
"""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from pipeline.console import words
from pipeline.console.acting import Command, act
from pipeline.console.claims import CHANGED, Claim, claim_of
from pipeline.console.context import Visit, console_of, visit_of
from pipeline.console.drawing import STATIC, draw, file_url, owner_of
from pipeline.console.pages.steps import command_of

router = APIRouter()

PREFIX = "/offline/"  # what answers here, answers a program of ours

_ICONS = (("192", "any"), ("512", "any"), ("512", "maskable"))
# What a kept page is made of.
_FILES = (
    "console.css",
    "offline.css",
    "vendor/htmx-2.0.11.min.js",
    "console.js",
    "offline-store.js",
    "offline.js",
    "ticket.css",
    "compare.js",
    "icon.svg",
)


@router.get("/manifest.webmanifest")
def manifest(request: Request) -> Response:
    """What a telephone needs to know to put it beside its apps."""
    t = visit_of(request).say
    icons = [
        {
            "src": file_url(f"icons/{'maskable-' if purpose == 'maskable' else ''}{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }
        for size, purpose in _ICONS
    ]
    said = {
        "id": "/",
        "name": t("网格案卷", "Grid tickets"),
        "short_name": t("网格案卷", "Tickets"),
        "description": t("街面隐患发现与处置", "Street hazards, from finding to fixing"),
        "lang": t("zh-CN", "en"),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#eef1f4",
        "theme_color": "#134e8a",
        "icons": icons,
        "shortcuts": [{"name": t("待办", "Queue"), "url": "/queue"}],
    }
    return Response(json.dumps(said, ensure_ascii=False), media_type="application/manifest+json")


@router.get("/service-worker.js")
def service_worker() -> Response:
    """From the root, so that it may keep pages of the whole site; another one when a file changes.

    The first line tells it the addresses of the files of this version.
    """
    files = {name: file_url(name) for name in _FILES}
    code = (STATIC / "service-worker.js").read_text("utf-8")
    return Response(
        f"const FILES = {json.dumps(files)};\n{code}",
        media_type="text/javascript",
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/offline")
def offline_page(request: Request) -> Response:
    """What is shown for a page that was not kept; the same for everybody."""
    visit_of(request).user = None
    return draw(request, "offline.html")


@router.get(f"{PREFIX}hello")
def offline_hello(request: Request) -> JSONResponse:
    """Whether the session still holds, whose it is, and its form token."""
    visit = visit_of(request)
    return JSONResponse({"owner": owner_of(visit.by.name), "csrf": visit.csrf})


@router.post(f"{PREFIX}tickets/{{ticket_id}}/{{action}}")
async def offline_action(request: Request, action: str) -> JSONResponse:
    """A step that was taken before there was a line; the same as from a page, answered as JSON.

    ``done``: it was taken, now or before; ``version`` is the ticket's after it.
    """
    visit = visit_of(request)
    claim = claim_of(visit.text("done_ms"), visit.text("told_ms"), console_of(request).clock.now())
    command = await command_of(request, action, claim)
    return await run_in_threadpool(_act, request, command)


def _act(request: Request, command: Command) -> JSONResponse:
    console, visit = console_of(request), visit_of(request)
    moved = act(console, visit.by, visit.on, command)
    mine = [
        step.version
        for step in moved.steps
        if (step.by, step.action) == (visit.by.name, command.action)
    ]
    return JSONResponse(
        {
            "done": True,
            "version": mine[-1] if mine else moved.version,
            "clock": _of_the_clock(visit, command.claim),
        }
    )


def _of_the_clock(visit: Visit, claim: Claim | None) -> str | None:
    if claim is None:
        return None
    said = claim.said() or (None if claim.holds(visit.on.filed_at) else CHANGED)
    return words.pick(said, visit.language) if said else None
