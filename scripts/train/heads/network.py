"""The head counter: trunk and upper neck of YOLO26n, ending in people per cell of 8 x 8 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from ultralytics.nn.modules import Conv
from ultralytics.nn.tasks import DetectionModel

from pipeline.errors import DataError
from scripts.train.network import read_checkpoint, read_weights

if TYPE_CHECKING:
    from pathlib import Path

CELL = 8
"""Pixels of the picture per cell of the density map, both ways."""
_LAYERS = 17  # up to the finest map of the neck, where its way down begins
_CHANNELS = 64


class HeadNet(nn.Module):
    """RGB float (N, 3, H, W) in 0..1, sides multiples of 32 -> people (N, H/8, W/8), from 0 up."""

    def __init__(self) -> None:
        super().__init__()
        whole = DetectionModel("yolo26n.yaml", verbose=False)
        self.layers = nn.ModuleList(list(whole.model)[:_LAYERS])
        self.head = nn.Sequential(
            Conv(_CHANNELS, _CHANNELS, 3), Conv(_CHANNELS, _CHANNELS, 3), nn.Conv2d(_CHANNELS, 1, 1)
        )
        last = self.head[-1]
        nn.init.normal_(last.weight, std=0.01)
        # Above zero, so that no cell starts dead.
        nn.init.constant_(last.bias, 0.03)

    def start_from(self, weights: Path) -> None:
        """Takes over trunk and neck of a YOLO26n checkpoint, or the whole of a trained head
        counter; DataError if it is neither."""
        content = read_checkpoint(weights)
        try:
            if content.keys() == self.state_dict().keys():
                self.load_state_dict(content)
                return
            state = read_weights(weights).state
            ours = [name for name in self.layers.state_dict() if f"model.{name}" in state]
            self.layers.load_state_dict({name: state[f"model.{name}"] for name in ours})
        except RuntimeError as error:
            raise DataError(
                "can't be the start",
                file=weights,
                found=str(error).splitlines()[0][:200],
                allowed="a YOLO26n checkpoint or the weights of a head counter",
            ) from None

    def forward(self, rgb: Tensor) -> Tensor:
        kept: list[Tensor] = []
        x = rgb
        for layer in self.layers:
            if layer.f != -1:  # which earlier maps the layer reads, as ultralytics notes it
                x = layer([x if source == -1 else kept[source] for source in layer.f])
            else:
                x = layer(x)
            kept.append(x)
        return self.head(x).relu().squeeze(1)
