"""A short look at how a network does while it trains, on pictures that it is never taught."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, zip_longest
from typing import TYPE_CHECKING
from zlib import crc32

import cv2
import numpy as np
import torch

from pipeline.detect import Detections, look_at

from .classes import IDS
from .pictures import read_picture
from .precision import Matched, Seen
from .predictor import FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .folders import Picture
    from .network import StreetNet

MOST_PICTURES, FEWEST_BOXES = 120, 5


class Watch:
    """Gives AP50 by class on a fixed choice of pictures; full scores are ``score``'s work."""

    def __init__(
        self, pictures: Iterable[Picture], size: tuple[int, int], most: int = MOST_PICTURES
    ) -> None:
        """``pictures``: all that no training sees; ``size``: width and height of the input."""
        self._pictures = spread(pictures, most)
        self._size = size

    def __call__(self, network: StreetNet) -> dict[str, float]:
        """AP50 (0..1) of each class of which there are enough boxes."""
        seen = [self._see(network, picture) for picture in self._pictures]
        if not seen:
            return {}
        matched, members = Matched(seen), range(len(seen))
        found = {name: matched.precision(number, members) for name, number in IDS.items()}
        return {
            name: round(one.ap50, 4)
            for name, one in found.items()
            if one.boxes >= FEWEST_BOXES and one.ap50 is not None
        }

    @torch.no_grad()
    def _see(self, network: StreetNet, picture: Picture) -> Seen:
        bgr = read_picture(picture.path)
        look = look_at(bgr, self._size)
        rgb = torch.from_numpy(cv2.cvtColor(look.picture, cv2.COLOR_YUV2RGB_I420))
        given = rgb.permute(2, 0, 1)[None].to(next(network.parameters()).device).float() / 255
        rows = network(given)[0].float().cpu().numpy()
        rows = rows[rows[:, 4] >= FLOOR]
        classes = rows[:, 5].astype(np.int16)
        found = Detections(rows[:, :4] * np.float32(look.scale), rows[:, 4], classes)
        return Seen(picture, (bgr.shape[1], bgr.shape[0]), found)


def spread(pictures: Iterable[Picture], most: int = MOST_PICTURES) -> list[Picture]:
    """At most so many, as many of each source as there are; the same ones every time."""
    by_source: dict[str, list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda one: crc32(one.name.encode())):
        by_source[picture.source.split(" ")[0]].append(picture)
    rounds = zip_longest(*by_source.values())
    return [one for one in chain.from_iterable(rounds) if one is not None][:most]
