"""The fingerprint of a view: where the still edges of a picture are and how they run.

Brightness changes with the hour, the lamp and the weather; the direction in which an edge runs
doesn't. So each pixel of a small picture is a complex number whose angle is twice the direction of
its gradient and whose length, 0 to 1, says how clear the edge is. Twice, because a wall that is
darker than the sky by day may be brighter at night and its edge is still the same edge. Averaged
over time what moves cancels out, and what stays, stays.

Correlating direction instead of brightness is from Fitch et al., "Orientation Correlation" (BMVC
2002; there too: squared against inverted contrast); judging a camera by the edges of its own past
that disappear is from Lee et al., "Unified Camera Tamper Detection Based on Edge and Object
Information" (Sensors 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Edges = NDArray[np.complex64]
    Tiles = NDArray[np.float32]

COLUMNS, ROWS = 160, 90
"""Of a print, whatever the picture's shape: a stream may be squeezed and show the same view."""
MARGIN = 11
"""Rows at the top and the bottom that count for nothing: there the camera writes time and name."""
TILES = 8, 4
"""Columns and rows of tiles in which agreement is counted."""
_SOFTEST, _HARDEST = 7.0, 28.0
"""Gradient (Sobel, 8 to a grey level per pixel) that counts half: it follows the picture's own
contrast, so that fog and night keep their edges, but not down to a sensor's noise."""
_WINDOWS = 4, 3
"""Columns and rows of the windows whose own shifts tell a zoom or a turn."""
_WINDOW = COLUMNS // _WINDOWS[0], (ROWS - 2 * MARGIN) // _WINDOWS[1]
_WINDOW_CORNERS = np.array([(x, y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) * _WINDOW
_REACH = 10
"""Pixels that a window is looked for around where the whole picture went."""
_CHANGES = (1.1, 0.0), (0.9, 0.0), (1.2, 0.0), (0.83, 0.0), (1, 5.0), (1, -5.0), (1, 10), (1, -10)
"""Zooms, and turns in degrees, as of a loose screw, that are tried as a last resort."""
_CLEAR = 7.0
"""Height of a window's peak, in standard deviations, from which its shift is believed."""
_CLOSE = 1.0
"""Pixels between a window's shift and what all together say."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """What one picture says about its view.

    ``edges`` is complex64 (ROWS, COLUMNS); by tiles, float32 (rows, columns): ``energy``, the mean
    square of the gradient in Sobel units, and ``luma``, the mean brightness.
    """

    edges: Edges
    energy: Tiles
    luma: Tiles


def glance(luma: NDArray[np.uint8]) -> Glance:
    """Look at a picture's edges: uint8 luma (H, W) without padding."""
    small = cv2.resize(luma, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    edges = np.empty((ROWS, COLUMNS, 2), np.float32)
    strength, square = across * across, down * down
    along = strength - square
    slant = across * down
    slant += slant
    strength += square
    energy = _by_tiles(strength)
    strength += np.clip(energy.mean() / 2, _SOFTEST**2, _HARDEST**2)
    along /= strength
    slant /= strength
    edges = np.ascontiguousarray(cv2.merge([along, slant]), np.float32)
    edges[:MARGIN] = edges[-MARGIN:] = 0.0
    edges[:, 0] = edges[:, -1] = 0.0
    return Glance(as_edges(edges), energy, _by_tiles(small).astype(np.float32))


def in_common(one: Edges, other: Edges) -> Tiles:
    """How much edge two prints have in common in each tile: float32 (rows, columns).

    Of a print with itself it is its detail; noise and what moves have nothing in common.
    """
    common: Tiles = _by_tiles(as_planes(one) * as_planes(other)).sum(axis=2)
    return common


def as_planes(edges: Edges) -> NDArray[np.float32]:
    """The same memory as float32 (ROWS, COLUMNS, 2)."""
    return np.ascontiguousarray(edges).view(np.float32).reshape(ROWS, COLUMNS, 2)


def as_edges(planes: NDArray[Any]) -> Edges:
    """The other way round."""
    return np.ascontiguousarray(planes, np.float32).view(np.complex64)[..., 0]


def _by_tiles(plane: NDArray[Any]) -> NDArray[Any]:
    return cv2.resize(plane[MARGIN:-MARGIN], TILES, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True, slots=True)
class Match:
    """How one picture lies on a print.

    ``here``: the height of their correlation where it would be if nothing had moved, ``peak`` where
    it is highest, in standard deviations of the whole correlation. ``shift`` is that place: pixels
    of the print, right and down, by which the picture's content has moved. ``corner_px``: by how
    much the corner of a window that moved most has moved, zoom and turn included; None when the
    windows agree on nothing. ``zoom`` and ``turn_deg`` (clockwise) of the content; 1 and 0 if
    unknown.
    """

    here: float
    peak: float
    shift: tuple[float, float]
    corner_px: float | None = None
    zoom: float = 1.0
    turn_deg: float = 0.0


def match(print_: Edges, picture: Edges) -> Match:
    """Lay a picture's edges on a print."""
    surface = _correlation(print_, picture)
    row, column = (int(index) for index in np.unravel_index(surface.argmax(), surface.shape))
    deviation = float(surface.std()) or 1.0
    here = float(surface[np.ix_((-1, 0, 1), (-1, 0, 1))].max()) / deviation
    peak = float(surface[row, column]) / deviation
    shift = _signed(column, COLUMNS), _signed(row, ROWS)
    fit = _fit(print_, picture, shift)
    if fit is None:
        return Match(here, peak, shift)
    fitted, places = fit
    middle = fitted[:, 2]
    # No farther than where something was recognised: beyond, a small error of the fit grows large.
    corners = (places[:, None] + _WINDOW_CORNERS).reshape(-1, 2)
    moved = corners @ fitted[:, :2].T + middle
    change = fitted[:, :2] + np.eye(2)
    zoom = float(np.sqrt(abs(np.linalg.det(change))))
    turn_deg = float(np.degrees(np.arctan2(change[1, 0] - change[0, 1], np.trace(change))))
    corner_px = float(np.hypot(*moved.T).max())
    return Match(here, peak, (float(middle[0]), float(middle[1])), corner_px, zoom, turn_deg)


def match_changed(print_: Edges, picture: Edges) -> Match | None:
    """Lay a picture on a print that is first made larger, smaller or turned.

    For changes larger than ``match`` can see. The best of some tries; None when none fits. Its
    ``corner_px`` leaves the shift out.
    """
    best, best_peak = None, 0.0
    for zoom, turn_deg in _CHANGES:
        changed = _changed(print_, zoom, turn_deg)
        surface = _correlation(changed, picture)
        peak = float(surface.max() / (surface.std() or 1.0))
        if peak > best_peak:
            best, best_peak = (changed, zoom, turn_deg), peak
    if best is None:
        return None
    changed, zoom, turn_deg = best
    found = match(changed, picture)
    if found.corner_px is None:
        return None
    zoom, turn_deg = found.zoom * zoom, found.turn_deg + turn_deg
    farthest = max(abs(zoom - 1), abs(np.radians(turn_deg))) * COLUMNS / 2
    return replace(found, corner_px=float(farthest), zoom=zoom, turn_deg=turn_deg)


def _changed(print_: Edges, zoom: float, turn_deg: float) -> Edges:
    return as_edges(cv2.warpAffine(as_planes(print_), _affine(zoom, turn_deg), (COLUMNS, ROWS)))


def _affine(zoom: float, turn_deg: float) -> NDArray[np.float64]:
    """(2, 3) for OpenCV; its angles are counterclockwise."""
    matrix = cv2.getRotationMatrix2D((COLUMNS / 2, ROWS / 2), -turn_deg, zoom)
    return np.ascontiguousarray(matrix, np.float64)


def _correlation(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Circular correlation of the last two axes, half whitened: sharp peaks, calm noise."""
    spectrum = np.fft.fft2(one)
    np.conjugate(spectrum, out=spectrum)
    spectrum *= np.fft.fft2(other)
    spectrum /= np.sqrt(np.abs(spectrum)) + np.float32(1e-3)
    return np.ascontiguousarray(np.fft.ifft2(spectrum).real, np.float32)


def _fit(
    print_: Edges, picture: Edges, shift: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """How content moves with its place, (2, 3): pixels moved = matrix · (x, y from the centre, 1).

    And the middles of the windows that say so, (N, 2). Each window of the print is looked for
    around the common shift; windows with a clear peak that agree make the fit. None if too few do.
    """
    places, moves = _window_shifts(print_, picture, shift)
    if len(places) < 4:
        return None
    kept = np.ones(len(places), bool)
    for _ in range(3):
        across = np.c_[places[kept], np.ones(kept.sum())]
        fitted = np.linalg.lstsq(across, moves[kept], rcond=None)[0]
        off = np.hypot(*(np.c_[places, np.ones(len(places))] @ fitted - moves).T)
        now = off <= max(_CLOSE, float(np.median(off)))
        if now.sum() < 4 or (now == kept).all():
            break
        kept = now
    agreed = off[kept].max() <= _CLOSE and np.ptp(places[kept], axis=0).min() > 0
    return (np.ascontiguousarray(fitted.T), places[kept]) if agreed else None


def _window_shifts(
    print_: Edges, picture: Edges, shift: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 2) places from the centre and (N, 2) moves in pixels of the windows with a clear peak."""
    right, down = (round(step) for step in shift)
    columns, rows = _WINDOWS
    width, height = _WINDOW
    tall, wide = height + 2 * _REACH, width + 2 * _REACH
    known = np.zeros((rows * columns, tall, wide), np.complex64)
    seen = np.zeros_like(known)
    room = max(abs(right), abs(down)) + _REACH
    around = np.pad(picture, room)
    places = []
    for index in range(rows * columns):
        x = index % columns * width
        y = MARGIN + index // columns * height
        known[index, _REACH:-_REACH, _REACH:-_REACH] = print_[y : y + height, x : x + width]
        left, top = x + right + room - _REACH, y + down + room - _REACH
        seen[index] = around[top : top + tall, left : left + wide]
        places.append((x + width / 2 - COLUMNS / 2, y + height / 2 - ROWS / 2))
    surfaces = np.fft.fftshift(_correlation(known, seen), axes=(1, 2))
    deviations = surfaces.std(axis=(1, 2)) + np.float32(1e-9)
    middle = tall // 2, wide // 2
    near = surfaces[
        :,
        middle[0] - _REACH : middle[0] + _REACH + 1,
        middle[1] - _REACH : middle[1] + _REACH + 1,
    ]
    tops = near.reshape(len(near), -1).argmax(axis=1)
    clear, moves = [], []
    for index, top_index in enumerate(tops):
        row, column = (int(i) for i in np.unravel_index(top_index, near.shape[1:]))
        inside = 0 < row < 2 * _REACH and 0 < column < 2 * _REACH
        if not inside or near[index, row, column] < _CLEAR * deviations[index]:
            continue
        patch = near[index, row - 1 : row + 2, column - 1 : column + 2]
        clear.append(places[index])
        moves.append(
            (
                right + column - _REACH + _vertex(patch[1]),
                down + row - _REACH + _vertex(patch[:, 1]),
            )
        )
    return np.array(clear).reshape(-1, 2), np.array(moves).reshape(-1, 2)


def _vertex(three: NDArray[np.float32]) -> float:
    """Where between its neighbours a peak's top lies: -0.5 to 0.5."""
    before, top, after = (float(value) for value in three)
    bend = before - 2 * top + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def _signed(index: int, size: int) -> int:
    return index - size if index > size // 2 else index
