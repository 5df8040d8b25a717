"""A status page to be looked at, on a phone or a wall: it changes nothing and loads nothing else.

No login yet, so whoever reaches the port sees it: serve it on the local machine alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pipeline.clock import SystemClock
from pipeline.console import view
from pipeline.console.evidence import evidence_response
from pipeline.errors import DeskError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import EvidenceStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pipeline.clock import Clock
    from pipeline.tickets import Desk

_SHOWN = 60  # tickets on the page
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    desk: Desk,
    evidence_dir: Path,
    cameras: Callable[[], Sequence[Mapping[str, Any]]],
    *,
    clock: Clock | None = None,
    store: EvidenceStore | None = None,
) -> FastAPI:
    """The page over a desk.

    ``evidence_dir`` is the folder that evidence is relative to (``data_dir/evidence``).
    ``store`` is where it is read, with a record of each read; None: in that folder alone.
    ``cameras`` gives one mapping per camera: ``camera_id``, ``state``, and where known ``name``,
    ``since_at`` (Unix seconds) and ``why``. It is called in a thread of the server's.
    """
    time = clock or SystemClock()
    kept = store or EvidenceStore(evidence_dir.parent, EvidenceSettings(), time)
    pages = Environment(
        loader=PackageLoader("pipeline.console"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("status.html")
    app = FastAPI(title="gridwatch", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")

    @app.middleware("http")
    async def harden(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/", response_class=HTMLResponse)
    def status() -> HTMLResponse:
        now = time.now()
        shown: dict[str, Any] = {"now": view.clock_text(now), **view.cameras(cameras(), now)}
        try:
            shown |= {"trouble": None, **view.page(desk, _SHOWN, now)}
        except DeskError as error:
            shown["trouble"] = str(error)
        html = pages.render(shown)
        headers = {"Cache-Control": "no-store"}
        return HTMLResponse(html, status_code=503 if shown["trouble"] else 200, headers=headers)

    @app.get("/evidence/{path:path}")
    def evidence(path: str, request: Request) -> Response:
        return evidence_response(kept, path, request)

    return app
