"""What is kept compressed can be sent to another process and decoded there."""

import pickle

import numpy as np
import pytest

from pipeline.ingest import picture_of
from pipeline.ingest.evidence import FileMoment, PacketRing, frame_of_group
from pipeline.ingest.streams import FileStream


def ring_of(clip, **limit):
    """(ring with all packets of the clip, their times)."""
    ring, stream, times = PacketRing(**limit), FileStream(clip), []
    for arrival in stream.arrivals():
        ring.add(stream.codec, arrival)
        times.append(arrival.captured_at)
    stream.close()
    return ring, times


@pytest.mark.parametrize("gop", [1, 10])
def test_a_kept_group_gives_the_very_picture_after_a_journey(make_clip, gop):
    clip = make_clip(gop=gop, seconds=4)
    ring, times = ring_of(clip)
    for at in times[:: max(1, gop // 3)]:
        group = pickle.loads(pickle.dumps(ring.group_at(at)))
        from_file = picture_of(pickle.loads(pickle.dumps(FileMoment(clip, at))))
        assert (picture_of(group) == from_file).all()


def test_only_what_is_needed_for_the_picture_travels(make_clip):
    ring, times = ring_of(make_clip(gop=10, seconds=4))
    assert len(ring.group_at(times[10]).packets) == 1
    assert len(ring.group_at(times[13]).packets) == 4
    assert ring.group_at(times[0] - 1) is None


def test_the_ring_keeps_the_newest_whole_groups_within_its_limit(make_clip):
    ring, times = ring_of(make_clip(gop=5, seconds=10), limit=12_000)
    kept = [at for at in times if ring.group_at(at) is not None]
    assert kept
    assert kept == times[-len(kept) :]
    assert len(kept) < len(times)


def test_the_ring_lets_go_of_what_is_older_than_a_minute(make_clip):
    ring, times = ring_of(make_clip(gop=5, fps=1, seconds=181))
    kept = [at for at in times if ring.group_at(at) is not None]
    assert kept == [at for at in times if at >= times[-1] - 60]


def test_the_ring_keeps_the_newest_two_groups_however_far_apart(make_clip):
    ring, times = ring_of(make_clip(gop=90, fps=1, seconds=270))
    assert [at for at in times[::90] if ring.group_at(at) is not None] == times[90::90]


def test_a_group_that_was_damaged_gives_no_picture_rather_than_a_broken_one(make_clip):
    ring, times = ring_of(make_clip(gop=5))
    group = ring.group_at(times[0])
    noise = np.random.default_rng(1).integers(0, 256, 3000, np.uint8).tobytes()
    broken = type(group)(group.codec, (noise,))
    assert frame_of_group(broken) is None
    assert picture_of(broken) is None
    half = type(group)(group.codec, (group.packets[0][: len(group.packets[0]) // 2],))
    assert frame_of_group(half) is None
