"""Clips encoded anew: their rhythm, and what a spoilt picture is to the judge of pictures."""

from itertools import pairwise
from typing import get_args

import av
import pytest

from pipeline.ingest.health import PictureHealth
from pipeline.ingest.look import Look
from pipeline.rehearsal import load_clips
from pipeline.rehearsal.clips import Spoilt, made, order_of
from pipeline.rehearsal.packets import prepare
from pipeline.rehearsal.scenario import ClipPlan

PLAN = ClipPlan(of="quiet_street", fps=5, key_every_s=2, width=320, height=180)


@pytest.fixture(scope="module")
def street():
    return next(clip for clip in load_clips() if clip.name == "quiet_street").path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


def test_key_frames_keep_their_rhythm_over_the_end_of_the_clip(street, folder):
    clip = prepare(made(street, PLAN, folder))
    keys = [clip.due_s(at) for at in range(2 * len(clip.frames)) if clip.is_key(at)]
    gaps = {round(later - earlier, 3) for earlier, later in pairwise(keys)}
    assert gaps == {2.0}


def places(plan, hazard_at_s=None, count=180):
    return order_of(count, 5.0, ClipPlan(of="x", fps=5, key_every_s=5, **plan), hazard_at_s)


def runs(order, gop=25):
    return [order[at : at + gop] for at in range(0, len(order), gop)]


def test_a_quiet_street_goes_on_at_another_moment_from_each_key_frame_on():
    order = places({})
    assert len(order) == 1000
    assert all(run == list(range(run[0], run[0] + 25)) for run in runs(order))
    keys = order[::25]
    assert len(set(keys)) > 30
    for gap in range(1, 20):  # however far apart looks are, they meet no rhythm
        steps = [later - earlier for earlier, later in zip(keys, keys[gap:], strict=False)]
        assert len(set(steps)) > len(steps) / 2


def test_a_slower_street_moves_half_as_far():
    order = places({"slower": 2.0})
    assert all(run[-1] - run[0] <= 12 for run in runs(order))


def test_a_hazard_comes_after_its_lead_and_stays():
    order = places({"lead_s": 60, "stays_s": 120}, hazard_at_s=10.0)
    assert len(order) == 25 * ((300 + 130 + 600) // 25)
    assert max(order[:300]) < 50  # quiet
    assert order[300:430] == list(range(50, 180))  # it happens
    assert min(order[430:]) >= 130  # the end, again and again
    assert len(set(order[430::25])) > 5


def test_a_hazard_without_a_lead_is_played_as_it_is():
    assert places({}, hazard_at_s=10.0) == list(range(175))


def test_key_frames_further_apart_than_the_source_is_long_hold_its_last_picture():
    plan = ClipPlan(of="x", fps=5, key_every_s=60)
    order = order_of(180, 5.0, plan, None)
    assert order[:300] == [*range(180), *[179] * 120]


def test_a_street_without_a_hazard_knows_neither_lead_nor_end():
    assert places({"lead_s": 60, "stays_s": 120}) == places({})


def test_a_clip_is_made_once(street, folder):
    before = made(street, PLAN, folder).stat().st_mtime_ns
    assert made(street, PLAN, folder).stat().st_mtime_ns == before


def test_it_can_be_made_as_h265(street, folder):
    with av.open(made(street, PLAN.model_copy(update={"codec": "h265"}), folder)) as container:
        assert container.streams.video[0].codec_context.name == "hevc"


@pytest.mark.parametrize("spoilt", get_args(Spoilt))
def test_a_spoilt_clip_has_the_same_frames_at_the_same_times(street, folder, spoilt):
    whole = prepare(made(street, PLAN, folder))
    other = prepare(made(street, PLAN, folder, spoilt))
    assert [frame.due_s for frame in other.frames] == [frame.due_s for frame in whole.frames]
    assert [frame.key for frame in other.frames] == [frame.key for frame in whole.frames]


def states(file):
    """What the pictures of a clip's key frames say of the camera."""
    health, found = PictureHealth(after_s=3), []
    with av.open(file) as container:
        container.streams.video[0].codec_context.skip_frame = "NONKEY"
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format="yuv420p")
            region = (0.0, 0.0, float(frame.width), float(frame.height))
            size = (frame.width, frame.height)
            look = Look("c", float(frame.time), region, size, picture)
            found.append(health.judge(look).state)
    return found


def test_a_black_picture_is_dark_but_not_frozen(street, folder):
    assert states(made(street, PLAN, folder, "black"))[-1] == "dark"


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_frozen_picture_is_the_same_at_every_key_frame(street, folder, codec):
    plan = PLAN.model_copy(update={"codec": codec})
    found = states(made(street, plan, folder, "frozen"))
    assert found[-1] == "frozen"
    assert found.count("frozen") >= len(found) - 4


@pytest.mark.parametrize("spoilt", [None, "turned"])
def test_other_pictures_are_neither_dark_nor_frozen(street, folder, spoilt):
    assert not {"dark", "frozen"} & set(states(made(street, PLAN, folder, spoilt)))
