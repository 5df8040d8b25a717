"""The folder that a replay writes to: empty, or an older replay's, whose results give way."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipeline.errors import FootageError

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "incidents.jsonl"
_FILES = (_MARK, "tickets.jsonl", "score.json", "report.html", "compare.html")


def clear_folder(folder: Path) -> None:
    """Make ``folder`` ready: old results go, so that no old score stands beside new incidents.

    Raises FootageError for a folder with something else in it: it may be somebody's footage.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise FootageError(
            "holds other things than a replay", file=folder, allowed="--out with an empty folder"
        )
    if folder.exists() and not folder.is_dir():
        raise FootageError("is no folder", file=folder, allowed="--out with a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "evidence", ignore_errors=True)
    (folder / _MARK).touch()  # an interrupted replay may be followed by another one
