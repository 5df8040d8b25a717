"""The commands about evidence: what there is, until when, who has read it, what was deleted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.clock import SystemClock
from pipeline.errors import UnknownTicketError
from pipeline.terminal import AsJson, SettingsFile, err, opened_desk, out, print_json, town_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.tickets import EvidenceStore, OpenDesk, Sweep
    from pipeline.tickets.store import Due

app = typer.Typer(no_args_is_help=True, help="证据 / evidence: pictures and clips")

Ticket = Annotated[str | None, typer.Argument(help="only this ticket's")]
Note = Annotated[str, typer.Option("--note", help="why")]


@app.command("list")
def evidence_list(
    ticket: Ticket = None, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """证据清单与保存期限 / what this box keeps, and until when."""
    with _opened(settings_file) as (store, opened):
        owners = None if ticket is None else _owners(ticket, store, opened)
        items = store.ledger.items() if owners is None else store.ledger.items(owners=owners)
        dues = _sweep(store, opened).dues(items)
    if as_json:
        print_json([_row(due) for due in dues])
        return
    table = Table(
        "名称 / name", "案卷 / ticket", "MB", "保存至 / kept until", "规则 / rule", "位置"
    )
    for due in dues:
        item = due.item
        table.add_row(
            item.name,
            item.ticket_id or "—",
            f"{item.size / 1e6:.2f}",
            "—" if due.delete_at is None else _time(due.delete_at),
            due.rule,
            item.place,
        )
    out.print(table if dues else "没有证据 / no evidence")


@app.command("show")
def evidence_show(
    name: Annotated[str, typer.Argument(help="as `evidence list` says it")],
    target: Annotated[
        Path | None, typer.Option("--out", help="write the picture or clip there; recorded")
    ] = None,
    why: Annotated[str, typer.Option("--why", help="what it is read for; recorded")] = "",
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """查看一份证据(取出即登记) / one file; taking it out is recorded."""
    from pipeline.tickets import this_user

    with _opened(settings_file) as (store, opened):
        item = store.ledger.item(name)
        dues = _sweep(store, opened).dues([item]) if item is not None else []
        if target is not None or not dues:  # unknown: say why, deleted or never there
            content = store.read(name, this_user(why))
            if target is not None:
                target.write_bytes(content.data)
    rows = [_row(due) for due in dues]
    if as_json:
        print_json(rows[0] if rows else {"name": name})
        return
    for row in rows:
        for key, value in row.items():
            out.print(f"{key}: {'—' if value is None else value}", soft_wrap=True)
    if target is not None:
        err.print(f"已写入 / written: {target}")


@app.command("sweep")
def evidence_sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what is over")] = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """清除到期证据 / delete what is over its time now, with a record of each."""
    with _opened(settings_file) as (store, opened):
        sweep = _sweep(store, opened)
        if dry_run:
            now = SystemClock().now()
            over = [due for due in sweep.dues() if due.delete_at is not None]
            names = {"over": [due.item.name for due in over if (due.delete_at or 0) <= now]}
        else:
            names = asdict(sweep.run())
    if as_json:
        print_json(names)
    else:
        titles = {
            "over": "到期 / over",
            "deleted": "已删除 / deleted",
            "adopted": "补登记 / entered",
            "missing": "缺失 / missing",
            "away": "存储不可用，未删除 / left, the bucket is away",
        }
        for key, found in names.items():
            out.print(f"{titles[key]}: {len(found)}")
            for name in found:
                out.print(f"  {name}", soft_wrap=True)
    if names.get("away"):
        raise typer.Exit(1)


@app.command("deleted")
def evidence_deleted(
    ticket: Ticket = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="check that no record is changed")
    ] = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """删除记录与核验 / what was deleted, when and by which rule."""
    with _opened(settings_file) as (store, opened):
        owners = None if ticket is None else _owners(ticket, store, opened)
        links = store.ledger.deletions(owners)
        verdicts = store.ledger.verify() if verify else {}
    rows = [{"number": link.number, **link.said, "hash": link.hash} for link in links]
    if as_json:
        checked = {name: asdict(one) for name, one in verdicts.items()}
        print_json({"deletions": rows, "verified": checked} if verify else rows)
    else:
        table = Table("#", "时间 / at", "名称 / name", "规则 / rule", "当时 / found", "SHA-256")
        for row in rows:
            table.add_row(
                str(row["number"]),
                _time(row["at"]),
                row["name"],
                row["rule"],
                row["found"],
                row["sha256"],
            )
        out.print(table if rows else "没有删除记录 / nothing was deleted")
        for name, one in verdicts.items():
            state = f"✗ {one.broken}" if one.broken else "✓"
            out.print(f"{name}: {state} {one.rows} 条 / rows, {one.head}", soft_wrap=True)
    if any(one.broken for one in verdicts.values()):
        raise typer.Exit(1)


@app.command("reads")
def evidence_reads(
    ticket: Ticket = None, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """证据查阅记录 / who has read which evidence, when and from where."""
    with _opened(settings_file) as (store, opened):
        owners = None if ticket is None else _owners(ticket, store, opened)
        links = store.ledger.reads(owners)
    rows = [{"number": link.number, **link.said} for link in links]
    if as_json:
        print_json(rows)
        return
    table = Table("时间 / at", "谁 / who", "来自 / from", "途径 / way", "用途 / why", "名称 / name")
    for row in rows:
        who = (str(row[key]) for key in ("who", "from", "way", "why", "name"))
        table.add_row(_time(row["at"]), *who)
    out.print(table if rows else "没有查阅记录 / nobody has read any")


@app.command("hold")
def evidence_hold(
    ticket: str, note: Note = "", settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """留存案卷的证据,不予删除 / nobody deletes this ticket's evidence until it is released."""
    _change(ticket, note, settings_file, hold=True, as_json=as_json)


@app.command("release")
def evidence_release(
    ticket: str, note: Note = "", settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """解除留存 / it may be deleted when its time is over."""
    _change(ticket, note, settings_file, hold=False, as_json=as_json)


def _change(
    ticket: str, note: str, settings_file: Path | None, *, hold: bool, as_json: bool
) -> None:
    from pipeline.tickets import this_user

    by = this_user().name
    with _opened(settings_file) as (store, opened):
        if hold:
            _owners(ticket, store, opened)
            changed = opened.desk.evidence.hold(ticket, by=by, note=note)
        else:
            changed = opened.desk.evidence.release(ticket, by=by, note=note)
    if as_json:
        print_json({"ticket_id": ticket, "held": hold, "changed": changed})
        return
    state = "已留存 / on hold" if hold else "未留存 / not on hold"
    out.print(f"{ticket}: {state}" + ("" if changed else "(未变 / as before)"))


@contextmanager
def _opened(settings_file: Path | None) -> Iterator[tuple[EvidenceStore, OpenDesk]]:
    from pipeline.tickets import open_store

    store = open_store(town_settings(settings_file), SystemClock())
    try:
        with opened_desk(settings_file) as opened:
            yield store, opened
    finally:
        store.close()


def _sweep(store: EvidenceStore, opened: OpenDesk) -> Sweep:
    from pipeline.tickets import Sweep

    return Sweep(store, opened.desk.evidence, opened.town.duties, SystemClock())


def _owners(ticket_id: str, store: EvidenceStore, opened: OpenDesk) -> Sequence[str]:
    """Whose evidence is a ticket's: its findings' and its own.

    Of one that has left Redis, those that the ledger remembers.
    """
    try:
        ticket = opened.desk.ticket(ticket_id)
        incidents = [incident.incident_id for incident in ticket.incidents]
        return [*incidents, *(report.report_id for report in ticket.reports), ticket_id]
    except UnknownTicketError:
        found = {item.owner for item in store.ledger.items(ticket_id=ticket_id)}
        found |= {
            link.said["owner"]
            for link in store.ledger.deletions()
            if link.said["ticket_id"] == ticket_id
        }
        if not found:
            raise
        return sorted(found)


def _row(due: Due) -> dict[str, Any]:
    return {**asdict(due.item), "delete_at": due.delete_at, "rule": due.rule}


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
