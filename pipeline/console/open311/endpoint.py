"""What the endpoint does, whatever its paths and formats are: keys, limits, reports in and out.

It knows no sessions and shows no tickets that only cameras or staff made.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.concurrency import run_in_threadpool

from pipeline.clock import SystemClock
from pipeline.console.open311.answers import MEDIA_TYPES, GeoReportError
from pipeline.console.open311.asking import MOST, asked_for
from pipeline.console.open311.body import Memory, read_form
from pipeline.console.open311.intake import notice_of, pictures_from, report_from
from pipeline.console.open311.rate import RateLimit
from pipeline.console.open311.services import Services, code_of
from pipeline.console.open311.words import request_row
from pipeline.errors import ApiKeyError, DeskUnavailableError, UnknownTicketError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

    from pipeline.clock import Clock
    from pipeline.console.open311.keys import ApiKeys
    from pipeline.settings import Settings
    from pipeline.tickets import Desk, Outbox, Report, ReportDesk, Ticket

PREFIX = "/open311/v2"
CHANGESET = "2026-12-01T00:00:00Z"  # when what the endpoint offers changed last
_MEMORY_BYTES = 200_000_000  # for reports with pictures that are being read, of all clients

log = structlog.get_logger()


class Open311:
    """What the routes call. ``outbox`` is the one in which reports wait while Redis is away."""

    def __init__(
        self,
        settings: Settings,
        *,
        desk: Desk,
        reports: ReportDesk,
        outbox: Outbox,
        keys: ApiKeys,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings.open311
        self._limits = settings.tickets.reports
        self._desk = desk
        self._reports = reports
        self._outbox = outbox
        self._keys = keys
        self._clock = clock or SystemClock()
        self.services = Services(desk.town.duties, settings.open311.services)
        self._writes = RateLimit(settings.open311.reports_per_minute, self._clock)
        self._reads = RateLimit(settings.open311.reads_per_minute, self._clock)
        self._memory = Memory(_MEMORY_BYTES)
        self._decoding = asyncio.Semaphore(1)  # decoded, a picture is many times as large

    def check_read(self, request: Request) -> str | None:
        """Whose key came along, if any; raises GeoReportError beyond the client's rate."""
        self._check_client(request)
        self.check_jurisdiction(request.query_params)
        key = request.query_params.get("api_key", "")
        return self._name_of(key) if key else None

    def check_jurisdiction(self, fields: Mapping[str, str]) -> None:
        """Raises GeoReportError for another town's."""
        own, given = self.settings.jurisdiction_id, fields.get("jurisdiction_id", "").strip()
        if own is not None and given and given != own:
            raise GeoReportError(404, f"jurisdiction_id {given[:80]!r} was not found")

    async def post(self, request: Request) -> dict[str, Any]:
        """Take one report in; the row of the answer."""
        self._check_client(request)  # a key is known only once the body has been read
        limits = self._limits
        with self._memory.share() as take:
            fields, contents = await read_form(
                request,
                take,
                pictures=limits.pictures,
                picture_bytes=limits.picture_mb * 1_000_000,
                within_s=self.settings.body_s,
            )
            fields = {**request.query_params, **fields}
            by = await run_in_threadpool(self._sender, fields)
            self.check_jurisdiction(fields)
            report = report_from(
                fields,
                by=by,
                at=self._clock.now(),
                services=self.services,
                grids=self._desk.town.grids,
                radius_m=limits.radius_m,
                retry_key=request.headers.get("idempotency-key"),
            )
            async with self._decoding:
                pictures = await run_in_threadpool(pictures_from, contents, limits)
                taken = await run_in_threadpool(self._reports.take, report, pictures)
        name = "token" if taken.filing is None else "service_request_id"
        return {
            name: taken.report.report_id,
            "service_notice": notice_of(fields, taken) or None,
            "account_id": None,
        }

    def token(self, token: str) -> dict[str, Any]:
        """What became of a report that waited; it has no id while it still does."""
        try:
            self._held(token)
        except UnknownTicketError:
            if not self._outbox.has_report(token):
                raise GeoReportError(404, f"token {token[:80]!r} was not found") from None
            return {"service_request_id": None, "token": token}
        except DeskUnavailableError:
            if not self._outbox.has_report(token):
                raise
            return {"service_request_id": None, "token": token}
        return {"service_request_id": token, "token": token}

    def request(self, name: str, key: str | None) -> dict[str, Any]:
        """One report."""
        try:
            return self._row(*self._held(name), key)
        except UnknownTicketError:
            raise GeoReportError(404, f"service_request_id {name[:80]!r} was not found") from None

    def requests(self, query: Mapping[str, str], key: str | None) -> list[dict[str, Any]]:
        """The reports asked for, newest first; of those named, those that are there."""
        asked = asked_for(query, self._clock.now())
        if asked.ids:
            return self._named(asked.ids, key)
        found: list[dict[str, Any]] = []
        for report, ticket in self._desk.reported(asked.from_at, asked.to_at):
            status = "open" if ticket.open else "closed"
            if asked.codes and code_of(report.hazard, report.kind) not in asked.codes:
                continue
            if asked.statuses and status not in asked.statuses:
                continue
            found.append(self._row(report, ticket, key))
            if len(found) == MOST:
                break
        return found

    def discovery(self, request: Request) -> dict[str, Any]:
        """Where the endpoint is and what it speaks."""
        base = (self.settings.public_url or str(request.base_url)).rstrip("/")
        return {
            "changeset": CHANGESET,
            "contact": self.settings.contact,
            "key_service": "gridwatch open311 key add NAME",
            "endpoints": [
                {
                    "specification": "http://wiki.open311.org/GeoReport_v2",
                    "url": f"{base}{PREFIX}",
                    "changeset": CHANGESET,
                    "type": "production",
                    "formats": list(MEDIA_TYPES.values()),
                }
            ],
        }

    def _check_client(self, request: Request) -> None:
        _check_rate(self._reads.wait_s(request.client.host if request.client else ""))

    def _sender(self, fields: Mapping[str, str]) -> str:
        key = fields.get("api_key", "").strip()
        if not key:
            raise GeoReportError(403, "api_key was not provided")
        by = self._name_of(key)
        if by is None:
            raise GeoReportError(403, "api_key is not valid")
        _check_rate(self._writes.wait_s(by))
        return by

    def _name_of(self, key: str) -> str | None:
        try:
            return self._keys.name_of(key)
        except ApiKeyError as error:
            log.warning("open311.keys_unreadable", why=str(error))
            raise GeoReportError(500, "API keys can't be checked now") from None

    def _named(self, names: tuple[str, ...], key: str | None) -> list[dict[str, Any]]:
        found = []
        for name in names:
            try:
                found.append(self._row(*self._held(name), key))
            except UnknownTicketError:
                continue
        return found

    def _held(self, name: str) -> tuple[Report, Ticket]:
        """A resident's report and its ticket. Raises UnknownTicketError for anything else."""
        ticket = self._desk.ticket_of(name)
        for report in ticket.reports:
            if report.report_id == name and report.source == "resident":
                return report, ticket
        raise UnknownTicketError(name)

    def _row(self, report: Report, ticket: Ticket, key: str | None) -> dict[str, Any]:
        own = key is not None and secrets.compare_digest(key.encode(), report.by.encode())
        return request_row(report, ticket, self.services, own=own)


def _check_rate(wait_s: float) -> None:
    if wait_s > 0:
        after = str(math.ceil(wait_s))
        raise GeoReportError(429, "too many requests; try again later", Retry_After=after)
