"""Which reports a client asks for: GET requests with its filters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.console.open311.answers import GeoReportError

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_S = 86_400.0
SPAN_S = 90 * DAY_S
MOST = 1000
"""Requests in one answer; the standard's figures, both."""
MOST_IDS = 100
_STATUSES = ("open", "closed")


@dataclass(frozen=True, slots=True)
class Asked:
    """``ids`` alone, or reports made from ``from_at`` to ``to_at`` (Unix seconds)."""

    ids: tuple[str, ...]
    codes: frozenset[str]
    statuses: frozenset[str]
    from_at: float
    to_at: float


def asked_for(query: Mapping[str, str], now: float) -> Asked:
    """Raises GeoReportError for what can't be asked."""
    ids = tuple(dict.fromkeys(_listed(query, "service_request_id")))
    if len(ids) > MOST_IDS:
        raise GeoReportError(400, f"{len(ids)} service_request_ids; allowed: up to {MOST_IDS}")
    statuses = frozenset(_listed(query, "status"))
    if unknown := sorted(statuses - set(_STATUSES)):
        raise GeoReportError(400, f"status {unknown[0][:80]!r}; allowed: {', '.join(_STATUSES)}")
    start, end = _time(query, "start_date"), _time(query, "end_date")
    if start is not None and end is not None:
        if end < start:
            raise GeoReportError(400, "end_date lies before start_date")
        if end - start > SPAN_S:
            raise GeoReportError(400, "more than 90 days; allowed: a span of up to 90 days")
    if end is None:
        end = now if start is None else min(now, start + SPAN_S)
    if start is None:
        start = end - SPAN_S
    return Asked(ids, frozenset(_listed(query, "service_code")), statuses, start, end)


def _listed(query: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in query.get(name, "").split(",") if part.strip()]


def _time(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        # In a query a + that was not escaped arrives as a blank.
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise GeoReportError(
            400, f"{name} {text[:40]!r}; allowed: a time such as 2026-11-23T08:00:00+08:00"
        ) from None
