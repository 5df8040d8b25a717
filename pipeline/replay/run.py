"""Plays clips through the same looks, detector and rules as live cameras."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.clock import ManualClock
from pipeline.detect import HeadRhythm, SecondLookCost, again_in, head_counter, second_look
from pipeline.errors import EvidenceError, FootageError
from pipeline.hazards import Analyst
from pipeline.ingest import Source
from pipeline.tickets import snapshot_of, write_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.detect import Detector, HeadCounter, SecondLook
    from pipeline.hazards import Incident
    from pipeline.ingest import Look
    from pipeline.replay.footage import Clip
    from pipeline.settings import Settings
    from pipeline.tickets import EvidenceRef


@dataclass(slots=True)
class Played:
    """What one clip gave: ``watched_s`` up to its last look, ``problem`` if it ended badly.

    ``looks`` are whole and road looks together, ``detect_s`` the seconds the detector took for
    them. ``refuted``: hazards that a second look took back; ``second``: what those looks cost.

    ``evidence``: incident_id -> its pictures, relative to ``evidence`` in the replay's folder.
    """

    clip: Clip
    incidents: list[Incident] = field(default_factory=list)
    evidence: dict[str, EvidenceRef] = field(default_factory=dict)
    looks: int = 0
    watched_s: float = 0.0
    problem: str | None = None
    refuted: int = 0
    detect_s: float = 0.0
    second: SecondLookCost = field(default_factory=SecondLookCost)


def replay(
    clips: Sequence[Clip],
    detector: Detector,
    settings: Settings,
    *,
    folder: Path | None = None,
    progress: Callable[[Clip, float], None] = lambda _clip, _at: None,
) -> list[Played]:
    """Play the clips one after the other; ``progress`` hears the clip and the seconds played.

    With a ``folder``, pictures of every incident are written under ``folder/evidence``. A clip
    that can't be read ends with its ``problem``; what was seen before counts.
    """
    counter = head_counter(settings.heads)
    second = second_look(settings.second_look, settings.model, detector)
    return [_play(clip, detector, counter, second, settings, folder, progress) for clip in clips]


def _play(
    clip: Clip,
    detector: Detector,
    counter: HeadCounter | None,
    second: SecondLook | None,
    settings: Settings,
    folder: Path | None,
    progress: Callable[[Clip, float], None],
) -> Played:
    played = Played(clip)
    rhythm = HeadRhythm(counter, settings.heads, detector.card)
    analyst = Analyst(
        clip.camera,
        settings.hazards,
        detector.card.classes,
        model=rhythm.models,
        settings_hash=settings.digest(),
    )
    last: dict[str, Incident] = {}
    before = SecondLookCost() if second is None else second.cost
    try:
        with _source(clip, detector, settings) as source:
            for batch in _batches(source.looks(), settings.model.batch):
                began_s = time.perf_counter()  # of this machine; the clip has its own time
                found = detector(batch)
                played.detect_s += time.perf_counter() - began_s
                for look, seen in zip(batch, found, strict=True):
                    picture = partial(source.full_picture, look.captured_at)
                    again = again_in(second, picture)
                    for change in analyst.update(look, seen, rhythm(look, seen, picture), again):
                        incident = change.incident
                        last[incident.incident_id] = incident
                        if folder is not None and change.kind == "confirmed":
                            _keep_picture(played, incident, source, detector, settings, folder)
                    played.looks += 1
                    played.refuted = analyst.refuted
                    played.watched_s = look.captured_at
                progress(clip, played.watched_s)
    except FootageError as error:
        played.problem = str(error)
    if second is not None:
        played.second = second.cost.since(before)
    last.update({incident.incident_id: incident for incident in analyst.open_incidents()})
    played.incidents = sorted(last.values(), key=lambda one: (one.confirmed_at, one.incident_id))
    return played


def _source(clip: Clip, detector: Detector, settings: Settings) -> Source:
    return Source.of(clip.camera, settings.ingest, size=detector.size, clock=ManualClock())


def _keep_picture(
    played: Played,
    incident: Incident,
    source: Source,
    detector: Detector,
    settings: Settings,
    folder: Path,
) -> None:
    """The picture in which the incident was confirmed; without one the replay goes on."""
    picture = source.full_picture(incident.confirmed_at)
    if picture is None:
        return
    seen = snapshot_of(picture, detector)
    with suppress(EvidenceError):
        played.evidence[incident.incident_id] = write_evidence(
            seen.picture,
            seen.boxes_px,
            seen.class_names,
            incident=incident,
            settings=settings.tickets.evidence,
            data_dir=folder,
        )


def _batches(looks: Iterable[Look], most: int) -> Iterator[list[Look]]:
    """Up to ``most`` looks at a time; what was read before a failure comes before it."""
    rest = iter(looks)
    while True:
        batch: list[Look] = []
        try:
            batch.extend(islice(rest, most))
        except FootageError:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch
