"""One camera's analyst: looks and detections in, incidents out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import structlog

from pipeline.hazards.background import Background
from pipeline.hazards.blockage import lies_around_crash, standing_vehicles
from pipeline.hazards.boxes import covered, iou
from pipeline.hazards.cases import Case, Cases
from pipeline.hazards.crash_signs import CrashSigns
from pipeline.hazards.crowd import CountedHeads, counted_heads, crowds
from pipeline.hazards.incident import Hazard, Incident, Severity, incident_id_of
from pipeline.hazards.objects import objects
from pipeline.hazards.pace import Pace
from pipeline.hazards.refuting import refutes
from pipeline.hazards.road import holes
from pipeline.hazards.road_look import RoadLook
from pipeline.hazards.scene import Scene, scene_of
from pipeline.hazards.tracks import CHANGED, Tracks
from pipeline.hazards.traffic import Traffic
from pipeline.hazards.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.detect import Detections, HeadMap, Seen
    from pipeline.hazards.background import NewThing
    from pipeline.hazards.boxes import Box
    from pipeline.hazards.observation import Observation
    from pipeline.ingest import Look
    from pipeline.settings import HazardSettings
    from pipeline.town import Camera

if TYPE_CHECKING:
    Again = Callable[[Sequence[float]], Seen | None]

log = structlog.get_logger()

HIDDEN = 0.5
"""Share of a place covered by a road user from which a look says nothing about it."""
SAME_THING = 0.3
"""IoU from which what left the background is the thing that had become part of it."""
TRAIL = 60
"""Looks that a trail keeps; the ones before are summed up by the score."""
EMERGENCY_AREA_M2 = 2.0
"""A hole that swallows a wheel and more."""
EMERGENCY_PEOPLE_PER_M2 = 4.0
WARNING_PEOPLE_PER_M2 = 2.0

Kind = Literal["confirmed", "cleared"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something the desk must know: an incident was confirmed, or is gone."""

    kind: Kind
    incident: Incident


class Analyst:
    """Keeps what must be remembered of one camera between looks.

    ``model`` and ``settings_hash`` go into every trail. Not thread-safe: one caller per camera.
    """

    def __init__(
        self,
        camera: Camera,
        settings: HazardSettings,
        classes: Sequence[str],
        *,
        model: str,
        settings_hash: str,
    ) -> None:
        self._camera = camera
        self._settings = settings
        self._classes = classes
        self._origin = {"model": model, "settings": settings_hash}
        self._view: View | None = None
        self._misfit_told = False
        self._scene: Scene | None = None  # of the last whole look
        self._new: Sequence[NewThing] = ()
        self._vehicles: Sequence[Observation] = ()
        self._anew_at = 0.0
        self._pace = Pace()
        self._cases = Cases(settings)
        self._counted: CountedHeads | None = None
        self.refuted = 0
        """Hazards that a second look took back."""
        self._reported: dict[Case, list[Incident]] = {}  # several if the hazard grew

    def update(
        self,
        look: Look,
        seen: Detections,
        heads: HeadMap | None = None,
        again: Again | None = None,
    ) -> list[Change]:
        """Take in one look of this camera, and the heads in its picture if they were counted.

        ``again`` has a second look at a box in pixels of the source, in the picture of this look.
        Whole looks come in order of time, road looks may come late. After a long gap, or when time
        has gone back, what isn't confirmed starts anew.
        """
        if look.purpose == "road":
            return self._update_road(look, seen, again)
        scene = scene_of(look, seen, self._classes)
        if self._view is None or abs(self._view.aspect - scene.aspect) > 0.01:
            self._view = self._start_on(scene.aspect, self._view)
        if self._pace.broke(scene.at):
            self._start_anew(scene.at)
        if heads is not None:
            self._counted = counted_heads(scene, heads, self._view, look.source_size[1])
        confirmed, cleared = self._cases.update(
            scene.at, self._observe(scene, self._view), lambda case: self._hidden(case, scene)
        )
        return self._changes(self._believed(confirmed, look, again), cleared)

    def go_by(self, classes: Sequence[str], model: str) -> None:
        """Detections come from another model from now on."""
        self._classes = classes
        self._origin = self._origin | {"model": model}

    def _update_road(self, look: Look, seen: Detections, again: Again | None) -> list[Change]:
        """Evidence about the window alone: holes, and things that the detector knows by name.

        What is new, what stands and who stood in front is what the last whole look found. A road
        look from before an outage, or of pictures of another shape, comes too late.
        """
        view, whole, settings = self._view, self._scene, self._settings
        road = RoadLook(look, seen, self._classes, whole)
        late = look.captured_at < self._anew_at
        if view is None or late or abs(view.aspect - road.scene.aspect) > 0.01:
            return []
        things = objects(
            road.scene,
            road.named(self._new),
            self._tracks.standing(),
            self._vehicles,
            self._traffic,
            view,
            settings.blockage,
        )
        found = [
            *self._own_holes(road.scene, self._new, self._vehicles, view),
            *(thing for thing in things if not self._is_reported_hole(thing.box)),
        ]
        confirmed, cleared = self._cases.update(
            look.captured_at,
            found,
            lambda case: road.hides(case.best.box, HIDDEN),
            "road",
            lambda case: case.asks_road_looks and road.shows(case.best.box),
        )
        return self._changes(self._believed(confirmed, look, again), cleared)

    def _believed(self, confirmed: Iterable[Case], look: Look, again: Again | None) -> list[Case]:
        """Without those that a second look takes back; what was reported before stands."""
        believed = []
        for case in confirmed:
            if again is None or case in self._reported or not self._refuted(case, look, again):
                believed.append(case)
            else:
                self.refuted += 1
                self._cases.refute(case)
        return believed

    @staticmethod
    def _refuted(case: Case, look: Look, again: Again) -> bool:
        seen = again([float(value) for value in case.best.box * look.source_size[1]])
        return seen is not None and refutes(case.best, scene_of(look, *seen))

    def _own_holes(
        self, scene: Scene, new: Sequence[NewThing], vehicles: Sequence[Observation], view: View
    ) -> list[Observation]:
        """Evidence of holes, but of those that are the debris of a crash."""
        return [
            hole
            for hole in holes(scene, new, view, self._settings.road)
            if not lies_around_crash(hole, vehicles)
        ]

    def _changes(self, confirmed: Iterable[Case], cleared: Iterable[Case]) -> list[Change]:
        """What the desk must know of cases newly confirmed and newly cleared."""
        changes = []
        for case in confirmed:
            incident = self._incident(case)
            self._reported.setdefault(case, []).append(incident)
            changes.append(Change("confirmed", incident))
        for case in cleared:
            changes += [
                Change("cleared", _as_of_now(incident, case, case.free_since))
                for incident in self._reported.pop(case)
            ]
        return changes

    def _start_on(self, aspect: float, before: View | None) -> View:
        """Begin with pictures of another shape; what was confirmed stays known in its place."""
        view = View(self._camera, aspect)
        if view.misfit is not None and not self._misfit_told:
            self._misfit_told = True
            log.warning(
                "camera has no ground plane",
                camera_id=self._camera.camera_id,
                why=str(view.misfit),
            )
        self._background = Background()
        self._traffic = Traffic(aspect)
        self._start_anew(0.0)
        if before is not None:
            self._cases.lose_background()
            self._cases.stretch(aspect / before.aspect)
        return view

    def _start_anew(self, at: float) -> None:
        """Nothing seen before ``at`` counts for what is not confirmed, or for clearing."""
        self._anew_at = at
        self._scene, self._new, self._vehicles = None, (), ()
        self._background.start_anew(at)
        self._tracks = Tracks()
        self._signs = CrashSigns()
        self._cases.start_anew()

    def open_incidents(self) -> list[Incident]:
        """Confirmed and not cleared, as they stand now."""
        return [
            _as_of_now(incident, case, None)
            for case, incidents in self._reported.items()
            for incident in incidents
        ]

    def unconfirmed(self, at: float) -> int:
        """How many looks speak for what may be confirmed soon, or vanish; 0: there is nothing.

        Then extra looks are worth their cost. ``at`` is the time of the newest look.
        """
        return self._cases.ripening(at)

    def _observe(self, scene: Scene, view: View) -> Iterable[Observation]:
        forgotten = self._background.forgotten
        new = self._background.update(scene.at, scene.luma, scene.users)
        if self._background.forgotten > forgotten:
            self._cases.lose_background()
        self._signs.update(scene)
        for track in self._tracks.update(scene, self._background):
            self._traffic.add(track, CHANGED)
        standing = self._tracks.standing()
        hazards = self._settings
        vehicles = standing_vehicles(
            scene, standing, new, self._signs, self._traffic, view, hazards.blockage
        )
        self._scene, self._new, self._vehicles = scene, new, vehicles
        return [
            *self._own_holes(scene, new, vehicles, view),
            *vehicles,
            *(
                thing
                for thing in objects(
                    scene, new, standing, vehicles, self._traffic, view, hazards.blockage
                )
                if not self._is_reported_hole(thing.box)
            ),
            *crowds(scene, view, hazards.crowd, self._counted),
        ]

    def _hidden(self, case: Case, scene: Scene) -> bool:
        """A look says nothing where a road user stands, or of things the background has lost.

        Such a thing is missed again once it leaves the background that it has become part of.
        """
        if case.stale and self._background.left:
            left = np.array(self._background.left)
            case.stale = bool(iou(case.best.box[None], left).max() < SAME_THING)
        lost = case.stale and case.best.rule == "object"
        return lost or covered(case.best.box, scene.users) > HIDDEN

    def _is_reported_hole(self, box: Box) -> bool:
        """The model may overlook a hole for a while; that doesn't make it a thing on the road."""
        holes = [
            case.best.box
            for case in self._cases.open
            if case.family == "road" and case.confirmed_at is not None
        ]
        return bool(holes) and covered(box, np.array(holes)) > HIDDEN

    def _incident(self, case: Case) -> Incident:
        """What is reported of a case now confirmed."""
        assert self._view is not None
        assert case.hazard is not None
        assert case.confirmed_at is not None
        best = case.best
        box = self._view.unit(best.box)
        measures = {name: round(value, 3) for name, value in best.measures.items()}
        return Incident(
            incident_id=incident_id_of(self._camera.camera_id, case.hazard, case.started_at, box),
            camera_id=self._camera.camera_id,
            hazard=case.hazard,
            box=box,
            started_at=case.started_at,
            confirmed_at=case.confirmed_at,
            last_seen_at=case.last_seen_at,
            cleared_at=None,
            place=self._view.place(best.box),
            score=round(case.mean(case.started_at), 4),
            severity=_severity(case.hazard, best.rule, measures),
            measures=measures,
            trail={
                **self._origin,
                "kind": best.rule,
                "parts": {name: round(value, 3) for name, value in best.parts.items()},
                "dwell_s": best.dwell_s,
                **_history(case),
            },
        )


def _as_of_now(incident: Incident, case: Case, cleared_at: float | None) -> Incident:
    """What was reported stands; only when it was last seen, and the trail, go on."""
    return replace(
        incident,
        last_seen_at=case.last_seen_at,
        cleared_at=cleared_at,
        trail={**incident.trail, **_history(case)},
    )


def _history(case: Case) -> dict[str, object]:
    """The looks of the purpose that sees the place best, and which that is."""
    purpose = case.purpose
    return {
        "obstructed_looks": case.obstructed,
        "purpose": purpose,
        "looks": [
            [round(seen.at, 3), round(seen.score, 3), seen.rule]
            for seen in list(case.by[purpose].seen)[-TRAIL:]
        ],
    }


def _severity(hazard: Hazard, rule: str, measures: dict[str, float]) -> Severity:
    if hazard == "crowd":
        density = measures.get("people_per_m2", 0.0)
        if density >= EMERGENCY_PEOPLE_PER_M2:
            return "emergency"
        return "warning" if density >= WARNING_PEOPLE_PER_M2 else "notice"
    if hazard == "road_collapse":
        return "emergency" if measures.get("area_m2", 0.0) >= EMERGENCY_AREA_M2 else "warning"
    return "warning" if rule == "crash" else "notice"
