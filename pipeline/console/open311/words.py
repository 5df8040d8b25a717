"""What the public is told of a report: how it stands, without names, notes or pictures of staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.console.open311.services import code_of
from pipeline.tickets.wire import at_json

if TYPE_CHECKING:
    from pipeline.console.open311.services import Services
    from pipeline.tickets import Report, Ticket

STATUS_NOTES = {
    "detected": "已收到 / received",
    "filed": "已收到，待审核 / received, waits to be looked at",
    "dispatched": "已派遣至责任网格 / sent to the grid that must act",
    "accepted": "已受理 / taken on",
    "handling": "处置中 / being dealt with",
    "fed_back": "已处置，待核查 / dealt with, being checked",
    "closed": "已结案 / done",
    "returned": "正在改派 / being sent to somebody else",
    "escalated": "已上报上级协调 / passed up to the first level",
    "suspended": "暂缓处理 / on hold",
    "rejected": "经核实不予立案 / looked at, and nothing to be done",
    "merged": "已并入同一案卷 / part of another case",
}


def request_row(report: Report, ticket: Ticket, services: Services, *, own: bool) -> dict[str, Any]:
    """As GET requests answers. What was written in it only its sender (``own``) gets back."""
    code = code_of(report.hazard, report.kind)
    place = ticket.place if report.place is not None else None
    updated_at = max((step.at for step in ticket.steps), default=report.reported_at)
    return {
        "service_request_id": report.report_id,
        "status": "open" if ticket.open else "closed",
        "status_notes": f"{STATUS_NOTES[ticket.state]}；案卷号 / case {ticket.ticket_id}",
        "service_name": services.name(code),
        "service_code": code,
        "description": report.description if own else services.name(code),
        "agency_responsible": ticket.department,
        "service_notice": None,
        "requested_datetime": at_json(report.reported_at),
        "updated_datetime": at_json(max(updated_at, report.reported_at)),
        "expected_datetime": at_json(ticket.handle_due_at) if ticket.open else None,
        "address": report.address if own and report.address else _public_address(report, ticket),
        "address_id": None,
        "zipcode": None,
        "lat": None if place is None else place.lat,
        "long": None if place is None else place.lon,
        "media_url": None,
    }


def _public_address(report: Report, ticket: Ticket) -> str | None:
    """The grid it lies in; of a report without a place the address is the sender's own words."""
    return ticket.address if report.place is not None else None
