"""A small network like the real one on the outside, and a data folder to check it on."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.detect import CLASSES, ModelCard
from pipeline.detect.card import ModelInput, TrainingData
from scripts.train.i420 import with_front

SIDE = 64


def trained(seed=0, *, scores="Sigmoid"):
    """Float RGB (n, 3, 64, 64) -> (n, 16, 6): fixed boxes, a score for what is in each."""
    rng = np.random.default_rng(seed)
    node = helper.make_node

    def kernel(*shape):
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    low = np.stack(np.meshgrid(*[np.arange(4) * 16.0] * 2), -1).reshape(16, 2)
    boxes = np.concatenate([low, low + 16, np.zeros((16, 2))], 1)[None]
    constants = {
        "w0": kernel(8, 3, 3, 3),
        "b0": np.zeros(8, np.float32),
        "w1": kernel(16, 8, 3, 3),
        "b1": np.zeros(16, np.float32),
        "w2": 4 * kernel(1, 16, 1, 1),
        "b2": np.zeros(1, np.float32),
        "rows": np.array([0, 16, 1]),
        "boxes": boxes.astype(np.float32),
        "place": np.array([[[0, 0, 0, 0, 1, 0]]], np.float32),
    }
    strided = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [node("Conv", ["images", "w0", "b0"], ["x0"], "stem", **strided)]
    for number in (0, 1):
        nodes += [
            node("Sigmoid", [f"x{number}"], [f"s{number}"], f"sigmoid{number}"),
            node("Mul", [f"x{number}", f"s{number}"], [f"y{number}"], f"silu{number}"),
        ]
        if number == 0:
            nodes.append(node("Conv", ["y0", "w1", "b1"], ["x1"], "body", **strided))
    nodes += [
        node("Conv", ["y1", "w2", "b2"], ["x2"], "last", kernel_shape=[1, 1]),
        node("AveragePool", ["x2"], ["mean"], "pool", kernel_shape=[4, 4], strides=[4, 4]),
        node("Reshape", ["mean", "rows"], ["flat"], "flat"),
        node(scores, ["flat"], ["score"], "score"),
        node("Mul", ["score", "place"], ["placed"], "placed"),
        node("Add", ["placed", "boxes"], ["out"], "add"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 16, 6])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def fronted(seed=0):
    return with_front(trained(seed), SIDE, SIDE)


def card(name="street-n", **changes):
    values = {
        "name": name,
        "version": "v1",
        "licence": "AGPL-3.0",
        "classes": CLASSES,
        "input": ModelInput(width=SIDE, height=SIDE, format="i420"),
        "sha256": "0" * 64,
        "thresholds": dict.fromkeys(CLASSES, 0.25),
        "architecture": "tiny, fp32",
        "training": "none",
        "training_data": (TrainingData(name="none", use="none", pictures=0, licence="none"),),
        "use_restriction": "tests",
        "scores": {"validation, AP50": {"person": 0.5}},
        "known_faults": ("knows nothing",),
    }
    return ModelCard(**(values | changes))


def data_folder(root, count=12):
    """A data folder with as many pictures for training as for validation."""
    rows = ["split,name,source,group"]
    for split in ("train", "val"):
        (root / split / "images").mkdir(parents=True)
        (root / split / "labels").mkdir()
        for number in range(count):
            rng = np.random.default_rng([number, split == "val"])
            small = rng.integers(0, 256, (5, 5, 3), np.uint8)
            name = f"{split}{number}"
            picture = cv2.resize(small, (96, 96), interpolation=cv2.INTER_LINEAR)
            cv2.imwrite(str(root / split / "images" / f"{name}.jpg"), picture)
            (root / split / "labels" / f"{name}.txt").write_text("")
            rows.append(f"{split},{name},rendered,")
    (root / "index.csv").write_text("\n".join(rows) + "\n")
    return root
