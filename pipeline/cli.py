"""The commands of ``gridwatch``: thin, they call a room and show what it says.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or settings.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pipeline import __version__, lab, show
from pipeline.clock import SystemClock
from pipeline.errors import (
    DeskUnavailableError,
    GridwatchError,
    InputError,
    UnknownTicketError,
)
from pipeline.settings import load_settings
from pipeline.terminal import (
    AsJson,
    Overrides,
    SettingsFile,
    err,
    out,
    print_json,
    town_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.tickets import OpenDesk

STALE_S = 15.0
"""A daemon tells its cameras every two seconds; after this it is gone or can't reach Redis."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
queue = typer.Typer(no_args_is_help=True, help="网格队列 / queues of the grids")
tickets = typer.Typer(no_args_is_help=True, help="案卷 / tickets")
cameras = typer.Typer(no_args_is_help=True, help="摄像头 / cameras")
for name, group in (("queue", queue), ("tickets", tickets), ("cameras", cameras)):
    app.add_typer(group, name=name)
app.add_typer(lab.app)


def main() -> None:
    """Entry point: turns every error of ours into a sentence and an exit code."""
    try:
        app()
    except (InputError, DeskUnavailableError) as error:
        _fail("错误 / error", error, 2)
    except GridwatchError as error:
        _fail("失败 / failed", error, 1)
    except BrokenPipeError:  # e.g. `gridwatch tickets list | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a folder that can't be written, say
        _fail("错误 / error", error, 2)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """gridwatch 街面隐患发现与处置闭环 / finds street hazards and brings them to their grid."""
    from pipeline.telemetry import set_up_logs

    if version:
        out.print(__version__)
        raise typer.Exit
    set_up_logs()  # to stderr: stdout is for results


@app.command()
def run(
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    shard: Annotated[str | None, typer.Option(help="K/N: this box's part of the cameras")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="stop after this long")] = None,
) -> None:
    """运行:取流、检测、立案 / run the cameras of this box until stopped."""
    from pipeline.daemon import Daemon
    from pipeline.detect import Detector
    from pipeline.ingest import shard_of
    from pipeline.tickets import open_desk

    settings = town_settings(settings_file, overrides or ())
    detector = Detector(settings.model)
    clock = SystemClock()
    with ExitStack() as stack:
        opened = stack.enter_context(open_desk(settings, clock))
        cameras = shard_of(opened.town.cameras, shard) if shard else None
        daemon = stack.enter_context(
            Daemon(settings, detector, opened, clock=clock, cameras=cameras)
        )
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: daemon.stop())
        daemon.wait(seconds)
        statuses = daemon.statuses()
    bad = [asdict(status) for status in statuses.values() if status.state != "live"]
    if bad:
        err.print(show.cameras(bad))
    live = len(statuses) - len(bad)
    err.print(
        f"cameras {len(statuses)}, live {live}, looks {daemon.counts.looks}, "
        f"skipped {daemon.skipped()}, road looks {daemon.counts.road_looks}, "
        f"skipped {daemon.skipped('road')}, incidents {daemon.counts.incidents}, "
        f"cleared {daemon.counts.cleared}"
    )


@queue.command("read")
def queue_read(
    grid: Annotated[str, typer.Argument(help="code of the grid")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """查看网格待办(不取走) / what waits in a grid's queue, without taking it."""
    with _open(settings_file) as opened:
        messages = opened.desk.read_queue(grid)
    if as_json:
        print_json([message.model_dump(mode="json") for message in messages])
        return
    out.print(show.messages(messages) if messages else f"{grid}: 没有待办 / nothing waits")


@queue.command("list")
def queue_list(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """各网格待办数 / how much waits in which grid."""
    with _open(settings_file) as opened:
        counts = opened.desk.waiting()
        names = {code: opened.town.grids.get(code).name for code in counts}
    if as_json:
        print_json(counts)
    else:
        out.print(show.waiting(counts, names) if counts else "没有待办 / nothing waits")


@tickets.command("list")
def tickets_list(
    settings_file: SettingsFile = None,
    state: Annotated[str | None, typer.Option(help="only this state")] = None,
    grid: Annotated[str | None, typer.Option(help="only this grid's")] = None,
    hazard: Annotated[str | None, typer.Option(help="only this hazard")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """案卷列表,最新在前 / tickets, newest first."""
    from pipeline.tickets.transitions import STATES
    from pipeline.town import HAZARDS

    _one_of("--state", state, STATES)
    _one_of("--hazard", hazard, HAZARDS)
    with _open(settings_file) as opened:
        found = opened.desk.tickets(state=state, grid=grid, hazard=hazard, limit=limit)
    if as_json:
        print_json([asdict(ticket) for ticket in found])
        return
    out.print(show.tickets(found) if found else "没有案卷 / no tickets")


@tickets.command("show")
def tickets_show(
    ticket_id: str, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """案卷详情与流程 / one ticket and its history."""
    with _open(settings_file) as opened:
        ticket = opened.desk.ticket(ticket_id)
    if as_json:
        print_json(asdict(ticket))
        return
    out.print(show.ticket(ticket, load_settings(settings_file).data_dir / "evidence"))


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="number of a ticket, or an incident's name")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """说明立案依据 / why there is a ticket or incident: rules, scores and looks."""
    with _open(settings_file) as opened:
        try:
            incidents = opened.desk.ticket(name).incidents
        except UnknownTicketError:
            try:
                ticket = opened.desk.ticket_of(name)
            except UnknownTicketError:
                raise UnknownTicketError(
                    f"there is no ticket or incident {name}; `gridwatch tickets list` shows them"
                ) from None
            incidents = tuple(one for one in ticket.incidents if one.incident_id == name)
    if as_json:
        print_json([asdict(incident) for incident in incidents])
        return
    for incident in incidents:
        out.print(show.reasons(incident))


@cameras.command("list")
def cameras_list(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """摄像头及其最近状态 / the camera list with the states the boxes last told."""
    with _open(settings_file) as opened:
        rows = _camera_rows(opened)
    if as_json:
        print_json(rows)
    else:
        out.print(show.cameras(rows))


@cameras.command("check")
def cameras_check(
    settings_file: SettingsFile = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="how long to try")] = 15.0,
    as_json: AsJson = False,
) -> None:
    """逐个打开摄像头,说明故障 / open every camera and say what is wrong with which."""
    from pipeline.ingest import check_cameras
    from pipeline.town import load_town

    settings = town_settings(settings_file)
    town = load_town(settings.town)
    with err.status(f"{len(town.cameras)} cameras, {seconds:.0f} s at most"):
        statuses = check_cameras(town.cameras, settings.ingest, SystemClock(), seconds)
    rows = [asdict(status) for status in statuses]
    if as_json:
        print_json(rows)
    else:
        out.print(show.cameras(rows))
    if any(status.state not in ("live", "disabled") for status in statuses):
        raise typer.Exit(1)


@cameras.command("import")
def cameras_import(
    source: Annotated[Path, typer.Argument(help="CSV or YAML, as it came")],
    target: Annotated[Path, typer.Option("--out", help="the clean list")],
    force: Annotated[bool, typer.Option("--force", help="replace --out if it is there")] = False,
    as_json: AsJson = False,
) -> None:
    """导入摄像头清单,报告坏行 / keep the good rows of a list and report the bad ones."""
    from pipeline.town import import_cameras, write_cameras

    if target.exists() and (not force or target.samefile(source)):
        raise InputError(
            "is there already",
            file=target,
            allowed="another --out; --force replaces, never the source",
        )
    report = import_cameras(source)
    if report.cameras:
        write_cameras(target, report.cameras)
    if as_json:
        problems = [str(problem) for problem in report.problems]
        print_json(
            {
                "cameras": len(report.cameras),
                "bad_rows": report.bad_rows,
                "problems": problems,
            }
        )
    else:
        for problem in report.problems:
            out.print(str(problem), style="yellow", soft_wrap=True)
        written = (
            f"个摄像头已写入 / cameras written to {target}" if report.cameras else "写入 / written"
        )
        out.print(f"{len(report.cameras)} {written}, {report.bad_rows} 行有误 / bad rows")
    if report.problems:
        raise typer.Exit(1)


cameras.command("windows")(lab.windows)


@app.command()
def outbox(
    settings_file: SettingsFile = None,
    retry: Annotated[bool, typer.Option("--retry", help="send what was refused again")] = False,
    as_json: AsJson = False,
) -> None:
    """本机待发与被拒的隐患 / what waits on this box, and what the desk refused."""
    from pipeline.tickets import Outbox

    settings = load_settings(settings_file)
    with Outbox(settings.data_dir / "outbox.sqlite", SystemClock()) as box:
        moved = box.retry_refused() if retry else 0
        waiting, refused = box.backlog(), box.refused()
    if as_json:
        print_json({"waiting": waiting, "retried": moved, "refused": [asdict(r) for r in refused]})
        return
    out.print(
        f"待发 / waiting: {waiting}   重发 / retried: {moved}   被拒 / refused: {len(refused)}"
    )
    for one in refused:
        out.print(one.reason, soft_wrap=True)


@app.command()
def doctor(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """检查本机与设置 / is everything here that a run needs?"""
    from pipeline.doctor import examine

    findings = examine(settings_file)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        out.print(show.findings(findings))
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


@app.command()
def console(
    settings_file: SettingsFile = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8080,
) -> None:
    """案卷状态页 / a page with the tickets as they arrive."""
    try:
        from pipeline.console import create_app, serve
        from pipeline.tickets import open_desk
    except ModuleNotFoundError as error:
        raise InputError(
            f"the page needs {error.name}",
            found="gridwatch without extras",
            allowed="gridwatch[console]",
        ) from None
    settings = town_settings(settings_file)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with open_desk(settings, SystemClock()) as opened:
        app = create_app(opened.desk, settings.data_dir / "evidence", lambda: _camera_rows(opened))
        with serve(app, host, port) as url:
            err.print(f"状态页 / status page: {url}")
            stop.wait()


@contextmanager
def _open(settings_file: Path | None) -> Iterator[OpenDesk]:
    from pipeline.tickets import open_desk

    with open_desk(town_settings(settings_file), SystemClock()) as opened:
        yield opened


def _camera_rows(opened: OpenDesk) -> list[dict[str, Any]]:
    """The camera list with the states the boxes last told; what nobody told is null."""
    from pipeline.town import masked_url

    told, now = opened.board.read(), SystemClock().now()
    rows = []
    for camera in opened.town.cameras:
        known = told.get(camera.camera_id)
        if known is not None and now - known.told_at > STALE_S:
            known = None  # whoever watched it doesn't any more
        status = asdict(known.status) if known else {"state": None, "since_at": None, "why": ""}
        rows.append(
            {
                **status,
                "camera_id": camera.camera_id,
                "name": camera.name,
                "url": masked_url(camera.url),
                "grid": opened.town.grids.owner((camera.lon, camera.lat)).code,
                "told_at": known.told_at if known else None,
            }
        )
    return rows


def _fail(kind: str, error: Exception, code: int) -> NoReturn:
    err.print(f"{kind}: {error}", style="red", highlight=False, soft_wrap=True)
    sys.exit(code)


def _one_of(option: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise InputError("unknown", where=option, found=value, allowed=", ".join(allowed))


if __name__ == "__main__":
    main()
