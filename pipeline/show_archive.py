"""What the commands of the archive print for people: tables, Chinese first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.tickets import Found, Line
    from pipeline.tickets.indices import Indices


def found(rows: Iterable[Found]) -> Table:
    table = _table(
        "案卷号 / ticket", "隐患 / hazard", "网格 / grid", "位置 / place", "状态 / state",
        "立案 / filed", "结束 / ended", "理由 / reason",
    )  # fmt: skip
    for one in rows:
        table.add_row(
            one.ticket_id,
            one.hazard,
            one.grid,
            one.address,
            one.state,
            _time(one.opened_at),
            _time(one.closed_at),
            one.reason,
        )
    return table


def lines(rows: Iterable[Line]) -> Table:
    table = _table(
        "序号 / no.", "时间 / at", "何人 / who", "何处 / from", "操作 / action", "对象 / subject",
        "结果 / result",
    )  # fmt: skip
    for one in rows:
        table.add_row(
            str(one.number),
            _time(one.at),
            one.who,
            one.origin,
            one.action,
            one.subject,
            one.result,
        )
    return table


def indices(rows: Iterable[Indices]) -> Table:
    from pipeline.tickets.indices import RATES  # noqa: PLC0415 - so that --help is quick

    table = _table("", "立案 / filed", *(f"{name} {said}" for said, (name, _) in RATES.items()))
    for one in rows:
        rates = (one.rate(said) for said in RATES)
        table.add_row(
            one.group or "合计 / all",
            str(one.counts["filed"]),
            *("—" if rate is None else f"{100 * rate:.1f} %" for rate in rates),
        )
    return table


def _table(name: str, *others: str) -> Table:
    table = Table()
    table.add_column(name, no_wrap=True)
    for other in others:
        table.add_column(other, overflow="fold")
    return table


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
