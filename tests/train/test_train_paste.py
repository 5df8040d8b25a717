"""Hazards laid on roads: where, what gets a label, and that nothing else changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError
from scripts.train import decoys
from scripts.train.classes import HAZARDS, IDS, NAMES
from scripts.train.collapses import collapse
from scripts.train.cutouts import Cutouts, overturned
from scripts.train.folders import Picture, read_folder
from scripts.train.ground import read_ground
from scripts.train.layers import Layer, lay, wobbly_disc
from scripts.train.paste import Paster
from scripts.train.pasted import write_pasted
from scripts.train.patches import Patches, cut_hole
from scripts.train.scene import Scene, shares
from scripts.train.sprites import read_sprites

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 576, 324
SIZE = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
HORIZON_PX, CAMERA_M = 20.0, 6.0
SKY = (200, 160, 120)
CAR = IDS["car"]
NO_BOXES = np.zeros((0, 4), np.float32)
NO_CLASSES = np.zeros(0, np.int16)


def street(seed: int = 0, road: float = 110.0, cars: int = 6) -> tuple:
    """A grey road under a blue sky with cars from behind where a camera 6 m up would see them."""
    rng = np.random.default_rng(seed)
    bgr = np.full((HEIGHT, WIDTH, 3), SKY, np.float32)
    bgr[60:] = road + 3 * rng.standard_normal((HEIGHT - 60, WIDTH, 1))
    boxes = []
    for i in range(cars):
        foot, x = 100 + 170 * i / max(1, cars - 1), 80 + 400 * ((i * 0.37) % 1)
        scale = (foot - HORIZON_PX) / CAMERA_M
        x0, y0, x1, y1 = x - 0.9 * scale, foot - 1.65 * scale, x + 0.9 * scale, foot
        bgr[int(y0) : int(y1), int(x0) : int(x1)] = rng.uniform(20, 235, 3)
        bgr[int(y0 + 3) : int(y0 + 8), int(x0 + 2) : int(x1 - 2)] = 30
        boxes.append((x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT))
    picture = np.clip(bgr, 0, 255).astype(np.uint8)
    return picture, np.array(boxes, np.float32).reshape(-1, 4), np.full(cars, CAR, np.int16)


def survey(seed: int) -> tuple:
    """A close picture of a road with a dark hole and a bright spot on its rim."""
    rng = np.random.default_rng(seed)
    bgr = (140 + 6 * rng.standard_normal((300, 300, 1))).repeat(3, axis=2)
    bgr[110:190, 100:220] += wobbly_disc(80, 120, rng)[..., None] * (45 - bgr[110:190, 100:220])
    cv2.line(bgr, (120, 120), (160, 115), (215, 215, 215), 3)
    box = np.array([[100, 110, 220, 190]], np.float32)
    return np.clip(bgr, 0, 255).astype(np.uint8), box / 300, np.array([IDS["cavity"]], np.int16)


def on_disk(folder: Path, name: str, scene: tuple, source: str) -> Picture:
    bgr, boxes, classes = scene
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), bgr)
    return Picture(path, boxes, classes, "val", source, "")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    holes = [on_disk(folder, f"hole_{i}", survey(i), "survey") for i in range(6)]
    streets = [on_disk(folder, f"street_{i}", street(i), "streets") for i in range(4)]
    return [*holes, *streets]


@pytest.fixture(scope="module")
def paster(pictures):
    return Paster.cut(pictures)


@pytest.fixture
def sprite_folder(tmp_path):
    folder = tmp_path / "sprites"
    folder.mkdir()
    lines = []
    for name in ("debris", "fallen_tree", "none"):
        picture = np.full((20, 60, 4), (60, 60, 60, 255), np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), picture)
        card = {"name": name, "class": name, "box": [6, 2, 54, 18], "parts": []}
        lines.append({**card, "px_per_m": 30, "pitch_deg": 30, "road_bgr": [120, 120, 120]})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "index.jsonl").write_text(text, encoding="utf-8")
    return folder


def all_runs(paster, count: int = 20):
    for seed in range(count):
        scene = street(seed)
        yield scene, paster.paste(*scene, np.random.default_rng(seed), hazards=3, decoys=3)


def test_the_ground_is_read_from_cars_of_known_size():
    ground = read_ground(*street())
    assert ground is not None
    for row in (120, 200, 280):
        assert ground.px_per_m(row) == pytest.approx((row - HORIZON_PX) / CAMERA_M, rel=0.2)
    assert ground.px_per_m(ground.horizon_px - 1) == 0
    assert ground.flatness(300) > ground.flatness(120) > 0


def test_road_is_what_looks_like_the_road_and_is_not_taken():
    bgr, boxes, classes = street()
    ground = read_ground(bgr, boxes, classes)
    cell = ground.cell_px
    assert ground.road[: int(60 / cell)].sum() == 0
    assert ground.road[int(110 / cell) :].mean() > 0.5
    for x0, y0, x1, y1 in boxes * SIZE / cell:
        assert ground.road[int(y0) + 1 : int(y1), int(x0) + 1 : int(x1)].sum() == 0


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(street(cars=0), id="no vehicle"),
        pytest.param(street(cars=1), id="one vehicle proves no plane"),
        pytest.param(
            (street()[0], np.array([[0.1, 0.1, 0.9, 0.9]], np.float32), np.array([CAR])),
            id="close-up",
        ),
    ],
)
def test_a_picture_without_a_sure_road_comes_back_untouched(paster, scene):
    for seed in range(5):
        assert paster(*scene, np.random.default_rng(seed))[0] is scene[0]


def test_a_picture_with_a_hazard_comes_back_untouched(paster):
    bgr, boxes, classes = street()
    classes = np.array([*classes[1:], IDS["crash"]], np.int16)
    assert paster(bgr, boxes, classes, np.random.default_rng(0))[0] is bgr


def test_the_picture_given_is_never_changed(paster):
    bgr, boxes, classes = street()
    kept = bgr.copy()
    changed = 0
    for seed in range(10):
        laid, *_ = paster(bgr, boxes, classes, np.random.default_rng(seed))
        changed += int((laid != bgr).any())
        np.testing.assert_array_equal(bgr, kept)
    assert changed > 5


def test_the_same_seed_lays_the_same(paster):
    scene = street()
    one = paster(*scene, np.random.default_rng(3))
    two = paster(*scene, np.random.default_rng(3))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one[0] != paster(*scene, np.random.default_rng(4))[0]).any()


def test_labels_are_kept_and_new_ones_lie_inside_the_picture_on_the_road(paster):
    found = 0
    for (_, old, _), (_, boxes, classes) in all_runs(paster):
        np.testing.assert_array_equal(boxes[: len(old)], old)
        assert boxes.dtype == np.float32
        assert classes.dtype == np.int16
        assert len(boxes) == len(classes)
        new = boxes[len(old) :]
        assert ((new >= 0) & (new <= 1)).all()
        assert ((new[:, 2] - new[:, 0]) * WIDTH >= 3).all()
        laid = new[np.isin(classes[len(old) :], HAZARDS)]
        assert (laid[:, 3] * HEIGHT > 60).all()
        found += len(laid)
    assert found > 20


def test_holes_are_laid_over_no_box_and_in_size_with_the_road(paster):
    for (_, old, _), (_, boxes, classes) in all_runs(paster):
        for x0, y0, x1, y1 in boxes[classes == IDS["cavity"]] * SIZE:
            assert shares(old * SIZE, np.array([x0, y0, x1, y1])).max() < 0.01
            metres = (x1 - x0) / (((y0 + y1) / 2 - HORIZON_PX) / CAMERA_M)
            assert 0.25 < metres < 12


def test_decoys_get_no_hazard_label(paster):
    changed = 0
    for seed in range(20):
        bgr, boxes, classes = street(seed)
        rng = np.random.default_rng(seed)
        laid, _, after = paster.paste(bgr, boxes, classes, rng, hazards=0, decoys=4)
        assert not np.isin(after, HAZARDS).any()
        changed += int((laid != bgr).any())
    assert changed > 15


def test_vehicles_laid_hide_no_more_than_a_part_of_others(paster):
    hidden = 0
    for (before, old, _), (after, *_) in all_runs(paster):
        changed = (before != after).any(axis=2)
        for x0, y0, x1, y1 in np.round(old * SIZE).astype(int):
            part = changed[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1]
            hidden += int(part.any())
            assert part.mean() < 0.5
    assert hidden > 0


def test_a_grey_picture_stays_grey(paster):
    for seed in range(10):
        bgr, boxes, classes = street(seed)
        grey = cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        laid, *_ = paster.paste(grey, boxes, classes, np.random.default_rng(seed), 3, 4)
        assert (laid.max(axis=2) == laid.min(axis=2)).all()


def test_what_is_laid_on_a_dark_road_is_dark(paster):
    found = 0
    for seed in range(10):
        scene = street(seed, road=40.0)
        laid, boxes, classes = paster.paste(*scene, np.random.default_rng(seed), 3, 0)
        for x0, y0, x1, y1 in np.round(boxes[classes == IDS["cavity"]] * SIZE).astype(int):
            assert laid[y0:y1, x0:x1].mean() < 70
            found += 1
    assert found > 5


def test_a_hole_nobody_could_see_gets_no_label():
    bgr, boxes, classes = street(road=2.0)
    faint = Layer(np.full((40, 60, 3), 0.9, np.float32), np.ones((40, 60), np.float32))
    scene = Scene(bgr.copy(), boxes, read_ground(*street()), np.random.default_rng(0))
    assert not scene.put_layer(faint, 2.0, IDS["cavity"])
    assert len(scene.labels(boxes, classes)[1]) == len(classes)
    np.testing.assert_array_equal(scene.bgr, bgr)


def test_a_cut_hole_is_dark_relative_to_its_road_and_keeps_its_box():
    bgr, boxes, _ = survey(0)
    layer = cut_hole(bgr, boxes[0] * 300, NO_BOXES, np.random.default_rng(0))
    rows, columns = layer.alpha.shape
    assert layer.ratio[rows // 2, columns // 2].mean() == pytest.approx(45 / 140, abs=0.08)
    assert layer.alpha[rows // 2, columns // 2] > 0.9
    assert layer.alpha[[0, -1]].max() < 0.1
    x0, y0, x1, y1 = layer.inner
    assert (x1 - x0) / (y1 - y0) * columns / rows == pytest.approx(120 / 80, rel=0.1)


@pytest.mark.parametrize(
    "box",
    [(100, 110, 115, 120), (0, 110, 120, 190), (20, 220, 120, 290), (100, 110, 110, 190)],
    ids=["too small", "cut off by the edge", "nothing to see", "too narrow"],
)
def test_poor_holes_are_not_cut(box):
    bgr, _, _ = survey(0)
    cut = cut_hole(bgr, np.array(box, np.float32), NO_BOXES, np.random.default_rng(0))
    assert cut is None


def test_pictures_put_together_lend_no_holes(tmp_path):
    made = [on_disk(tmp_path, "a", survey(0), "composite on streets")]
    assert not Patches.cut(made).holes
    with pytest.raises(ValueError, match="no usable cavity"):
        Paster.cut(made)


def test_vehicles_are_cut_with_their_size_and_class(pictures):
    cutouts = Cutouts.cut(pictures)
    assert cutouts.vehicles
    assert cutouts.groups
    assert not cutouts.crashes
    for vehicle in cutouts.vehicles:
        assert vehicle.width_m == pytest.approx(1.8, rel=0.25)
        assert [kind for _, kind in vehicle.parts] == [CAR]


def test_an_overturned_vehicle_is_a_crash_and_a_vehicle(pictures):
    vehicle = Cutouts.cut(pictures).vehicles[0]
    for seed in range(8):
        over = overturned(vehicle, np.random.default_rng(seed))
        assert {NAMES[kind] for _, kind in over.parts} == {"car", "crash"}
        assert over.layer.alpha.shape in (
            vehicle.layer.alpha.shape,
            vehicle.layer.alpha.shape[::-1],
        )


@pytest.mark.parametrize("draw", [draw for draw, *_ in decoys.DRAWN], ids=lambda d: d.__name__)
@pytest.mark.parametrize("size", [(10, 4), (160, 60)])
def test_drawn_decoys_have_the_size_asked_for_and_can_be_seen(draw, size):
    for seed in range(10):
        layer = draw(*size, np.random.default_rng(seed))
        assert layer.alpha.shape == size[::-1]
        assert layer.ratio.shape == (*size[::-1], 3)
        assert np.isfinite(layer.ratio).all()
        assert 0 <= layer.alpha.min() <= layer.alpha.max() <= 1
        assert layer.alpha.max() > 0.1


def test_a_drawn_collapse_is_mostly_darker_than_the_road():
    dark = []
    for seed in range(20):
        layer = collapse(90, 36, np.random.default_rng(seed))
        assert layer.ratio.shape == (36, 90, 3)
        assert np.isfinite(layer.ratio).all()
        x0, y0, x1, y1 = layer.inner
        assert 0 < x0 < x1 < 1
        assert 0 < y0 < y1 < 1
        dark.append(np.median(layer.ratio[layer.alpha > 0.9]))
    assert np.mean(np.array(dark) < 0.8) > 0.8


def test_a_layer_without_alpha_changes_nothing():
    bgr, *_ = street()
    laid = bgr.copy()
    layer = Layer(np.full((20, 30, 3), 0.2, np.float32), np.zeros((20, 30), np.float32))
    lay(laid, layer, 100, 200, base=20, grey=False)
    np.testing.assert_array_equal(laid, bgr)


def test_the_pasted_set_is_a_data_folder_half_of_it_without_holes(pictures, tmp_path):
    out = tmp_path / "pasted"
    names = list(write_pasted(pictures, out, 12, seed=1))
    written = read_folder(out)
    assert [one.name for one in written] == names
    with_holes = [one for one in written if (one.classes == IDS["cavity"]).any()]
    assert 4 <= len(with_holes) <= 6
    assert all(int(one.notes["hazards"]) == 0 for one in written[1::2])
    assert {one.group for one in written} == {f"street_{i}" for i in range(4)}
    assert {one.notes["light"] for one in written} <= {"day", "night", "infrared"}
    for one in written:
        assert not np.isin(one.classes, HAZARDS[1:]).any()
        assert cv2.imread(str(one.path)).shape == (HEIGHT, WIDTH, 3)


def test_a_pasted_set_of_the_same_seed_is_the_same(pictures, tmp_path):
    for name in "ab":
        list(write_pasted(pictures, tmp_path / name, 3, seed=5))
    for one, two in zip(*(read_folder(tmp_path / name) for name in "ab"), strict=True):
        assert one.path.read_bytes() == two.path.read_bytes()
        np.testing.assert_array_equal(one.boxes, two.boxes)


def test_a_pasted_set_needs_streets_and_holes(pictures, tmp_path):
    for some in (pictures[:6], pictures[6:]):
        with pytest.raises(DataError):
            list(write_pasted(some, tmp_path / "out", 2, seed=1))


def test_rendered_things_are_laid_with_the_labels_of_their_parts(pictures, sprite_folder):
    paster = Paster.cut(pictures, sprite_folder)
    found = set()
    for seed in range(60):
        scene = street(seed, cars=4)
        _, _, after = paster.paste(*scene, np.random.default_rng(seed), 3, 0)
        found |= {NAMES[kind] for kind in after}
    assert {"debris", "fallen_tree"} <= found


def test_a_sprite_keeps_its_size_in_metres_and_its_light(sprite_folder):
    sprites = read_sprites(sprite_folder)
    assert len(sprites.decoys) == 1
    assert not sprites.decoys[0].parts
    (debris,) = sprites.hazards["debris"]
    assert debris.width_m == pytest.approx(2.0)
    assert debris.flatness == pytest.approx(0.5)
    assert debris.layer.ratio[10, 30] == pytest.approx([0.5, 0.5, 0.5])
    box, kind = debris.parts[0]
    assert kind == IDS["debris"]
    assert box == pytest.approx((0.1, 0.1, 0.9, 0.9))
    assert debris.mirrored().parts[0][0] == pytest.approx((0.1, 0.1, 0.9, 0.9))


def test_a_sprite_being_written_is_left_for_later(sprite_folder):
    with (sprite_folder / "index.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"name": "half')
    assert len(read_sprites(sprite_folder).hazards) == 2


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "no json",
        '{"name": "debris", "class": "teapot"}',
        '{"name": "gone", "class": "debris"}',
    ],
)
def test_a_broken_sprite_is_named(sprite_folder, line):
    with (sprite_folder / "index.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"index\.jsonl|gone\.png"):
        read_sprites(sprite_folder)
