"""Prometheus metrics: asked for at every scrape, made from the daemon's ``Vitals``.

The names are promises (docs/operations.md lists them); the registry is our own, so that what some
library registers never shows up.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from pipeline.ingest import CameraState
from pipeline.vitals import readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client import Metric

    from pipeline.ingest import SpreadCounts, WorkerState
    from pipeline.vitals import Vitals

Labels = tuple[str, ...]

_OF_A_WORKER: tuple[tuple[str, str, Callable[[WorkerState], float]], ...] = (
    ("up", "1 while the worker gives signs of life", lambda one: one.state == "running"),
    ("cameras", "Cameras of a worker", lambda one: one.cameras),
    ("rss_bytes", "Resident memory of a worker", lambda one: one.rss_bytes),
    ("fds", "Open descriptors of a worker", lambda one: one.fds),
    ("threads", "Threads of a worker", lambda one: one.threads),
    ("slots_taken", "Pictures of a worker that wait or are looked at", lambda one: one.slots_taken),
)


def registry_of(ask: Callable[[], Vitals], *, per_camera: bool = True) -> CollectorRegistry:
    """A registry whose collector asks the daemon; ``per_camera``: with a series for each."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Daemon(ask, per_camera=per_camera))
    return registry


class _Daemon(Collector):
    def __init__(self, ask: Callable[[], Vitals], *, per_camera: bool) -> None:
        self._ask = ask
        self._per_camera = per_camera

    def collect(self) -> Iterable[Metric]:
        vitals = self._ask()
        yield from _cameras(vitals)
        if self._per_camera:
            yield _ages(vitals)
        yield from _looks(vitals)
        yield from _workers(vitals)
        yield from _outcome(vitals)


def _cameras(vitals: Vitals) -> Iterator[Metric]:
    states = Counter(status.state for status in vitals.cameras.values())
    yield _gauge(
        "gridwatch_cameras",
        "Cameras of this box by state",
        {(state,): states[state] for state in get_args(CameraState)},
        "state",
    )
    yield _gauge(
        "gridwatch_camera_list_good",
        "1 while the camera list in the file is the one in force, 0 while it is refused",
        {(): not vitals.list_problem},
    )
    yield _gauge(
        "gridwatch_model_good",
        "1 while the model that was chosen is the one at work, 0 while it is refused",
        {(): not vitals.model_problem},
    )
    if vitals.list_applied_at is not None:
        yield _gauge(
            "gridwatch_camera_list_applied_timestamp_seconds",
            "When the camera list in force was read (Unix time)",
            {(): vitals.list_applied_at},
        )


def _ages(vitals: Vitals) -> Metric:
    """None for a camera that never gave a look: its state says so."""
    return _gauge(
        "gridwatch_camera_last_look_age_seconds",
        "Seconds since the newest look of a camera was captured",
        {
            (camera_id,): max(0.0, vitals.at - status.last_look_at)
            for camera_id, status in vitals.cameras.items()
            if status.last_look_at is not None
        },
        "camera_id",
    )


def _looks(vitals: Vitals) -> Iterator[Metric]:
    yield _counter(
        "gridwatch_looks",
        "Looks by purpose and by what became of them: done, or why they were skipped",
        {(purpose, outcome): count for (purpose, outcome), count in vitals.looks.items()},
        "purpose",
        "outcome",
    )
    yield _counter("gridwatch_key_frames", "Key frames that came", {(): vitals.key_frames})
    yield _counter("gridwatch_pictures", "Pictures decoded and judged", {(): vitals.pictures})
    yield _counter("gridwatch_reconnects", "Connections opened again", {(): vitals.reconnects})
    yield _histogram(
        "gridwatch_look_gap_seconds",
        "Seconds between two looks at the same thing",
        {(purpose,): found for purpose, found in vitals.gaps.items()},
        "purpose",
    )
    yield _histogram(
        "gridwatch_look_lateness_seconds",
        "Seconds that looks waited beyond their deadline",
        {} if vitals.lateness is None else {(): vitals.lateness},
    )
    yield _gauge(
        "gridwatch_pace_stretch",
        "By which factor all intervals are lengthened; 1: the detector keeps up",
        {(): vitals.pace_stretch},
    )
    yield _histogram(
        "gridwatch_detect_seconds",
        "Seconds of one batch in the detector, by size of the batch",
        {(str(batch),): found for batch, found in vitals.detect.items()},
        "batch",
    )


def _workers(vitals: Vitals) -> Iterator[Metric]:
    for name, text, value_of in _OF_A_WORKER:
        yield _gauge(
            f"gridwatch_worker_{name}",
            text,
            {(str(one.number),): value_of(one) for one in vitals.workers},
            "worker",
        )
    yield _counter(
        "gridwatch_worker_restarts",
        "Workers that were replaced, by why",
        {(why,): count for why, count in vitals.worker_restarts.items()},
        "why",
    )


def _outcome(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge(
        "gridwatch_outbox_backlog",
        "Entries on this box that the desk doesn't know yet",
        {(): vitals.outbox_backlog},
    )
    yield _gauge(
        "gridwatch_evidence_good",
        "1 while pictures are kept, carried to the bucket and swept; 0: the log says what fails",
        {(): not vitals.evidence_trouble},
    )
    yield _counter(
        "gridwatch_evidence_left_out",
        "Clips and before/after pairs that were not made",
        {(): vitals.evidence_left_out},
    )
    yield _counter(
        "gridwatch_incidents",
        "Confirmed incidents by hazard",
        {(hazard,): count for hazard, count in vitals.incidents.items()},
        "hazard",
    )
    yield _counter(
        "gridwatch_refuted",
        "Hazards that a second look in full size took back",
        {(): vitals.refuted},
    )
    yield _counter(
        "gridwatch_coverage_lost_minutes",
        "Minutes of cameras of which the ledger doesn't know whether anybody looked",
        {(): vitals.coverage_lost},
    )
    yield _gauge(
        "gridwatch_ready",
        "1 for each part that is there; see /readyz",
        {(part,): not why for part, why in readiness(vitals).items()},
        "part",
    )
    build = InfoMetricFamily("gridwatch_build", "What runs here")
    build.add_metric([], dict(vitals.build))
    yield build


def _gauge(name: str, text: str, values: Mapping[Labels, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for found, value in values.items():
        family.add_metric(found, value)
    return family


def _counter(name: str, text: str, values: Mapping[Labels, float], *labels: str) -> Metric:
    """``name`` without the ``_total`` that the format puts behind it."""
    family = CounterMetricFamily(name, text, labels=labels)
    for found, value in values.items():
        family.add_metric(found, value)
    return family


def _histogram(name: str, text: str, values: Mapping[Labels, SpreadCounts], *labels: str) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for found, one in values.items():
        bounds = [*map(str, one.bounds), "+Inf"]
        counts = accumulate(one.counts)
        family.add_metric(found, list(zip(bounds, counts, strict=True)), sum_value=one.total)
    return family
