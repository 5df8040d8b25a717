"""Pictures of cameras go into a network that was trained on RGB, and it sees the same."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelError
from scripts.train.i420 import BLACK, GREY, WHITE, to_rgb, with_front

CHANNELS = 4


def network(width, height, *, opset=17, seed=0, **stem):
    """A stem with random weights; its answer, in rows of six, is the output."""
    rng = np.random.default_rng(seed)
    node = helper.make_node
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]} | stem
    kernel = rng.normal(size=(CHANNELS, 3, *attributes["kernel_shape"])).astype(np.float32)
    graph = helper.make_graph(
        [
            node("Conv", ["images", "kernel", "bias"], ["stem"], **attributes),
            node("Reshape", ["stem", "rows"], ["out"]),
        ],
        "network",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, height, width])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", None, 6])],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(rng.normal(size=CHANNELS).astype(np.float32), "bias"),
            numpy_helper.from_array(np.array([0, -1, 6]), "rows"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def answer(model, value):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: value})[0]


def i420(y, u, v):
    """One picture (H*3/2, W) of planes (H, W) and (H/2, W/2)."""
    height, width = y.shape
    return np.concatenate([y, u.reshape(height // 4, width), v.reshape(height // 4, width)])


def muted(width, height, seed):
    """A noisy picture of colours that RGB can show."""
    rng = np.random.default_rng(seed)
    half = (height // 2, width // 2)
    y = rng.integers(70, 181, (height, width), np.uint8)
    return i420(y, *(rng.integers(GREY - 20, GREY + 21, half, np.uint8) for _ in "uv"))


def rgb(picture):
    """(1, 3, H, W) in 0..1, by OpenCV."""
    return cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420).transpose(2, 0, 1)[None] / np.float32(255)


_sides = st.integers(1, 3).map(lambda count: count * 96)


@settings(max_examples=20, deadline=None)
@given(_sides, _sides, st.integers(0, 2**32 - 1))
def test_the_network_sees_what_opencv_would_show_it_up_to_the_borders(width, height, seed):
    model = network(width, height, seed=seed % 7)
    picture = muted(width, height, seed)
    found = answer(with_front(model, width, height), picture[None])
    # OpenCV rounds each of the 27 colours under the kernel to whole numbers.
    np.testing.assert_allclose(found, answer(model, rgb(picture)), atol=27 * 2.5 * 1.0 / 255)
    assert np.abs(found - answer(model, rgb(picture))).mean() < 0.02


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_bytes_are_the_network_gets_their_colours_exactly(seed):
    """Colours that RGB can't show, too: those OpenCV would clip."""
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 96 * 3 // 2, 96), np.uint8)
    model = network(96, 96, seed=seed % 7)
    found = answer(with_front(model, 96, 96), pictures)
    np.testing.assert_allclose(found, answer(model, to_rgb(pictures)), atol=2e-4)


def test_the_colours_are_those_of_opencv():
    picture = muted(96, 96, 1)
    assert np.abs(to_rgb(picture[None]) - rgb(picture)).max() <= 1.5 / 255


@pytest.mark.parametrize("y, shown", [(0, BLACK), (BLACK, BLACK), (WHITE, WHITE), (255, WHITE)])
def test_darker_than_black_is_black_and_brighter_than_white_is_white(y, shown):
    side = 96
    model = network(side, side)
    grey = np.full((side // 2, side // 2), GREY, np.uint8)
    picture = i420(np.full((side, side), y, np.uint8), grey, grey)
    flat = np.full((1, 3, side, side), (shown - BLACK) / (WHITE - BLACK), np.float32)
    found = answer(with_front(model, side, side), picture[None])
    np.testing.assert_allclose(found, answer(model, flat), atol=1e-4)


def test_a_batch_gives_each_picture_what_it_gets_alone():
    front = with_front(network(96, 96), 96, 96)
    pictures = np.stack([muted(96, 96, seed) for seed in range(3)])
    alone = [answer(front, one[None]) for one in pictures]
    np.testing.assert_allclose(answer(front, pictures), np.concatenate(alone), atol=1e-5)


def test_the_front_is_the_first_part_of_the_graph_and_says_what_goes_in_and_out():
    front = with_front(network(96, 64), 96, 64)
    (taken,), (given_,) = front.graph.input, front.graph.output
    assert (taken.name, given_.name) == ("pictures", "detections")
    assert [side.dim_param or side.dim_value for side in taken.type.tensor_type.shape.dim] == [
        "n",
        96,
        96,
    ]
    assert not {"kernel", "images"} & {name for node in front.graph.node for name in node.input}


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"opset": 13}, "opset"),
        ({"strides": [1, 1]}, "3x3"),
        ({"kernel_shape": [6, 6], "pads": [2, 2, 2, 2]}, "3x3"),
        ({"dilations": [2, 2], "pads": [2, 2, 2, 2]}, "3x3"),
    ],
)
def test_a_network_that_begins_otherwise_is_refused_with_what_is_allowed(changes, named):
    with pytest.raises(ModelError, match=named):
        with_front(network(96, 96, **changes), 96, 96)


def test_a_network_that_looks_at_the_picture_twice_is_refused():
    model = network(96, 96)
    model.graph.node.append(helper.make_node("Relu", ["images"], ["again"]))
    with pytest.raises(ModelError, match="Conv, Relu"):
        with_front(model, 96, 96)


def test_the_given_network_is_left_as_it_was():
    model = network(96, 96)
    before = model.SerializeToString()
    with_front(model, 96, 96)
    assert model.SerializeToString() == before
    onnx.checker.check_model(model)
