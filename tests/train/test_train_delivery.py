"""A model arrives whole and checked, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_street
from onnx import numpy_helper

from pipeline.detect import Detector, load_card
from pipeline.errors import DataError, ModelError
from pipeline.settings import ModelSettings
from scripts.train import delivery
from scripts.train.delivery import delivery_to, drawn_looks, looks

ROOT = Path(__file__).parents[2]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_model_arrives_with_a_card_that_knows_its_hash(tmp_path):
    with delivery_to(tmp_path / "models") as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())
        assert len(files(tmp_path / "models")) == 1, "nothing but the waiting room yet"
        (path,) = waiting.arrive()
    assert files(path.parent) == ["street-n.json", "street-n.onnx"]
    assert Detector(ModelSettings(path=path)).card.version == "v1"


def test_a_model_that_the_product_refuses_leaves_the_old_one_in_place(tmp_path):
    with delivery_to(tmp_path) as waiting:
        waiting.add(tiny_street.fronted(seed=1), tiny_street.card(version="old"))
        waiting.arrive()
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    with delivery_to(tmp_path) as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card(version="new"))
        with pytest.raises(ModelError, match="wrong input"):
            waiting.add(tiny_street.trained(), tiny_street.card("second"))
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_scores_that_are_no_numbers_are_refused(tmp_path):
    model = tiny_street.fronted()
    bias = next(one for one in model.graph.initializer if one.name == "b2")
    bias.CopyFrom(numpy_helper.from_array(np.full(1, np.nan, np.float32), "b2"))
    with pytest.raises(ModelError, match="no usable boxes"), delivery_to(tmp_path) as waiting:
        waiting.add(model, tiny_street.card())
    assert files(tmp_path) == []


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(delivery, "MOST_BYTES", 1000)
    with pytest.raises(ModelError, match="too large"), delivery_to(tmp_path) as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())
    assert files(tmp_path) == []


def test_what_a_killed_export_left_goes_at_the_next_but_not_what_is_still_waiting(tmp_path):
    left = tmp_path / ".waiting-left"
    left.mkdir()
    (left / "half.onnx").write_text("half")
    with delivery_to(tmp_path) as first:
        assert not left.exists()
        with delivery_to(tmp_path) as second:
            second.add(tiny_street.fronted(), tiny_street.card("second"))
            second.arrive()
        first.add(tiny_street.fronted(), tiny_street.card("first"))
        first.arrive()
    assert files(tmp_path) == ["first.json", "first.onnx", "second.json", "second.onnx"]


def test_a_killed_export_frees_its_waiting_room(tmp_path):
    code = """
import sys, time
from pathlib import Path
from scripts.train.delivery import delivery_to
with delivery_to(Path(sys.argv[1])):
    print("waiting", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as exporting:
        assert exporting.stdout.readline() == b"waiting\n"
        (room,) = files(tmp_path)
        with delivery_to(tmp_path):
            assert room in files(tmp_path), "it is still used"
        exporting.kill()
    assert files(tmp_path) == [room]
    with delivery_to(tmp_path):
        assert room not in files(tmp_path)


def test_where_nothing_can_be_written_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ModelError, match="taken"), delivery_to(tmp_path / "taken") as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(delivery, "write_card", full)
    with pytest.raises(ModelError, match="No space left"), delivery_to(tmp_path) as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())
    assert files(tmp_path) == []


def test_looks_are_spread_over_a_split_and_come_as_the_product_sees_them(tmp_path):
    folder = tiny_street.data_folder(tmp_path / "data")
    assert looks([folder], "val", 5, (64, 64)).shape == (5, 96, 64)
    assert looks([folder], "val", 500, (64, 64)).shape == (12, 96, 64)
    assert drawn_looks((64, 32)).shape[1:] == (48, 64)


def test_a_folder_without_pictures_of_the_split_is_refused(tmp_path):
    folder = tiny_street.data_folder(tmp_path / "data")
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join(one for one in lines if "val" not in one) + "\n")
    with pytest.raises(DataError, match="val"):
        looks([folder], "val", 5, (64, 64))


def test_cards_from_before_speed_and_precision_are_still_read(tmp_path):
    with delivery_to(tmp_path) as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())
        (path,) = waiting.arrive()
    card = json.loads(path.with_suffix(".json").read_text())
    del card["precision"], card["speed_ms"]
    path.with_suffix(".json").write_text(json.dumps(card))
    assert (load_card(path).precision, load_card(path).speed_ms) == ("fp32", {})
