"""How many cameras one detector holds, and how old a picture is when its detections are there.

Cameras without a network: looks that stand in the shared ring are put into the schedule, each
camera's once a second, and go the daemon's way from there: by deadline into batches, through the
detector, and given back.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.bench.figure import Figure
from pipeline.bench.material import bare_session, looks_in_ring
from pipeline.detect import fastest
from pipeline.ingest import LookSchedule
from pipeline.settings import IngestSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.clock import Clock
    from pipeline.detect import Detector
    from pipeline.detect.ladder import Provider
    from pipeline.ingest import Look
    from pipeline.settings import ModelSettings

LOADS = (0.5, 0.8, 0.95)
"""Shares of what the detector can do at most."""
FLOODED = 1.3
"""So many times what it can do is offered to find out what that is."""
EVERY_S = 1.0
WHOLE_TARGET = 1 / 0.95
_TICK_S = 0.005


@dataclass(frozen=True, slots=True)
class Load:
    """What became of the looks offered: seconds from picture to detections of those done."""

    done_per_s: float
    ages_s: Sequence[float]
    skipped: int


def bench_town(
    settings: ModelSettings,
    footage: Path,
    *,
    seconds: float,
    clock: Clock,
    say: Callable[[str], None],
) -> list[Figure]:
    """Figures of the daemon's way with looks, ``seconds`` for each of them. Raises ModelError."""
    detector = fastest(settings)
    running = settings.model_copy(update={"path": detector.path})
    looks = looks_in_ring(footage, detector.size, settings.batch, clock)
    say("裸会话 / bare session")
    bare_per_s = _bare_per_s(running, detector.provider, looks, seconds)
    say("满载 / flooded")
    flooded = _under(detector, looks, settings, FLOODED * bare_per_s, seconds, clock)
    figures = [
        Figure(
            "look",
            1e3 / flooded.done_per_s,
            1e3 / bare_per_s,
            "ms",
            f"of {detector.card.label} on {detector.provider}, flooded, from the ring to "
            f"detections, beside a bare session with batches of {settings.batch}",
            WHOLE_TARGET,
        ),
        Figure(
            "cameras",
            LOADS[-1] * flooded.done_per_s * EVERY_S,
            None,
            "",
            "that one detector holds at a look per second each",
        ),
    ]
    for load in LOADS:
        say(f"负载 / load {load:.0%}")
        found = _under(detector, looks, settings, load * flooded.done_per_s, seconds, clock)
        share = found.skipped / max(1, found.skipped + len(found.ages_s))
        for name, quantile in (("p50", 0.5), ("p99", 0.99)):
            figures.append(
                Figure(
                    f"{name}_at_{load:.0%}",
                    1e3 * float(np.quantile(found.ages_s, quantile)),
                    None,
                    "ms",
                    f"from picture to detections; {share:.1%} of the looks were skipped",
                )
            )
    return figures


def _bare_per_s(
    settings: ModelSettings, provider: Provider, looks: Sequence[Look], seconds: float
) -> float:
    session = bare_session(settings, provider, threads=0)
    ready = np.stack([look.picture for look in looks])
    session.run(None, {"pictures": ready})
    began_s, runs = time.perf_counter(), 0
    while time.perf_counter() - began_s < seconds:
        session.run(None, {"pictures": ready})
        runs += 1
    return runs * len(looks) / (time.perf_counter() - began_s)


def _under(
    detector: Detector,
    looks: Sequence[Look],
    settings: ModelSettings,
    per_s: float,
    seconds: float,
    clock: Clock,
) -> Load:
    """Offer so many looks a second, EVERY_S apart of a camera; take them as the daemon does."""
    schedule = LookSchedule(IngestSettings(interval_s=EVERY_S), clock=clock)
    stop = threading.Event()
    offer = threading.Thread(target=_offer, args=(schedule, looks, per_s, clock, stop))
    ages_s: list[float] = []
    offer.start()
    began_s = clock.steady()
    try:
        while clock.steady() - began_s < seconds:
            taken = schedule.take(settings.batch, EVERY_S, fill_s=settings.close_after_s)
            detector(taken)
            now = clock.steady()
            for look in taken:
                ages_s.append(now - look.captured_at)
                schedule.done(look)
    finally:
        stop.set()
        offer.join()
    passed_s = clock.steady() - began_s
    counts = schedule.counts()
    schedule.close()
    return Load(counts.done / passed_s, ages_s, counts.replaced)


def _offer(
    schedule: LookSchedule,
    looks: Sequence[Look],
    per_s: float,
    clock: Clock,
    stop: threading.Event,
) -> None:
    """As many cameras as it takes, one after the other at even times."""
    cameras = max(1, round(per_s * EVERY_S))
    began_s, put = clock.steady(), 0
    while not clock.sleep(_TICK_S, until=stop):
        now = clock.steady()
        while put < (now - began_s) * per_s:
            look = looks[put % len(looks)]
            schedule.put(replace(look, camera_id=str(put % cameras), captured_at=now))
            put += 1
