"""Writes rendered stills as a data folder: pictures, labels, truth and index. No renderer.

A picture counts as made when its line stands in ``truth.jsonl``, which is written last; a run
that was stopped goes on behind the last whole line.
"""

from __future__ import annotations

import csv
import errno
import json
import os
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import cv2

from scripts.train.classes import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

INDEX = (
    "split", "name", "source", "group", "classes", "street", "camera", "light", "weather",
)  # fmt: skip
_QUALITY = 93


class FolderError(Exception):
    """The data folder can't be written; the message says what to do."""


@dataclass(frozen=True)
class Still:
    """One picture and its truth: boxes (x1, y1, x2, y2) in pixels by class name."""

    name: str
    picture: np.ndarray
    boxes: Sequence[tuple[str, tuple[float, float, float, float]]]
    truth: dict[str, Any]


class Folder:
    """One split of a data folder, for adding pictures."""

    def __init__(self, root: Path, split: str) -> None:
        self.root, self.split = root, split
        try:
            for part in ("images", "labels"):
                (root / split / part).mkdir(parents=True, exist_ok=True)
            self._names()
            self.done = self._mend()
        except OSError as error:
            raise _explained(error, root) from error

    def add(self, still: Still) -> None:
        """Write one picture, whole or not at all."""
        height, width = still.picture.shape[:2]
        quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        jpeg = cv2.imencode(".jpg", still.picture, quality)[1].tobytes()
        rows = [label(name, box, width, height) for name, box in still.boxes]
        base = self.root / self.split
        try:
            write(base / "images" / f"{still.name}.jpg", jpeg)
            write(base / "labels" / f"{still.name}.txt", "".join(f"{r}\n" for r in rows).encode())
            _append(base / "truth.jsonl", json.dumps(still.truth, ensure_ascii=False) + "\n")
            self._index(still.truth)
        except OSError as error:
            raise _explained(error, self.root) from error
        self.done.add(still.name)

    def _names(self) -> None:
        text = "names: [" + ", ".join(NAMES) + "]\n"
        write(self.root / "data.yaml", text.encode())

    def _mend(self) -> set[str]:
        """Names of whole pictures. A line cut short by a stop goes, a missing index row comes."""
        path = self.root / self.split / "truth.jsonl"
        if not path.exists():
            return set()
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if _whole(line)]
        write(path, "".join(f"{line}\n" for line in lines).encode())
        indexed = self._indexed()
        truths = {str(truth["name"]): truth for truth in map(json.loads, lines)}
        for name, truth in truths.items():
            if name not in indexed:
                self._index(truth)
        return set(truths)

    def _indexed(self) -> set[str]:
        path = self.root / "index.csv"
        if not path.exists():
            return set()
        with path.open(newline="", encoding="utf-8") as file:
            whole = [row for row in csv.DictReader(file) if row.get(INDEX[-1])]
        write(path, _table(whole).encode())
        return {row["name"] for row in whole if row["split"] == self.split}

    def _index(self, truth: dict[str, Any]) -> None:
        """The picture's row; a reader counts the picture from here on."""
        path = self.root / "index.csv"
        row = {
            "split": self.split,
            "name": truth["name"],
            "source": "rendered",
            "group": f"rendered-{self.split}-{truth['seed']}-{truth['street']}",
            "classes": " ".join(sorted({o["class"] for o in truth["objects"]} - {"none"})),
            "street": truth["kind"],
            "camera": "{height_m} m up, {hfov_deg} deg wide".format(**truth["camera"]),
            "light": truth["light"],
            "weather": truth["weather"],
        }
        if not path.exists():
            write(path, _table([]).encode())
        _append(path, _table([row]).split("\n", 1)[1])


def label(name: str, box: tuple[float, float, float, float], width: int, height: int) -> str:
    """One YOLO line: class, middle and size as shares of the picture."""
    x1, y1, x2, y2 = box
    numbers = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return " ".join([str(NAMES.index(name)), *(f"{n:.5f}" for n in numbers)])


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()


def _table(rows: Sequence[dict[str, Any]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, INDEX, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _whole(line: str) -> bool:
    try:
        return "name" in json.loads(line)
    except ValueError:
        return False


def _explained(error: OSError, root: Path) -> FolderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FolderError(f"{root}: the disk is full; free some space and run the command again")
    return FolderError(f"{error.filename or root}: {error.strerror}")
