"""The paths of GeoReport v2. See docs/reports.md for what they take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute

from pipeline.console.open311 import answers
from pipeline.console.open311.answers import GeoReportError
from pipeline.console.open311.endpoint import PREFIX, Open311
from pipeline.errors import DeskError, DeskUnavailableError, OutboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = structlog.get_logger()


class _Route(APIRoute):
    """Answers every error in the format of the path."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            form = request.path_params["form"]
            if form not in answers.MEDIA_TYPES:
                return answers.error("json", GeoReportError(404, "paths end in .json or .xml"))
            try:
                return await handle(request)
            except GeoReportError as error:
                return answers.error(form, error)
            except (DeskUnavailableError, OutboxError) as error:
                log.warning("open311.unavailable", why=str(error))
                text = "暂时无法处理，请稍后再试 / not possible now, try again later"
                return answers.error(form, GeoReportError(503, text, Retry_After="30"))
            except DeskError as error:
                log.warning("open311.refused", why=str(error))
                return answers.error(form, GeoReportError(400, "the report can't be filed"))

        return answer


def open311_router(endpoint: Open311) -> APIRouter:
    """The routes below ``/open311``, for an app of their own or beside others."""
    router = APIRouter(route_class=_Route)

    @router.get("/open311/discovery.{form}")
    def discovery(request: Request, form: str) -> Response:
        return answers.one(form, "discovery", endpoint.discovery(request))

    @router.get(f"{PREFIX}/services.{{form}}")
    def services(request: Request, form: str) -> Response:
        endpoint.check_read(request)
        return answers.rows(form, ("services", "service"), endpoint.services.listed())

    @router.get(f"{PREFIX}/services/{{code}}.{{form}}")
    def service(request: Request, code: str, form: str) -> Response:
        endpoint.check_read(request)
        if endpoint.services.duty(code) is None:
            raise GeoReportError(404, f"service_code {code[:80]!r} was not found")
        found = {"service_code": code, "attributes": []}
        return answers.one(form, "service_definition", found)

    @router.post(f"{PREFIX}/requests.{{form}}")
    async def post(request: Request, form: str) -> Response:
        row = await endpoint.post(request)
        return answers.rows(form, ("service_requests", "request"), [row], 201)

    @router.get(f"{PREFIX}/requests.{{form}}")
    def requests(request: Request, form: str) -> Response:
        key = endpoint.check_read(request)
        found = endpoint.requests(request.query_params, key)
        return answers.rows(form, ("service_requests", "request"), found)

    @router.get(f"{PREFIX}/requests/{{name}}.{{form}}")
    def one(request: Request, name: str, form: str) -> Response:
        key = endpoint.check_read(request)
        return answers.rows(form, ("service_requests", "request"), [endpoint.request(name, key)])

    @router.get(f"{PREFIX}/tokens/{{token}}.{{form}}")
    def token(request: Request, token: str, form: str) -> Response:
        endpoint.check_read(request)
        return answers.rows(form, ("service_requests", "request"), [endpoint.token(token)])

    return router


def create_open311(endpoint: Open311) -> FastAPI:
    """An app with nothing but the endpoint, to be reached from outside."""
    app = FastAPI(title="gridwatch Open311", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(open311_router(endpoint))
    return app
