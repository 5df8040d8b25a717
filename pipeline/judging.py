"""What the daemon does with looks: detects, lets each camera's analyst judge, and reports."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from pipeline.detect import HeadRhythm, again_in, head_counter, second_look
from pipeline.hazards import Analyst
from pipeline.ingest import Spread
from pipeline.tickets import snapshot_of
from pipeline.vitals import DETECT_BOUNDS_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.clock import Clock
    from pipeline.detect import Detections, Detector, ModelCard
    from pipeline.hazards import Change
    from pipeline.ingest import Look, LookSchedule, SpreadCounts
    from pipeline.settings import Settings
    from pipeline.tickets import Filer, Snapshot
    from pipeline.town import Camera

    FullPicture = Callable[[str, float], NDArray[np.uint8] | None]

TELL_INCIDENTS_S = 300.0
"""How often the desk hears that an incident is still seen."""
EXTRA_S = 10.0
"""For so long a camera is looked at more often, unless its next look renews it."""

log = structlog.get_logger()


@dataclass(slots=True)
class Counts:
    """What was done since the start; ``looks`` at whole pictures, ``incidents`` by hazard.

    ``refuted``: hazards that a second look took back.
    """

    looks: int = 0
    road_looks: int = 0
    incidents: Counter[str] = field(default_factory=Counter)
    cleared: int = 0
    refuted: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What the model of this ``card`` saw in each look of a batch."""

    card: ModelCard
    rows: Sequence[tuple[Look, Detections]]


class Judge:
    """Detector and analysts of one box. ``full_picture`` gives a look's picture in full size.

    ``detect`` belongs to one thread and ``take_in`` and ``tell_open`` to another, so that the
    detector doesn't wait for the analysts; ``apply`` and ``times`` may be called from any.
    """

    def __init__(
        self,
        settings: Settings,
        detector: Detector,
        schedule: LookSchedule,
        *,
        clock: Clock,
        filer: Filer,
        full_picture: FullPicture,
    ) -> None:
        self.counts = Counts()
        self._settings = settings
        self._detector = detector
        self._card = detector.card  # of the detections that are judged; follows the detector
        self._schedule = schedule
        self._rhythm = HeadRhythm(head_counter(settings.heads), settings.heads, detector.card)
        self._second = second_look(settings.second_look, settings.model, detector)
        self._clock = clock
        self._filer = filer
        self._full_picture = full_picture
        self._lock = threading.Lock()  # cameras come and go while looks are judged
        self._cameras: dict[str, Camera] = {}
        self._analysts: dict[str, Analyst] = {}
        self._failing: set[str] = set()  # cameras whose last look ended in an error
        self._told_at = clock.steady()  # when the desk last heard what is still seen
        self._times: dict[int, Spread] = {}  # by size of batch

    def apply(self, cameras: Iterable[Camera]) -> None:
        """Judge these cameras from now on; those that are as they were go on undisturbed."""
        wanted = {camera.camera_id: camera for camera in cameras if camera.enabled}
        with self._lock:
            for camera_id, camera in wanted.items():
                if self._cameras.get(camera_id) != camera:
                    self._analysts[camera_id] = self._analyst(camera)
            for camera_id in self._cameras.keys() - wanted.keys():
                del self._analysts[camera_id]
                self._failing.discard(camera_id)
            self._cameras = wanted

    def use(self, detector: Detector) -> None:
        """Detect with another one from the next batch on; its input has the same size."""
        self._detector = detector
        if self._settings.second_look.model is None:
            self._second = second_look(self._settings.second_look, self._settings.model, detector)

    def detect(self, looks: Sequence[Look]) -> Found:
        """What is in these looks, for ``take_in``."""
        detector, began = self._detector, self._clock.monotonic()
        found = detector(looks)
        if looks:
            self._time(len(looks), self._clock.monotonic() - began)
        return Found(detector.card, list(zip(looks, found, strict=True)))

    def take_in(self, found: Found) -> None:
        """Let the analysts judge, and give each look back to the schedule.

        Looks of cameras that are gone are only given back.
        """
        if found.card is not self._card:
            self._go_by(found.card)
        for look, seen in found.rows:
            with self._lock:
                if look.camera_id in self._cameras:
                    self._take_in(look, seen)
            self._schedule.done(look)

    def times(self) -> dict[int, SpreadCounts]:
        """Seconds that the detector took for a batch, by its size."""
        with self._lock:
            return {size: spread.counts() for size, spread in self._times.items()}

    def tell_open(self, *, backlog: int) -> None:
        """Tell the desk now and then what is still seen, so that nobody closes it for good.

        Not while anything waits for the desk: days without Redis would fill the disk with it.
        """
        now = self._clock.steady()
        if now - self._told_at < TELL_INCIDENTS_S or backlog:
            return
        with self._lock:
            for camera_id, analyst in self._analysts.items():
                with self._judging(camera_id):
                    for incident in analyst.open_incidents():
                        if incident.last_seen_at > self._told_at:
                            self._filer.update(incident)
        self._told_at = now

    def _go_by(self, card: ModelCard) -> None:
        with self._lock:
            self._card = card
            self._rhythm.go_by(card)
            for analyst in self._analysts.values():
                analyst.go_by(card.classes, self._rhythm.models)

    def _analyst(self, camera: Camera) -> Analyst:
        return Analyst(
            camera,
            self._settings.hazards,
            self._card.classes,
            model=self._rhythm.models,
            settings_hash=self._settings.digest(),
        )

    def _time(self, size: int, took_s: float) -> None:
        with self._lock:
            self._times.setdefault(size, Spread(DETECT_BOUNDS_S)).add(took_s)

    def _take_in(self, look: Look, seen: Detections) -> None:
        if look.purpose == "road":
            self.counts.road_looks += 1
        else:
            self.counts.looks += 1
        with self._judging(look.camera_id):
            picture = partial(self._full_picture, look.camera_id, look.captured_at)
            analyst = self._analysts[look.camera_id]
            heads, again = self._rhythm(look, seen, picture), again_in(self._second, picture)
            before = analyst.refuted
            for change in analyst.update(look, seen, heads, again):
                self._report(change, look)
            self.counts.refuted += analyst.refuted - before
            if look.purpose == "whole":
                self._ask_extra(look.camera_id, analyst.unconfirmed(look.captured_at))

    def _ask_extra(self, camera_id: str, looks: int) -> None:
        if not looks:
            self._schedule.enough(camera_id)
            return
        interval_s = self._settings.ingest.schedule.extra_interval_s
        until = self._clock.steady() + EXTRA_S
        self._schedule.extra(camera_id, interval_s, until, looks=looks)  # noqa: S610 - no database

    @contextmanager
    def _judging(self, camera_id: str) -> Iterator[None]:
        """What goes wrong in the block is this camera's alone: it begins anew, the others go on."""
        try:
            yield
        except Exception:
            if camera_id not in self._failing:  # once, not at every look
                self._failing.add(camera_id)
                log.exception("analyst_failed", camera_id=camera_id)
            self._analysts[camera_id] = self._analyst(self._cameras[camera_id])
        else:
            self._failing.discard(camera_id)

    def _report(self, change: Change, look: Look) -> None:
        incident = change.incident
        log.info(
            change.kind,
            camera_id=incident.camera_id,
            hazard=incident.hazard,
            incident_id=incident.incident_id,
            score=incident.score,
        )
        if change.kind == "confirmed":
            self.counts.incidents[incident.hazard] += 1
            self._filer.file(incident, lambda: self._snapshot(look))
        else:
            self.counts.cleared += 1
            self._filer.cleared(incident, look.captured_at)

    def _picture_of(self, look: Look) -> NDArray[np.uint8] | None:
        return self._full_picture(look.camera_id, look.captured_at)

    def _snapshot(self, look: Look) -> Snapshot | None:
        picture = self._picture_of(look)
        return None if picture is None else snapshot_of(picture, self._detector)
