"""Still pictures of streets with exact truth: plans, renders, develops and writes them.

One street is built once and photographed several times; each rendering gives two pictures, in
another light and the second one mirrored. Every picture depends on its seed and name alone.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import crowded, labels, lens, looks, plans
from .camera import HEIGHT, WIDTH, Camera
from .catalogue import GATHERINGS, makers
from .clip import clear
from .denoise import Denoiser
from .folder import Folder, Still, write
from .placing import Site
from .scene import Street, labelled
from .shooting import Studio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .things import Maker

SHOTS, PICTURES = 4, 2  # a street, a shot
_SPLITS = {"train": 0, "val": 1}
_THEMES = {"hazards": (), "crowds": (7,)}
_OTHERS = ("crash", "debris", "barrier", "fallen_tree")
_WINDOWS = 0.25  # of the shots are windows of a larger picture
_CROWDED = 0.06  # of the shots show a gathering


@dataclass(frozen=True)
class Job:
    """What to render: ``count`` pictures of one split.

    ``theme``: streets with hazards, or places full of people.
    """

    count: int
    seed: int
    split: Literal["train", "val"]
    device: Literal["cpu", "gpu"] = "cpu"
    threads: int = 2
    theme: Literal["hazards", "crowds"] = "hazards"

    def name(self, street: int, shot: int, picture: int) -> str:
        theme = "" if self.theme == "hazards" else f"-{self.theme}"
        return f"{self.split}{theme}-s{self.seed}-{street:05d}-{shot}{'ab'[picture]}"

    def rng(self, street: int, *shot: int) -> np.random.Generator:
        own = (self.seed, _SPLITS[self.split], *_THEMES[self.theme])
        return np.random.default_rng((*own, street, *shot))


@dataclass(frozen=True)
class Shot:
    """What is drawn for one rendering before anything is built."""

    camera: Camera
    dark: bool
    wet: float
    sun: tuple[float, float, float]
    looks: tuple[looks.Look, looks.Look]
    makers: list[Maker]
    people: int
    traffic: bool = True


def render(job: Job, root: Path, advance: Callable[[], None]) -> None:
    """Render what the folder doesn't hold yet; ``advance`` is called for every picture."""
    folder = Folder(root, job.split)
    begun, made, cpu = time.monotonic(), 0, time.process_time()
    denoiser = Denoiser(HEIGHT, WIDTH, job.threads)
    for street in range(-(-job.count // (SHOTS * PICTURES))):
        wanted = [
            [p for p in range(PICTURES) if (street * SHOTS + shot) * PICTURES + p < job.count]
            for shot in range(SHOTS)
        ]
        missing = {
            shot
            for shot in range(SHOTS)
            for p in wanted[shot]
            if job.name(street, shot, p) not in folder.done
        }
        for _ in range(sum(map(len, wanted)) - sum(len(wanted[s]) for s in missing)):
            advance()
        if not missing:
            continue
        built = _street(job, street)
        for shot in sorted(missing):
            for still in _stills(job, built, street, shot, denoiser):
                if still.name not in folder.done and len(wanted[shot]) > "ab".index(still.name[-1]):
                    folder.add(still)
                    made += 1
                advance()
    if made:
        _note(root, job, made, time.monotonic() - begun, time.process_time() - cpu)


def _street(job: Job, street: int) -> Street:
    rng = job.rng(street)
    clear()
    if job.theme == "crowds":
        plan = crowded.place(rng, held_out=job.split == "val")
    else:
        kinds = plans.TRAIN_KINDS
        if job.split == "val" and rng.random() < 0.6:
            kinds = plans.VAL_KINDS
        plan = plans.draw(str(rng.choice(kinds)), rng)
    return Street(plan, rng, Studio(job.device, job.threads))


def _stills(
    job: Job, built: Street, street: int, number: int, denoiser: Denoiser
) -> Iterator[Still]:
    rng = job.rng(street, number)
    shot = _draw(job, built.plan, rng)
    site = Site(built.plan, shot.camera, rng)
    built.dress(site, shot.makers, rng, wet=shot.wet, people=shot.people, traffic=shot.traffic)
    layers = built.studio.shoot(shot.camera, dark=shot.dark, sun=shot.sun)
    rows = built.truth(shot.camera)
    kept = labels.within(layers.ids, built.hulls(rows))
    _measure(built, rows, kept, shot.camera)
    for index, look in enumerate(shot.looks):
        own = job.rng(street, number, 100 + index)
        bend = lens.Bend(own, layers.ids.shape, flip=index == 1)
        picture = looks.develop(bend.picture(looks.mix(layers, look, own, denoiser)), look, own)
        if own.random() < 0.25:
            picture = lens.overlay(picture, own)
        ids = bend.ids(kept)
        things = list(_boxed(rows, ids))
        truth = {
            "name": job.name(street, number, index),
            "seed": job.seed,
            "street": street,
            "shot": number,
            "kind": built.plan.kind,
            "light": look.light,
            "weather": look.weather,
            "wet": round(shot.wet, 2),
            "camera": {key: round(value, 2) for key, value in asdict(shot.camera).items()},
            "flipped": index == 1,
            "objects": [_public(row, bend, ids) for row in things],
        }
        yield Still(
            str(truth["name"]),
            lens.compress(picture, own),
            [(row["class"], row["box"]) for row in things if labelled(row)],
            truth,
        )


def _draw(job: Job, plan: plans.Plan, rng: np.random.Generator) -> Shot:
    dark, wet = bool(rng.random() < 0.4), float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    wet *= rng.uniform(0.6, 1.0)
    pair = ("dusk", "night") if dark else ("sun", "overcast")
    if rng.random() < 0.25:
        pair = (pair[0], "infrared")
    order = rng.permutation(2)
    chosen = tuple(looks.Look(pair[i], _weather(pair[i], wet, rng)) for i in order)
    crowds = job.theme == "crowds"
    return Shot(
        crowded.camera(plan, rng) if crowds else _camera(plan, rng),
        dark,
        wet,
        (rng.uniform(14, 75), rng.uniform(0, 360), rng.uniform(0.5, 3)),
        chosen,  # type: ignore[arg-type]  # two of them
        _gatherings(rng) if crowds else _things(job, rng),
        int(rng.integers(0, 7)),
        traffic=not crowds or (bool(plan.lanes) and rng.random() < 0.5),
    )


def _weather(light: looks.Light, wet: float, rng: np.random.Generator) -> looks.Weather:
    if wet > 0:
        return "rain" if light != "sun" and rng.random() < 0.4 else "wet"
    return "haze" if rng.random() < 0.15 else "dry"


def _camera(plan: plans.Plan, rng: np.random.Generator) -> Camera:
    """On a pole at either edge, or over the carriageway; turned towards the road."""
    side = int(rng.choice([-1, 1, 0], p=[0.4, 0.45, 0.15]))
    height = rng.uniform(4, 8)
    if side:
        x = (plan.right + 0.6) if side > 0 else (plan.left - 0.6)
    else:
        x = rng.uniform(plan.left / 2, plan.right / 2)
    if rng.random() < _WINDOWS:
        # As a window of a large picture shows the road: narrow, aimed at some place on it.
        hfov, aim = rng.uniform(20, 48), rng.uniform(11, 32)
        pitch = np.degrees(np.arctan2(height, aim))
        yaw = np.degrees(np.arctan2(x - rng.uniform(plan.left, plan.right) * 0.7, aim))
        return Camera(float(x), float(height), float(pitch), float(yaw), float(hfov))
    hfov = rng.uniform(60, 100)
    walk = plan.walks[1] if side > 0 else plan.walks[0]
    yaw = side * (rng.uniform(0, 22) if walk > 3 else rng.uniform(8, 28))
    half = np.degrees(np.arctan(np.tan(np.radians(hfov / 2)) * HEIGHT / WIDTH))
    pitch = np.clip(half + rng.uniform(-12, 12), 12, 42)
    return Camera(float(x), float(height), float(pitch), float(yaw), float(hfov))


def _things(job: Job, rng: np.random.Generator) -> list[Maker]:
    """Hazards and as many decoys; now and then none but decoys."""
    if job.split == "train":
        quiet = rng.random() < 0.15
        holes = int(rng.integers(2, 5))
        others = int(rng.choice([0, 1, 2, 3], p=[0.1, 0.35, 0.35, 0.2]))
    else:
        quiet = rng.random() < 0.5
        holes = int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
        others = int(rng.random() < 0.5)
    hazards = _some(makers("cavity"), holes, rng)
    for _ in range(others):
        hazards += _some(makers(str(rng.choice(_OTHERS))), 1, rng)
    decoys = _some(makers("none"), max(len(hazards), 2), rng)
    crowds = _some(GATHERINGS, int(rng.random() < _CROWDED), rng)
    # The largest first: they need room, and the small ones find theirs between them.
    return sorted(crowds + ([] if quiet else hazards) + decoys, key=lambda m: -m.sizes[1])


def _gatherings(rng: np.random.Generator) -> list[Maker]:
    """Crowds, and a few things that are no hazard: shadows, litter, animals."""
    known = {maker.kind: maker for maker in GATHERINGS}
    crowds = [known[kind] for kind in crowded.kinds(rng)]
    return crowds + _some(makers("none"), int(rng.integers(0, 4)), rng)


def _some(known: Sequence[Maker], count: int, rng: np.random.Generator) -> list[Maker]:
    weights = np.array([maker.weight for maker in known])
    return [known[i] for i in rng.choice(len(known), count, p=weights / weights.sum())]


def _measure(built: Street, rows: list[dict[str, Any]], kept: np.ndarray, camera: Camera) -> None:
    """Note the part of every thing, its parts included, that is seen of what is in the picture."""
    shown = np.bincount(
        kept.ravel(), minlength=1 + max((max(r["members"]) for r in rows), default=0)
    )
    alone = {row["members"][0]: built.alone(row, camera) for row in rows}
    for row in rows:
        whole = sum(alone.get(index, 0) for index in row["members"])
        row["visible"] = round(min(1.0, float(shown[row["members"]].sum()) / max(whole, 1)), 3)


def _boxed(rows: list[dict[str, Any]], ids: np.ndarray) -> Iterator[dict[str, Any]]:
    for row in rows:
        found = labels.seen(ids, row["members"])
        if found:
            yield {**row, "box": found.box, "pixels": found.pixels}


def _public(row: dict[str, Any], bend: lens.Bend, ids: np.ndarray) -> dict[str, Any]:
    keys = ("class", "kind", "box", "ground", "distance_m", "size_m", "visible", "pixels")
    public = {key: row[key] for key in keys}
    if "head" in row:
        at, wide = bend.point(*row["head"]), row["head_px"]
        seen = labels.around(ids, row["members"], at, wide) if at else 0.0
        public |= {"head": at, "head_px": round(wide, 1), "head_seen": round(seen, 2)}
    return public


def _note(root: Path, job: Job, made: int, seconds: float, cpu: float) -> None:
    """Keep what the pictures cost beside them."""
    path = root / "cost.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    runs.append(
        {
            "split": job.split,
            "seed": job.seed,
            "device": job.device,
            "threads": job.threads,
            "pictures": made,
            "seconds_a_picture": round(seconds / made, 3),
            "cpu_seconds_a_picture": round(cpu / made, 3),
        }
    )
    write(path, (json.dumps(runs, indent=1) + "\n").encode())
    print(f"{made} pictures: {seconds / made:.2f} s each, {cpu / made:.2f} s of processor time")
