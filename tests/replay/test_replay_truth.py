"""truth.jsonl: what was written comes back, and what is wrong is named with its line and field."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import TruthError
from pipeline.replay import TruthEvent, load_truth

LINE = {
    "camera_id": "crash",
    "hazard": "blockage",
    "start_s": 8.0,
    "end_s": None,
    "box": [0.5, 0.7, 0.8, 1.0],
    "lon": None,
    "lat": None,
}


def _ordered(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).filter(
        lambda pair: pair[0] < pair[1]
    )


boxes = st.tuples(_ordered(0, 1), _ordered(0, 1)).map(
    lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1])
)
events = st.builds(
    lambda camera_id, hazard, times, ends, box, place: TruthEvent(
        camera_id=camera_id,
        hazard=hazard,
        start_s=times[0],
        end_s=times[1] if ends else None,
        box=box,
        lon=place and place[0],
        lat=place and place[1],
    ),
    st.text(min_size=1, max_size=20),
    st.sampled_from(("road_collapse", "road_damage", "blockage", "crowd")),
    _ordered(0, 1e6),
    st.booleans(),
    st.none() | boxes,
    st.none() | st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
)


def write(path, *lines):
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.lists(events, max_size=5))
def test_events_that_are_written_come_back(tmp_path, wanted):
    path = write(tmp_path / "truth.jsonl", *(event.model_dump_json() for event in wanted))
    assert load_truth(path) == wanted


def test_empty_lines_are_passed_over(tmp_path):
    assert len(load_truth(write(tmp_path / "truth.jsonl", "", LINE, "  ", LINE))) == 2


def test_a_name_may_hold_what_unicode_calls_a_line_end(tmp_path):
    wanted = TruthEvent.model_validate(LINE | {"camera_id": "a\u2028b\x85c"})
    (found,) = load_truth(write(tmp_path / "truth.jsonl", wanted.model_dump_json()))
    assert found == wanted


def test_an_empty_file_has_no_events(tmp_path):
    (tmp_path / "truth.jsonl").write_text("")
    assert load_truth(tmp_path / "truth.jsonl") == []


@pytest.mark.parametrize(
    "change, field",
    [
        ({"hazard": "flood"}, "hazard"),
        ({"start_s": -1}, "start_s"),
        ({"start_s": "soon"}, "start_s"),
        ({"lat": 95.0, "lon": 0.0}, "lat"),
        ({"box": [0, 0, 2, 1]}, "box.2"),
        ({"box": [0, 0, 1]}, "box.3"),
        ({"camera": "x"}, "camera"),
        ({"end_s": 7.0}, "end_s must be later"),
        ({"box": [0.5, 0.5, 0.4, 0.6]}, "x1 < x2"),
        ({"lon": 113.0}, "both"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path, change, field):
    path = write(tmp_path / "truth.jsonl", LINE, LINE | change)
    with pytest.raises(TruthError) as caught:
        load_truth(path)
    text = str(caught.value)
    assert str(path) in text
    assert "line 2" in text
    assert field in text


@pytest.mark.parametrize("missing", LINE)
def test_a_missing_field_is_named(tmp_path, missing):
    line = {name: value for name, value in LINE.items() if name != missing}
    with pytest.raises(TruthError, match=rf"line 1, {missing}"):
        load_truth(write(tmp_path / "truth.jsonl", line))


@pytest.mark.parametrize("line", ["{", "camera_id,hazard", "{'camera_id': 1}", "9" * 5000])
def test_a_line_that_is_not_json_is_named(tmp_path, line):
    with pytest.raises(TruthError, match=r"line 2.* is not JSON"):
        load_truth(write(tmp_path / "truth.jsonl", LINE, line))


@pytest.mark.parametrize("line", ["[]", "3", "null", '"text"', "NaN"])
def test_a_line_that_is_no_object_is_refused(tmp_path, line):
    with pytest.raises(TruthError, match=r"line 1"):
        load_truth(write(tmp_path / "truth.jsonl", line))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_time_that_is_no_number_is_refused(tmp_path, number):
    line = json.dumps(LINE).replace("8.0", number)
    with pytest.raises(TruthError, match=r"line 1, start_s"):
        load_truth(write(tmp_path / "truth.jsonl", line))


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(TruthError, match="nowhere"):
        load_truth(tmp_path / "nowhere.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TruthError, match="binary"):
        load_truth(tmp_path / "binary.jsonl")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None
)
@given(st.binary(max_size=200))
def test_whatever_the_file_holds_it_is_read_or_refused(tmp_path, content):
    path = tmp_path / "any.jsonl"
    path.write_bytes(content)
    with suppress(TruthError):
        load_truth(path)
