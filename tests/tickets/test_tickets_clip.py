"""Clips: the seconds around a finding, every frame covered, or no clip at all."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from evidence_help import (
    SIZE,
    detail,
    footage,
    frames_of,
    noise,
    number_of,
    numbered,
    ring_of,
    seen,
)
from ticket_town import NOON

from pipeline.errors import EvidenceError
from pipeline.ingest import PacketGroup, picture_of
from pipeline.ingest.evidence import FileMoment
from pipeline.tickets import Snapshot
from pipeline.tickets.clip import GAP_S, clip_of, half, moments_between, steady

NOBODY = seen()
PERSON = ("person", (300.0, 100.0, 360.0, 280.0))
CAR = ("car", (60.0, 120.0, 260.0, 260.0))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Ten numbered key frames, a second apart."""
    return footage(tmp_path_factory.mktemp("film") / "ten.mp4", 10)


def numbers(moments) -> list[int]:
    return [number_of(picture_of(kept)) for _, kept in moments]


def test_the_key_frames_of_the_seconds_asked_for_come_in_order(film):
    ring = ring_of(film, NOON)
    moments = moments_between(ring.group_at, NOON + 2.5, NOON + 6.5)
    assert numbers(moments) == [3, 4, 5, 6]
    assert [at - NOON for at, _ in moments] == pytest.approx([3, 4, 5, 6], abs=0.01)


def test_seconds_that_the_ring_no_longer_holds_are_left_out(film):
    ring = ring_of(film, NOON)
    assert moments_between(ring.group_at, NOON - 9, NOON - 1) == []
    assert numbers(moments_between(ring.group_at, NOON - 9, NOON + 1.2)) == [0, 1]
    assert moments_between(lambda _at: None, NOON, NOON + 4) == []


def test_pictures_nearer_than_needed_are_thinned(tmp_path):
    ring = ring_of(footage(tmp_path / "dense.mp4", 12, apart_s=0.25), NOON)
    times = [at for at, _ in moments_between(ring.group_at, NOON, NOON + 3)]
    assert len(times) == 3
    assert min(np.diff(times)) >= GAP_S


def test_a_recorded_file_gives_its_moments_too(film):
    moments = moments_between(lambda at: FileMoment(film, at), 2.0, 4.9)
    assert numbers(moments) == sorted(numbers(moments))
    assert set(numbers(moments)) == {2, 3, 4}


def test_a_workers_word_about_times_ends_the_search_all_the_same(film):
    group = ring_of(film, NOON).group_at(NOON)
    assert isinstance(group, PacketGroup)
    asked = []

    def liar(at: float) -> PacketGroup:
        asked.append(at)
        return PacketGroup(group.codec, group.packets, received_at=NOON + 1e9)

    moments_between(liar, NOON, NOON + 9)
    assert len(asked) in (10, 11)  # 9 s in steps of 0.9


def test_two_stretches_are_one_without_the_picture_they_share(film):
    ring = ring_of(film, NOON)
    before = moments_between(ring.group_at, NOON + 1, NOON + 4)
    after = moments_between(ring.group_at, NOON + 4, NOON + 7)
    assert numbers(half(before, after)) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(half([], after)) == [4, 5, 6, 7]


def made(look, count: int = 6, **more) -> bytes:
    frames = ((NOON + number, look(numbered(number))) for number in range(count))
    return clip_of(frames, more.get("camera", "cam-1"), NOON + 2, more.get("longest_px", 1280))


def test_a_clip_shows_every_picture_in_its_own_time():
    data = made(NOBODY)
    frames = frames_of(data)
    assert [number_of(picture) for _, picture in frames] == [0, 1, 2, 3, 4, 5, 5]
    assert [at for at, _ in frames] == pytest.approx([0, 1, 2, 3, 4, 5, 6], abs=0.01)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
    assert data.index(b"moov") < data.index(b"mdat")  # a page can play it while it comes


def test_large_pictures_become_smaller_clips():
    frame = frames_of(made(NOBODY, longest_px=320))[0][1]
    assert frame.shape[1] == 320
    assert 180 < frame.shape[0] < 210  # with the caption


@pytest.mark.parametrize(
    "what, covered, open_",
    [
        (PERSON, (slice(104, 146), slice(304, 356)), (slice(180, 270), slice(310, 350))),
        (CAR, (slice(190, 258), slice(64, 256)), (slice(270, 340), slice(64, 256))),
        (CAR, (slice(130, 180), slice(84, 236)), (slice(10, 100), slice(84, 236))),
    ],
)
def test_faces_and_plates_are_covered_in_every_frame(what, covered, open_):
    plain = frames_of(made(NOBODY))
    blurred = frames_of(made(seen(what)))
    assert len(blurred) == len(plain) == 7
    for (_, before), (_, after) in zip(plain, blurred, strict=True):
        assert detail(after[covered]) < 0.3 * detail(before[covered])
        assert detail(after[open_]) > 0.8 * detail(before[open_])


def test_somebody_who_walks_is_covered_wherever_he_is():
    def look(picture: np.ndarray) -> Snapshot:
        left = 100.0 + 80 * number_of(picture)
        return seen(("person", (left, 100.0, left + 60, 280.0)))(picture)

    for (_, before), (_, after) in zip(frames_of(made(NOBODY)), frames_of(made(look)), strict=True):
        left = 100 + 80 * number_of(after)
        head = slice(104, 146), slice(left + 4, left + 56)
        assert detail(after[head]) < 0.3 * detail(before[head])


def test_who_stands_still_is_covered_in_the_one_frame_where_nobody_saw_him():
    def look(picture: np.ndarray) -> Snapshot:
        return NOBODY(picture) if number_of(picture) == 3 else seen(PERSON)(picture)

    head = slice(104, 146), slice(304, 356)
    for (_, before), (_, after) in zip(frames_of(made(NOBODY)), frames_of(made(look)), strict=True):
        assert detail(after[head]) < 0.3 * detail(before[head])


def test_who_has_gone_on_covers_nothing_in_between():
    rows = [
        ("person", (100.0, 100.0, 160.0, 280.0)),
        None,
        ("person", (400.0, 100.0, 460.0, 280.0)),
    ]
    shots = [(float(n), seen(*([row] if row else []))(noise(n))) for n, row in enumerate(rows)]
    assert [len(one.class_names) for _, one in steady(shots)] == [1, 0, 1]


def test_steady_gives_every_frame_once_and_in_order():
    for count in range(5):
        shots = [(float(number), NOBODY(numbered(number))) for number in range(count)]
        found = list(steady(shots))
        assert [at for at, _ in found] == [at for at, _ in shots]
        assert [number_of(one.picture) for _, one in found] == list(range(count))


def unseen(picture: np.ndarray) -> Snapshot:
    return Snapshot(picture, None, [])


def broken(picture: np.ndarray) -> Snapshot:
    return Snapshot(picture, np.full((1, 4), np.nan, np.float32), ["person"])


def fails(picture: np.ndarray) -> Snapshot:
    raise RuntimeError("the detector is gone")


@pytest.mark.parametrize("trouble", [unseen, broken, fails])
@pytest.mark.parametrize("bad", [0, 3, 5])
def test_one_frame_that_cannot_be_covered_means_no_clip(trouble, bad):
    def look(picture: np.ndarray) -> Snapshot:
        return trouble(picture) if number_of(picture) == bad else NOBODY(picture)

    with pytest.raises(EvidenceError):
        made(look)


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_frames_are_no_clip(count):
    with pytest.raises(EvidenceError, match="no clip"):
        made(NOBODY, count)


def test_a_camera_that_changes_its_size_still_gives_a_clip():
    small = numbered(1)[::2, ::2].copy()
    frames = [(NOON, NOBODY(numbered(0))), (NOON + 1, NOBODY(small))]
    shapes = {picture.shape for _, picture in frames_of(clip_of(frames, "cam-1", NOON, 1280))}
    assert len(shapes) == 1
    assert shapes.pop()[1] == SIZE[0]


def test_without_an_encoder_there_is_no_clip(monkeypatch):
    monkeypatch.setattr("pipeline.tickets.clip._ENCODER", "no-such-encoder")
    with pytest.raises(EvidenceError, match="no encoder"):
        made(NOBODY)
