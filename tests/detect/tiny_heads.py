"""A small head counter made on the spot: bright pixels are people."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CELL = 8


def proto(*, input_name="pictures", cell=CELL, gain=1.0):
    """People in a cell: its mean brightness, white 1, times ``gain``."""
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Transpose", [input_name], ["planes"], perm=[0, 3, 1, 2]),
            node("Cast", ["planes"], ["light"], to=TensorProto.FLOAT),
            node("AveragePool", ["light"], ["cells"], kernel_shape=[cell] * 2, strides=[cell] * 2),
            node("ReduceMean", ["cells"], ["mean"], axes=[1], keepdims=0),
            node("Mul", ["mean", "gain"], ["density"]),
        ],
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("density", TensorProto.FLOAT, ["n", "rows", "columns"])],
        [numpy_helper.from_array(np.array(gain / 255, np.float32), "gain")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def write(folder, model, **card):
    """Write the model (a proto or bytes) and its card; its path."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    path = folder / "heads.onnx"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(card_of(content) | card))
    return path


def card_of(content):
    return {
        "name": "tiny-heads",
        "version": "v1",
        "licence": "AGPL-3.0",
        "kind": "heads",
        "input": {"longest_side": 320, "enlarge": 2.0, "format": "bgr"},
        "cell_px": CELL,
        "sha256": hashlib.sha256(content).hexdigest(),
        "architecture": "brightness",
        "training": "none",
        "training_data": [{"name": "none", "use": "none", "pictures": 0, "licence": "none"}],
        "use_restriction": "tests",
        "scores": {},
        "known_faults": [],
    }
