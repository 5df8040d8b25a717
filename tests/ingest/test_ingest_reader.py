from pipeline.clock import ManualClock, SystemClock
from pipeline.ingest import Source
from pipeline.ingest.state import StateKeeper
from pipeline.settings import IngestSettings

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
