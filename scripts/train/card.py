"""Writes the card of a model from what its training and scoring wrote down.

Beside the checkpoint lie ``run.json`` (how it was trained and on how many pictures of each
source), ``score.json`` (thresholds and scores) and, if somebody wrote one, ``known_faults.txt``
(one fault a line). A source without a licence here can't be put on a card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from pipeline.detect.card import ModelCard, ModelInput, TrainingData
from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_Kind = TypeVar("_Kind", bound=BaseModel)

LICENCE = "AGPL-3.0"
PLAIN_THRESHOLD = 0.25
"""For a class that scoring gave none: the usual one of the detectors of this family."""
ARCHITECTURE = (
    "YOLO26n with a head for traffic and one for hazards, both end-to-end (no NMS), "
    "300 and 100 boxes a picture"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a card says about a source; ``limited``: not for everything, or nobody knows."""

    name: str
    use: str
    licence: str
    limited: bool = True


# By the beginning of a source's name in index.csv; the first that fits.
ORIGINS = {
    "accident_cctv": Origin(
        "Accident-detection-model v2 (Roboflow)",
        "crash boxes and ordinary traffic",
        "CC BY 4.0 stated; frames from compilations whose owners are unknown",
    ),
    "detrac": Origin(
        "UA-DETRAC sample",
        "vehicles from fixed cameras",
        "upstream CC BY-NC-SA 3.0 (non-commercial)",
    ),
    "lightly_coco": Origin(
        "COCO, first 128 pictures",
        "persons and vehicles",
        "annotations CC BY 4.0; pictures under Flickr terms",
    ),
    "shanghaitech": Origin(
        "ShanghaiTech part B", "persons", "none stated; research use by its authors"
    ),
    "pothole_kaggle665": Origin(
        "665 potholes (A. R. Chitholian, Kaggle)",
        "cavity",
        "ODbL 1.0; many are web photographs",
    ),
    "pothole": Origin(
        "Web photographs of potholes, two collections",
        "cavity",
        "CC BY 4.0 / none stated; rights of the uploaders doubtful",
    ),
    "indian_obstacle": Origin(
        "Indian road obstacles, web photographs of potholes",
        "cavity",
        "MIT wording; rights of the uploaders doubtful",
    ),
    "rdd2022": Origin(
        "RDD2022, China_MotorBike part",
        "D40 as cavity; cracks, repairs, manholes as negatives",
        "CC BY-SA 4.0 stated upstream, not verified",
    ),
    "composite": Origin(
        "Composites made for this project",
        "holes seen from a pole camera",
        "follows its parts",
    ),
    "pasted": Origin(
        "Hazards drawn, rendered or cut out for this project, pasted into training pictures",
        "cavity, debris, fallen_tree, barrier, crash and what only looks like them",
        "follows its parts",
    ),
    "rendered": Origin(
        "Street scenes rendered for this project",
        "all classes, with exact truth",
        LICENCE,
        limited=False,
    ),
}


STARTS = {
    "yolo26n": "AGPL-3.0; trained on COCO: annotations CC BY 4.0, pictures under Flickr terms",
    "street-n-v0": "AGPL-3.0; from yolo26n, trained on the sources of the card of street-n v0, "
    "part of them non-commercial",
}
"""By the beginning of the name of start weights."""
UNKNOWN_START = "as of the card of those weights, if they have one; else not known"


class Run(BaseModel):
    """``run.json``. ``pictures``: how many different ones of each source training really saw.

    ``start``: weights it began with, by name; what those had seen comes on top.
    """

    training: str = Field(min_length=1)
    pictures: dict[str, Annotated[int, Field(ge=0)]] = Field(min_length=1)
    start: tuple[str, ...] = ()


class Score(BaseModel):
    """``score.json``; thresholds are chosen on validation, with an input of ``size``."""

    size: tuple[int, int]
    thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]]
    scores: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Record:
    """What was written down about a checkpoint."""

    run: Run
    score: Score
    known_faults: tuple[str, ...]


def note_run(
    folder: Path, training: str, pictures: Mapping[str, int], start: Sequence[Path] = ()
) -> None:
    """Write ``run.json``; a training that goes on adds to what it has said before.

    ``start``: files of the weights it began with.
    """
    path = folder / "run.json"
    before = _read(path, Run) if path.exists() else Run(training=training, pictures=dict(pictures))
    parts = [part for part in before.training.split("; then ") if part != training]
    most = {
        source: max(before.pictures.get(source, 0), pictures.get(source, 0))
        for source in [*before.pictures, *pictures]
    }
    run = Run(
        training="; then ".join([*parts, training]),
        pictures=most,
        start=tuple(dict.fromkeys([*before.start, *map(_name_of, start)])),
    )
    path.write_text(run.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _name_of(weights: Path) -> str:
    """Checkpoints of our trainings are all called alike: their folder tells which one."""
    of_training = weights.stem in ("last", "best", "start")
    return f"{weights.resolve().parent.name}/{weights.stem}" if of_training else weights.stem


def read_run(folder: Path) -> Run:
    """How a network was trained. Raises DataError, also for a source without a licence here."""
    run = _read(folder / "run.json", Run)
    for source in run.pictures:
        origin_of(source, folder / "run.json")
    return run


def read_faults(folder: Path) -> tuple[str, ...]:
    """The known faults that somebody wrote down."""
    path = folder / "known_faults.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return tuple(line.strip() for line in lines if line.strip())


def read_record(folder: Path, averaged: str | None = None) -> Record:
    """The record beside a checkpoint. Raises DataError: without one there is no card.

    ``averaged``: what the checkpoint says of how it came from the training, for the card.
    """
    run = read_run(folder)
    if averaged:
        run = run.model_copy(update={"training": f"{run.training}; {averaged}"})
    return Record(run, _read(folder / "score.json", Score), read_faults(folder))


def card_of(
    record: Record,
    classes: tuple[str, ...],
    size: tuple[int, int],
    *,
    name: str,
    version: str,
    opset: int,
) -> ModelCard:
    """The card of an fp32 model, before its file is there: sha256 and speed are still to come."""
    unknown = sorted(set(record.score.thresholds) - set(classes))
    if unknown:
        raise DataError(
            "has a threshold for a class that the network doesn't have",
            file="score.json",
            found=", ".join(unknown),
            allowed=", ".join(classes),
        )
    origins = [origin_of(source, "run.json") for source in record.run.pictures]
    return ModelCard(
        name=name,
        version=version,
        licence=LICENCE,
        classes=classes,
        input=ModelInput(width=size[0], height=size[1], format="i420"),
        sha256="0" * 64,
        thresholds={one: record.score.thresholds.get(one, PLAIN_THRESHOLD) for one in classes},
        architecture=f"{ARCHITECTURE}, fp32, opset {opset}",
        training=record.run.training,
        training_data=_training_data(record.run),
        use_restriction=restriction(
            limited=bool(record.run.start) or any(origin.limited for origin in origins)
        ),
        scores=_scores(record.score, size),
        known_faults=record.known_faults,
    )


def _scores(score: Score, size: tuple[int, int]) -> dict[str, dict[str, float]]:
    """The scores; on the card of another input size they say at which one they were measured."""
    if score.size == size:
        return score.scores
    width, height = score.size
    return {f"at {width}x{height}: {what}": figures for what, figures in score.scores.items()}


def _training_data(run: Run) -> tuple[TrainingData, ...]:
    """A line for all start weights and one for each origin; sources of one origin are added up."""
    counts: dict[Origin, int] = {}
    for source, count in run.pictures.items():
        origin = origin_of(source, "run.json")
        counts[origin] = counts.get(origin, 0) + count
    seen = (
        TrainingData(name=one.name, use=one.use, pictures=count, licence=one.licence)
        for one, count in counts.items()
        if count
    )
    return (*map(_started, run.start), *seen)


def _started(weights: str) -> TrainingData:
    licences = (licence for begin, licence in STARTS.items() if weights.startswith(begin))
    return TrainingData(
        name=f"start weights {weights}",
        use="start; what they were trained on adds to this list and is not counted here",
        pictures=0,
        licence=next(licences, UNKNOWN_START),
    )


def origin_of(source: str, file: object) -> Origin:
    """What a card says about a source; DataError if nothing is known about it."""
    for start, origin in ORIGINS.items():
        if source.startswith(start):
            return origin
    raise DataError(
        "trained on a source whose licence is not known",
        file=file,
        where="pictures",
        found=source,
        allowed=f"sources that begin with {', '.join(ORIGINS)}",
    )


def restriction(*, limited: bool) -> str:
    """What the weights may be used for; ``limited``: a source is not for everything."""
    if not limited:
        return f"The weights are {LICENCE}."
    return (
        f"The weights are {LICENCE}; part of the training data is for research or non-commercial "
        "use only. Check this before using the model for anything else."
    )


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return kind.model_validate(values)
    except FileNotFoundError:
        raise DataError(
            "is missing: no card without it",
            file=path,
            allowed="a checkpoint in the folder of its training, scored",
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, ValidationError):
            raise DataError.from_validation(error, file=path, known=kind.model_fields) from None
        raise DataError("can't be read", file=path, found=error) from None
