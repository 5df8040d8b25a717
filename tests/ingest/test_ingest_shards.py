import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.ingest import shard_of
from pipeline.town import Camera

TOWN = [Camera(f"YL-{number:04}", "", "rtsp://192.0.2.1/1", 113.4, 34.8) for number in range(1051)]


def ids(cameras):
    return [camera.camera_id for camera in cameras]


@given(st.integers(1, 40))
def test_every_camera_is_in_exactly_one_part(parts):
    found = [id_ for k in range(1, parts + 1) for id_ in ids(shard_of(TOWN, f"{k}/{parts}"))]
    assert sorted(found) == ids(TOWN)


def test_the_parts_are_about_even():
    sizes = [len(shard_of(TOWN, f"{k}/5")) for k in range(1, 6)]
    assert min(sizes) >= 180
    assert max(sizes) <= 240


def test_a_part_keeps_the_order_and_does_not_depend_on_the_rest_of_the_list():
    part = ids(shard_of(TOWN, "2/5"))
    assert part == sorted(part)
    fewer = random.Random(3).sample(TOWN, 500)
    assert set(ids(shard_of(fewer, "2/5"))) == set(part) & set(ids(fewer))


def test_the_division_is_the_same_on_every_box_and_in_every_version():
    assert ids(shard_of(TOWN[:9], "1/3")) == ["YL-0003", "YL-0005", "YL-0006", "YL-0008"]


@pytest.mark.parametrize(
    "shard",
    ["", "0/5", "6/5", "1/0", "2", "2/5/7", "-1/5", "1.5/5", "a/b", " 1/5", "²/5", "1/99999"],
)
def test_nonsense_is_refused_with_what_is_allowed(shard):
    with pytest.raises(InputError) as caught:
        shard_of(TOWN, shard)
    for word in ("--shard", repr(shard), "2/5"):
        assert word in str(caught.value)
