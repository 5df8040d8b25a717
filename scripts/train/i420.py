"""Puts the pictures of cameras, uint8 I420, in front of a network trained on RGB in 0..1.

Colour conversion (BT.601, limited range) and the network's first convolution are both linear, so
they become one: a 3x3 convolution of the brightness plane plus a 2x2 convolution of the two
colour planes, which stay at half size. No RGB picture is ever made. The sum is the same up to
rounding, at the borders too, for every colour that RGB can show; brighter than white and darker
than black are clipped first. Needs onnx, but no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# BT.601 limited range, both sides scaled to 0..1 (ITU-R BT.601-7, table 3, inverted).
YUV_TO_RGB = np.array(
    [[1.164383, 0.0, 1.596027], [1.164383, -0.391762, -0.812968], [1.164383, 2.017232, 0.0]]
)
BLACK, WHITE, GREY = 16, 235, 128
"""Brightness of black and white, and the colour planes' value for no colour."""

STEM = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
LEAST_OPSET = 17
PREFIX = "i420/"


def with_front(trained: onnx.ModelProto, width: int, height: int) -> onnx.ModelProto:
    """The network for I420 pictures: ``pictures`` uint8 (N, H*3/2, W) -> ``detections`` (N, K, 6).

    ``trained`` takes float32 RGB (N, 3, H, W) in 0..1, begins with a 3x3 convolution of stride 2
    and has one output; width and height are even. Raises ModelError for any other graph.
    """
    model = onnx.ModelProto.FromString(trained.SerializeToString())
    graph = model.graph
    opset = _opset(model)
    stem = _stem(graph)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants, nodes = _front(weights[stem.input[1]], weights[stem.input[2]], width, height)
    nodes[-1].output[0] = stem.output[0]
    rest = [node for node in graph.node if node is not stem]
    used = {name for node in rest for name in node.input}
    _rename(rest, graph.output[0].name, "detections")
    batch = graph.input[0].type.tensor_type.shape.dim[0]
    of = batch.dim_param or batch.dim_value
    taken, given = [of, height * 3 // 2, width], [of, None, 6]
    result = helper.make_graph(
        [*nodes, *rest],
        "street",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, taken)],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, given)],
        [
            *(one for one in graph.initializer if one.name in used),
            *(numpy_helper.from_array(value, PREFIX + name) for name, value in constants.items()),
        ],
    )
    fronted = helper.make_model(
        result, producer_name="gridwatch", opset_imports=[helper.make_opsetid("", opset)]
    )
    fronted.ir_version = model.ir_version
    onnx.checker.check_model(fronted, full_check=True)
    return fronted


def to_rgb(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network behind the front sees: I420 (N, H*3/2, W) -> RGB (N, 3, H, W) in 0..1.

    Brightness and colour that don't fit together lie outside 0..1; nothing clips them.
    """
    count, rows, width = pictures.shape
    height = rows * 2 // 3
    colours = pictures[:, height:].reshape(count, 2, height // 2, width // 2)
    planes = [pictures[:, None, :height].clip(BLACK, WHITE), colours.repeat(2, 2).repeat(2, 3)]
    yuv = np.concatenate(planes, 1) - np.array([BLACK, GREY, GREY], np.float32)[:, None, None]
    return np.einsum("rc,nchw->nrhw", (YUV_TO_RGB / 255).astype(np.float32), yuv)


def _front(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], width: int, height: int
) -> tuple[dict[str, NDArray[np.generic]], list[onnx.NodeProto]]:
    """Constants by name (without PREFIX) and nodes; the last node gives what the stem gave."""
    luma, chroma = fold(kernel)
    constants: dict[str, NDArray[np.generic]] = {
        "top": np.array([0]),
        "colours": np.array([height]),
        "end": np.array([height * 3 // 2]),
        "rows": np.array([1]),
        "half": np.array([-1, 2, height // 2, width // 2]),
        "black": np.array(BLACK, np.uint8),
        "white": np.array(WHITE, np.uint8),
        "no_light": np.array(BLACK, np.float32),
        "no_colour": np.array(GREY, np.float32),
        "luma": luma,
        "chroma": chroma,
        "bias": bias,
    }

    def node(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
        names = [PREFIX + name if name != "pictures" else name for name in inputs.split()]
        return helper.make_node(kind, names, [PREFIX + output], PREFIX + output, **attributes)

    # Black and grey are taken off before the convolutions, so that their zero padding is black,
    # as it was in training.
    return constants, [
        node("Slice", "pictures top colours rows", "y_rows"),
        node("Clip", "y_rows black white", "y_clipped"),
        node("Unsqueeze", "y_clipped rows", "y_byte"),
        node("Cast", "y_byte", "y_open", to=TensorProto.FLOAT),
        node("Sub", "y_open no_light", "y"),
        # The U plane, then the V plane, each (H/2, W/2) and contiguous: a reshape separates them.
        node("Slice", "pictures colours end rows", "uv_rows"),
        node("Reshape", "uv_rows half", "uv_byte"),
        node("Cast", "uv_byte", "uv_open", to=TensorProto.FLOAT),
        node("Sub", "uv_open no_colour", "uv"),
        node("Conv", "y luma bias", "from_light", **STEM),
        node("Conv", "uv chroma", "from_colour", kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
        node("Add", "from_light from_colour", "stem"),
    ]


def fold(kernel: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernels for brightness (O, 1, 3, 3) and for both colours (O, 2, 2, 2) at half size.

    ``kernel`` (O, 3, 3, 3) is for RGB in 0..1. Colour planes are doubled by repetition, so the
    second and third row (and column) of a window of stride 2 see the same colour.
    """
    yuv = np.einsum("orhw,rc->ochw", kernel.astype(np.float64), YUV_TO_RGB / 255)
    doubled = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    chroma = np.einsum("ochw,ih,jw->ocij", yuv[:, 1:], doubled, doubled)
    return yuv[:, :1].astype(np.float32), chroma.astype(np.float32)


def _stem(graph: onnx.GraphProto) -> onnx.NodeProto:
    """The first convolution, if it is one that can be folded."""
    users = [node for node in graph.node if graph.input[0].name in node.input]
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    if len(graph.input) == len(graph.output) == len(users) == 1 and users[0].op_type == "Conv":
        stem = users[0]
        given = {one.name: helper.get_attribute_value(one) for one in stem.attribute}
        plain = given.get("group", 1) == 1 and given.get("dilations", [1, 1]) == [1, 1]
        fits = all(given.get(name) == value for name, value in STEM.items())
        whole = len(stem.input) == 3 and all(name in shapes for name in stem.input[1:])
        if plain and fits and whole and shapes[stem.input[1]][1:] == [3, 3, 3]:
            return stem
    raise ModelError(
        "can't take I420 pictures",
        where="first node",
        found=", ".join(node.op_type for node in users) or "nothing",
        allowed="one 3x3 convolution of an RGB picture, stride 2, padding 1, with a bias",
    )


def _opset(model: onnx.ModelProto) -> int:
    found = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if found.get("ai.onnx", 0) >= LEAST_OPSET:
        return found["ai.onnx"]
    raise ModelError(
        "is of an opset that is not supported",
        found=", ".join(f"{domain} {version}" for domain, version in found.items()),
        allowed=f"ai.onnx {LEAST_OPSET} or newer",
    )


def _rename(nodes: list[onnx.NodeProto], old: str, new: str) -> None:
    for node in nodes:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                if name == old:
                    names[at] = new
