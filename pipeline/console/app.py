"""The console put together: its guard, its pages, its answers when something can't be."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from pipeline.clock import SystemClock
from pipeline.console.api import router as api
from pipeline.console.api.document import VERSION
from pipeline.console.cameras import CameraRows
from pipeline.console.context import Console, Refused, visit_of
from pipeline.console.drawing import STATIC, draw
from pipeline.console.figures import Figures
from pipeline.console.guard import API, guard
from pipeline.console.hardening import Hardening
from pipeline.console.lane import Lane
from pipeline.console.live import Live
from pipeline.console.office import Office
from pipeline.console.pages import ROUTERS
from pipeline.console.pages.offline import PREFIX as OFFLINE
from pipeline.console.pages.sign_in import kept_fields
from pipeline.console.recording import Recorder
from pipeline.errors import AccountError, DeskError, DeskUnavailableError, UnknownGridError
from pipeline.settings import ConsoleSettings, ReportSettings
from pipeline.tickets import Feedback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from starlette.types import Scope

    from pipeline.clock import Clock
    from pipeline.console.accounts import Accounts
    from pipeline.console.camera_care import CameraCare
    from pipeline.console.watching import Watching
    from pipeline.tickets import Changes, Desk, PictureKeeper

log = structlog.get_logger()

_A_YEAR = "public, max-age=31536000, immutable"
_FOR_PROGRAMS = (API, OFFLINE)


def create_app(
    desk: Desk,
    pictures: PictureKeeper,
    cameras: Callable[[], Sequence[Mapping[str, Any]]],
    accounts: Accounts,
    *,
    settings: ConsoleSettings | None = None,
    reports: ReportSettings | None = None,
    changes: Changes | None = None,
    watching: Watching | None = None,
    clock: Clock | None = None,
    care: CameraCare | None = None,
    office: Office | None = None,
) -> FastAPI:
    """The console over a desk.

    A photo has as many pixels as ``reports`` allow, and as many bytes as ``settings.upload_mb``.
    ``pictures`` keeps photos; evidence is read from its store, each time recorded.
    ``cameras`` gives one mapping per camera: ``camera_id``, ``state``, and where known ``name``,
    ``grid``, ``lon``, ``lat``, ``since_at`` (Unix seconds) and ``why``. It is called in a thread of
    the server's. Without ``changes`` pages look for news by themselves, every half minute;
    without ``watching`` there are no live pictures.
    ``care``: without it zones, marked points and the history of a camera are not shown.
    """
    settings, clock = settings or ConsoleSettings(), clock or SystemClock()
    office = office or Office()
    live = Live(changes, desk.town.grids, clock)
    recorder = Recorder(accounts, office.audit, clock)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        live.start()
        recorder.start()
        yield
        live.close()
        await run_in_threadpool(recorder.close)

    app = FastAPI(
        title="gridwatch",
        version=VERSION,
        lifespan=living,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(guard)],
    )
    photos = (reports or ReportSettings()).model_copy(update={"picture_mb": settings.upload_mb})
    app.state.console = Console(
        desk,
        Feedback(desk, pictures),
        accounts,
        pictures,
        CameraRows(cameras, clock),
        settings,
        photos,
        clock,
        office,
        Figures(desk, clock, office.file_within_s),
        recorder,
        watching=watching,
        care=care,
    )
    app.state.live = live
    # Compressed here alone: pages carry a form token beside what others wrote.
    app.mount("/static", GZipMiddleware(_Static(directory=STATIC)), name="static")
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.include_router(api)
    app.add_middleware(Lane)
    app.add_middleware(
        Hardening, tiles=settings.tiles, https=settings.https, upload_mb=settings.upload_mb
    )
    _add_answers(app)
    return app


class _Static(StaticFiles):
    """Our files; their address changes with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        scope: Scope = args[2] if len(args) > 2 else kwargs["scope"]
        versioned = b"v=" in scope.get("query_string", b"")
        answer.headers["Cache-Control"] = _A_YEAR if versioned else "no-cache"
        return answer


def _add_answers(app: FastAPI) -> None:
    """Every refusal is a page for people and JSON for programs."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        if error.status == 401 and not request.url.path.startswith(_FOR_PROGRAMS):
            return await _ask_to_sign_in(request)
        return _answer(request, error.status, error.say, error.headers)

    @app.exception_handler(HTTPException)
    async def not_found(request: Request, error: HTTPException) -> Response:
        says = {
            404: ("没有这个页面", "there is no such page"),
            405: ("不能这样做", "not like this"),
        }
        say = says.get(error.status_code, ("请求有误", str(error.detail)))
        return _answer(request, error.status_code, say, error.headers or {})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        return _answer(request, 422, ("请求有误", f"{where}: {fault['msg']}"), {})

    @app.exception_handler(UnknownGridError)
    async def no_grid(request: Request, error: UnknownGridError) -> Response:
        return _answer(request, 404, ("没有这个网格", str(error)), {})

    @app.exception_handler(DeskUnavailableError)
    async def away(request: Request, error: DeskUnavailableError) -> Response:
        log.warning("console.desk_away", reason=str(error))
        say = (
            "暂时无法读取案卷，请稍后再试；新的发现不会丢失",
            "tickets can't be read now, try again soon; nothing new gets lost",
        )
        return _answer(request, 503, say, {"Retry-After": "5"})

    @app.exception_handler(AccountError)
    @app.exception_handler(DeskError)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("console.failed", reason=str(error))
        return _answer(request, 500, ("出错了，已记录", "something failed; it is in the log"), {})


def _answer(
    request: Request, status: int, say: tuple[str, str], headers: Mapping[str, str]
) -> Response:
    visit = visit_of(request)
    if request.url.path.startswith(API):
        return JSONResponse({"error": say[1]}, status, dict(headers))
    if request.url.path.startswith(OFFLINE):
        return JSONResponse({"error": visit.say(*say)}, status, dict(headers))
    return draw(request, "answer.html", status=status, headers=headers, said=visit.say(*say))


async def _ask_to_sign_in(request: Request) -> Response:
    """The way to the page goes through signing in; a form's text goes along."""
    visit, to = visit_of(request), request.url.path
    kept: dict[str, str] = {}
    if request.method == "POST":
        visit.form = await request.form(max_fields=40, max_files=1)
        kept = kept_fields(visit, fresh=True)
        await visit.form.close()
    elif request.url.query:
        to = f"{to}?{request.url.query}"
    said = visit.say("请登录", "Sign in") if request.method == "GET" else None
    if kept:
        said = visit.say(
            "登录已过期。请重新登录，您写的内容会保留。",
            "Your session has ended. Sign in again: what you wrote is kept.",
        )
    return draw(
        request,
        "sign_in.html",
        status=401,
        to=to,
        kept=kept,
        said=said,
        name="",
    )
