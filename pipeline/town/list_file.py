"""A camera list that is edited while boxes read it: one camera's zones or ground points at a time.

Everything else in the file stays as it is, comments and encoding included. The new list is read by
the very reader the boxes use before it takes the place of the old one, which is kept beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import CameraListChangedError, CameraListError
from pipeline.town.camera import Camera, GroundPoint, Zone, masked_url
from pipeline.town.camera_list import raw_rows
from pipeline.town.datum import datum_name
from pipeline.town.files import make_like
from pipeline.town.list_cells import ground_cells, zone_cells
from pipeline.town.list_csv import with_cells
from pipeline.town.list_yaml import with_values
from pipeline.town.town import load_cameras_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.town.camera_list import Row
    from pipeline.town.grids import GridMap

    Done = Callable[[Camera, Camera], None]

_BOM = b"\xef\xbb\xbf"
_ADDRESSES = ("url", "sub_url")


@dataclass(frozen=True, slots=True)
class Entry:
    """One camera as its list has it now. ``mark`` changes when anything of the entry does.

    ``datum`` is the one that the entry's coordinates are written in.
    """

    camera: Camera
    datum: str
    mark: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What a change made of a camera; ``digest`` is the SHA-256 of the file as it is now."""

    before: Camera
    after: Camera
    digest: str


class CameraListFile:
    """Reads and changes one list of cameras of the town of this map.

    Several programs of one machine may change it at once, and people with editors: nobody's change
    is lost. Raises CameraListError and CoordinateError as ``load_cameras_in`` does.
    """

    def __init__(self, path: Path, grids: GridMap) -> None:
        self.path = path
        self._grids = grids
        # What the file held when it was last read, by its digest; never changed, only replaced.
        self._known: tuple[str, tuple[Camera, ...], list[Row]] | None = None

    def entry(self, camera_id: str) -> Entry:
        """Raises CameraListError for a camera that isn't listed, too."""
        digest, known = self.digest(), self._known
        if known is None or known[0] != digest:
            known = (digest, load_cameras_in(self.path, self._grids), raw_rows(self.path))
            if self.digest() == digest:
                self._known = known
        return self._entry(known[1], known[2], camera_id)

    def digest(self) -> str:
        """SHA-256 of the file as it is now."""
        return hashlib.sha256(self._raw()).hexdigest()

    def unwritable(self) -> str | None:
        """Why this program can't change the file; None: it can."""
        path = self._real()
        for place in (path, path.parent):
            if not os.access(place, os.W_OK):
                return f"{place}: {'read-only' if place.exists() else 'not there'}"
        known = path.stat()  # a file that is exchanged would be ours, and boxes may not read it
        ours = known.st_uid == os.geteuid() and known.st_gid in (os.getegid(), *os.getgroups())
        return None if ours or os.geteuid() == 0 else f"{path}: owned by another user or group"

    def put_zones(
        self, camera_id: str, zones: Sequence[Zone], mark: str, *, before_it_is_done: Done
    ) -> Saved:
        """Give the camera these zones; none: the whole picture counts.

        ``mark`` is that of the entry the change was made from. ``before_it_is_done`` is called
        when nothing but the exchange of the files is left; what it raises stops that. Raises
        CameraListChangedError where the entry is another one now.
        """
        told = zone_cells(zones)
        return self._put(camera_id, "zones", lambda _: told, mark, before_it_is_done)

    def put_ground_points(
        self, camera_id: str, points: Sequence[GroundPoint], mark: str, *, before_it_is_done: Done
    ) -> Saved:
        """Likewise its marked points on the ground; none: its pose counts."""
        return self._put(
            camera_id,
            "ground_points",
            lambda datum: ground_cells(points, datum),
            mark,
            before_it_is_done,
        )

    def _put(
        self,
        camera_id: str,
        column: str,
        value_in: Callable[[str], list[Any]],
        mark: str,
        done: Done,
    ) -> Saved:
        path = self._real()
        with self._alone(path):
            raw = self._raw()
            cameras = load_cameras_in(path, self._grids)
            entry = self._entry(cameras, raw_rows(path), camera_id)
            if entry.mark != mark:
                raise CameraListChangedError(
                    "the camera's entry was changed meanwhile: nothing was overwritten",
                    file=path,
                    where=f"camera {camera_id}",
                )
            text, encoding, mark_bytes = _decoded(raw, path)
            value = value_in(entry.datum)
            said = json.dumps(value, ensure_ascii=False) if value else ""
            try:
                edited = (
                    with_values(text, camera_id, {column: said or "null"})
                    if path.suffix.lower() in (".yaml", ".yml")
                    else with_cells(text, camera_id, {column: said})
                )
            except KeyError:
                raise self._not_alone(camera_id) from None
            content = mark_bytes + edited.encode(encoding)
            with self._staged(path, raw) as old, self._staged(path, content) as new:
                after = self._checked(new, path, cameras, camera_id, column)
                done(entry.camera, after)
                self._exchange(path, raw, old, new)
        return Saved(entry.camera, after, hashlib.sha256(content).hexdigest())

    def _entry(self, cameras: Sequence[Camera], rows: Sequence[Row], camera_id: str) -> Entry:
        camera = next((one for one in cameras if one.camera_id == camera_id), None)
        cells = next(
            (row for _, row in rows if str(row.get("camera_id", "")).strip() == camera_id), None
        )
        if camera is None or cells is None:
            raise CameraListError("there is no such camera", file=self.path, found=camera_id)
        shown = {
            name: masked_url(str(value)) if name in _ADDRESSES else value
            for name, value in cells.items()
            if value not in (None, "")
        }
        said = json.dumps(shown, sort_keys=True, default=str)
        mark = hashlib.sha256(said.encode()).hexdigest()[:32]
        return Entry(camera, datum_name(str(cells["datum"])), mark)

    def _checked(
        self,
        new: Path,
        path: Path,
        before: Sequence[Camera],
        camera_id: str,
        column: str,
    ) -> Camera:
        """The camera as the reader finds it in the new list, in which nothing else may differ."""
        try:
            read = load_cameras_in(new, self._grids)
        except CameraListError as error:
            if not (error.where or "").endswith(f"column {column}"):
                raise self._not_alone(camera_id) from None
            raise CameraListError(
                error.problem,
                file=path,
                where=f"camera {camera_id}, {column}",
                found=error.found,
                allowed=error.allowed,
            ) from None
        after = {camera.camera_id: camera for camera in read}
        expected = [
            _with(camera, column, after.get(camera_id)) if camera.camera_id == camera_id else camera
            for camera in before
        ]
        if list(read) != expected:
            raise self._not_alone(camera_id)
        return after[camera_id]

    def _not_alone(self, camera_id: str) -> CameraListError:
        return CameraListError(
            "this entry can't be changed alone",
            file=self.path,
            where=f"camera {camera_id}",
            found="an entry that others share, or one written in an uncommon way",
            allowed="a change by hand",
        )

    def _exchange(self, path: Path, raw: bytes, old: Path, new: Path) -> None:
        if self._raw() != raw:  # an editor that knows of no lock
            raise CameraListChangedError(
                "the list was changed at this very moment: nothing was overwritten", file=path
            )
        try:
            old.replace(path.with_name(f"{path.name}.bak"))
            new.replace(path)
        except OSError as error:
            raise CameraListError("cannot be written", file=path, found=error.strerror) from None

    @contextmanager
    def _staged(self, path: Path, content: bytes) -> Iterator[Path]:
        """The content on disk beside the list; gone afterwards unless it was renamed."""
        name: str | None = None
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
            with os.fdopen(handle, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            make_like(Path(name), path)
        except OSError as error:
            if name is not None:
                Path(name).unlink(missing_ok=True)
            raise CameraListError("cannot be written", file=path, found=error.strerror) from None
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _real(self) -> Path:
        """A link would be replaced by a file."""
        return self.path.resolve()

    def _raw(self) -> bytes:
        try:
            return self._real().read_bytes()
        except OSError as error:
            raise CameraListError("cannot be read", file=self.path, found=error.strerror) from None

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """One change at a time; the lock is on the folder, for the file is exchanged."""
        try:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise CameraListError("cannot be written", file=path, found=error.strerror) from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _with(camera: Camera, column: str, other: Camera | None) -> Camera:
    """The camera with the other's zones or ground points."""
    if other is None:
        return camera
    if column == "zones":
        return replace(camera, zones=other.zones)
    return replace(camera, ground_points=other.ground_points)


def _decoded(raw: bytes, path: Path) -> tuple[str, str, bytes]:
    """Text, encoding and byte order mark; what would not come out the same is not touched."""
    mark = _BOM if raw.startswith(_BOM) else b""
    body = raw[len(mark) :]
    for encoding in ("utf-8", "gb18030"):
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.encode(encoding) == body:
            return text, encoding, mark
    raise CameraListError(
        "can't be written back as it is", file=path, allowed="a list saved as UTF-8"
    )
