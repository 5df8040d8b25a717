"""python -m scripts.fuzz: 21,000 mutated packets and 2,000 mutated replies, in child processes.

Exit code 0 only if no child crashed, hung or ended with an error, no damage that a line can do
became a look that shows it, and at most one in 200 of what only a broken or hostile device does: of
bytes that were changed into those of another whole picture nobody can tell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .streams import KINDS, write_stream

_ROOT = Path(__file__).parents[2]
_PACKETS_EACH, _REPLIES_EACH = 500, 100
_REPLIES = "replies"
_BROKEN_AT_MOST = 0.005
"""Of the mutations; bytes of H.264 carry nothing that would tell a change in them either."""


@dataclass(frozen=True, slots=True)
class Job:
    """One child: so many mutations of one kind."""

    kind: str
    stream: Path
    seed: int
    count: int

    def run(self, timeout_s: float) -> Counter[str]:
        module = "replies" if self.kind == _REPLIES else "packets"
        command = [sys.executable, "-m", f"scripts.fuzz.{module}"]
        command += [str(self.stream), str(self.seed), str(self.count)]
        try:
            done = subprocess.run(
                command, cwd=_ROOT, capture_output=True, timeout=timeout_s, check=False, text=True
            )
        except subprocess.TimeoutExpired:
            return Counter({"hung": 1})
        if done.returncode == 0:
            return Counter(json.loads(done.stdout))
        print(f"{self.kind}, seed {self.seed}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return Counter({"crashed" if done.returncode < 0 else "failed": 1})


def fuzz(
    packets: int, replies: int, seed: int, jobs: int, timeout_s: float
) -> dict[str, Counter[str]]:
    """What became of the mutations, by kind."""
    found: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        streams = {kind: write_stream(kind, Path(folder)) for kind in KINDS}
        todo = []
        for kind, stream in streams.items():
            todo += _split(kind, stream, seed, packets // len(KINDS), _PACKETS_EACH)
        todo += _split(_REPLIES, streams["h264-cabac"], seed, replies, _REPLIES_EACH)
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("fuzzing", total=len(todo))
            for job, told in zip(todo, pool.map(lambda job: job.run(timeout_s), todo), strict=True):
                found.setdefault(job.kind, Counter()).update(told)
                progress.advance(task)
    return found


def _split(kind: str, stream: Path, seed: int, count: int, each: int) -> list[Job]:
    starts = range(0, count, each)
    return [
        Job(kind, stream, seed + at, min(each, count - start)) for at, start in enumerate(starts)
    ]


def failures(found: dict[str, Counter[str]]) -> list[str]:
    """What must never happen, and did."""
    never = ("crashed", "hung", "failed", "too long", "corrupt", "corrupt after good")
    bad = [
        f"{kind}: {told[name]} {name}"
        for kind, told in found.items()
        for name in never
        if told[name]
    ]
    bad += [
        f"{kind}: {told['corrupt after lost']} corrupt after what a line does"
        for kind, told in found.items()
        if told["corrupt after lost"]
    ]
    return bad + [
        f"{kind}: {told['corrupt after broken']} of {told['mutated']} corrupt after other damage"
        for kind, told in found.items()
        if told["corrupt after broken"] > _BROKEN_AT_MOST * told["mutated"]
    ]


def main(
    packets: Annotated[
        int, typer.Option(help="mutated packets, over all kinds of stream")
    ] = 21_000,
    replies: Annotated[int, typer.Option(help="mutated RTSP and SDP replies")] = 2_000,
    seed: int = 1,
    jobs: Annotated[int, typer.Option(help="child processes at a time")] = 2,
    timeout_s: Annotated[float, typer.Option(help="a child that takes longer hangs")] = 600,
) -> None:
    """Feed mutated packets and replies to the ingest and say what became of them."""
    began = time.monotonic()
    found = fuzz(packets, replies, seed, jobs, timeout_s)
    table = Table("", *found)
    for name in sorted({name for told in found.values() for name in told}):
        table.add_row(name, *(str(told[name] or "") for told in found.values()))
    console = Console()
    console.print(table)
    console.print(f"{time.monotonic() - began:.0f} s")
    if bad := failures(found):
        console.print("\n".join(bad), style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
