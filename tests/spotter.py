"""A detector small enough to be made on the spot: it finds the darkest spot of a picture.

It is a real network in ONNX and takes the same input as the shipped one, so that tests can follow
a dark spot from a clip to a ticket. SPOT is the smallest one it finds, in pixels of its input.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.detect import CLASSES
from pipeline.settings import ModelSettings

SIZE = (160, 96)
SPOT = (8, 3)
DARK = 50.0
SCORE = 0.9
OPSET = 17


def write(folder):
    """Write model and card; settings that name them."""
    content = _model().SerializeToString()
    path = folder / "spotter.onnx"
    path.write_bytes(content)
    card = {
        "name": "spotter",
        "version": "v1",
        "licence": "AGPL-3.0",
        "classes": CLASSES,
        "input": {"width": SIZE[0], "height": SIZE[1], "format": "i420"},
        "sha256": hashlib.sha256(content).hexdigest(),
        "thresholds": dict.fromkeys(CLASSES, 0.25),
        "architecture": "the darkest spot",
        "training": "none",
        "training_data": [{"name": "none", "use": "none", "pictures": 0, "licence": "none"}],
        "use_restriction": "tests",
        "scores": {},
        "known_faults": [],
    }
    path.with_suffix(".json").write_text(json.dumps(card))
    return ModelSettings(path=path, threads=1)


def _model():
    width, height = SIZE
    columns = width - SPOT[0] + 1
    node = helper.make_node
    constants = {
        "zero": np.array([0], np.int64),
        "rows": np.array([height], np.int64),
        "one": np.array([1], np.int64),
        "columns": np.array([columns], np.int64),
        "wide": np.array([SPOT[0]], np.float32),
        "high": np.array([SPOT[1]], np.float32),
        "dark": np.array([DARK], np.float32),
        "score": np.array([SCORE], np.float32),
        "nothing": np.array([0], np.float32),
        "cavity": np.array([CLASSES.index("cavity")], np.float32),
    }
    nodes = [
        node("Slice", ["pictures", "zero", "rows", "one"], ["luma8"]),
        node("Cast", ["luma8"], ["luma"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["luma", "one"], ["planes"]),
        node("AveragePool", ["planes"], ["spots"], kernel_shape=SPOT[::-1]),
        node("Flatten", ["spots"], ["flat"]),
        node("ArgMin", ["flat"], ["at"], axis=1, keepdims=1),
        node("ReduceMin", ["flat"], ["least"], axes=[1], keepdims=1),
        node("Mod", ["at", "columns"], ["column8"]),
        node("Div", ["at", "columns"], ["row8"]),
        node("Cast", ["column8"], ["x1"], to=TensorProto.FLOAT),
        node("Cast", ["row8"], ["y1"], to=TensorProto.FLOAT),
        node("Add", ["x1", "wide"], ["x2"]),
        node("Add", ["y1", "high"], ["y2"]),
        node("Less", ["least", "dark"], ["found"]),
        node("Where", ["found", "score", "nothing"], ["scores"]),
        node("Mul", ["x1", "nothing"], ["zeros"]),
        node("Add", ["zeros", "cavity"], ["classes"]),
        node("Concat", ["x1", "y1", "x2", "y2", "scores", "classes"], ["row"], axis=1),
        node("Unsqueeze", ["row", "one"], ["detections"]),
    ]
    graph = helper.make_graph(
        nodes,
        "spotter",
        [
            helper.make_tensor_value_info(
                "pictures", TensorProto.UINT8, ["batch", height * 3 // 2, width]
            )
        ],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, ["batch", 1, 6])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
