"""``gridwatch cameras calibrate`` and ``zones``: what the console's editors do, in a terminal."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipeline.errors import CameraListError
from pipeline.terminal import (
    AsJson,
    SettingsFile,
    machine,
    opened_desk,
    out,
    person,
    print_json,
    town_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.tickets import ListChanges
    from pipeline.town import Calibration, CameraListFile

CameraId = Annotated[str, typer.Argument(metavar="CAMERA", help="of the list")]
Save = Annotated[bool, typer.Option("--save", help="write it into the camera list")]


def calibrate(
    camera_id: CameraId,
    settings_file: SettingsFile = None,
    points: Annotated[
        list[str] | None,
        typer.Option("--point", metavar="U,V,LON,LAT", help="repeat 4 times or more"),
    ] = None,
    datum: Annotated[str, typer.Option(help="of LON,LAT: wgs84, gcj02, bd09, ...")] = "wgs84",
    save: Save = False,
    as_json: AsJson = False,
) -> None:
    """标定摄像机，给出误差 / how well points fit, the list's or others; --save keeps them."""
    from pipeline.town import calibrate as fit
    from pipeline.town import ground_points_of

    lists = _lists(settings_file)
    entry = lists.entry(camera_id)
    if points:
        rows = [one.split(",") for one in points]
        marks = ground_points_of([[_number(part) for part in row] for row in rows], datum) or ()
    else:
        marks = entry.camera.ground_points or ()
    found = fit(entry.camera, marks)
    if save:
        with _changes(settings_file, lists) as changes:
            changes.put_ground_points(camera_id, marks, entry.mark)
    if as_json:
        print_json(
            {
                "camera_id": camera_id,
                "error_m": round(found.whole_m, 3),
                "proves_nothing": found.proves_nothing,
                "points": [
                    {
                        "u": mark.u,
                        "v": mark.v,
                        "lon": mark.lon,
                        "lat": mark.lat,
                        "error_m": round(error, 3),
                        "unseen_m": None if unseen is None else round(unseen, 3),
                    }
                    for mark, error, unseen in zip(
                        marks, found.errors_m, found.unseen_m, strict=True
                    )
                ],
                "saved": save,
            }
        )
        return
    _show(found, saved=save)


def zones(
    camera_id: CameraId,
    settings_file: SettingsFile = None,
    set_to: Annotated[str | None, typer.Option(metavar="JSON", help="zones instead")] = None,
    save: Save = False,
) -> None:
    """摄像机的区域 / a camera's zones as JSON; --set-to checks others, --save keeps them."""
    from pipeline.town import zone_cells, zones_of

    lists = _lists(settings_file)
    entry = lists.entry(camera_id)
    shown = entry.camera.zones if set_to is None else zones_of(set_to)
    if save:
        with _changes(settings_file, lists) as changes:
            changes.put_zones(camera_id, shown, entry.mark)
    out.print(json.dumps(zone_cells(shown)), soft_wrap=True, highlight=False)


def _lists(settings_file: Path | None) -> CameraListFile:
    from pipeline.town import CameraListFile, load_grids

    town = town_settings(settings_file).town
    return CameraListFile(town.cameras, load_grids(town.grids))


@contextmanager
def _changes(settings_file: Path | None, lists: CameraListFile) -> Iterator[ListChanges]:
    """On record in the audit, or not done."""
    from pipeline.tickets import ListChanges

    who, origin = person(), machine()
    with opened_desk(settings_file) as opened:
        yield ListChanges(lists, opened.audit, who=who, origin=origin)


def _show(found: Calibration, *, saved: bool) -> None:
    table = Table("点 / point", "误差 / error", "不计此点 / without it")
    for number, error_m, unseen_m in _rows(found):
        table.add_row(
            str(number), f"{error_m:.2f} m", "" if unseen_m is None else f"{unseen_m:.2f} m"
        )
    out.print(table)
    out.print(f"总误差 / error: {found.whole_m:.2f} m (RMS)")
    if found.proves_nothing:
        out.print("4 个点总是吻合,再加一个来检验 / 4 points always fit: add one more to check")
    if saved:
        out.print("已写入清单 / written to the list")


def _rows(found: Calibration) -> Iterator[tuple[int, float, float | None]]:
    for number, (error_m, unseen_m) in enumerate(
        zip(found.errors_m, found.unseen_m, strict=True), 1
    ):
        yield number, error_m, unseen_m


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CameraListError(
            "not a number", where="--point", found=text, allowed="U,V,LON,LAT"
        ) from None
