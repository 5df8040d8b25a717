"""Any detector looks at pictures as the product does; slices say whose labels they hold."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelError
from scripts.train.classes import IDS, NAMES
from scripts.train.folders import Picture
from scripts.train.predictor import Predictor
from scripts.train.slices import maker_of, slices_of


def named(folder, name, source="s", notes=None):
    boxes, classes = np.zeros((0, 4), np.float32), np.zeros(0, np.int16)
    return Picture(folder / f"{name}.jpg", boxes, classes, "val", source, "", notes or {})


def test_slices_keep_real_pasted_and_rendered_apart(tmp_path):
    pictures = [
        named(tmp_path, "det_MVI_1_img1"),
        named(tmp_path, "cmp_va_1", source="composite on cctv"),
        named(tmp_path, "pasted_1", source="pasted", notes={"light": "night"}),
        named(tmp_path, "r1", source="rendered", notes={"light": "dusk", "weather": "rain"}),
        named(tmp_path, "det_MVI_2_img1"),
    ]
    held = {"det_MVI_1_img1": "unseen", "cmp_va_1": "taken", "pasted_1": "unseen", "r1": "unseen"}
    members = {part.key: part.members for part in slices_of(pictures, held)}
    assert members["held_out"] == members["held_out/fixed/unseen"] == (0,)
    assert members["held_out/pasted"] == (1, 2)
    assert members["held_out/pasted/night"] == (2,)
    assert members["val"] == (0, 1, 2, 4)
    assert members["rendered"] == members["rendered/weather/rain"] == (3,)
    assert "rendered/street" not in members


@pytest.mark.parametrize(
    "name,source,kind,maker",
    [
        ("coco_1", "coco", "person", "hand"),
        ("det_MVI_1_img1", "detrac", "car", "hand"),
        ("det_MVI_1_img1", "detrac", "person", "detector"),
        ("acc_1", "cctv", "car", "detector"),
        ("acc_1", "cctv", "crash", "hand"),
        ("cmp_1", "composite on cctv", "cavity", "pasted"),
        ("r1", "rendered", "car", "exact"),
    ],
)
def test_labels_say_who_made_them(tmp_path, name, source, kind, maker):
    assert maker_of(named(tmp_path, name, source=source), IDS[kind]) == maker


def save_model(path, rows, names=None, size=(64, 32), *, i420=True):
    """A model that sees the same ``rows`` (x1 y1 x2 y2 score class) in every picture."""
    width, height = size
    kind, shape = (
        (TensorProto.UINT8, ["n", height * 3 // 2, width])
        if i420
        else (TensorProto.FLOAT, ["n", 3, "h", "w"])
    )
    graph = helper.make_graph(
        [helper.make_node("Identity", ["rows"], ["detections"])],
        "fixed",
        [helper.make_tensor_value_info("pictures", kind, shape)],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, [1, None, None])],
        [numpy_helper.from_array(np.array([rows], np.float32), "rows")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if names:
        helper.set_model_props(model, {"names": str(dict(enumerate(names)))})
    onnx.save(model, path)
    return path


def test_boxes_come_back_in_pixels_of_the_picture(tmp_path):
    rows = [(8, 4, 16, 8, 0.9, 2), (60, 28, 64, 32, 0.8, 2), (8, 4, 16, 8, 0.001, 2)]
    found = Predictor(save_model(tmp_path / "m.onnx", rows))(np.zeros((64, 128, 3), np.uint8))
    assert found.boxes.tolist() == [[16, 8, 32, 16], [120, 56, 128, 64]]
    assert found.classes.tolist() == [IDS["car"], IDS["car"]]


def test_classes_of_other_models_are_matched_by_name(tmp_path):
    rows = [(8, 4, 16, 8, 0.9, 0), (8, 4, 16, 8, 0.8, 1), (8, 4, 16, 8, 0.7, 2)]
    path = save_model(tmp_path / "m.onnx", rows, ["truck", "zebra", "person"], i420=False)
    model = Predictor(path)
    assert (model.size, model.classes) == ((640, 384), ("person", "truck"))
    found = model(np.zeros((384, 640, 3), np.uint8))
    assert found.classes.tolist() == [IDS["truck"], IDS["person"]]


def test_a_model_without_names_or_card_has_the_classes_of_the_street_model(tmp_path):
    model = Predictor(save_model(tmp_path / "m.onnx", [(0, 0, 8, 8, 0.9, 10)]))
    assert (model.classes, model.thresholds) == (NAMES, {})


def test_a_model_that_is_no_detector_is_refused(tmp_path):
    with pytest.raises(ModelError, match="end-to-end"):
        Predictor(save_model(tmp_path / "m.onnx", [(0, 0, 8, 8, 0.9)]))


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx"):
        Predictor(tmp_path / "none.onnx")
