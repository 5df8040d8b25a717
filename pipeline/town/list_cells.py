"""Zones and ground points as a camera list writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.town.datum import from_wgs84

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.town.camera import GroundPoint, Zone

_SHARE_DIGITS = 5  # of the picture's width: a fiftieth of a pixel
_DEGREE_DIGITS, _METRE_DIGITS = 8, 3  # a millimetre


def zone_cells(zones: Sequence[Zone]) -> list[dict[str, Any]]:
    """``[{"kind": ..., "polygon": [[u, v], ...]}, ...]``."""
    return [
        {"kind": zone.kind, "polygon": [_rounded(corner) for corner in zone.polygon]}
        for zone in zones
    ]


def ground_cells(points: Sequence[GroundPoint], datum: str) -> list[list[float]]:
    """``[[u, v, lon, lat], ...]`` in the datum of their row."""
    digits = _METRE_DIGITS if datum.startswith("epsg:") else _DEGREE_DIGITS
    return [
        [
            *_rounded((point.u, point.v)),
            *(round(one, digits) for one in from_wgs84(point.lon, point.lat, datum)),
        ]
        for point in points
    ]


def _rounded(corner: tuple[float, float]) -> list[float]:
    return [round(share, _SHARE_DIGITS) for share in corner]
