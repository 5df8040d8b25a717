"""A model runs only if file, card and graph agree; else it is refused with what is wrong."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.detect import CLASSES, Detector, load_card
from pipeline.errors import ModelError
from pipeline.settings import ModelSettings
from pipeline.shipped import shipped

ROWS = [[8, 8, 24, 24, 0.9, 0]]


@pytest.fixture
def good(tmp_path):
    return tiny_model.write(tmp_path, tiny_model.proto(ROWS))


def refused(settings):
    """Text of the refusal; it always names the model or its card."""
    with pytest.raises(ModelError) as caught:
        Detector(settings)
    assert str(settings.path.with_suffix("")) in str(caught.value)
    return str(caught.value)


def edit_card(settings, **changes):
    path = settings.path.with_suffix(".json")
    card = json.loads(path.read_text())
    card.update(changes)
    path.write_text(json.dumps({name: value for name, value in card.items() if value != "—"}))


def test_a_model_that_agrees_with_its_card_is_loaded(good):
    detector = Detector(good)
    assert detector.size == (64, 64)
    assert detector.card.label.startswith("tiny-v1-")


def test_the_model_that_comes_with_the_program_is_the_one_on_its_card(detector):
    path = shipped("models/street-n.onnx")
    assert detector.card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert detector.card.classes[: len(CLASSES)] == CLASSES
    assert detector.size == (640, 384)
    assert detector.card.licence == "AGPL-3.0"


def test_a_missing_model_is_refused(tmp_path):
    text = refused(ModelSettings(path=tmp_path / "none.onnx"))
    assert "model file not found" in text


def test_a_missing_card_is_refused(good):
    good.path.with_suffix(".json").unlink()
    assert "model card not found" in refused(good)


def test_another_file_than_the_card_describes_is_refused_with_both_hashes(good):
    content = good.path.read_bytes() + b"\x00"
    wanted = json.loads(good.path.with_suffix(".json").read_text())["sha256"]
    good.path.write_bytes(content)
    text = refused(good)
    assert "sha256" in text
    assert hashlib.sha256(content).hexdigest() in text
    assert wanted in text


@pytest.mark.parametrize("missing", ["person", "cavity"])
def test_a_model_that_lacks_a_class_of_the_rules_is_refused(tmp_path, missing):
    classes = tuple(name for name in CLASSES if name != missing)
    settings = tiny_model.write(tmp_path, tiny_model.proto(ROWS), classes=classes)
    assert f"no {missing}" in refused(settings)


def test_a_model_with_a_class_that_nobody_knows_is_refused_and_with_a_further_one_taken(tmp_path):
    model = tiny_model.proto(ROWS)
    assert "carr" in refused(tiny_model.write(tmp_path, model, classes=(*CLASSES, "carr")))
    settings = tiny_model.write(tmp_path, model, classes=(*CLASSES, "debris"))
    assert Detector(settings).card.classes == (*CLASSES, "debris")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"colour": "red"}, "colour"),
        ({"sha256": "—"}, "sha256"),
        ({"sha256": "abc"}, "sha256"),
        ({"licence": "—"}, "licence"),
        ({"classes": []}, "classes"),
        ({"thresholds": {"person": 0.25}}, "thresholds and classes differ in bicycle"),
        ({"thresholds": {"person": 0.25, "car": 1.5}}, "thresholds.car"),
        ({"input": {"width": 100, "height": 64, "format": "i420"}}, "input.width"),
        ({"input": {"width": 64, "height": 64, "format": "rgb"}}, "input.format"),
        ({"training_data": []}, "training_data"),
        ({"name": "Tiny Model"}, "name"),
    ],
)
def test_a_wrong_card_is_refused_with_the_field(good, change, named):
    edit_card(good, **change)
    assert named in refused(good)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"3"])
def test_a_card_that_is_no_card_is_refused(good, content):
    good.path.with_suffix(".json").write_bytes(content)
    assert "model card" in refused(good)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(("name", "classes", "input", "sha256")), inner)
        ),
        max_leaves=8,
    )
)
def test_whatever_the_card_says_the_refusal_is_a_model_error(good, value):
    good.path.with_suffix(".json").write_text(json.dumps(value))
    with pytest.raises(ModelError):
        load_card(good.path)


def test_a_model_that_wants_another_file_beside_it_is_refused(tmp_path):
    content = tiny_model.with_external_data(tmp_path, tiny_model.proto(ROWS))
    settings = tiny_model.write(tmp_path, content)
    assert (tmp_path / "weights.bin").exists()
    assert "one self-contained ONNX file" in refused(settings)


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(256)) * 8])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    assert "cannot be loaded" in refused(tiny_model.write(tmp_path, content))


@pytest.mark.parametrize("opset", [3, 99])
def test_a_model_of_an_opset_that_cannot_be_run_is_refused(tmp_path, opset):
    model = tiny_model.proto(ROWS)
    model.opset_import[0].version = opset
    assert "cannot be loaded by onnxruntime" in refused(tiny_model.write(tmp_path, model))


def test_a_truncated_model_is_refused(tmp_path):
    content = tiny_model.proto(ROWS).SerializeToString()
    assert "onnxruntime" in refused(tiny_model.write(tmp_path, content[: len(content) // 2]))


@pytest.mark.parametrize("proto", [{"side": 32}, {"input_name": "images"}])
def test_a_model_with_another_input_than_the_card_says_is_refused(tmp_path, proto):
    settings = tiny_model.write(tmp_path, tiny_model.proto(ROWS, **proto))
    text = refused(settings)
    assert "wrong input" in text
    assert "[96, 64]" in text


@pytest.mark.parametrize(
    "rows",
    [[[0, 0, 9, 9, np.nan, 0]], [[0, 0, np.inf, 9, 0.5, 0]], [[0, 0, 9, 9, 0.5]], [0.0] * 6],
    ids=["nan", "infinite", "five numbers", "one axis too few"],
)
def test_a_model_that_gives_no_usable_boxes_is_refused(tmp_path, rows):
    settings = tiny_model.write(tmp_path, tiny_model.proto(rows))
    assert "no usable boxes" in refused(settings)


def test_a_model_whose_classes_are_not_on_the_card_is_refused(tmp_path):
    settings = tiny_model.write(tmp_path, tiny_model.proto([[8, 8, 24, 24, 0.9, 8]]))
    assert "classes 0 to 7" in refused(settings)
