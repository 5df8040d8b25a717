"""What a camera costs: our ingest beside a minimal PyAV program and beside decoding every frame.

All read the same cameras of a city server on this machine, one after the other, several rounds in
turn; the server is a process of its own and isn't counted.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pipeline.bench.clips import make_clip
from pipeline.bench.figure import Figure
from pipeline.bench.usage import usage_of
from pipeline.errors import BenchError
from pipeline.rehearsal import CityCamera, running_city

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from pipeline.clock import Clock

    Contestant = subprocess.Popen[str]

FPS, GOP, CLIP_S = 25, 50, 8.0
MODEL_SIZE = (640, 384)
OPEN_S = 60.0
"""Longest wait until all cameras show a picture."""
SETTLE_S = 3.0
EVERY_FRAME_AT_MOST = 8
"""So many cameras decoded in full fit a small machine; the cost of one is asked for."""
CPU_TARGET, MEMORY_TARGET_MIB = 1.15, 3.0


@dataclass(frozen=True, slots=True)
class _Run:
    """What one contestant needed. ``cpu_share``: of a core, for each camera."""

    cameras: int
    cpu_share: float
    pss_bytes: int
    pictures_per_s: float


def bench_ingest(
    cameras: int,
    size: tuple[int, int],
    *,
    seconds: float,
    rounds: int,
    clock: Clock,
    say: Callable[[str], None],
) -> list[Figure]:
    """Figures with their floors. Raises BenchError when cameras of the bench can't be read."""
    with tempfile.TemporaryDirectory(prefix="gridwatch-bench-") as folder:
        clip = Path(folder) / "clip.mp4"
        say(f"制作录像 / making footage {size[0]}×{size[1]}, {FPS} fps, GOP {GOP}")
        make_clip(clip, size, fps=FPS, gop=GOP, seconds=CLIP_S)
        with _city(clip, cameras) as urls:

            def run(who: str, count: int) -> _Run:
                say(f"{who}: {count} 路摄像机 / cameras, {seconds:.0f} s")
                return _measured(who, urls[:count], seconds, clock)

            few = min(cameras, EVERY_FRAME_AT_MOST)
            ones = {who: run(who, 1) for who in ("bare", "gridwatch")} if cameras > 1 else {}
            turns = [
                {who: run(who, cameras) for who in ("bare", "gridwatch")} for _ in range(rounds)
            ]
            every = run("every_frame", few)
    ours, floor = ([turn[who] for turn in turns] for who in ("gridwatch", "bare"))
    return _figures(ours, floor, every, ones)


def _figures(
    ours: list[_Run], floor: list[_Run], every: _Run, ones: dict[str, _Run]
) -> list[Figure]:
    cpu, bare_cpu = (100 * median(run.cpu_share for run in runs) for runs in (ours, floor))
    figures = [
        Figure(
            "cpu_per_camera",
            cpu,
            bare_cpu,
            "% of a core",
            "the whole ingest beside a minimal PyAV program doing the same job",
            CPU_TARGET,
        ),
        Figure(
            "cpu_per_camera_every_frame",
            cpu,
            100 * every.cpu_share,
            "% of a core",
            f"beside OpenCV reading every frame of {every.cameras} cameras",
        ),
        Figure(
            "pictures_per_camera",
            median(run.pictures_per_s / run.cameras for run in ours),
            median(run.pictures_per_s / run.cameras for run in floor),
            "1/s",
            "key pictures taken in, beside the minimal program",
        ),
    ]
    if ones:
        mib, bare_mib = (
            (median(run.pss_bytes for run in runs) - ones[who].pss_bytes)
            / (runs[0].cameras - 1)
            / 2**20
            for who, runs in (("gridwatch", ours), ("bare", floor))
        )
        figures.append(
            Figure(
                "memory_per_camera",
                mib,
                bare_mib,
                "MiB",
                "more for each camera beyond the first",
                MEMORY_TARGET_MIB,
                of_ratio=False,
            )
        )
    return figures


def _measured(who: str, urls: Sequence[str], seconds: float, clock: Clock) -> _Run:
    with _contestant(who, urls) as process:
        seen = _counted(process, who)["cameras"]
        if seen < len(urls):
            raise BenchError(
                "cameras of the bench gave no picture",
                where=who,
                found=f"{seen} of {len(urls)} after {OPEN_S:.0f} s",
                allowed="all; fewer --cameras on a small machine",
            )
        clock.sleep(SETTLE_S)
        before, pictures, began = usage_of(process.pid), _ask(process, who), clock.monotonic()
        clock.sleep(seconds)
        took_s = clock.monotonic() - began
        after, pictures = usage_of(process.pid), _ask(process, who) - pictures
    share = (after.cpu_s - before.cpu_s) / took_s / len(urls)
    return _Run(len(urls), share, after.pss_bytes, pictures / took_s)


@contextmanager
def _contestant(who: str, urls: Sequence[str]) -> Iterator[Contestant]:
    asked = {"who": who, "urls": urls, "size": MODEL_SIZE, "wait_s": OPEN_S}
    command = [sys.executable, "-m", "pipeline.bench.contestant", json.dumps(asked)]
    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _ask(process: Contestant, who: str) -> int:
    """How many pictures it has taken so far."""
    assert process.stdin is not None
    try:
        process.stdin.write("\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # _counted says it
    return _counted(process, who)["pictures"]


def _counted(process: Contestant, who: str) -> dict[str, int]:
    assert process.stdout is not None
    try:
        counts: dict[str, int] = json.loads(process.stdout.readline())
    except ValueError:
        raise BenchError("a program of the bench ended early", where=who) from None
    return counts


@contextmanager
def _city(clip: Path, cameras: int) -> Iterator[list[str]]:
    """URLs of cameras that a process of its own serves until the block ends."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(theirs, clip, cameras), daemon=True)
    server.start()
    theirs.close()
    try:
        yield ours.recv()
    except EOFError:
        raise BenchError("the city server of the bench ended early", where="server") from None
    finally:
        server.terminate()
        server.join()


def _serve(told: Connection, clip: Path, cameras: int) -> None:
    # Spread over the clip, so that their key frames don't come all at once.
    each = {f"c{n:04}": CityCamera("clip", n * CLIP_S / cameras) for n in range(cameras)}
    with running_city({"clip": clip}, each) as city:
        told.send([city.url(camera_id) for camera_id in each])
        threading.Event().wait()
