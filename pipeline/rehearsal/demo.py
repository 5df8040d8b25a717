"""The demo town: twelve cameras over real RTSP, the daemon, and the page with the tickets.

Run by ``scripts/demo``. The daemon and the page are processes of their own, as in a real town;
the city server lives here. With ``--check`` it ends by itself and says whether a ticket of every
planted hazard reached the queue of the grid that owns the place.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.clock import SystemClock
from pipeline.errors import DeskUnavailableError, GridwatchError, RehearsalError
from pipeline.rehearsal.city import CityCamera, running_city
from pipeline.rehearsal.stage import Expected, expected, load_clips, place_cameras, set_up
from pipeline.settings_file import load_settings
from pipeline.tickets import open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.clock import Clock
    from pipeline.tickets import Desk, Ticket

CAMERAS = 12
CHECK_S = 85.0
"""What is not there by then will not come: every clip shows its hazard twice in this time. With the
start and the stop it stays below the 120 s that --check promises."""
ASK_S = 1.0
_ROLES = ("member", "head", "command", "operator", "viewer", "admin")
_OF_A_GRID = ("member", "head")
STOP_S = 10.0

out = Console()


def main() -> int:
    """Run the demo; the exit code says whether it showed what it promised."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="演示小镇 / the demo town")
    parser.add_argument("--check", action="store_true", help="no page; end by itself within 120 s")
    parser.add_argument("--folder", type=Path, help="keep the demo's data here")
    parser.add_argument("--port", type=int, default=8080, help="port of the page")
    args = parser.parse_args()
    if args.folder is not None and args.folder.exists() and any(args.folder.iterdir()):
        parser.error(f"--folder: {args.folder} is not empty; yesterday's tickets prove nothing")
    # So that what was started is stopped, too, when somebody ends us by kill.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with ExitStack() as stack:
            folder = args.folder or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwatch-demo-"))
            )
            return _run(stack, folder, port=None if args.check else args.port)
    except GridwatchError as error:
        out.print(f"失败 / failed: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        return 0


def _run(stack: ExitStack, folder: Path, *, port: int | None) -> int:
    clock = SystemClock()
    cameras = place_cameras(load_clips(), CAMERAS)
    city = stack.enter_context(
        running_city(
            {clip.name: clip.path for _, clip in cameras.values()},
            {camera_id: CityCamera(clip.name) for camera_id, (_, clip) in cameras.items()},
        )
    )
    settings = set_up(folder, cameras, {camera_id: city.url(camera_id) for camera_id in cameras})
    wanted = expected(cameras)
    began = clock.monotonic()
    processes = [stack.enter_context(_gridwatch(folder, "run", "-s", str(settings)))]
    if port is not None:
        out.print(_accounts(folder, settings, wanted[0].grid_code))
        page = _gridwatch(folder, "console", "-s", str(settings), "--port", str(port))
        processes.append(stack.enter_context(page))
        out.print(f"控制台 / console: [bold]http://127.0.0.1:{port}/[/bold]   Ctrl-C 结束 / ends")
    opened = stack.enter_context(open_desk(load_settings(settings), clock))
    ends_at = began + CHECK_S if port is None else None
    return _watch(opened.desk, wanted, processes, clock, began, ends_at)


def _accounts(folder: Path, settings: Path, grid: str) -> Table:
    """Somebody of every role for the console, with passwords of this demo alone.

    The member and the head are of a grid in which something will happen.
    """
    listed = folder / "users.csv"
    rows = [f"{role},{role},{grid if role in _OF_A_GRID else ''}" for role in _ROLES]
    listed.write_text("\n".join(["name,role,grids", *rows]) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pipeline.cli", "users", "import", str(listed)]
    done = subprocess.run(  # noqa: S603 - our own
        [*command, "-s", str(settings), "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise RehearsalError("the demo's users could not be made")
    table = Table("用户 / user", "密码 / password", title="登录 / sign in")
    for one in json.loads(done.stdout):
        table.add_row(one["name"], one["password"])
    return table


def _watch(
    desk: Desk,
    wanted: list[Expected],
    processes: list[Process],
    clock: Clock,
    began: float,
    ends_at: float | None,
) -> int:
    arrived: dict[Expected, str] = {}
    with Live(console=out, refresh_per_second=2) as live:
        while ends_at is None or (clock.monotonic() < ends_at and len(arrived) < len(wanted)):
            for process in processes:
                if process.running.poll() is not None:
                    out.print(f"已退出 / ended: gridwatch {process.name}, {process.log}:")
                    out.print(process.log.read_text(encoding="utf-8")[-2000:], markup=False)
                    return 1
            arrived |= {
                one: ticket for one in wanted if (ticket := _ticket_of(desk, one)) is not None
            }
            others = _others(desk, set(arrived.values()))
            live.update(_table(wanted, arrived, others, clock.monotonic() - began))
            clock.sleep(ASK_S)
    return 0 if len(arrived) == len(wanted) else 1


def _ticket_of(desk: Desk, one: Expected) -> str | None:
    """The ticket of this hazard and camera that waits in the queue of the owning grid."""
    try:
        for message in desk.read_queue(one.grid_code):
            if message.hazard == one.hazard and one.camera_id == message.camera_id:
                return message.ticket_id
    except DeskUnavailableError:
        pass  # the daemon is still starting its Redis; the next question is a second away
    return None


def _others(desk: Desk, known: set[str]) -> list[Ticket]:
    """Tickets that nobody planted."""
    try:
        return [ticket for ticket in desk.tickets() if ticket.ticket_id not in known]
    except DeskUnavailableError:
        return []


def _table(
    wanted: list[Expected], arrived: dict[Expected, str], others: list[Ticket], seconds: float
) -> Table:
    table = Table(
        "隐患 / hazard",
        "摄像头 / camera",
        "网格 / grid",
        "案卷 / ticket",
        title=f"{seconds:.0f} s",
        caption=f"{len(arrived)}/{len(wanted)}",
    )
    for one in wanted:
        table.add_row(one.hazard, one.camera_id, one.grid_code, arrived.get(one, "…"))
    for ticket in others:
        note = f"{ticket.ticket_id} 非预设 / not planted"
        table.add_row(ticket.hazard, ", ".join(ticket.camera_ids), ticket.grid_code, note)
    return table


@dataclass(frozen=True, slots=True)
class Process:
    """A ``gridwatch`` command that runs beside the demo, and what it prints."""

    name: str
    running: subprocess.Popen[bytes]
    log: Path


@contextmanager
def _gridwatch(folder: Path, name: str, *arguments: str) -> Iterator[Process]:
    """A command as a process; ended when the block ends."""
    command = [sys.executable, "-m", "pipeline.cli", name, *arguments]
    log = folder / f"{name}.log"
    with log.open("wb") as lines:
        running = subprocess.Popen(command, stdout=lines, stderr=lines)  # noqa: S603 - our own
        try:
            yield Process(name, running, log)
        finally:
            running.terminate()
            try:
                running.wait(STOP_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


if __name__ == "__main__":
    sys.exit(main())
