from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.assignment import SLACK, assigned
from pipeline.town import Camera


def cameras_of(**hosts):
    """``hosts``: how many cameras each has."""
    return [
        Camera(f"{host}-{n}", "", f"rtsp://u:p@{host}:554/{n}", 113.4, 34.8)
        for host, size in hosts.items()
        for n in range(size)
    ]


def sizes(shares):
    return sorted(len(cameras) for cameras in shares.values())


def moved(before, after):
    """Cameras that have another worker than they had."""
    home = {camera.camera_id: n for n, cameras in before.items() for camera in cameras}
    return {
        camera.camera_id
        for n, cameras in after.items()
        for camera in cameras
        if home.get(camera.camera_id, n) != n
    }


def test_as_many_workers_as_needed_share_evenly():
    single = cameras_of(**{f"h{n}": 1 for n in range(1051)})
    assert sizes(assigned(single, 150, {})) == [131, 131, 131, 131, 131, 132, 132, 132]
    assert assigned([], 150, {}) == {}
    assert sizes(assigned(single[:3], 150, {})) == [3]


def test_a_host_with_more_cameras_than_a_worker_may_hold_gets_one_of_its_own():
    shares = assigned(cameras_of(nvr=200, a=10, b=10), 50, {})
    assert sizes(shares)[-1] == 200
    assert all(len({c.url.split("/")[2] for c in s}) == 1 for s in shares.values() if len(s) == 200)


def test_a_host_that_the_settings_name_is_one_with_all_its_ports():
    cameras = [Camera(f"c{n}", "", f"rtsp://nvr:{554 + n}/", 113.4, 34.8) for n in range(6)]
    assert sizes(assigned(cameras, 3, {})) == [3, 3]
    assert sizes(assigned(cameras, 3, {}, named=["nvr"])) == [6]


def test_recordings_are_no_host():
    files = [Camera(f"f{n}", "", f"/clips/{n}.mp4", 113.4, 34.8) for n in range(20)]
    assert sizes(assigned(files, 5, {})) == [5, 5, 5, 5]


def test_a_camera_that_comes_or_goes_moves_no_other():
    town = cameras_of(**{f"h{n}": 8 for n in range(30)})
    before = assigned(town, 60, {})
    more = assigned([*town, *cameras_of(new=3)], 60, before)
    assert not moved(before, more)
    fewer = assigned([c for c in town if not c.camera_id.startswith("h7-")], 60, before)
    assert not moved(before, fewer)
    assert sum(sizes(fewer)) == 232


def test_a_worker_whose_hosts_grew_too_much_gives_its_smallest_away():
    before = assigned(cameras_of(a=20, b=20, c=10), 50, {})
    assert len(before) == 1
    some = assigned(cameras_of(a=30, b=20, c=10), 50, before)
    assert not moved(before, some)
    much = assigned(cameras_of(a=40, b=20, c=10), 50, before)
    assert {camera_id[0] for camera_id in moved(before, much)} == {"c"}


def test_a_number_is_used_again_after_its_worker_went():
    before = assigned(cameras_of(a=5, b=5), 5, {})
    one = assigned(cameras_of(b=5), 5, before)
    assert len(one) == 1
    assert sorted(assigned(cameras_of(b=5, c=5), 5, one)) == [0, 1]


hosts = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 30), max_size=10)


@settings(max_examples=200, deadline=None)
@given(st.lists(hosts, min_size=1, max_size=6), st.integers(1, 40))
def test_whatever_changes_every_camera_has_one_worker_and_every_host_too(lists, at_most):
    shares = {}
    for listed in lists:
        cameras = cameras_of(**listed)
        before, shares = shares, assigned(cameras, at_most, shares)
        watched = [camera for number in shares for camera in shares[number]]
        assert sorted(c.camera_id for c in watched) == sorted(c.camera_id for c in cameras)
        homes = [(c.camera_id[0], n) for n, mine in shares.items() for c in mine]
        assert len(set(homes)) == len(listed)
        for number, mine in shares.items():
            alone = len({c.camera_id[0] for c in mine}) == 1
            assert mine
            assert len(mine) <= at_most * SLACK or alone, (number, before)
        assert assigned(cameras, at_most, shares) == shares  # nothing changed, nothing moves
