"""The evidence on this disk: ``data_dir/evidence``. Files appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import EvidenceError
from pipeline.tickets.store.names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ASIDE = ".new-"


class Folder:
    """Files by their names (see ``names``), and nothing outside of it. Raises OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: Mapping[str, bytes]) -> None:
        """All of them or none: each is complete beside its place before the first one gets it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.root, prefix=_ASIDE) as aside:
            ready = {}
            for number, (name, content) in enumerate(files.items()):
                ready[name] = Path(aside) / str(number)
                _write(ready[name], content)
            moved: list[Path] = []
            try:
                for name, path in ready.items():
                    target = self.root / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(target)
                    moved.append(target)
                for folder in {target.parent for target in moved}:
                    _sync(folder)
            except OSError:
                for target in moved:
                    target.unlink(missing_ok=True)
                raise

    def read(self, name: str) -> bytes | None:
        """None where there is no such file, or something else in its place, such as a link."""
        file = self._file(name)
        return None if file is None else file.read_bytes()

    def remove(self, name: str) -> None:
        """Does nothing where there is none."""
        path = self.root / name
        if not is_name(name):
            return
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # with its folder, by another one
            _sync(path.parent)
            self._tidy(path.parent)

    def names(self) -> Iterator[tuple[str, float]]:
        """(name, when it was written in Unix seconds) of every file that has a name of ours."""
        for folder, _, files in os.walk(self.root):
            for file in files:
                path = Path(folder) / file
                name = path.relative_to(self.root).as_posix()
                if is_name(name) and self._file(name) is not None:
                    written_at = _written_at(path)
                    if written_at is not None:
                        yield name, written_at

    def clear_aside(self, older_than: float) -> int:
        """Remove what a killed writer has left half done; returns how many."""
        gone = 0
        for path in self.root.glob(f"{_ASIDE}*"):
            written_at = _written_at(path)
            if written_at is not None and written_at < older_than:
                shutil.rmtree(path, ignore_errors=True)
                gone += 1
        return gone

    def free_mb(self) -> int:
        """Free space of the disk it lies on."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.root.parent).free // 1_000_000

    def need(self, least_mb: int) -> None:
        """Raises EvidenceError where less is free: the last space belongs to tickets."""
        free = self.free_mb()
        if free < least_mb:
            raise EvidenceError(
                f"{free} MB free in {self.root.parent}, kept for tickets: {least_mb} MB"
            )

    def _file(self, name: str) -> Path | None:
        """The real file of this name; a link on the way, out of the folder or within, is none."""
        if not is_name(name):
            return None
        try:
            path = self.root.resolve() / name
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return None
        return real if real == path and real.is_file() else None

    def _tidy(self, folder: Path) -> None:
        """Remove the folders of a day that are empty now."""
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _written_at(path: Path) -> float | None:
    """None where it has gone meanwhile: several may sweep."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
