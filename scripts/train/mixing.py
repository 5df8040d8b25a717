"""How often a training sees each source, and what it never sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError

from .classes import IDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from .folders import Picture


@dataclass(frozen=True, slots=True)
class Source:
    """``share`` of the samples (all shares are scaled to sum to 1); ``zoom`` from and to, relative
    to the picture fitted into the input; ``paste``: hazards may be pasted onto its roads.
    """

    share: float
    zoom: tuple[float, float] = (0.5, 1.6)
    paste: bool = False


# By the beginning of a picture's source, the first that fits. Cameras on streets come first; the
# pictures of everyday things keep people, two-wheelers and trucks from being forgotten; close-ups
# of holes are shown small, as a camera on a pole sees them.
SOURCES = {
    "accident_cctv": Source(0.26, paste=True),
    "detrac": Source(0.12, paste=True),
    "lightly_coco": Source(0.20, paste=True),
    "shanghaitech": Source(0.06),
    "pothole": Source(0.10, zoom=(0.2, 1.0)),
    "indian_obstacle": Source(0.03, zoom=(0.3, 1.2)),
    "rdd2022": Source(0.12, zoom=(0.5, 1.3)),
    "composite": Source(0.14),
    "rendered": Source(0.40, zoom=(0.7, 1.6), paste=True),
    "": Source(0.20),
}
# A picture with one of these counts as several of its source: they are rare.
RARE = {"bicycle": 3, "motorcycle": 3, "bus": 2, "truck": 2, "crash": 2}


def source_of(picture: Picture) -> Source:
    return SOURCES[_key(picture)]


def for_training(pictures: Iterable[Picture], held_out: frozenset[str]) -> list[Picture]:
    """The pictures a training may see."""
    return [one for one in pictures if one.split == "train" and one.name not in held_out]


def read_held_out(path: Path, pictures: Iterable[Picture]) -> frozenset[str]:
    """Names of pictures never to be trained on, one a line. Raises DataError for unknown ones."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("can't be read", file=path, found=error) from None
    known = {one.name for one in pictures}
    for number, line in enumerate(lines, 1):
        if line.strip() and line.strip() not in known:
            raise DataError(
                "names a picture that no data folder has",
                file=path,
                where=f"line {number}",
                found=line.strip()[:80],
                allowed="names as in index.csv",
            )
    return frozenset(line.strip() for line in lines if line.strip())


def weights(pictures: list[Picture]) -> NDArray[np.float64]:
    """(N,) chance of each picture to be drawn; sums to 1."""
    keys = [_key(one) for one in pictures]
    rare = {IDS[name]: times for name, times in RARE.items()}
    single = np.array(
        [max((rare.get(int(number), 1) for number in one.classes), default=1) for one in pictures],
        np.float64,
    )
    for key in set(keys):
        mine = np.array([other == key for other in keys])
        single[mine] *= SOURCES[key].share / single[mine].sum()
    return single / single.sum()


def _key(picture: Picture) -> str:
    return next(key for key in SOURCES if picture.source.startswith(key))
