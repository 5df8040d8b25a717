"""Every place has exactly one owner, and a grid map that would blur that is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GridMapError, UnknownGridError
from pipeline.town import LocalFrame, Member, Place, from_wgs84, load_grids

FRAME = LocalFrame(113.445, 34.785)


def ring(west, south, east, north):
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return [list(FRAME.lonlat(x, y)) for x, y in corners]


def feature(code, name, level, kind, parent, *rings, **properties):
    described = {"code": code, "name": name, "level": level, "kind": kind, "parent": parent}
    return {
        "type": "Feature",
        "properties": described | properties,
        "geometry": {"type": "Polygon", "coordinates": list(rings)},
    }


def town_map():
    """A town 2 km wide: a village with two grids side by side, one with a dedicated yard."""
    return {
        "type": "FeatureCollection",
        "datum": "wgs84",
        "features": [
            feature("1", "豫龙镇", 1, "standard", None, ring(-1000, -1000, 1000, 1000)),
            feature("101", "茹寨村", 2, "standard", "1", ring(-1000, 0, 1000, 1000)),
            feature("10101", "茹寨村第1网格", 3, "standard", "101", ring(-1000, 0, 0, 1000),
                    members=[{"name": "王建国", "phone": "10000000001", "role": "head"},
                             {"name": "李玉梅"}]),
            feature("10102", "茹寨村第2网格", 3, "standard", "101", ring(0, 0, 1000, 1000)),
            feature("1900", "产业园专属网格", 3, "dedicated", "1", ring(400, 400, 600, 600)),
            feature("1010101", "第1微网格", 3, "micro", "10101", ring(-1000, 0, 0, 500)),
        ],
    }  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def to(document):
        path = tmp_path / "grids.geojson"
        text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return path

    return to


@pytest.fixture
def grids(write):
    return load_grids(write(town_map()))


def at(x_m, y_m):
    return FRAME.lonlat(x_m, y_m)


def place(x_m, y_m, radius_m):
    return Place(*at(x_m, y_m), radius_m, "pose")


@pytest.mark.parametrize(
    "x_m, y_m, code",
    [
        (-500, 500, "10101"),
        (500, 200, "10102"),
        (500, 500, "1900"),  # dedicated wins over the standard grid around it
        (400, 500, "1900"),  # its border is its own
        (500, -500, "1"),  # in the town, but in no third-level grid
        (5000, 5000, "1"),  # outside of all
        (0, 500, "10101"),  # a border belongs to the code that sorts first
    ],
)
def test_every_place_has_one_owner(grids, x_m, y_m, code):
    assert grids.owner(at(x_m, y_m)).code == code
    assert grids.owner(place(x_m, y_m, 5)) is grids.owner(at(x_m, y_m))


def test_a_second_level_grid_owns_what_no_third_level_grid_holds(write):
    document = town_map()
    del document["features"][3]
    assert load_grids(write(document)).owner(at(500, 200)).code == "101"


def test_a_crack_between_grids_belongs_to_the_nearest(write):
    document = town_map()
    document["features"][3]["geometry"]["coordinates"] = [ring(0.6, 0, 1000, 1000)]
    grids = load_grids(write(document))
    assert grids.owner(at(0.1, 900)).code == "10101"
    assert grids.owner(at(0.5, 900)).code == "10102"


def test_near_lists_what_the_error_radius_touches_the_owner_first(grids):
    assert [grid.code for grid in grids.near(place(-30, 500, 40))] == ["10101", "10102"]
    assert [grid.code for grid in grids.near(place(30, 500, 40))] == ["10102", "10101"]
    assert [grid.code for grid in grids.near(place(-300, 500, 40))] == ["10101"]
    assert [grid.code for grid in grids.near(place(390, 500, 40))] == ["10102", "1900"]
    assert [grid.code for grid in grids.near(place(500, 1030, 40))] == ["1", "10102"]


@given(x=st.floats(-1500, 1500), y=st.floats(-1500, 1500), radius=st.floats(0, 80))
def test_the_owner_is_always_first_among_the_near(tmp_path_factory, x, y, radius):
    path = tmp_path_factory.getbasetemp() / "near.geojson"
    if not path.exists():
        path.write_text(json.dumps(town_map()))
    grids = load_grids(path)
    near = grids.near(place(x, y, radius))
    assert near[0] is grids.owner(at(x, y))
    assert len(set(near)) == len(near)


def test_a_micro_grid_is_an_address_and_never_an_owner(grids):
    assert grids.micro(at(-500, 200)).code == "1010101"
    assert grids.micro(at(-500, 800)) is None
    assert grids.address(at(-500, 200)) == "豫龙镇茹寨村第1网格第1微网格"
    assert grids.address(place(500, 500, 3)) == "豫龙镇产业园专属网格"
    assert grids.address(at(9000, 0)) == "豫龙镇"


def test_grids_are_found_by_code_and_unknown_codes_get_a_hint(grids):
    assert grids.get("10102").name == "茹寨村第2网格"
    assert "10102" in grids
    with pytest.raises(UnknownGridError, match=r"no grid '10103'; close to it: 1010"):
        grids.get("10103")


def test_members_and_heads_are_kept(grids):
    assert grids.get("10101").members == (
        Member("王建国", "10000000001", "head"),
        Member("李玉梅", None, "member"),
    )


def test_the_distance_to_the_town_is_in_metres(grids):
    assert grids.outside_m(at(0, 0)) == 0
    assert grids.outside_m(at(1300, 0)) == pytest.approx(300, abs=0.5)


def test_a_map_in_another_datum_gives_the_same_town(write, grids):
    document = town_map()
    for item in document["features"]:
        for positions in item["geometry"]["coordinates"]:
            positions[:] = [list(from_wgs84(lon, lat, "gcj02")) for lon, lat in positions]
        item["properties"]["datum"] = "gcj02"
    del document["datum"]
    converted = load_grids(write(document))
    for grid in grids:
        assert converted.get(grid.code).shape.equals_exact(grid.shape, 1e-9)


def test_multipolygons_holes_codes_as_numbers_and_foreign_properties_are_fine(write):
    document = town_map()
    yard = document["features"][4]
    yard["properties"] |= {"code": 1900, "OBJECTID": 7}
    yard["geometry"] = {
        "type": "MultiPolygon",
        "coordinates": [
            [ring(400, 400, 600, 600), ring(450, 450, 550, 550)],
            [ring(700, 700, 800, 800)],
        ],
    }
    grids = load_grids(write(document))
    assert grids.owner(at(420, 420)).code == grids.owner(at(750, 750)).code == "1900"
    assert grids.owner(at(500, 500)).code == "10102"


def test_rounding_slivers_are_no_overlap(write):
    document = town_map()
    document["features"][3]["geometry"]["coordinates"] = [ring(-0.0009, 0, 1000, 1000)]
    assert len(load_grids(write(document))) == 6


def properties(index, **changes):
    return lambda document: document["features"][index]["properties"].update(changes)


def geometry(index, **changes):
    return lambda document: document["features"][index]["geometry"].update(changes)


def bow_tie():
    return [list(at(x, y)) for x, y in [(0, 0), (900, 900), (900, 0), (0, 900), (0, 0)]]


@pytest.mark.parametrize(
    "change, told",
    [
        (properties(3, code="10101"), r"feature 3 \(10101\): code stands twice; found also.* 2"),
        (properties(3, code=""), "feature 3 .*code: is not allowed"),
        (properties(3, level=4), r"feature 3 \(10102\).level: is not allowed; found 4"),
        (properties(3, kind="special"), r"feature 3 \(10102\).kind"),
        (properties(3, parent="102"), r"feature 3 \(10102\): unknown parent; found '102'.*101"),
        (properties(3, parent=None), "unknown parent; found None"),
        (properties(3, parent="10101"), "parent of the wrong level"),
        (properties(5, parent="5"), r"feature 5 \(1010101\): unknown parent"),
        (properties(0, parent="101"), "level-1 grid must be standard and without a parent"),
        (properties(0, level=2), "exactly one grid of level 1; found none"),
        (properties(1, level=1, parent=None), "exactly one grid of level 1; found 1, 101"),
        (properties(2, members=[{"nme": "x"}]), r"members.0.name: field missing|unknown field"),
        (lambda d: d["features"][3]["properties"].pop("name"), r"\(10102\).name: field missing"),
        (lambda d: d.pop("datum"), r"feature 0 \(1\): coordinates without a datum"),
        (lambda d: d.update(datum="gcj20"), "did you mean gcj02"),
        (lambda d: d.update(datum="epsg:4547"), "degrees given under epsg:4547"),
        (lambda d: d.update(type="Feature"), "is no grid map; found Feature"),
        (lambda d: d.update(features=[]), "holds no grids"),
        (lambda d: d["features"].append(7), "feature 6: is no feature"),
        (geometry(3, type="Point"), "is no area; found Point"),
        (geometry(3, coordinates=[]), r"feature 3 \(10102\): is empty"),
        (geometry(3, coordinates=[ring(0, 0, 9, 9)[:3]]), "too short or not closed; found 3 p"),
        (geometry(3, coordinates=[ring(0, 0, 9, 9)[:4]]), "too short or not closed; found 4 p"),
        (geometry(3, coordinates=[[["a", 1]] * 4]), r"not a position; found \['a', 1\]"),
        (geometry(3, coordinates=[ring(0, 0, 0, 0)]), "has no area"),
        (geometry(3, coordinates=[[p[::-1] for p in ring(0, 0, 9, 9)]]), "lon and lat seem exch"),
        (geometry(3, coordinates=[bow_tie()]),
         r"feature 3 \(10102\): crosses itself.*found Self-intersection\[113\.44\d+ 34\.78\d+\]"),
        (geometry(3, coordinates=[ring(-100, 0, 1000, 1000)]),
         r"features 2 \(10101\) and 3 \(10102\): grids overlap; found 100\d{3} m² .* 113\.44\d+"),
    ],
)  # fmt: skip
def test_a_wrong_map_is_refused_by_feature_and_code(write, change, told):
    document = town_map()
    change(document)
    path = write(document)
    with pytest.raises(GridMapError, match=told) as caught:
        load_grids(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "is not JSON"),
        ('{"type": "FeatureCollection",\n "features": [}', "line 2: is not JSON"),
        ("[1, 2]", "is no grid map; found list"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_geojson_is_refused(write, text, told):
    with pytest.raises(GridMapError, match=told):
        load_grids(write(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    spot=st.sampled_from(
        ["features", "datum", "properties", "geometry", "code", "level", "parent", "members",
         "coordinates", "ring", "point", "number"]
    ),
    value=json_values,
)  # fmt: skip
def test_whatever_stands_in_a_map_it_is_read_or_refused(tmp_path_factory, spot, value):
    document = town_map()
    item = document["features"][3]
    if spot in document:
        document[spot] = value
    elif spot in item:
        item[spot] = value
    elif spot in item["properties"] or spot == "members":
        item["properties"][spot] = value
    elif spot == "coordinates":
        item["geometry"][spot] = value
    else:
        rings = item["geometry"]["coordinates"]
        depth = {"ring": rings, "point": rings[0], "number": rings[0][1]}[spot]
        depth[0] = value
    path = tmp_path_factory.getbasetemp() / "any.geojson"
    path.write_text(json.dumps(document))
    try:
        grids = load_grids(path)
    except GridMapError:
        return
    assert grids.owner(at(-500, 500)).code == "10101"


def test_a_missing_map_is_refused(tmp_path):
    with pytest.raises(GridMapError, match="cannot be read"):
        load_grids(tmp_path / "none.geojson")


def test_the_example_in_the_handbook_is_a_town(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "town.md").read_text(encoding="utf-8")
    example = text[text.index('    {"type": "FeatureCollection"') :].split("\n\n")[0]
    path = tmp_path / "grids.geojson"
    path.write_text(example, encoding="utf-8")
    grids = load_grids(path)
    assert grids.owner((113.43, 34.78)).code == "T-01"
    assert grids.owner((113.41, 34.78)).level == 1
