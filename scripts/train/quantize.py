"""The int8 variant of a model: weights and most of what flows between them in 8 bits.

Static quantisation by onnxruntime, activations unsigned, weights signed and per channel (U8S8),
ranges from real street pictures. Float stay the colours and the first convolution (three input
channels gain nothing), attention's products, the branch that tells classes apart, and everything
from the last convolutions on: a score must not be rounded to one of 256. Processors with VNNI or
AMX add U8S8 products in 32 bits; older ones (AVX2 alone) add pairs in 16 and may saturate: use
the fp32 variant there.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from pipeline.detect import Detector
from pipeline.errors import ModelError
from pipeline.settings import ModelSettings

from .agreement import Agreement, agreement
from .delivery import delivery_to, looks
from .i420 import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pipeline.detect import ModelCard

IN_8_BITS = ["Conv", "Sigmoid", "Mul", "Add", "Concat", "Resize", "MaxPool", "Split"]
CALIBRATED_ON, COMPARED_ON = 160, 60
CLASS_BRANCH = "one2one_cv3"
"""In the names of the nodes that tell classes apart: in 8 bits they cost the scores twice as much
as all others together, and save next to no time."""
SILU_LOW = -7.0
"""SiLU is nearly nothing below (-0.006): steps of 8 bits are not spent on telling apart by how
much a value is below."""
SURE = 0.25
FOUND, SCORE_OFF_MEAN = 0.97, 0.06
"""Least part of the sure boxes that must come back, and most that their scores may move in the
mean; what that costs in average precision is for the score command to say."""


def quantize(model: Path, out: Path, data: Sequence[Path]) -> Iterator[str]:
    """Write the int8 variant of ``model`` with its card.

    Yields what was found, in words. Nothing is written if the variant sees other things than the
    model. Raises ModelError, DataError.
    """
    original = Detector(ModelSettings(path=model))
    if original.card.precision != "fp32":
        raise ModelError("is int8 already", file=model, allowed="the fp32 model")
    calibration = looks(data, "train", CALIBRATED_ON, original.size)
    pictures = looks(data, "val", COMPARED_ON, original.size)
    yield f"ranges from {len(calibration)} pictures, compared on {len(pictures)}"
    tidy = _tidy(model)
    variant = in_8_bits(tidy, ranges(tidy, calibration))
    with delivery_to(out.parent) as delivery:
        same = agreement(_rows(original, pictures), _run(variant, pictures), SURE)
        said = (
            f"{same.found} of {same.boxes} boxes, scores move {same.score_bias:+.3f} in the mean, "
            f"{same.score_off_mean:.3f} without sign"
        )
        if (
            same.found < FOUND * same.boxes
            or same.score_off_mean > SCORE_OFF_MEAN
            or not same.boxes
        ):
            raise ModelError(
                "loses too much in 8 bits",
                file=model,
                found=said,
                allowed=f"{FOUND:.0%} of the boxes, {SCORE_OFF_MEAN} without sign",
            )
        yield said
        delivery.add(variant, _card(original.card, out.stem, len(calibration), same))
        for path in delivery.arrive():
            yield f"{path}: {path.stat().st_size / 1e6:.1f} MB"


def in_8_bits(tidy: onnx.ModelProto, found: TensorsData) -> onnx.ModelProto:
    """The model with 8-bit weights and activations of the given ranges."""
    copy = onnx.ModelProto.FromString(tidy.SerializeToString())
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=found,
        nodes_to_quantize=[],
        nodes_to_exclude=sorted(_in_float(tidy.graph)),
        op_types_to_quantize=IN_8_BITS,
        extra_options={},
    )
    quantizer.quantize_model()
    done = quantizer.model.model
    assert isinstance(done, onnx.ModelProto)
    return done


def ranges(tidy: onnx.ModelProto, pictures: NDArray[np.uint8]) -> TensorsData:
    """From where to where each tensor reaches, in the mean of these pictures.

    The widest ever reached, or what entropy picks, moves scores two or three times as much;
    percentiles take ten times as long to find and are no better.
    """
    options = {"moving_average": True}  # of what is collected at once: the plain mean
    logging.getLogger().setLevel(logging.ERROR)  # onnxruntime warns of every tensor it skips
    talk = contextlib.redirect_stdout(io.StringIO())
    with talk, tempfile.TemporaryDirectory() as folder:
        plain, watched = Path(folder, "plain.onnx"), Path(folder, "watched.onnx")
        onnx.save(tidy, plain)
        calibrator = create_calibrator(plain, IN_8_BITS, str(watched), extra_options=options)
        calibrator.collect_data(_Reader(pictures))
        found = calibrator.compute_data()
    silu = _silu_inputs(tidy.graph)
    reach = {}
    for name, tensor in found.items():
        low, high = (np.asarray(side, np.float32) for side in tensor.range_value)
        reach[name] = (np.maximum(low, np.float32(SILU_LOW)) if name in silu else low, high)
    return TensorsData(CalibrationMethod.MinMax, reach)


class _Reader(CalibrationDataReader):  # type: ignore[misc] # the library has no types
    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._feeds = iter([{"pictures": one[None]} for one in pictures])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._feeds, None)


def _in_float(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that stay as they are: those before the first and from the last
    convolution of every way through the network on."""
    users: dict[str, list[onnx.NodeProto]] = {}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    kept = {node.name for node in graph.node if CLASS_BRANCH in node.name}
    front = [node for node in graph.node if node.name.startswith(PREFIX)]
    while front:
        node = front.pop()
        kept.add(node.name)
        after = (user for name in node.output for user in users.get(name, []))
        front += [one for one in after if one.op_type != "Conv" and one.name not in kept]
    back = [makers[one.name] for one in graph.output]
    while back:
        node = back.pop()
        kept.add(node.name)
        if node.op_type != "Conv":
            before = (makers[name] for name in node.input if name in makers)
            back += [one for one in before if one.name not in kept]
    return kept


def _silu_inputs(graph: onnx.GraphProto) -> set[str]:
    """Tensors x that are only used as x * sigmoid(x)."""
    users: dict[str, list[str]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node.op_type)
    return {name for name, kinds in users.items() if sorted(kinds) == ["Mul", "Sigmoid"]}


def _tidy(model: Path) -> onnx.ModelProto:
    """The same graph with constants folded, as the quantiser wants it."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tidy.onnx")
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
        tidy = onnx.load(path)
    used = [
        one for one in tidy.opset_import if one.domain in {node.domain for node in tidy.graph.node}
    ]
    del tidy.opset_import[:]
    tidy.opset_import.extend(used)
    return onnx.shape_inference.infer_shapes(tidy)


def _run(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [session.run(None, {"pictures": one[None]})[0][0] for one in pictures]


def _rows(detector: Detector, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    return [detector.run([one])[0] for one in pictures]


def _card(card: ModelCard, name: str, pictures: int, same: Agreement) -> ModelCard:
    """The original's card with what is different; its scores are the original's no more."""
    return card.model_copy(
        update={
            "name": name,
            "precision": "int8",
            "architecture": card.architecture.replace("fp32", "int8 (U8S8, per channel)"),
            "training": f"{card.training}; in 8 bits by the ranges of {pictures} pictures",
            "speed_ms": {},
            "scores": {
                **{f"fp32: {what}": figures for what, figures in card.scores.items()},
                "int8 beside fp32, validation": {
                    "part of the boxes found": round(same.found / same.boxes, 3),
                    "mean change of score": round(same.score_bias, 3),
                    "mean change of score without sign": round(same.score_off_mean, 3),
                    "mean IoU": round(same.mean_iou, 3),
                },
            },
        }
    )
