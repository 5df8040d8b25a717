"""The street network as one ONNX graph: convolutions fused, final boxes, no NMS."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import onnx
import torch
from torch import Tensor, nn
from ultralytics.nn.modules import C2f

from pipeline.errors import ModelError

from . import network

if TYPE_CHECKING:
    from ultralytics.nn.tasks import DetectionModel

OPSET = 17
MOST_BOXES = 300


class FinalBoxes(nn.Module):
    """RGB (N, 3, H, W) in 0..1 -> (N, K, 6): x1, y1, x2, y2 in pixels, score, class.

    The same rows as ultralytics' end-to-end head, but the best are chosen first, so that only
    they are decoded.
    """

    def __init__(self, fused: DetectionModel, width: int, height: int) -> None:
        super().__init__()
        self.fused = fused
        strides = [int(stride) for stride in fused.model[-1].stride]
        centres = [
            stride
            * (
                torch.cartesian_prod(torch.arange(height // stride), torch.arange(width // stride))
                + 0.5
            )
            for stride in strides
        ]
        self.register_buffer("centres", torch.cat(centres).flip(1))  # (A, 2) x, y
        lengths = [
            torch.full((len(part), 1), stride)
            for part, stride in zip(centres, strides, strict=True)
        ]
        self.register_buffer("strides", torch.cat(lengths))  # (A, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        _, found = network.raw(self.fused, pictures)
        distances, logits = found["boxes"], found["scores"]
        classes, places = logits.shape[1:]
        most = min(MOST_BOXES, places)
        place = logits.amax(1).topk(most).indices  # (N, K): one place may give several classes
        score, rank = logits.gather(2, _for_each(classes, place)).flatten(1).topk(most)
        place = place.gather(1, rank % most)
        sides = distances.gather(2, _for_each(4, place)).transpose(1, 2)
        sides, centres = sides * self.strides[place], self.centres[place]
        scores, numbers = score.sigmoid()[..., None], (rank // most)[..., None]
        return torch.cat([centres - sides[..., :2], centres + sides[..., 2:], scores, numbers], 2)


def to_onnx(trained: DetectionModel, width: int, height: int) -> onnx.ModelProto:
    """``images`` float32 RGB (N, 3, H, W) -> ``boxes`` (N, K, 6); ``trained`` is used up by this.

    Raises ModelError.
    """
    for module in trained.modules():
        if isinstance(module, C2f):
            module.forward = module.forward_split  # chunks need shapes at run time, splits don't
    final = FinalBoxes(trained.fuse(verbose=False), width, height).eval()
    example = torch.zeros(2, 3, height, width)
    content = io.BytesIO()
    options: dict[str, Any] = {"images": {0: "batch"}, "boxes": {0: "batch"}}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # torch's other exporter needs onnxscript, and ultralytics uses this one, too.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                final,
                (example,),
                content,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["boxes"],
                dynamic_axes=options,
                dynamo=False,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ModelError("can't be written as ONNX", found=str(error).splitlines()[0]) from None
    return onnx.ModelProto.FromString(content.getvalue())


def _for_each(rows: int, index: Tensor) -> Tensor:
    """(N, K) -> (N, rows, K); repeated, because an expanded view needs shapes at run time."""
    return index[:, None].repeat(1, rows, 1)
