"""How good a replay was: incidents against what really happened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.hazards import family_of
from pipeline.town import Place, distance_m

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.hazards import Incident
    from pipeline.replay.truth import TruthEvent

START_NORM_S = 300.0
"""S4 = F1 × (1 − min(RMSE of the start, 300 s) / 300 s), as in the AI City Challenge, track 4."""
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Match:
    """An event and the incident that found it."""

    event: TruthEvent
    incident: Incident


@dataclass(frozen=True, slots=True)
class Matching:
    """``doubled``: incidents that lie on an event which another incident already found."""

    matches: tuple[Match, ...]
    missed: tuple[TruthEvent, ...]
    false_alarms: tuple[Incident, ...]
    doubled: tuple[Incident, ...]


def match(
    incidents: Sequence[Incident], events: Sequence[TruthEvent], watched_s: Mapping[str, float]
) -> Matching:
    """One to one by camera and hazard family, the longest common time first."""
    pairs = sorted(
        (
            (-common, at_event, at_incident)
            for at_event, event in enumerate(events)
            for at_incident, incident in enumerate(incidents)
            if (common := _common_s(event, incident, watched_s)) > 0
        ),
    )
    found: dict[int, int] = {}
    used: set[int] = set()
    for _, at_event, at_incident in pairs:
        if at_event not in found and at_incident not in used:
            found[at_event] = at_incident
            used.add(at_incident)
    on_event = {at_incident for _, _, at_incident in pairs}
    return Matching(
        matches=tuple(Match(events[e], incidents[i]) for e, i in sorted(found.items())),
        missed=tuple(event for at, event in enumerate(events) if at not in found),
        false_alarms=tuple(one for at, one in enumerate(incidents) if at not in on_event),
        doubled=tuple(one for at, one in enumerate(incidents) if at in on_event - used),
    )


def score(
    incidents: Sequence[Incident], events: Sequence[TruthEvent], watched_s: Mapping[str, float]
) -> dict[str, Any]:
    """The content of score.json. ``watched_s``: camera_id -> seconds played.

    Events of cameras that were not played are not missed; ``not_played`` names their cameras.
    """
    days = sum(watched_s.values()) / DAY_S
    shown = [one for one in events if one.camera_id in watched_s]
    hazards = sorted({one.hazard for one in incidents} | {one.hazard for one in shown})
    overall = match(incidents, shown, watched_s)
    return {
        "camera_days": days,
        "not_played": sorted({one.camera_id for one in events} - set(watched_s)),
        "overall": _figures(overall, days),
        "hazards": {hazard: _figures(_only(overall, hazard), days) for hazard in hazards},
        "matches": [
            {
                "camera_id": one.event.camera_id,
                "hazard": one.event.hazard,
                "found_as": one.incident.hazard,
                "incident_id": one.incident.incident_id,
                "start_error_s": round(one.incident.started_at - one.event.start_s, 3),
                "detected_after_s": round(one.incident.confirmed_at - one.event.start_s, 3),
            }
            for one in overall.matches
        ],
        "missed": [one.model_dump() for one in overall.missed],
        "false_alarms": [_named(one) for one in overall.false_alarms],
        "doubled": [_named(one) for one in overall.doubled],
    }


def _figures(matching: Matching, days: float) -> dict[str, Any]:
    found, missed = len(matching.matches), len(matching.missed)
    false = len(matching.false_alarms)
    recall = _share(found, found + missed)
    precision = _share(found, found + false)
    f1 = _share(2 * found, 2 * found + missed + false)
    starts = [one.incident.started_at - one.event.start_s for one in matching.matches]
    waits = [one.incident.confirmed_at - one.event.start_s for one in matching.matches]
    errors = [metres for one in matching.matches if (metres := _place_error_m(one)) is not None]
    rmse = math.sqrt(float(np.mean(np.square(starts)))) if starts else None
    return {
        "events": found + missed,
        "found": found,
        "missed": missed,
        "false_alarms": false,
        "recall": recall,
        "precision": precision,
        "f1": f1,
        "false_alarms_per_camera_day": false / days if days else None,
        "time_to_detect_median_s": _quantile(waits, 0.5),
        "time_to_detect_p95_s": _quantile(waits, 0.95),
        "duplicates_per_event": _share(len(matching.doubled), found),
        "kind_errors": sum(one.event.hazard != one.incident.hazard for one in matching.matches),
        "place_error_median_m": _quantile(errors, 0.5),
        "start_rmse_s": rmse,
        "s4": None
        if f1 is None or rmse is None
        else f1 * (1 - min(rmse, START_NORM_S) / START_NORM_S),
    }


def _only(matching: Matching, hazard: str) -> Matching:
    """The part of a matching that belongs to one hazard: by the event, else by the incident."""
    return Matching(
        matches=tuple(one for one in matching.matches if one.event.hazard == hazard),
        missed=tuple(one for one in matching.missed if one.hazard == hazard),
        false_alarms=tuple(one for one in matching.false_alarms if one.hazard == hazard),
        doubled=tuple(one for one in matching.doubled if one.hazard == hazard),
    )


def _common_s(event: TruthEvent, incident: Incident, watched_s: Mapping[str, float]) -> float:
    same = event.camera_id == incident.camera_id and family_of(event.hazard) == family_of(
        incident.hazard
    )
    if not same:
        return 0.0
    # A look is a moment: an incident that is seen once at the very end still has a place in time.
    end = watched_s.get(event.camera_id, math.inf) + 1e-3
    until = end if event.end_s is None else event.end_s
    gone = end if incident.cleared_at is None else incident.cleared_at
    return min(until, gone) - max(event.start_s, incident.started_at)


def _place_error_m(one: Match) -> float | None:
    if one.event.lon is None or one.event.lat is None:
        return None
    truth = Place(one.event.lon, one.event.lat, 0.0, "reported")
    return distance_m(truth, one.incident.place)


def _named(incident: Incident) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "camera_id": incident.camera_id,
        "hazard": incident.hazard,
        "started_s": round(incident.started_at, 3),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quantile(values: Iterable[float], share: float) -> float | None:
    known = list(values)
    return float(np.quantile(known, share)) if known else None
