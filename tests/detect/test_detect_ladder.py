"""What runs the network: the best that is there and works, and what happens when it fails."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime as ort
import pytest
import structlog
import tiny_model

from pipeline.detect import Detector, fastest, load_card, look_at
from pipeline.detect import ladder as rungs
from pipeline.detect import runners as running
from pipeline.detect.ladder import NAMES, ladder
from pipeline.detect.runners import Buckets, Lanes, RunError, sizes_up_to
from pipeline.detect.session import CPU, open_session
from pipeline.errors import ModelError
from pipeline.settings import ModelSettings

ROWS = [[0, 0, 9, 9, 0.9, 1]]


@pytest.fixture
def tiny(tmp_path):
    return tiny_model.write(tmp_path, tiny_model.proto(ROWS))


@pytest.fixture
def look():
    return look_at(np.zeros((64, 64, 3), np.uint8), (tiny_model.SIDE, tiny_model.SIDE))


@pytest.fixture
def with_cuda(monkeypatch):
    """This onnxruntime says that it has CUDA, as one does whose driver is missing."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU, NAMES["cuda"]])


class Failing:
    """A runner that fails so many times, then does what the real one does."""

    def __init__(self, real, times, why="CUDA failure 2: out of memory"):
        self.real, self.times, self.why, self.closed = real, times, why, False

    def __call__(self, pictures):
        if self.times:
            self.times -= 1
            raise RunError(self.why)
        return self.real(pictures)

    def close(self):
        self.closed = True


def events(logs):
    return [one["event"] for one in logs]


# --- the ladder --------------------------------------------------------------------------------


def test_the_rungs_are_those_of_this_machine_the_cpu_last(tiny):
    rungs = ladder(tiny)
    assert rungs[-1] == "cpu"
    assert {NAMES[one] for one in rungs} <= set(ort.get_available_providers())


def test_a_better_rung_comes_first(tiny, with_cuda):
    assert ladder(tiny) == ("cuda", "cpu")


def test_a_named_provider_that_is_not_there_is_refused_with_those_that_are(tiny):
    missing = next(one for one in NAMES if NAMES[one] not in ort.get_available_providers())
    with pytest.raises(ModelError) as refused:
        Detector(tiny.model_copy(update={"provider": missing}))
    for said in ("model.provider", missing, "auto", "cpu"):
        assert said in str(refused.value)


@pytest.mark.parametrize("open_one", [Detector, fastest])
def test_a_provider_that_fails_at_the_start_is_left_with_a_reason(tiny, look, with_cuda, open_one):
    with structlog.testing.capture_logs() as logs:
        detector = open_one(tiny)
    assert detector.provider == "cpu"
    assert len(detector([look])[0]) == 1
    (left,) = [one for one in logs if one["event"] == "provider_left"]
    assert left["provider"] == "cuda"
    assert NAMES["cuda"] in left["why"]


def test_a_provider_that_was_named_and_fails_is_an_error_not_the_cpu(tiny, with_cuda):
    with pytest.raises(ModelError, match=NAMES["cuda"]):
        Detector(tiny.model_copy(update={"provider": "cuda"}))


@pytest.fixture
def engines(monkeypatch, tmp_path):
    """Settings whose engines are kept, and a provider that can't read what is kept there."""
    opened = []

    def reads_what_is_kept(provider, path, shape, settings, kept, threads):
        (folder,) = (tmp_path / "engines").iterdir()
        opened.append(sorted(one.name for one in folder.iterdir()))
        if opened[-1]:
            raise ModelError("the engine can't be read", file=path)
        return open_session(path, threads)

    monkeypatch.setattr(rungs, "_open", reads_what_is_kept)
    settings = tiny_model.write(tmp_path, tiny_model.proto(ROWS))
    return settings.model_copy(update={"engines": tmp_path / "engines"}), opened


def opened_on(provider, settings):
    return rungs.open_on(provider, settings.path, load_card(settings.path).input, settings, 1)


def test_an_engine_that_cannot_be_read_any_more_is_built_anew(engines):
    settings, opened = engines
    opened_on("tensorrt", settings)
    (folder,) = settings.engines.iterdir()
    (folder / "engine").write_bytes(b"broken")
    with structlog.testing.capture_logs() as logs:
        assert opened_on("tensorrt", settings) is not None
    assert opened == [[], ["engine"], []]
    assert events(logs) == ["engine_rebuilt"]


def test_engines_of_another_batch_model_or_provider_lie_elsewhere(engines, tmp_path):
    settings, _ = engines
    other = tiny_model.write(tmp_path, tiny_model.proto([*ROWS, *ROWS])).path.rename(
        tmp_path / "other.onnx"
    )
    tiny_model.write(tmp_path, tiny_model.proto(ROWS))
    more = [
        rungs._kept(provider, path, settings.model_copy(update={"batch": batch}))
        for provider, path, batch in (
            ("tensorrt", settings.path, 8),
            ("tensorrt", settings.path, 16),
            ("tensorrt", other, 8),
            ("openvino", settings.path, 8),
        )
    ]
    assert len(set(more)) == 4
    assert rungs._kept("cpu", settings.path, settings) is None
    assert rungs._kept("cuda", settings.path, settings) is None


def test_where_engines_cannot_be_kept_the_provider_runs_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = tiny_model.write(tmp_path, tiny_model.proto(ROWS))
    settings = settings.model_copy(update={"engines": tmp_path / "file" / "engines"})
    with structlog.testing.capture_logs() as logs:
        assert rungs._kept("tensorrt", settings.path, settings) is None
    assert events(logs) == ["engines_not_kept"]


# --- failures while running ----------------------------------------------------------------------


def test_a_run_that_fails_once_is_done_again_in_a_fresh_session(tiny, look):
    detector = Detector(tiny)
    failing = detector._runner = Failing(detector._runner, 1)
    with structlog.testing.capture_logs() as logs:
        (seen,) = detector([look])
    assert len(seen) == 1
    assert events(logs) == ["detector_failed"]
    assert failing.closed
    assert detector._runner is not failing


def test_a_provider_that_goes_on_failing_is_left_for_the_next_with_the_looks_at_hand(
    tiny, look, monkeypatch
):
    opened, real = [], Detector._open

    def out_of_memory(self, provider):
        opened.append(provider)
        runner = real(self, "cpu")
        return runner if provider == "cpu" or len(opened) == 1 else Failing(runner, 9)

    monkeypatch.setattr(Detector, "_open", out_of_memory)
    detector = Detector(tiny, rungs=["cuda", "cpu"])
    detector._runner = Failing(detector._runner, 9)
    seen = detector([look, look, look])
    assert [len(one) for one in seen] == [1, 1, 1]
    assert opened == ["cuda", "cuda", "cpu"]
    assert detector.provider == "cpu"


def test_when_nothing_works_any_more_it_is_an_error_that_names_the_model(tiny, look, monkeypatch):
    detector = Detector(tiny)
    monkeypatch.setattr(Detector, "_open", lambda self, _: Failing(None, 9))
    detector._runner = Failing(None, 9)
    with pytest.raises(ModelError, match="out of memory") as refused:
        detector([look])
    assert "tiny.onnx" in str(refused.value)


class Answers:
    """A session with the answers of the test."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def run(self, _names, _feed):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer() if callable(answer) else [np.asarray([answer], np.float32)]


def test_numbers_that_are_none_are_no_boxes():
    with pytest.raises(RunError, match="NaN"):
        Lanes(Answers([[0, 0, 9, np.nan, 1, 0]]), Answers(ROWS), 1)([np.zeros(1)])


def test_what_onnxruntime_says_of_a_failure_is_told():
    def full():
        raise RuntimeError("CUDA failure 2: out of memory\nat line 7")

    with pytest.raises(RunError, match=r"^CUDA failure 2: out of memory$"):
        Lanes(Answers(full), Answers(ROWS), 1)([np.zeros(1)])


def test_a_run_that_never_ends_is_stuck_and_its_looks_are_kept(tiny, look, monkeypatch):
    monkeypatch.setattr(running, "STUCK_LEAST_S", 0.05)
    goes_on = threading.Event()
    detector = Detector(tiny)
    detector._runner = Lanes(Answers(goes_on.wait), Answers(ROWS), 1)
    try:
        with structlog.testing.capture_logs() as logs:
            (seen,) = detector([look])
    finally:
        goes_on.set()
    assert len(seen) == 1
    assert "stuck" in logs[0]["why"]


def test_a_session_that_another_thread_has_replaced_meanwhile_costs_no_look(tiny, look):
    detector = Detector(tiny)
    stale = detector._runner
    stale.close()
    with pytest.raises(RunError, match="closed meanwhile"):
        stale([look.picture])
    assert len(detector([look])[0]) == 1  # goes on in a fresh one


def test_a_run_that_is_cancelled_with_its_session_is_done_again(look):
    goes_on = threading.Event()
    lanes = Lanes(Answers(goes_on.wait), Answers(ROWS), 1)
    failed = []

    def run():
        try:
            lanes([np.zeros(1)] * 3)
        except RunError as error:
            failed.append(str(error))

    waiting = threading.Thread(target=run)
    waiting.start()
    while not lanes._pool._work_queue.qsize():
        pass  # the first occupies the lane, the others wait
    lanes.close()
    goes_on.set()
    waiting.join(20)
    assert len(failed) == 1


# --- lanes and buckets --------------------------------------------------------------------------


def test_lanes_share_their_threads_for_few_looks_only_where_that_is_sooner():
    single, joint = Answers([[1, 0, 9, 9, 0.9, 1]]), Answers([[2, 0, 9, 9, 0.9, 1]])
    lanes = Lanes(single, joint, 4)

    def who(count):
        return [int(rows[0, 0]) for rows in lanes([np.zeros(1)] * count)]

    lanes._lane_s, lanes._joint_s = 1.0, 0.4
    assert who(1) == [2]
    assert who(2) == [2, 2]
    assert who(3) == [1, 1, 1]  # three times 0.4 is longer than 1
    assert who(4) == [1] * 4
    assert who(6) == [1] * 4 + [2] * 2


def test_buckets_double_up_to_the_largest_batch():
    assert sizes_up_to(1) == [1]
    assert sizes_up_to(8) == [1, 2, 4, 8]
    assert sizes_up_to(12) == [1, 2, 4, 8, 12]


def test_looks_in_buckets_give_what_they_give_alone_whatever_was_in_there_before(detector, street):
    pictures = [look_at(picture, detector.size).picture for picture in street[:7]]
    settings = ModelSettings()
    buckets = Buckets(open_session(settings.path, 2), detector.size, 4)
    alone = detector.run(pictures)
    for order in (pictures, pictures[::-1], pictures[2:5]):
        for picture, rows in zip(order, buckets(order), strict=True):
            wanted = alone[[one is picture for one in pictures].index(True)]
            sure, wanted = rows[rows[:, 4] >= 0.1], wanted[wanted[:, 4] >= 0.1]
            np.testing.assert_allclose(sure, wanted, atol=0.05)
    buckets.close()
