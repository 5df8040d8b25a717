"""Data folders: labelled pictures on disk, read strictly.

ROOT/data.yaml     optional; names: [..] the folder's classes by number (without it the first
                   eight of classes.NAMES), unlabelled: [..] classes nobody labelled here
ROOT/index.csv     split,name,source,group and any further columns; a picture belongs to the
                   folder once its row stands here (write picture and labels first)
ROOT/SPLIT/images/NAME.jpg, ROOT/SPLIT/labels/NAME.txt for the splits train and val
                   one line a box: class cx cy w h, parts of the picture; an empty file
                   says that there is nothing to see
ROOT/SPLIT/truth.jsonl   optional; one JSON object a line with the picture's ``name``
"""

from __future__ import annotations

import csv
import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from pipeline.errors import DataError
from pipeline.strict_yaml import load_yaml

from .classes import FIRST_NAMES, IDS, NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SPLITS = ("train", "val")
SUFFIXES = (".jpg", ".jpeg", ".png")
COLUMNS = ("split", "name", "source", "group")
# Boxes may stick out of the picture by rounding; more than this is a mistake.
SLACK = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture on disk and what is to be seen in it.

    ``boxes`` float32 (N, 4) xyxy as parts of the picture (0..1), ``classes`` int16 (N,) numbers
    in ``classes.NAMES``. ``group`` is shared by pictures of one scene or series ("" if unknown).
    ``notes`` holds the further columns of index.csv and, as ``truth``, the line of truth.jsonl.
    ``unlabelled`` are classes that may be in the picture without a box.
    """

    path: Path
    boxes: NDArray[np.float32]
    classes: NDArray[np.int16]
    split: str
    source: str
    group: str
    notes: dict[str, Any] = field(default_factory=dict)
    unlabelled: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        return self.path.stem


def read_folder(root: Path) -> list[Picture]:
    """Every picture of a data folder, in the order of index.csv. Raises DataError."""
    if not root.is_dir():
        raise DataError("is not a data folder", file=root, allowed="a folder with index.csv")
    numbers, unlabelled = _class_list(root / "data.yaml")
    rows = _rows(root / "index.csv")
    found = {split: _images(root / split / "images") for split in {row["split"] for _, row in rows}}
    truth = {split: _truth(root / split / "truth.jsonl") for split in found}
    pictures = []
    for line, row in rows:
        split, name = row.pop("split"), row.pop("name")
        if (path := found[split].get(name)) is None:
            raise DataError(
                "names a picture that is not there",
                file=root / "index.csv",
                where=f"line {line}",
                found=f"{split}/images/{name}",
                allowed=f"a file with the ending {', '.join(SUFFIXES)}",
            )
        boxes, classes = read_labels(root / split / "labels" / f"{name}.txt", numbers)
        source, group = row.pop("source"), row.pop("group")
        notes: dict[str, Any] = dict(row)
        if name in truth[split]:
            notes["truth"] = truth[split][name]
        pictures.append(Picture(path, boxes, classes, split, source, group, notes, unlabelled))
    return pictures


def read_labels(
    path: Path, numbers: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Boxes float32 (N, 4) xyxy 0..1 and classes int16 (N,); numbers[i] is what the file calls i.

    Raises DataError with the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(
            "is missing", file=path, allowed="a label file; empty if there is nothing to see"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("can't be read", file=path, found=error) from None
    boxes, classes = [], []
    for line, text in enumerate(lines, 1):
        if text.strip():
            number, box = _box(text, path, line, len(numbers))
            boxes.append(box)
            classes.append(numbers[number])
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int16)


def _box(text: str, path: Path, line: int, classes: int) -> tuple[int, list[float]]:
    def fault(problem: str, allowed: str) -> DataError:
        return DataError(problem, file=path, where=f"line {line}", found=text[:80], allowed=allowed)

    form = "class cx cy w h, the last four as parts of the picture"
    try:
        number_text, *rest = text.split()
        number = int(number_text)
        x, y, w, h = map(float, rest)
    except ValueError:
        raise fault("is not a label", form) from None
    if not 0 <= number < classes:
        raise fault("class is out of range", f"0 to {classes - 1}")
    corners = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    inside = all(-SLACK <= value <= 1 + SLACK for value in corners)  # false for NaN, too
    if not (inside and w > 0 and h > 0):
        raise fault("box is not inside the picture", form)
    return number, [min(max(value, 0.0), 1.0) for value in corners]


def _class_list(path: Path) -> tuple[tuple[int, ...], frozenset[int]]:
    """The number in NAMES of each class of the folder, and the classes nobody labelled."""
    if not path.exists():
        return tuple(IDS[name] for name in FIRST_NAMES), frozenset()
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DataError("can't be read as YAML", file=path, found=error) from None
    if not isinstance(content, dict):
        raise DataError("is not a mapping", file=path, allowed="names and unlabelled")
    names = content.get("names", list(FIRST_NAMES))
    if isinstance(names, dict) and list(names) == list(range(len(names))):
        names = list(names.values())
    numbers = tuple(_known(names, path, "names"))
    if len(set(numbers)) < len(numbers):
        raise DataError("names a class twice", file=path, where="names", found=names)
    return numbers, frozenset(_known(content.get("unlabelled", []), path, "unlabelled"))


def _known(names: Any, path: Path, where: str) -> list[int]:
    if not isinstance(names, list):
        raise DataError("is not a list of classes", file=path, where=where, found=repr(names)[:80])
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(str(name), NAMES, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            allowed = ", ".join(NAMES) + hint
            raise DataError("unknown class", file=path, where=where, found=name, allowed=allowed)
    return [IDS[name] for name in names]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of index.csv with their line numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    "lacks columns", file=path, found=reader.fieldnames, allowed=", ".join(COLUMNS)
                )
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataError(
            "is missing", file=path, allowed="a table with the columns " + ", ".join(COLUMNS)
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("can't be read", file=path, found=error) from None
    if not rows:
        raise DataError("lists no picture", file=path)
    seen: set[tuple[str, str]] = set()
    for line, row in rows:
        where = f"line {line}"
        if None in row or None in row.values():
            raise DataError("has more or fewer fields than the header", file=path, where=where)
        if row["split"] not in SPLITS:
            raise DataError(
                "unknown split",
                file=path,
                where=where,
                found=row["split"],
                allowed=", ".join(SPLITS),
            )
        key = (row["split"], row["name"])
        if key in seen:
            raise DataError("lists a picture twice", file=path, where=where, found=row["name"])
        seen.add(key)
    return rows


def _images(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError("is missing", file=folder, allowed="a folder of pictures")
    return {path.stem: path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES}


def _truth(path: Path) -> dict[str, Any]:
    """Lines of truth.jsonl by the name of their picture; none where there is no such file."""
    if not path.exists():
        return {}
    by_name = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            one = json.loads(line)
            by_name[one["name"]] = one
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                "is not a line of truth",
                file=path,
                where=f"line {number}",
                found=error,
                allowed="a JSON object with name",
            ) from None
    return by_name
