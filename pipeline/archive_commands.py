"""``gridwatch archive``, ``audit`` and ``indices``: what has been, and how well it went."""

from __future__ import annotations

import csv
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from pipeline import show_archive
from pipeline.clock import SystemClock
from pipeline.errors import InputError
from pipeline.terminal import (
    AsJson,
    SettingsFile,
    err,
    opened_desk,
    out,
    print_json,
    progress_bar,
    town_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.tickets import Line

_CHINA = timedelta(hours=8)
_DAY_S = 86400.0

app = typer.Typer()
archive = typer.Typer(no_args_is_help=True, help="归档 / tickets that are done, and long ago")
audit = typer.Typer(no_args_is_help=True, help="审计 / who did and read what")
app.add_typer(archive, name="archive")
app.add_typer(audit, name="audit")


@archive.command("run")
def archive_run(
    settings_file: SettingsFile = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="begin anew here: the archive before is lost")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """现在归档一次 / move what is due now; `gridwatch run` does so by itself."""
    with opened_desk(settings_file) as opened, progress_bar() as bar:
        if take_over:
            opened.archivist.take_over()
        task = bar.add_task("归档 / archiving", total=opened.archivist.waiting())
        moved = opened.archivist.round(lambda count: bar.update(task, completed=count))
    if as_json:
        print_json(asdict(moved))
    elif moved.busy:
        out.print("另一台机器正在归档 / another box is at it")
    else:
        out.print(f"已归档 / moved: 案卷 / tickets {moved.tickets}, 审计 / audit {moved.audit}")


@archive.command("status")
def archive_status(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """归档情况 / where it is and what it holds."""
    with opened_desk(settings_file) as opened:
        row = {
            "archive": opened.archive.name,
            "waiting": opened.archivist.waiting(),
            "archived": opened.archive.counts(),
        }
    if as_json:
        print_json(row)
        return
    out.print(f"归档库 / archive: {row['archive']}", soft_wrap=True)
    out.print(f"待归档 / waiting: {row['waiting']}   已归档 / archived: {row['archived']}")


@archive.command("search")
def archive_search(
    number: Annotated[
        str | None, typer.Argument(help="ticket number, or the beginning of some: YL202611")
    ] = None,
    settings_file: SettingsFile = None,
    grid: Annotated[str | None, typer.Option(help="only this grid's")] = None,
    hazard: Annotated[str | None, typer.Option(help="only this hazard")] = None,
    state: Annotated[str | None, typer.Option(help="closed, rejected or merged")] = None,
    since: Annotated[str | None, typer.Option("--from", help="filed on this day or later")] = None,
    until: Annotated[str | None, typer.Option("--to", help="filed on this day or before")] = None,
    box: Annotated[str | None, typer.Option(help="west,south,east,north in degrees WGS-84")] = None,
    text: Annotated[str | None, typer.Option(help="part of an address or a reason")] = None,
    before: Annotated[str | None, typer.Option(help="older than this number: next page")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """查归档案卷,最新在前 / archived tickets, newest first."""
    from pipeline.tickets import Query
    from pipeline.tickets.archive.archivist import DONE
    from pipeline.town import HAZARDS

    for option, value, allowed in (("--state", state, DONE), ("--hazard", hazard, HAZARDS)):
        if value is not None and value not in allowed:
            raise InputError("unknown", where=option, found=value, allowed=", ".join(allowed))
    query = Query(
        number=number,
        grid=grid,
        hazard=hazard,
        state=state,
        since=None if since is None else _day("--from", since),
        until=None if until is None else _day("--to", until) + _DAY_S,
        box=None if box is None else _box(box),
        text=text,
        before=before,
        limit=limit,
    )
    with opened_desk(settings_file) as opened:
        found = opened.desk.search(query)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        out.print(show_archive.found(found) if found else "没有符合的案卷 / nothing fits")


@audit.command("list")
def audit_list(
    settings_file: SettingsFile = None,
    who: Annotated[str | None, typer.Option(help="only this person's lines")] = None,
    subject: Annotated[str | None, typer.Option(help="only about this ticket or picture")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """审计记录,最新在前 / the lines, newest first."""
    with opened_desk(settings_file) as opened:
        lines = opened.audit.lines(who=who, subject=subject, limit=limit)
    if as_json:
        print_json([asdict(line) for line in lines])
    else:
        out.print(show_archive.lines(lines) if lines else "没有记录 / no lines")


@audit.command("export")
def audit_export(
    file: Annotated[
        Path | None, typer.Argument(help="a new .jsonl or .csv; JSON lines to the screen without")
    ] = None,
    settings_file: SettingsFile = None,
) -> None:
    """导出全部审计记录,最早在前 / all lines, oldest first."""
    if file is not None and file.suffix not in (".jsonl", ".csv"):
        raise InputError("unknown kind of file", file=file, allowed=".jsonl or .csv")
    with opened_desk(settings_file) as opened, _written(file) as stream:
        count = _export(
            opened.audit.all(), stream, as_csv=file is not None and file.suffix == ".csv"
        )
    err.print(f"已导出 / exported: {count}")


@audit.command("verify")
def audit_verify(
    settings_file: SettingsFile = None,
    noted: Annotated[
        str | None, typer.Option(help="NUMBER:HASH as an earlier verify printed it")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """核对审计链 / make every hash anew: was a line changed, taken out or put in?"""
    before = None if noted is None else _noted(noted)
    with opened_desk(settings_file) as opened:
        verdict = opened.audit.verify(before)
    if as_json:
        print_json(asdict(verdict))
    elif verdict.problem is None:
        note = f"{verdict.lines}:{verdict.head}"
        out.print(f"完整 / whole; 请另记 / note elsewhere: {note}", soft_wrap=True)
    else:
        out.print(f"被改动 / tampered with: {verdict.problem}", soft_wrap=True)
    if verdict.problem is not None:
        raise typer.Exit(1)


@app.command()
def indices(
    settings_file: SettingsFile = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM, filed in this month")] = None,
    by: Annotated[str | None, typer.Option(help="grid, department, hazard or month")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="a new CSV file")] = None,
    as_json: AsJson = False,
) -> None:
    """评价指标:按时处置率等 / how well tickets are filed, dispatched and handled."""
    from pipeline.tickets.indices import BYS, days_of, indices_of

    chosen = next((one for one in BYS if one == by), None)
    if by is not None and chosen is None:
        raise InputError("unknown", where="--by", found=by, allowed=", ".join(BYS))
    days = days_of(month)
    settings = town_settings(settings_file)
    with opened_desk(settings_file) as opened, progress_bar() as bar:
        bar.add_task("统计 / counting", total=None)
        found = indices_of(
            opened.desk.histories(*days),
            chosen,
            now=SystemClock().now(),
            file_within_s=settings.tickets.file_within_s,
        )
    if csv_file is not None:
        with _written(csv_file) as stream:
            _write_rows(stream, [one.row() for one in found])
    if as_json:
        print_json([one.row() for one in found])
    elif csv_file is None:
        out.print(show_archive.indices(found) if found else "没有案卷 / no tickets")


def _export(lines: Iterable[Line], stream: TextIO, *, as_csv: bool) -> int:
    from pipeline.tickets.sheets import harmless

    count, writer = 0, None
    for count, line in enumerate(lines, start=1):  # noqa: B007 - counted
        row = asdict(line)
        if not as_csv:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            continue
        row["details"] = json.dumps(row["details"], ensure_ascii=False)
        writer = writer or _writer(stream, list(row))
        writer.writerow(harmless(row))
    return count


def _write_rows(stream: TextIO, rows: Sequence[dict[str, object]]) -> None:
    from pipeline.tickets.sheets import harmless

    if rows:
        writer = _writer(stream, list(rows[0]))
        writer.writerows(map(harmless, rows))


def _writer(stream: TextIO, names: list[str]) -> csv.DictWriter[str]:
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    return writer


@contextmanager
def _written(file: Path | None) -> Iterator[TextIO]:
    """A new file, with the mark that makes spreadsheets read it as UTF-8; or the screen."""
    if file is None:
        yield sys.stdout
        return
    encoding = "utf-8-sig" if file.suffix == ".csv" else "utf-8"
    try:
        stream = file.open("x", encoding=encoding, newline="")
    except FileExistsError:
        raise InputError("is there already", file=file, allowed="a new file") from None
    with stream:
        yield stream


def _day(option: str, text: str) -> float:
    """The beginning of a local day (Unix seconds)."""
    try:
        return (datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) - _CHINA).timestamp()
    except (ValueError, OverflowError):
        raise InputError("is no day", where=option, found=text, allowed="e.g. 2026-11-23") from None


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
        good = -180 <= west <= east <= 180 and -90 <= south <= north <= 90
    except ValueError:
        good = False
    if not good:
        raise InputError(
            "is no box",
            where="--box",
            found=text,
            allowed="west,south,east,north in degrees WGS-84, e.g. 113.40,34.75,113.45,34.80",
        )
    return west, south, east, north


def _noted(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{1,15}):([0-9a-f]{64})", text)
    if found is None:
        raise InputError(
            "is no noted line", where="--noted", found=text, allowed="NUMBER:HASH as verify printed"
        )
    return int(found[1]), found[2]
