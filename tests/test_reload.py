"""The camera list is taken over while the daemon runs; a wrong one leaves the old in force."""

from __future__ import annotations

import threading
from hashlib import sha256

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import ManualClock, SystemClock
from pipeline.reload import CameraListWatch
from pipeline.town import load_cameras

HEADER = "camera_id,name,url,lon,lat,datum,height_m,pitch_deg,heading_deg,hfov_deg\n"


def listed(*names: str, url: str = "rtsp://10.0.0.5") -> str:
    return HEADER + "".join(f"{name},东街,{url}/{name},113.4,34.8,wgs84,,,,\n" for name in names)


@pytest.fixture(autouse=True)
def said():
    with structlog.testing.capture_logs() as events:
        yield events


class Box:
    """A daemon's end of it: what it was told to watch, in order."""

    def __init__(self, path, *names: str) -> None:
        self.path = path
        self.write(listed(*names))
        self.applied: list[list[str]] = []
        self.watch = CameraListWatch(
            path,
            lambda: load_cameras(path),
            lambda cameras: self.applied.append([one.camera_id for one in cameras]),
            clock=ManualClock(100.0),
            in_force=load_cameras(path),
        )

    def write(self, text: str) -> None:
        self.path.write_text(text, "utf-8")

    def poll(self, times: int = 2) -> None:
        for _ in range(times):
            self.watch.poll()


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path / "cameras.csv", "a", "b")


def test_nothing_happens_while_the_list_is_as_it_was(box):
    box.poll(10)
    assert box.applied == []
    assert box.watch.problem == ""


def test_a_changed_list_is_in_force_after_two_polls(box, said):
    box.poll()
    box.write(listed("b", "c"))
    box.poll()
    assert box.applied == [["b", "c"]]
    box.poll(5)
    assert len(box.applied) == 1
    (event,) = [event for event in said if event["event"] == "camera_list_applied"]
    assert (event["added"], event["removed"], event["changed"]) == (["c"], ["a"], [])


def test_an_edited_row_is_a_change_and_shows_no_credentials(box, said):
    box.write(listed("a", "b", url="rtsp://admin:geheim@10.0.0.5"))
    box.poll()
    assert box.applied == [["a", "b"]]
    assert said[-1]["changed"] == ["a", "b"]
    assert "geheim" not in str(said)


def test_a_change_between_reading_and_watching_is_not_lost(box):
    box.write(listed("c"))  # before the first poll
    box.poll()
    assert box.applied == [["c"]]


def test_a_list_written_again_without_a_change_touches_nothing(box):
    box.poll()
    box.write(listed("b", "a"))  # the order is no change either
    box.poll(4)
    assert box.applied == []


def test_a_wrong_list_leaves_the_old_in_force_and_says_why(box, said):
    box.write(listed("a", "c").replace("wgs84", "wgs48", 1))
    box.poll(6)
    assert box.applied == []
    for words in ("cameras.csv", "line 2", "datum", "wgs48"):
        assert words in box.watch.problem
    refused = [event for event in said if event["event"] == "camera_list_refused"]
    assert len(refused) == 1, "once, not at every poll"
    assert refused[0]["why"] == box.watch.problem


def test_a_problem_ends_with_a_good_list(box):
    box.write("nonsense\n")
    box.poll()
    assert box.watch.problem
    box.write(listed("a", "b", "c"))
    box.poll()
    assert box.watch.problem == ""
    assert box.applied == [["a", "b", "c"]]


def test_and_with_the_old_one_put_back(box, said):
    box.write("nonsense\n")
    box.poll()
    box.write(listed("a", "b"))
    box.poll()
    assert box.watch.problem == ""
    assert box.applied == []
    assert said[-1]["event"] == "camera_list_good_again"


def test_a_list_that_is_gone_leaves_the_old_in_force(box):
    box.path.unlink()
    box.poll()
    assert "cannot be read" in box.watch.problem
    assert box.applied == []
    box.write(listed("a", "b", "c"))
    box.poll()
    assert box.watch.problem == ""
    assert box.applied == [["a", "b", "c"]]


def test_an_empty_list_is_refused(box):
    box.write("")
    box.poll()
    assert box.watch.problem
    assert box.applied == []


def test_an_editor_that_replaces_the_file_is_followed(box):
    box.poll()
    new = box.path.with_suffix(".new")
    new.write_text(listed("z"), "utf-8")
    new.replace(box.path)
    box.poll()
    assert box.applied == [["z"]]


def test_a_file_that_is_still_being_written_waits(box):
    text = listed("a", "b", "c", "d")
    for end in range(len(HEADER), len(text), 20):  # often a good, shorter list
        box.write(text[:end])
        box.poll(1)
    box.write(text)
    box.poll()
    assert box.applied == [["a", "b", "c", "d"]]


@pytest.mark.parametrize("first", ["nonsense\n", listed("x")])
def test_a_file_that_changes_while_it_is_read_is_judged_by_what_it_became(tmp_path, first, said):
    path = tmp_path / "cameras.csv"
    path.write_text(listed("a"), "utf-8")
    applied = []
    later = [listed("y")]

    def load():
        try:
            return load_cameras(path)
        finally:
            if later:
                path.write_text(later.pop(), "utf-8")

    watch = CameraListWatch(
        path, load, applied.append, clock=ManualClock(), in_force=load_cameras(path)
    )
    path.write_text(first, "utf-8")
    for _ in range(4):
        watch.poll()
    assert [[one.camera_id for one in cameras] for cameras in applied] == [["y"]]
    assert watch.problem == ""
    assert not [event for event in said if event["event"] == "camera_list_refused"]


@given(
    st.lists(
        st.one_of(
            st.lists(st.sampled_from("abcdef"), min_size=1, unique=True).map(lambda n: listed(*n)),
            st.sampled_from(["", "nonsense\n", HEADER, listed("a", "a"), listed("a")[:-30]]),
        ),
        max_size=8,
    ),
    st.lists(st.integers(0, 4), min_size=8, max_size=8),
)
@settings(deadline=None, max_examples=50)
def test_whatever_is_written_the_last_good_list_that_stayed_is_in_force(
    tmp_path_factory, texts, polls
):
    box = Box(tmp_path_factory.mktemp("town") / "cameras.csv", "a", "b")
    wanted = {"a", "b"}
    for text, times in zip(texts, polls, strict=False):
        box.write(text)
        box.poll(times)
        in_force = set(box.applied[-1]) if box.applied else {"a", "b"}
        lines = text.splitlines()[1:]
        names = [line.split(",")[0] for line in lines]
        good = names and len(set(names)) == len(names) and all("wgs84" in line for line in lines)
        if times >= 2 and good:
            wanted = set(names)
            assert in_force == wanted
            assert box.watch.problem == ""
        elif times >= 2:
            assert in_force == wanted
            assert box.watch.problem
        wanted = in_force


def test_a_change_is_in_force_within_ten_seconds_by_the_clock(tmp_path, eventually):
    path = tmp_path / "cameras.csv"
    path.write_text(listed("a"), "utf-8")
    clock, stop, applied = SystemClock(), threading.Event(), []
    watch = CameraListWatch(
        path,
        lambda: load_cameras(path),
        lambda cameras: applied.append(clock.monotonic()),
        clock=clock,
        in_force=load_cameras(path),
    )
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    try:
        began = clock.monotonic()
        path.write_text(listed("a", "b"), "utf-8")
        eventually(lambda: applied, 60)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    assert applied[0] - began < 10
    assert watch.applied_at == pytest.approx(clock.now(), abs=60)


def test_what_goes_wrong_in_taking_over_is_not_swallowed(box):
    def fail(_cameras):
        raise RuntimeError("a bug")

    watch = CameraListWatch(
        box.path,
        lambda: load_cameras(box.path),
        fail,
        clock=ManualClock(),
        in_force=load_cameras(box.path),
    )
    box.write(listed("c"))
    watch.poll()
    with pytest.raises(RuntimeError, match="a bug"):
        watch.poll()


def test_the_digest_is_that_of_the_file_whose_list_is_in_force(box):
    assert box.watch.digest == ""
    box.poll()
    first = box.watch.digest
    assert first == sha256(box.path.read_bytes()).hexdigest()
    box.write("nonsense")
    box.poll()
    assert box.watch.digest == first
    box.write(listed("c"))
    box.poll()
    assert box.watch.digest == sha256(box.path.read_bytes()).hexdigest()
