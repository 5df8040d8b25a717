"""The folder that a replay writes to: old results give way, other people's data is left alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipeline.errors import FootageError
from pipeline.replay.beside import BESIDE
from pipeline.replay.footage import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "incidents.jsonl"
_FILES = ("tickets.jsonl", "score.json", "report.html", "compare.html", "beside.json")
_DAEMONS = "outbox.sqlite"


def clear_folder(folder: Path) -> None:
    """Make ``folder`` ready: old results go, so that no old score stands beside new incidents.

    Raises FootageError for a folder of footage and for a daemon's data: evidence lies there, too.
    """
    if folder.exists() and not folder.is_dir():
        raise FootageError("is no folder", file=folder, allowed="--out with a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name == _DAEMONS or path.suffix.lower() in SUFFIXES:
            raise FootageError(
                "holds footage or a daemon's data",
                file=folder,
                found=path.name,
                allowed="--out with a folder for results",
            )
    if (folder / _MARK).is_file():
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        for name in ("evidence", BESIDE):
            shutil.rmtree(folder / name, ignore_errors=True)
    (folder / _MARK).write_bytes(b"")  # an interrupted replay leaves no incidents of an older one
