"""Zones and marked points of a camera: read from what a person sent, checked, put into the list."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.console.camera_words import refusal
from pipeline.console.context import Refused
from pipeline.errors import CameraListChangedError, InputError
from pipeline.tickets import ListChanges
from pipeline.town import ground_cells, ground_points_of, zone_cells, zones_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.console.accounts import By
    from pipeline.console.words import Pair
    from pipeline.tickets import Audit, CameraBoard, CoverageLedger
    from pipeline.town import CameraListFile, GroundPoint, Zone

DATUMS = ("wgs84", "gcj02", "bd09", "cgcs2000")
_MOST_ZONES, _MOST_CORNERS, _MOST_POINTS = 40, 200, 40
_LONGEST = 100_000  # characters of what is sent
_NUMBER = re.compile(r"[-+]?[0-9.]+(?:e[-+]?[0-9]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CameraCare:
    """What the pages of one camera work with beside the desk.

    ``shared``: boxes on other machines read the list of this one.
    """

    lists: CameraListFile
    board: CameraBoard
    coverage: CoverageLedger
    audit: Audit
    shared: bool = False

    def why_not(self, camera_id: str) -> Pair | None:
        """Why this console may not change the camera's entry; None: it may."""
        problem = self.lists.unwritable()
        if problem is not None:
            return (
                f"这台机器不能写摄像机清单（{problem}）",
                f"this machine can't write the camera list ({problem})",
            )
        told = self.board.list_of(camera_id)
        if told is None or self.shared or told.host == socket.gethostname():
            return None
        return (
            (
                f"看这个摄像机的盒子是 {told.host}，它读自己的清单；在这里改不起作用。"
                "若它与本机共用同一个文件，请设 console.shared_list: true"
            ),
            (
                f"the box that watches this camera is {told.host} and reads a list of its own: a "
                "change here would not reach it. Where both share one file, set "
                "console.shared_list: true"
            ),
        )


def read_zones(text: str) -> list[Zone]:
    """Raises Refused (422) with what is wrong with which zone."""
    shape = ("区域格式不对", 'zones are [{"kind": ..., "polygon": [[u, v], ...]}, ...]')
    try:
        told = json.loads(text[:_LONGEST])
    except (ValueError, RecursionError):
        raise Refused(422, shape) from None
    if not isinstance(told, list) or len(told) > _MOST_ZONES:
        raise Refused(422, shape)
    return [_zone(one, number) for number, one in enumerate(told, 1)]


def _zone(told: Any, number: int) -> Zone:
    try:
        (zone,) = zones_of([told])
    except InputError as error:
        zh, en = refusal(error)
        raise Refused(422, (f"区域 {number}：{zh}", f"zone {number}: {en}")) from None
    if len(zone.polygon) > _MOST_CORNERS:
        zh = f"区域 {number}：最多 {_MOST_CORNERS} 个角点"
        raise Refused(422, (zh, f"zone {number}: {_MOST_CORNERS} corners at most"))
    return zone


def read_points(text: str, datum: str) -> list[GroundPoint]:
    """Marked points, one a line: u, v, lon, lat, the latter in ``datum``; in WGS-84 as they come.

    Raises Refused (422) with what is wrong with which line.
    """
    if datum not in DATUMS:
        raise Refused(422, ("请选择坐标系", f"datum: {', '.join(DATUMS)}"))
    lines = [line for line in text[:_LONGEST].splitlines() if line.strip()]
    if len(lines) > _MOST_POINTS:
        raise Refused(422, (f"最多 {_MOST_POINTS} 个点", f"{_MOST_POINTS} points at most"))
    return [_point(line, number, datum) for number, line in enumerate(lines, 1)]


def _point(line: str, number: int, datum: str) -> GroundPoint:
    said = re.split(r"[\s,;，；、]+", line.strip())
    if len(said) != 4 or not all(_NUMBER.fullmatch(one) for one in said):
        zh = f"第 {number} 点：要四个数：画面横、纵（0 到 1）、经度、纬度"
        raise Refused(
            422, (zh, f"point {number}: four numbers: u, v (0 to 1), longitude, latitude")
        )
    try:
        (point,) = ground_points_of([[float(one) for one in said]], datum) or ()
    except ValueError:
        said_so = (f"第 {number} 点：不是数", f"point {number}: not a number")
        raise Refused(422, said_so) from None
    except InputError as error:
        zh, en = refusal(error)
        raise Refused(422, (f"第 {number} 点：{zh}", f"point {number}: {en}")) from None
    return point


def written_points(points: Sequence[GroundPoint], datum: str) -> str:
    """The points as ``read_points`` takes them."""
    return "\n".join(" ".join(f"{one:.10g}" for one in row) for row in ground_cells(points, datum))


def written_zones(zones: Sequence[Zone]) -> str:
    """The zones as ``read_zones`` takes them, and as the column of a list."""
    return json.dumps(zone_cells(zones))


def save_zones(care: CameraCare, camera_id: str, zones: Sequence[Zone], mark: str, by: By) -> None:
    """Put them into the list, on record. Raises Refused; then nothing was changed."""
    changes = _changes(care, camera_id, by)
    _saved(lambda: changes.put_zones(camera_id, zones, mark))


def save_points(
    care: CameraCare, camera_id: str, points: Sequence[GroundPoint], mark: str, by: By
) -> None:
    """Likewise its marked points."""
    changes = _changes(care, camera_id, by)
    _saved(lambda: changes.put_ground_points(camera_id, points, mark))


def _changes(care: CameraCare, camera_id: str, by: By) -> ListChanges:
    why_not = care.why_not(camera_id)
    if why_not is not None:
        raise Refused(409, why_not)
    return ListChanges(care.lists, care.audit, who=by.who, origin=by.origin)


def _saved(put: Callable[[], object]) -> None:
    try:
        put()
    except CameraListChangedError as error:
        raise Refused(409, refusal(error)) from None
    except InputError as error:
        raise Refused(422, refusal(error)) from None
