"""The three files must be of one town, and a mixed-up datum is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import CameraListError, CoordinateError
from pipeline.settings import TownSettings
from pipeline.town import from_wgs84, load_town

YULONG = Path(__file__).parents[2] / "configs" / "yulong"
INSIDE = (113.445, 34.785)


@pytest.fixture
def settings(tmp_path):
    for name in ("grids.geojson", "duties.yaml"):
        shutil.copy(YULONG / name, tmp_path)

    def with_camera(lon, lat, datum):
        path = tmp_path / "cameras.csv"
        path.write_text(f"camera_id,url,lon,lat,datum\ngate,x.mp4,{lon},{lat},{datum}\n")
        return TownSettings(
            cameras=path, grids=tmp_path / "grids.geojson", duties=tmp_path / "duties.yaml"
        )

    return with_camera


def eastern_border(grids):
    """A place on the eastern border: 600 m of GCJ-02 push it out of the town."""
    lon, lat = max(grids.top.shape.exterior.coords)
    return lon - 1e-4, lat


def test_a_camera_inside_is_found_by_id(settings):
    town = load_town(settings(*INSIDE, "wgs84"))
    assert town.camera("gate") is town.cameras[0]
    with pytest.raises(CameraListError, match=r"no such camera; found 'gates'.*gate"):
        town.camera("gates")


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_a_camera_that_is_only_inside_in_another_datum_is_refused(settings, datum):
    grids = load_town(settings(*INSIDE, "wgs84")).grids
    shifted = from_wgs84(*eastern_border(grids), datum)
    assert load_town(settings(*shifted, datum)).cameras
    with pytest.raises(CoordinateError, match=f"camera gate: lies .* as wgs84.*sense as {datum}"):
        load_town(settings(*shifted, "wgs84"))


def test_a_shift_the_other_way_is_noticed_too(settings):
    grids = load_town(settings(*INSIDE, "wgs84")).grids
    lon, lat = min(grids.top.shape.exterior.coords)
    with pytest.raises(CoordinateError, match=r"as gcj02; .*makes sense as wgs84"):
        load_town(settings(lon + 1e-4, lat, "gcj02"))


def test_a_camera_just_across_the_border_is_welcome_and_the_town_owns_it(settings):
    grids = load_town(settings(*INSIDE, "wgs84")).grids
    lon, lat = max(grids.top.shape.exterior.coords)
    town = load_town(settings(lon + 0.0015, lat, "wgs84"))
    camera = town.camera("gate")
    assert town.grids.owner((camera.lon, camera.lat)).level == 1


def test_a_camera_of_another_town_is_refused(settings):
    with pytest.raises(CoordinateError, match=r"lies 6\d\d\.\d km outside 豫龙镇"):
        load_town(settings(116.39, 39.91, "wgs84"))
