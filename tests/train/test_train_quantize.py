"""The int8 variant sees nearly the same, or it is not written."""

from __future__ import annotations

import onnx
import pytest
import tiny_street

from pipeline.detect import Detector
from pipeline.errors import DataError, ModelError
from pipeline.settings import ModelSettings
from scripts.train import quantize as quantizing
from scripts.train.delivery import delivery_to
from scripts.train.quantize import quantize


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_street.data_folder(tmp_path_factory.mktemp("street") / "data")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with delivery_to(tmp_path_factory.mktemp("models")) as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())
        (path,) = waiting.arrive()
    return path


@pytest.fixture(scope="module")
def variant(model, data):
    out = model.with_name("street-n-int8.onnx")
    lines = list(quantize(model, out, [data]))
    assert "boxes" in lines[1]
    return out


def test_the_variant_has_a_card_of_its_own_and_is_loaded_by_the_product(variant):
    card = Detector(ModelSettings(path=variant)).card
    assert (card.name, card.precision) == ("street-n-int8", "int8")
    assert "int8" in card.architecture
    assert card.scores["fp32: validation, AP50"] == {"person": 0.5}
    assert card.scores["int8 beside fp32, validation"]["part of the boxes found"] > 0.9


def test_the_body_is_in_8_bits_and_the_colours_and_the_scores_are_not(variant):
    graph = onnx.load(variant).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    inputs = {node.name: [makers.get(name) for name in node.input] for node in graph.node}
    assert inputs["body"][:2] == ["DequantizeLinear"] * 2
    for name in ("i420/from_light", "i420/from_colour", "silu0", "last", "score", "placed"):
        assert "DequantizeLinear" not in inputs[name][1:], name
    assert makers[graph.output[0].name] == "Add"


def test_an_int8_model_is_not_made_smaller_again(variant, data, tmp_path):
    with pytest.raises(ModelError, match="int8 already"):
        list(quantize(variant, tmp_path / "again.onnx", [data]))


def test_a_variant_that_sees_other_things_is_not_written(model, data, tmp_path, monkeypatch):
    monkeypatch.setattr(quantizing, "SCORE_OFF_MEAN", 0.0)  # 8 bits never are that exact
    with pytest.raises(ModelError, match="loses too much"):
        list(quantize(model, tmp_path / "cut.onnx", [data]))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_data_folder_is_refused_before_anything_is_calibrated(model, tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        list(quantize(model, tmp_path / "x.onnx", [tmp_path / "nowhere"]))
