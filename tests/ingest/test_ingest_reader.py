"""One camera's thread: when it opens, what it says of itself, and how little it flickers."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import ManualClock, SystemClock
from pipeline.ingest import Ingest, Source
from pipeline.ingest.state import SEEING, StateKeeper
from pipeline.rehearsal.city import CityCamera, Fault, FaultKind, running_city
from pipeline.settings import IngestSettings
from pipeline.town import Camera

SIZE = (320, 192)


def test_a_source_closed_while_it_waits_its_turn_never_opens():
    class Gate:
        """Its turn comes, but meanwhile everything was stopped."""

        def __enter__(self):
            source.close()

        def __exit__(self, *_):
            pass

    url, clock = "rtsp://127.0.0.1:1/x", SystemClock()
    source = Source("c", url, IngestSettings(), size=SIZE, clock=clock, gate=Gate())
    assert list(source.looks()) == []  # opening would raise: nobody listens on that port


def test_since_when_moves_only_with_the_state():
    clock = ManualClock(100)
    keeper = StateKeeper("c", clock)
    assert keeper.status(corrupt=0).state == "connecting"
    for now, state, why in ((110, "stalled", "a"), (120, "stalled", "b"), (130, "live", "")):
        clock.move_to(now)
        keeper.change(state, why)
        found = keeper.status(corrupt=2)
        assert (found.state, found.why, found.corrupt) == (state, why, 2)
        assert found.since_at == (130 if state == "live" else 110)


def test_a_look_is_counted_with_its_time():
    clock = ManualClock(100)
    keeper = StateKeeper("c", clock)
    keeper.shown("live", "")
    assert keeper.status(corrupt=0).looks == 0
    keeper.looked(99.5)
    found = keeper.status(corrupt=0)
    assert (found.looks, found.last_look_at, found.since_at) == (1, 99.5, 100)


def keeper_after(clock, *, blip_s=5.0):
    keeper = StateKeeper("c", clock, blip_s)
    keeper.shown("live", "")
    return keeper


def state_of(keeper):
    return keeper.status(corrupt=0).state


@given(st.floats(0, 4.9), st.sampled_from(sorted(SEEING)))
def test_a_blip_is_no_alarm(away_s, seeing):
    clock = ManualClock(100)
    keeper = keeper_after(clock)
    keeper.shown(seeing, "")
    keeper.change("unreachable", "the stream ended")
    clock.move_to(100 + away_s / 2)
    keeper.change("unreachable", "refused")
    clock.move_to(100 + away_s)
    assert state_of(keeper) == seeing
    keeper.shown(seeing, "")
    clock.move_to(1000)
    assert (state_of(keeper), keeper.status(corrupt=0).since_at) == (seeing, 100)


def test_what_lasts_is_said_with_its_newest_reason_and_its_first_moment():
    clock = ManualClock(100)
    keeper = keeper_after(clock)
    clock.move_to(200)
    keeper.change("unreachable", "the stream ended")
    clock.move_to(203)
    keeper.change("unauthorised", "check the password")
    clock.move_to(205)
    status = keeper.status(corrupt=0)
    assert (status.state, status.why, status.since_at) == (
        "unauthorised",
        "check the password",
        200,
    )
    keeper.change("unreachable", "no answer")  # once down, reasons follow at once
    assert state_of(keeper) == "unreachable"
    keeper.shown("live", "")
    assert state_of(keeper) == "live"


def test_what_is_no_blip_is_said_at_once():
    clock = ManualClock(100)
    keeper = keeper_after(clock)
    keeper.change("unreachable", "the stream ended")
    keeper.change("stalled", "no picture for 25 s", at_once=True)
    assert state_of(keeper) == "stalled"
    clock.move_to(200)
    assert state_of(keeper) == "stalled"  # the older reason doesn't come back
    connecting = StateKeeper("c", clock, 5.0)
    connecting.change("unreachable", "refused")
    assert state_of(connecting) == "unreachable"


def test_a_picture_of_a_camera_that_comes_and_goes_is_not_believed_yet():
    clock = ManualClock(100)
    keeper = keeper_after(clock)
    keeper.change("unreachable", "the stream ended", at_once=True)
    keeper.shown("live", "", believed=False)
    assert state_of(keeper) == "unreachable"
    assert keeper.status(corrupt=0).pictures == 2
    keeper.shown("live", "")
    assert state_of(keeper) == "live"
    keeper.shown("dark", "black", believed=False)  # one that is up may say more
    assert state_of(keeper) == "dark"


def test_why_a_camera_waits_is_said_until_it_was_tried():
    keeper = StateKeeper("c", ManualClock(), 5.0)
    keeper.waits("waits for its turn")
    assert keeper.status(corrupt=0).why == "waits for its turn"
    keeper.change("unauthorised", "check the password")
    keeper.waits("waits for its turn")
    assert keeper.status(corrupt=0).why == "check the password"
    keeper.failed()
    assert keeper.status(corrupt=0).failures == 1


def test_a_stream_that_breaks_for_a_moment_raises_no_alarm_and_one_that_flaps_does(
    tiny_clip, eventually
):
    settings = IngestSettings(
        open_timeout_s=4, read_timeout_s=4, backoff_first_s=0.02, backoff_most_s=0.1, blip_s=3
    )
    states = []
    with running_city({"clip": tiny_clip}, {"c": CityCamera("clip")}) as city:
        camera = Camera("c", "c", city.url("c"), 113.4, 34.8)
        with Ingest(
            [camera], settings, size=SIZE, clock=SystemClock(), deliver=lambda look: None
        ) as ingest:

            def status():
                states.append(ingest.statuses()["c"])
                return states[-1]

            eventually(lambda: status().state == "live", 30)
            before, first = status().pictures, len(states)
            city.set_fault("c", Fault(FaultKind.CLOSE, after_s=3600))  # breaks what is open
            eventually(lambda: status().failures == 1, 30)
            city.set_fault("c", None)
            eventually(lambda: status().pictures > before + 1, 30)
            assert {one.state for one in states[first:]} == {"live"}

            city.set_fault("c", Fault(FaultKind.CLOSE, after_s=1.5))
            eventually(lambda: status().state == "unreachable", 60)
            first, before = len(states), status().pictures
            eventually(lambda: status().pictures > before + 2, 60)
            assert {one.state for one in states[first:]} == {"unreachable"}  # it doesn't flicker
            city.set_fault("c", None)
            eventually(lambda: status().state == "live", 60)
