"""Scores models on pictures that training never saw, all on the same pictures.

Scored are the val part of each data folder and what ``cameras.hold_out`` keeps out of train.
score.json says per slice and class the average precision, false alarms on quiet pictures,
collapses found in rendered streets, thresholds, and ``scores``: the lines for a model's card.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

from .alarms import collapses, false_alarms, thresholds_for
from .cameras import TAKEN, UNSEEN, hold_out
from .classes import IDS
from .folders import read_folder
from .pictures import read_picture
from .precision import Matched, Precision, Seen
from .slices import Slice, maker_of, slices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .folders import Picture
    from .predictor import Predictor

_ON_CARD = {
    "held_out/fixed": "AP50, fixed cameras kept out of training",
    "held_out/by_hand": "AP50, kept out of training, labels by hand",
    "held_out/photo": "AP50, COCO photos kept out of training",
    "val": "AP50, validation as the data come",
    "rendered": "AP50, rendered streets never trained on",
}


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is scored: pictures, the names of those held out (with why), and slices of them."""

    pictures: list[Picture]
    held: dict[str, str]
    slices: list[Slice]
    folders: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One model on the material: ``summary`` goes to score.json, ``seen`` to the sheets."""

    name: str
    classes: tuple[str, ...]
    thresholds: dict[str, float]
    seen: list[Seen]
    summary: dict[str, Any]
    precision: dict[tuple[str, str], Precision]


def gather(folders: Sequence[Path]) -> Material:
    """The pictures of the folders that are to be scored. Raises DataError."""
    pictures: list[Picture] = []
    held: dict[str, str] = {}
    facts = []
    for root in folders:
        read = read_folder(root)
        kept = hold_out(read)
        scored = [one for one in read if one.split == "val" or one.name in kept]
        pictures += scored
        held |= kept
        facts.append(
            {
                "folder": root.name,
                "pictures": len(scored),
                UNSEEN: sum(kept.get(one.name) == UNSEEN for one in scored),
                TAKEN: sum(kept.get(one.name) == TAKEN for one in scored),
            }
        )
    if not pictures:
        raise DataError(
            "hold no picture to score",
            file=", ".join(map(str, folders)),
            allowed="pictures of the split val, or cameras kept out of train",
        )
    return Material(pictures, held, slices_of(pictures, held), facts)


def run(model: Predictor, material: Material, step: Callable[[], None]) -> Result:
    """Look at every picture with the model and score it; ``step`` is called after each picture."""
    seen = []
    for picture in material.pictures:
        bgr = read_picture(picture.path)
        seen.append(Seen(picture, (bgr.shape[1], bgr.shape[0]), model(bgr)))
        step()
    chosen = thresholds_for(seen, model.classes)
    thresholds = model.thresholds or chosen
    precision = _precision(seen, model.classes, material.slices)
    summary = {
        "classes": list(model.classes),
        "size": list(model.size),
        "thresholds": thresholds,
        "thresholds_chosen_here": chosen,
        "slices": {
            part.key: _slice(part, material.pictures, model.classes, precision)
            for part in material.slices
        },
        "false_alarms": _alarms(seen, model.classes, thresholds, material.slices),
        "collapses": collapses(seen, thresholds["cavity"]) if "cavity" in thresholds else None,
    }
    return Result(model.name, model.classes, thresholds, seen, summary, precision)


def write(
    results: Sequence[Result], files: Sequence[Path], material: Material, out: Path
) -> dict[str, Any]:
    """score.json: the first model's thresholds and card lines, then everything of every model."""
    first = results[0]
    content = {
        "model": first.name,
        "size": first.summary["size"],
        "thresholds": first.thresholds,
        "scores": card_lines(first.summary),
        "data": material.folders,
        "sha256": {
            one.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for one, file in zip(results, files, strict=True)
        },
        "models": {one.name: one.summary for one in results},
    }
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    (out / "score.json").write_text(text, encoding="utf-8")
    return content


def card_lines(summary: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What a model's card says of its scores."""
    lines: dict[str, dict[str, float]] = {}
    for key, title in _ON_CARD.items():
        classes = summary["slices"].get(key, {}).get("classes", {})
        values = {
            name: round(one["ap50"], 3) for name, one in classes.items() if one["ap50"] is not None
        }
        if values:
            lines[title] = values
    alarms = summary["false_alarms"].get("held_out", {"pictures": 0})
    if alarms["pictures"]:
        lines["false boxes per 100 real pictures without a hazard, kept out of training"] = {
            name: round(one["per_hundred"], 2) for name, one in alarms.items() if name != "pictures"
        }
    found = summary["collapses"]
    if found and found["recall"] is not None:
        lines["rendered collapses of 1 m or more within 40 m"] = {
            "recall at 1 false box per 100 pictures": round(found["recall"], 3),
            "threshold": found["threshold"],
            "recall at the threshold of this card": round(found["all"]["recall_on_card"], 3),
            "false boxes per 100 pictures there": found["per_hundred_on_card"],
        }
    return lines


def _precision(
    seen: list[Seen], classes: Sequence[str], slices: Sequence[Slice]
) -> dict[tuple[str, str], Precision]:
    """By slice and class. Pictures in which nobody labelled a class don't count for it."""
    matched = Matched(seen)
    result = {}
    for part in slices:
        for name in classes:
            number = IDS[name]
            members = [
                at
                for at in part.members
                if number not in seen[at].picture.unlabelled
                and not (part.by_hand and maker_of(seen[at].picture, number) == "detector")
            ]
            result[part.key, name] = matched.precision(number, members)
    return result


def _alarms(
    seen: list[Seen],
    classes: Sequence[str],
    thresholds: dict[str, float],
    slices: Sequence[Slice],
) -> dict[str, dict[str, Any]]:
    """False alarms by slice, of those that hold quiet pictures."""
    by_slice = {
        part.key: false_alarms((seen[at] for at in part.members), classes, thresholds)
        for part in slices
        if not part.by_hand
    }
    return {key: alarms for key, alarms in by_slice.items() if alarms["pictures"]}


def _slice(
    part: Slice,
    pictures: Sequence[Picture],
    classes: Sequence[str],
    precision: dict[tuple[str, str], Precision],
) -> dict[str, Any]:
    rows = {}
    for name in classes:
        one = precision[part.key, name]
        if one.boxes:
            makers = {
                maker_of(pictures[at], IDS[name])
                for at in part.members
                if IDS[name] in pictures[at].classes
            }
            rows[name] = {
                "boxes": one.boxes,
                "ap50": one.ap50,
                "ap50_95": one.ap,
                **{f"ap50_{size}": value for size, value in one.by_size.items()},
                "labels_by": sorted(makers - {"detector"} if part.by_hand else makers),
            }
    return {"title": part.title, "pictures": len(part.members), "classes": rows}
