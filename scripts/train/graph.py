"""The street network as one ONNX graph: convolutions fused, final boxes, no NMS."""

from __future__ import annotations

import io
import warnings
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from ultralytics.nn.modules import C2f

from pipeline.errors import ModelError

from . import network

OPSET = 17


class FinalBoxes(nn.Module):
    """RGB (N, 3, H, W) in 0..1 -> (N, K, 6): x1, y1, x2, y2 in pixels, score, class.

    The same rows as the network's own, but the best are chosen first, so that only they are
    decoded.
    """

    def __init__(self, fused: network.StreetNet, width: int, height: int) -> None:
        super().__init__()
        self.fused = fused
        centres = [
            stride
            * (
                torch.cartesian_prod(torch.arange(height // stride), torch.arange(width // stride))
                + 0.5
            )
            for stride in network.STRIDES
        ]
        self.register_buffer("centres", torch.cat(centres).flip(1))  # (A, 2) x, y
        lengths = [
            torch.full((len(part), 1), stride)
            for part, stride in zip(centres, network.STRIDES, strict=True)
        ]
        self.register_buffer("strides", torch.cat(lengths))  # (A, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        feats = self.fused.feats(pictures)
        traffic = self._best(self.fused.see_traffic(feats), *network.TRAFFIC_PART)
        hazards = self._best(self.fused.see_hazards(feats), *network.HAZARDS_PART)
        return torch.cat([traffic, hazards], 1)

    def _best(self, raw: network.Raw, most: int, first_class: int) -> Tensor:
        distances, logits = raw["boxes"], raw["scores"]
        classes, places = logits.shape[1:]
        most = min(most, places)
        place = logits.amax(1).topk(most).indices  # (N, K): one place may give several classes
        score, rank = logits.gather(2, _for_each(classes, place)).flatten(1).topk(most)
        place = place.gather(1, rank % most)
        sides = distances.gather(2, _for_each(4, place)).transpose(1, 2)
        sides, centres = sides * self.strides[place], self.centres[place]
        scores, numbers = score.sigmoid()[..., None], (rank // most + first_class)[..., None]
        return torch.cat([centres - sides[..., :2], centres + sides[..., 2:], scores, numbers], 2)


def to_onnx(trained: network.StreetNet, width: int, height: int) -> onnx.ModelProto:
    """``images`` float32 RGB (N, 3, H, W) -> ``boxes`` (N, K, 6); ``trained`` is used up by this.

    Raises ModelError.
    """
    for module in trained.modules():
        if isinstance(module, C2f):
            module.forward = module.forward_split  # chunks need shapes at run time, splits don't
    final = FinalBoxes(trained.fuse(), width, height).eval()
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
