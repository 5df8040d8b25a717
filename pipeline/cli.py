"""The commands of ``gridwatch``: thin, they call a room and show what it says.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or settings.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline import (
    __version__,
    archive_commands,
    bench_commands,
    camera_commands,
    evidence_commands,
    lab,
    notify_commands,
    open311_commands,
    report_commands,
    show,
    ticket_commands,
    user_commands,
)
from pipeline.clock import SystemClock
from pipeline.errors import (
    DeskUnavailableError,
    GridwatchError,
    InputError,
    UnknownTicketError,
)
from pipeline.settings_file import load_settings
from pipeline.terminal import (
    AsJson,
    Overrides,
    SettingsFile,
    err,
    following_duties,
    looked_after,
    opened_desk,
    opened_pictures,
    out,
    print_json,
    town_settings,
    watched,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_TAIL_WAIT_S = 1.0
"""How long ``queue tail`` waits for an entry before it looks if it should end."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
queue = typer.Typer(no_args_is_help=True, help="网格队列 / queues of the grids")
tickets = ticket_commands.app
for name, group in (
    ("queue", queue),
    ("tickets", tickets),
    ("cameras", camera_commands.app),
    ("bench", bench_commands.app),
    ("notify", notify_commands.app),
    ("evidence", evidence_commands.app),
    ("open311", open311_commands.app),
    ("users", user_commands.app),
):
    app.add_typer(group, name=name)
app.add_typer(lab.app)
app.add_typer(archive_commands.app)
report_commands.add_to(app, tickets)
queue.command("claim")(notify_commands.queue_claim)


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
    except Exception as error:  # noqa: BLE001 - so that its traceback shows no credentials
        from pipeline.telemetry import log_crash, set_up_logs

        set_up_logs()
        log_crash(error)
        _fail("程序错误 / a bug", type(error).__name__, 1)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """gridwatch 街面隐患发现与处置闭环 / finds street hazards and brings them to their grid."""
    if version:
        out.print(__version__)
        raise typer.Exit

    from pipeline.telemetry import set_up_logs

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
    from pipeline.ingest import shard_of
    from pipeline.model_choice import begin_with
    from pipeline.tickets import open_desk

    settings = town_settings(settings_file, overrides or ())
    detector = begin_with(settings)
    clock = SystemClock()
    with ExitStack() as stack:
        opened = stack.enter_context(open_desk(settings, clock))
        daemon = stack.enter_context(
            Daemon(
                settings,
                detector,
                opened,
                clock=clock,
                choose=lambda cameras: shard_of(cameras, shard) if shard else cameras,
            )
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
        f"skipped {daemon.skipped('road')}, incidents {daemon.counts.incidents.total()}, "
        f"cleared {daemon.counts.cleared}"
    )


@queue.command("read")
def queue_read(
    grid: Annotated[str, typer.Argument(help="code of the grid")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """查看网格待办(不取走) / what waits in a grid's queue, without taking it."""
    with opened_desk(settings_file) as opened:
        messages = opened.desk.read_queue(grid)
    if as_json:
        print_json([message.model_dump(mode="json") for message in messages])
        return
    out.print(show.messages(messages) if messages else f"{grid}: 没有待办 / nothing waits")


@queue.command("tail")
def queue_tail(
    grid: Annotated[str, typer.Argument(help="code of the grid")],
    settings_file: SettingsFile = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="stop after this long")] = None,
    as_json: AsJson = False,
) -> None:
    """跟踪网格队列(不取走) / what enters a grid's queue from now on, one line each."""
    clock = SystemClock()
    ends_s = None if seconds is None else clock.monotonic() + seconds
    with opened_desk(settings_file) as opened, suppress(KeyboardInterrupt):
        tail = opened.desk.follow_queue(grid)
        away = False
        while ends_s is None or clock.monotonic() < ends_s:
            try:
                messages = tail.read(_TAIL_WAIT_S)
            except DeskUnavailableError as error:
                if not away:
                    err.print(f"{error}; 重试中 / trying again")
                away = True
                clock.sleep(_TAIL_WAIT_S)
                continue
            away = False
            for message in messages:
                out.print(
                    message.model_dump_json() if as_json else show.message_line(message),
                    soft_wrap=True,
                )


@queue.command("list")
def queue_list(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """各网格待办数 / how much waits in which grid."""
    with opened_desk(settings_file) as opened:
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
    watched_by: Annotated[str | None, typer.Option(help="only what this grid watches")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """案卷列表,最新在前 / tickets, newest first."""
    from pipeline.tickets.transitions import STATES
    from pipeline.town import HAZARDS

    _one_of("--state", state, STATES)
    _one_of("--hazard", hazard, HAZARDS)
    with opened_desk(settings_file) as opened:
        found = opened.desk.tickets(
            state=state,
            grid=grid,
            hazard=hazard,
            watcher=watched_by,
            limit=limit,
            archived=True,
        )
    if as_json:
        print_json([asdict(ticket) for ticket in found])
        return
    out.print(show.tickets(found) if found else "没有案卷 / no tickets")


@tickets.command("show")
def tickets_show(
    ticket_id: str, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """案卷详情与流程 / one ticket and its history."""
    with opened_desk(settings_file) as opened:
        ticket = opened.desk.ticket(ticket_id)
    if as_json:
        print_json(asdict(ticket))
        return
    out.print(show.ticket(ticket, load_settings(settings_file).data_dir / "evidence"))


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="a ticket's number, an incident's or report's name")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """说明立案依据 / why there is a ticket or incident: rules, scores and looks."""
    with opened_desk(settings_file) as opened:
        try:
            ticket = opened.desk.ticket(name)
            incidents, reports = ticket.incidents, ticket.reports
        except UnknownTicketError:
            try:
                ticket = opened.desk.ticket_of(name)
            except UnknownTicketError:
                raise UnknownTicketError(
                    f"there is no ticket, incident or report {name}; `gridwatch tickets list` "
                    "shows them"
                ) from None
            incidents = tuple(one for one in ticket.incidents if one.incident_id == name)
            reports = tuple(one for one in ticket.reports if one.report_id == name)
    if as_json:
        print_json([*map(asdict, incidents), *map(asdict, reports)])
        return
    for incident in incidents:
        out.print(show.reasons(incident))
    for report in reports:
        out.print(show.report(report))


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
def rehearse(
    scenario: Annotated[str, typer.Argument(help="full, chaos, smoke, or a YAML file")] = "smoke",
    cameras: Annotated[int | None, typer.Option(min=1, help="another number of cameras")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="another length")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="keeps verdict, curves and logs in a new folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """演练:模拟整镇摄像头与各种故障 / a pretend town with all its faults, and a verdict."""
    from pipeline.rehearsal.rehearse import command

    raise typer.Exit(
        command(scenario, cameras=cameras, seconds=seconds, out=folder, as_json=as_json)
    )


@app.command()
def console(
    settings_file: SettingsFile = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8080,
) -> None:
    """控制台：网格待办、案卷、摄像机 / the pages and the API for grid staff."""
    try:
        from pipeline.console import (
            Accounts,
            CameraCare,
            DutyList,
            Office,
            create_app,
            opened_provider,
            serve,
        )
        from pipeline.tickets import open_desk
        from pipeline.town import CameraListFile
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
    with (
        open_desk(settings, SystemClock()) as opened,
        Accounts(
            settings.accounts_file,
            SystemClock(),
            session_idle_s=settings.console.session_idle_s,
        ) as accounts,
        opened_pictures(settings) as pictures,
        looked_after(pictures.store, opened),
        following_duties(settings, opened),
        watched(settings, opened, pictures) as watching,
    ):
        if not accounts.users.all():
            err.print("还没有用户 / no users yet: gridwatch users add NAME --role admin")
        app = create_app(
            opened.desk,
            pictures,
            lambda: camera_commands.camera_rows(opened),
            accounts,
            settings=settings.console,
            reports=settings.tickets.reports,
            changes=opened.changes,
            watching=watching,
            care=CameraCare(
                CameraListFile(settings.town.cameras, opened.town.grids),
                opened.board,
                opened.coverage,
                opened.audit,
                settings.console.shared_list,
            ),
            office=Office(
                opened.audit,
                settings.tickets.file_within_s,
                DutyList(settings.town.duties),
                opened_provider(settings.console.oidc, SystemClock()),
            ),
        )
        with serve(app, host, port) as url:
            err.print(f"控制台 / console: {url}")
            stop.wait()


def _fail(kind: str, error: Exception | str, code: int) -> NoReturn:
    err.print(f"{kind}: {error}", style="red", highlight=False, soft_wrap=True)
    sys.exit(code)


def _one_of(option: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise InputError("unknown", where=option, found=value, allowed=", ".join(allowed))


if __name__ == "__main__":
    main()
