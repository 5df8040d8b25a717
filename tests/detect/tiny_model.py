"""Small models with cards, whole and broken, made on the spot."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.detect import CLASSES
from pipeline.settings import ModelSettings

SIDE = 64
OPSET = 17


def proto(rows, *, input_name="pictures", side=SIDE):
    """A model that answers every picture with the same rows (K, 6)."""
    answer = np.asarray(rows, np.float32)[None]
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Shape", [input_name], ["batch"], start=0, end=1),
            node("Concat", ["batch", "ones"], ["shape"], axis=0),
            node("Expand", ["rows", "shape"], ["detections"]),
        ],
        "tiny",
        [
            helper.make_tensor_value_info(
                input_name, TensorProto.UINT8, ["batch", side * 3 // 2, side]
            )
        ],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(answer, "rows"),
            numpy_helper.from_array(np.ones(answer.ndim - 1, np.int64), "ones"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    return model


def card_of(content, **changes):
    classes = changes.get("classes", CLASSES)
    return {
        "name": "tiny",
        "version": "v1",
        "licence": "AGPL-3.0",
        "classes": classes,
        "input": {"width": SIDE, "height": SIDE, "format": "i420"},
        "sha256": hashlib.sha256(content).hexdigest(),
        "thresholds": dict.fromkeys(classes, 0.25),
        "architecture": "answers the same to everything",
        "training": "none",
        "training_data": [{"name": "none", "use": "none", "pictures": 0, "licence": "none"}],
        "use_restriction": "tests",
        "scores": {},
        "known_faults": [],
    } | changes


def write(folder, model, **card):
    """Write the model (a proto or bytes) and its card; settings that name it."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    path = folder / "tiny.onnx"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(card_of(content, **card)))
    return ModelSettings(path=path, threads=1)


def with_external_data(folder, model):
    onnx.save(
        model,
        folder / "tiny.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    return (folder / "tiny.onnx").read_bytes()
