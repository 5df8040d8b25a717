"""Another model while the daemon runs: tried first, in force between two batches, or refused."""

from __future__ import annotations

import hashlib
import json
import shutil

import onnx
import pytest
import spotter
import structlog

from pipeline.clock import ManualClock
from pipeline.detect import Detector
from pipeline.errors import ModelError
from pipeline.model_choice import POLL_S, ModelWatch, begin_with, choose, chosen
from pipeline.settings import ModelSettings, Settings
from pipeline.shipped import shipped

SHIPPED = shipped("models/street-n.onnx")


def another(folder, name="other", **card):
    """The shipped model under another name: the same boxes, another file."""
    model = onnx.load(SHIPPED)
    model.doc_string = name
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    values = json.loads(SHIPPED.with_suffix(".json").read_text("utf-8"))
    values |= {"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **card}
    path.with_suffix(".json").write_text(json.dumps(values), "utf-8")
    return path


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data", model=ModelSettings(fastest=False, threads=1))


class Box:
    """A watch over the choice, and what it has put in force."""

    def __init__(self, settings):
        self.applied = []
        self.settings = settings
        self.watch = ModelWatch(
            settings, Detector(settings.model), self.applied.append, clock=ManualClock()
        )

    def choose(self, path):
        choose(self.settings.data_dir, path)
        with structlog.testing.capture_logs() as self.logs:
            self.watch.poll()

    @property
    def names(self):
        return [one.card.name for one in self.applied]


@pytest.fixture
def box(settings):
    return Box(settings)


def test_the_chosen_model_is_in_force_at_the_next_look_at_the_choice(box, tmp_path):
    box.choose(another(tmp_path))
    assert box.names == ["other"]
    assert [one["event"] for one in box.logs] == ["model_changed"]
    box.watch.poll()
    assert box.names == ["other"]


def test_the_model_of_the_settings_comes_back_when_the_choice_is_taken_back(box, tmp_path):
    box.choose(another(tmp_path))
    box.choose(None)
    assert box.names == ["other", "street-n"]


def test_choosing_the_model_at_work_changes_nothing(box):
    box.choose(SHIPPED)
    assert box.names == []
    assert box.watch.problem == ""


def gone(path):
    path.unlink()


def replaced(path):
    path.write_bytes(path.read_bytes() + b"\0")


def no_card(path):
    path.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    "spoil, said",
    [(gone, "is gone"), (replaced, "sha256"), (no_card, "card not found")],
)
def test_a_choice_that_cannot_be_used_leaves_the_old_model_at_work_and_says_why(
    box, tmp_path, spoil, said
):
    path = another(tmp_path)
    choose(box.settings.data_dir, path)
    spoil(path)
    with structlog.testing.capture_logs() as logs:
        box.watch.poll()
    assert box.applied == []
    assert said in box.watch.problem
    assert [one["event"] for one in logs] == ["model_refused"]
    box.choose(another(tmp_path, "good"))
    assert box.names == ["good"]
    assert box.watch.problem == ""


def test_a_model_of_another_input_is_refused_while_pictures_of_the_old_size_come(box, tmp_path):
    box.choose(spotter.write(tmp_path).path)
    assert box.applied == []
    assert "input" in box.watch.problem
    assert "start again" in box.watch.problem


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"path": 3}', b'{"path": ""}']
)
def test_whatever_stands_in_the_file_of_the_choice_is_a_model_error(settings, content):
    settings.data_dir.mkdir()
    (settings.data_dir / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.json"):
        chosen(settings)


def test_a_daemon_begins_with_the_choice(settings, tmp_path):
    choose(settings.data_dir, another(tmp_path))
    assert begin_with(settings).card.name == "other"


def test_a_daemon_begins_with_the_model_of_its_settings_when_the_choice_is_gone(settings, tmp_path):
    path = another(tmp_path)
    choose(settings.data_dir, path)
    shutil.move(path, tmp_path / "elsewhere.onnx")
    with structlog.testing.capture_logs() as logs:
        assert begin_with(settings).card.name == "street-n"
    assert [one["event"] for one in logs] == ["model_refused"]


def test_a_choice_that_the_daemon_could_not_begin_with_is_told(settings, tmp_path):
    path = another(tmp_path)
    choose(settings.data_dir, path)
    path.unlink()
    box = Box(settings)
    box.watch.poll()
    assert "is gone" in box.watch.problem


def test_without_a_choice_a_wrong_model_of_the_settings_is_an_error(settings, tmp_path):
    missing = settings.model.model_copy(update={"path": tmp_path / "none.onnx"})
    with pytest.raises(ModelError, match="not found"):
        begin_with(settings.model_copy(update={"model": missing}))


def test_the_choice_is_read_every_two_seconds_until_the_end(box, tmp_path):
    class Stop:
        """Set after ten seconds of the watch's clock."""

        def __init__(self, clock):
            self.clock = clock

        def is_set(self):
            return self.clock.now() >= 10

    choose(box.settings.data_dir, another(tmp_path))
    clock = box.watch._clock
    box.watch.run(Stop(clock))
    assert box.names == ["other"]
    assert clock.now() == pytest.approx(10, abs=POLL_S)
