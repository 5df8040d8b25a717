"""Brings a model and its card to their place, together and only after they passed every check."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.detect import Detector, look_at
from pipeline.errors import DataError, ModelError
from pipeline.settings import ModelSettings

from .folders import read_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import onnx
    from numpy.typing import NDArray

    from pipeline.detect import ModelCard

MOST_BYTES = 25_000_000
DRAWN = 6
_WAITING = ".waiting-"


class Delivery:
    """Models on their way into a folder; they arrive when all of them are checked."""

    def __init__(self, waiting: Path, target: Path) -> None:
        self._waiting, self._target = waiting, target
        self._names: list[str] = []

    def add(self, model: onnx.ModelProto, card: ModelCard) -> Detector:
        """The model and its card as the product will load them. Raises ModelError."""
        content = model.SerializeToString()
        path = self._waiting / f"{card.name}.onnx"
        if len(content) > MOST_BYTES:
            raise ModelError(
                "is too large", file=path.name, found=len(content), allowed=f"{MOST_BYTES} bytes"
            )
        path.write_bytes(content)
        sealed = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
        write_card(path, sealed)
        self._names.append(card.name)
        return Detector(ModelSettings(path=path))

    def arrive(self) -> list[Path]:
        """Put every model and card into the folder, each in one step."""
        for name in self._names:
            for suffix in (".onnx", ".json"):
                (self._waiting / (name + suffix)).replace(self._target / (name + suffix))
        return [self._target / f"{name}.onnx" for name in self._names]


@contextmanager
def delivery_to(folder: Path) -> Iterator[Delivery]:
    """A Delivery into ``folder``; what did not arrive leaves nothing behind. Raises ModelError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _waiting_room(folder) as waiting:
            yield Delivery(waiting, folder)
    except OSError as error:
        raise ModelError(
            "can't be written", file=folder, found=error.strerror or error, allowed="room on disk"
        ) from None


@contextmanager
def _waiting_room(folder: Path) -> Iterator[Path]:
    """An empty folder in ``folder`` for a while; those of processes that were killed go now."""
    with ExitStack() as stack:
        with ExitStack() as making:  # nobody else may clear a room before it is held
            _hold(folder, making, fcntl.LOCK_EX)
            for left in folder.glob(f"{_WAITING}*"):
                with ExitStack() as clearing, suppress(BlockingIOError):
                    _hold(left, clearing, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
            made = tempfile.TemporaryDirectory(dir=folder, prefix=_WAITING)
            room = Path(stack.enter_context(made))
            _hold(room, stack, fcntl.LOCK_EX)
        yield room


def _hold(folder: Path, stack: ExitStack, how: int) -> None:
    """Lock a folder until the stack ends; the system frees it when the process dies."""
    place = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, place)
    fcntl.flock(place, how)


def write_card(model: Path, card: ModelCard) -> None:
    """The card beside ``model``, in one step."""
    path = model.with_suffix(".json")
    part = path.with_suffix(".part")
    part.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def looks(
    folders: Sequence[Path], split: str, count: int, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """``count`` pictures of a split, spread evenly, as the product sees them: (N, H*3/2, W).

    Raises DataError.
    """
    paths = [one.path for root in folders for one in read_folder(root) if one.split == split]
    if not paths:
        raise DataError("has no pictures", file=", ".join(map(str, folders)), where=split)
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]
    return np.stack([_look(path, size) for path in chosen])


def drawn_looks(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures of soft colours and blocks, for where no real ones are at hand."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(DRAWN):
        soft = cv2.resize(rng.integers(30, 220, (5, 8, 3), np.uint8), size)
        for _ in range(12):
            x, y = (int(rng.integers(0, side)) for side in size)
            far = (x + int(rng.integers(10, 120)), y + int(rng.integers(10, 90)))
            cv2.rectangle(soft, (x, y), far, rng.integers(0, 255, 3).tolist(), -1)
        pictures.append(look_at(np.asarray(soft, np.uint8), size).picture)
    return np.stack(pictures)


def _look(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise DataError("is not a picture that can be read", file=path)
    return look_at(np.asarray(picture, np.uint8), size).picture
