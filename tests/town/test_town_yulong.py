"""The town that is shipped: whole, believable, made the same every time, and quick to ask."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import shapely

from pipeline.settings_file import load_settings
from pipeline.town import Place, distance_m, load_town, plane_of
from pipeline.town.grids import in_metres
from pipeline.town.local import LocalFrame

ROOT = Path(__file__).parents[2]
YULONG = ROOT / "configs" / "yulong"
CENTRE = LocalFrame(113.445, 34.785)


@pytest.fixture(scope="module")
def town():
    return load_town(load_settings(YULONG / "settings.yaml").town)


def standard(town):
    return [grid for grid in town.grids if grid.level == 3 and grid.kind == "standard"]


def test_it_has_as_many_of_everything_as_the_town(town):
    counts = Counter((grid.level, grid.kind) for grid in town.grids)
    assert counts == {
        (1, "standard"): 1,
        (2, "standard"): 30,
        (3, "standard"): 181,
        (3, "dedicated"): 3,
        (3, "micro"): 343,
    }
    assert len(town.cameras) == 1051
    assert sum(len(grid.members) for grid in town.grids) == 516


def test_every_queue_has_one_head(town):
    for grid in town.grids:
        heads = [member for member in grid.members if member.role == "head"]
        assert len(heads) == (grid.level == 3 and grid.kind != "micro")


def test_no_telephone_number_can_be_anybodys(town):
    numbers = [member.phone for grid in town.grids for member in grid.members]
    assert len(set(numbers)) == 516
    assert all(number.startswith("100") for number in numbers)  # mobiles begin with 13 to 19


@pytest.mark.parametrize("level, kind", [(2, "standard"), (3, "standard"), (3, "micro")])
def test_the_grids_of_a_level_cover_the_town_without_gap_or_overlap(town, level, kind):
    shapes = [grid.shape for grid in town.grids if (grid.level, grid.kind) == (level, kind)]
    assert shapely.coverage_is_valid(shapes)
    union = in_metres(shapely.unary_union(shapes), CENTRE)
    whole = in_metres(town.grids.top.shape, CENTRE)
    assert union.symmetric_difference(whole).area < 1
    assert sum(in_metres(shape, CENTRE).area for shape in shapes) == pytest.approx(whole.area)
    assert whole.area == pytest.approx(69.5e6, rel=1e-3)


def test_grids_are_small_where_it_is_built_up_and_large_in_the_villages(town):
    areas = {"社区": [], "村": []}
    for grid in standard(town):
        kind = "社区" if "社区" in grid.name else "村"
        areas[kind].append(in_metres(grid.shape, CENTRE).area / 1e6)
    assert all(0.03 <= area <= 0.1 for area in areas["社区"])
    assert all(0.25 <= area <= 2 for area in areas["村"])
    assert len(areas["社区"]) > len(areas["村"])


def test_every_camera_stands_in_exactly_one_grid(town):
    shapes = shapely.STRtree([grid.shape for grid in standard(town)])
    for camera in town.cameras:
        assert len(shapes.query(shapely.Point(camera.lon, camera.lat), "intersects")) == 1
        assert town.grids.owner((camera.lon, camera.lat)).level == 3
        assert town.grids.micro((camera.lon, camera.lat)) is not None


def test_most_grids_have_a_camera_and_cameras_keep_their_distance(town):
    seen = {town.grids.owner((camera.lon, camera.lat)).code for camera in town.cameras}
    assert len(seen) > 140
    for one, other in zip(town.cameras, town.cameras[1:], strict=False):
        assert distance_m(one, other) > 5


def test_every_camera_sees_the_ground(town):
    for camera in town.cameras:
        plane = plane_of(camera)
        assert 4 <= camera.height_m <= 8
        assert 60 <= camera.hfov_deg <= 100
        assert 5 < plane.distance_m(0.5, 0.5) < 40
        assert plane.horizon_v() < 0.5


def test_no_address_of_a_camera_can_be_reached_or_holds_credentials(town):
    assert all(".yulong.invalid/" in camera.url for camera in town.cameras)
    assert not any("@" in camera.url for camera in town.cameras)


def test_making_it_again_gives_the_same_bytes(tmp_path):
    script = ROOT / "scripts" / "make_yulong"
    subprocess.run([sys.executable, script, "--out", tmp_path], check=True, timeout=60)
    for name in ("grids.geojson", "cameras.csv", "settings.yaml"):
        assert (tmp_path / name).read_bytes() == (YULONG / name).read_bytes(), name
    assert (YULONG / "grids.geojson").stat().st_size < 1_500_000


def test_the_owner_of_a_place_is_known_in_well_under_a_millisecond(town):
    corners = [point for grid in standard(town) for point in grid.shape.exterior.coords]
    places = [(camera.lon, camera.lat) for camera in town.cameras] + corners
    started = time.perf_counter()
    for place in places:
        town.grids.owner(place)
    assert (time.perf_counter() - started) / len(places) < 0.3e-3


def test_a_corner_of_three_grids_has_one_owner_and_three_neighbours(town):
    corners: dict[tuple[float, float], list[str]] = {}
    for grid in standard(town):
        for point in list(grid.shape.exterior.coords)[:-1]:
            corners.setdefault(point, []).append(grid.code)
    shared = {point: codes for point, codes in corners.items() if len(codes) == 3}
    assert len(shared) > 100
    for (lon, lat), codes in shared.items():
        near = town.grids.near(Place(lon, lat, 0.005, "pose"))
        assert {grid.code for grid in near if grid.kind == "standard"} == set(codes)
        assert near[0].kind == "dedicated" or near[0].code == min(codes)
