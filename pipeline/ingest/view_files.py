"""Views kept over a restart: one file per camera in one folder, and the operator's acceptance.

A file holds where the still edges of a view are and how they run, at 160×90. It holds no picture:
no brightness, no colour, nobody who passed by.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from pipeline.ingest.known_view import LIGHTS, TILE_SHAPE, Print
from pipeline.ingest.viewprint import COLUMNS, ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.ingest.known_view import Light

_log = structlog.get_logger(__name__)
_FORMAT = 1
_MOST_BYTES = 4 << 20


def accept_view(folder: Path, camera_id: str) -> None:
    """Tell whoever watches this camera, now or later, that what it shows now is right.

    ``folder`` is where views are kept. The view is learnt anew with the camera's next pictures.
    Raises OSError when the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _stem(folder, camera_id).with_suffix(".accept").touch()


class ViewFile:
    """The file of one camera. Failing to read or write it never stops a camera: it is logged."""

    def __init__(self, folder: Path, camera_id: str) -> None:
        stem = _stem(folder, camera_id)
        self._camera_id = camera_id
        self._path = stem.with_suffix(".npz")
        self._accepted = stem.with_suffix(".accept")
        self._failed = False

    def load(self) -> dict[Light, Print]:
        """What was kept; nothing when there is no file or it is broken."""
        try:
            with self._path.open("rb") as file:
                content = io.BytesIO(file.read(_MOST_BYTES))
            with np.load(content, allow_pickle=False) as kept:
                return _prints(kept)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            _log.warning(
                "kept view is broken, learning anew",
                camera_id=self._camera_id,
                error=type(error).__name__,
            )
            return {}

    def save(self, prints: dict[Light, Print]) -> None:
        """Replace the file at once or not at all."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._path.with_suffix(".new")
            with unfinished.open("wb") as file:
                np.savez_compressed(file, **_arrays(prints))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                _log.warning("view not kept", camera_id=self._camera_id, error=error.strerror)
            self._failed = True

    def take_acceptance(self) -> bool:
        """True once after the operator accepted the view; the old one is forgotten."""
        try:
            self._accepted.unlink()
        except OSError:
            return False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        return True


def _stem(folder: Path, camera_id: str) -> Path:
    """Camera ids may hold anything; file names may not."""
    return folder / hashlib.sha256(camera_id.encode()).hexdigest()[:24]


def _arrays(prints: dict[Light, Print]) -> dict[str, Any]:
    arrays: dict[str, Any] = {"format": np.int64(_FORMAT)}
    for light, kept in prints.items():
        arrays[f"{light}_mean"] = kept.mean
        arrays[f"{light}_energy"] = kept.energy
        arrays[f"{light}_numbers"] = np.array([kept.usual, kept.looks, kept.known_s])
        if kept.anchor is not None:
            arrays[f"{light}_anchor"] = kept.anchor
    return arrays


def _prints(kept: Any) -> dict[Light, Print]:
    """Raises KeyError, ValueError or TypeError for anything that isn't exactly what was saved."""
    if int(kept["format"]) != _FORMAT:
        raise ValueError("another format")
    prints: dict[Light, Print] = {}
    for light in LIGHTS:
        if f"{light}_mean" not in kept:
            continue
        usual, looks, known_s = (float(number) for number in kept[f"{light}_numbers"])
        if not (0 <= usual < 1e6 and 1 <= looks < 1e12 and 0 <= known_s < 1e12):
            raise ValueError("impossible numbers")
        prints[light] = Print(
            mean=_checked(kept[f"{light}_mean"], np.int16, (ROWS, COLUMNS, 2)),
            energy=_checked(kept[f"{light}_energy"], np.float32, TILE_SHAPE),
            usual=usual,
            looks=int(looks),
            known_s=known_s,
            anchor=_checked(kept[f"{light}_anchor"], np.int8, (ROWS, COLUMNS, 2))
            if f"{light}_anchor" in kept
            else None,
        )
    return prints


def _checked(array: NDArray[Any], kind: type[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if array.dtype != kind or array.shape != shape or not np.isfinite(array).all():
        raise ValueError("not what was saved")
    return array
