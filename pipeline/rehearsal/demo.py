"""The demo town: twelve cameras over real RTSP, the daemon, and the page with the tickets.

Run by ``scripts/demo``. The daemon and the page are processes of their own, as in a real town;
the city server lives here. With ``--check`` it ends by itself and says whether a ticket of every
planted hazard reached the queue of the grid that owns the place.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.clock import SystemClock
from pipeline.errors import DeskUnavailableError, GridwatchError
from pipeline.rehearsal.city import CityCamera, running_city
from pipeline.rehearsal.stage import Expected, expected, load_clips, place_cameras, set_up
from pipeline.settings import load_settings
from pipeline.tickets import open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.clock import Clock
    from pipeline.tickets import Desk, Ticket

CAMERAS = 12
CHECK_S = 100.0
"""What is not there by then will not come: every clip shows its hazard twice in this time."""
ASK_S = 1.0
STOP_S = 15.0

out = Console()


def main() -> int:
    """Run the demo; the exit code says whether it showed what it promised."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="演示小镇 / the demo town")
    parser.add_argument("--check", action="store_true", help="no page; end by itself within 120 s")
    parser.add_argument("--folder", type=Path, help="keep the demo's data here")
    parser.add_argument("--port", type=int, default=8080, help="port of the page")
    args = parser.parse_args()
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
    cameras = place_cameras(load_clips(), CAMERAS)
    city = stack.enter_context(
        running_city(
            {clip.name: clip.path for _, clip in cameras.values()},
            {camera_id: CityCamera(clip.name) for camera_id, (_, clip) in cameras.items()},
        )
    )
    settings = set_up(folder, cameras, {camera_id: city.url(camera_id) for camera_id in cameras})
    wanted = expected(cameras)
    log = folder / "daemon.log"
    daemon = stack.enter_context(_gridwatch(log, "run", "--settings", str(settings)))
    if port is not None:
        stack.enter_context(
            _gridwatch(folder / "console.log", "console", "-s", str(settings), "--port", str(port))
        )
        out.print(
            f"状态页 / status page: [bold]http://127.0.0.1:{port}/[/bold]   Ctrl-C 结束 / ends"
        )
    clock = SystemClock()
    opened = stack.enter_context(open_desk(load_settings(settings), clock))
    until_s = CHECK_S if port is None else None
    return _watch(opened.desk, wanted, daemon, log, clock, until_s=until_s)


def _watch(
    desk: Desk,
    wanted: list[Expected],
    daemon: subprocess.Popen[bytes],
    log: Path,
    clock: Clock,
    *,
    until_s: float | None,
) -> int:
    began = clock.monotonic()
    arrived: dict[Expected, str] = {}
    with Live(console=out, refresh_per_second=2) as live:
        while until_s is None or (
            clock.monotonic() - began < until_s and len(arrived) < len(wanted)
        ):
            if daemon.poll() is not None:
                out.print(f"守护进程已退出 / the daemon ended, see {log}:")
                out.print(log.read_text(encoding="utf-8")[-2000:], markup=False)
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


@contextmanager
def _gridwatch(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A ``gridwatch`` command as a process; ended when the block ends."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    with log.open("wb") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=lines)  # noqa: S603 - our own
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
