"""The commands about cameras: what they are doing, whether they open, and their list."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import care_commands, lab, show
from pipeline.clock import SystemClock
from pipeline.errors import CameraListError, CoordinateError, InputError
from pipeline.terminal import (
    AsJson,
    SettingsFile,
    err,
    opened_desk,
    out,
    print_json,
    town_settings,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.tickets import OpenDesk


app = typer.Typer(no_args_is_help=True, help="摄像头 / cameras")


@app.command("list")
def cameras_list(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """摄像头及其最近状态 / the camera list with the states the boxes last told."""
    from pipeline.tickets import STALE_S

    try:
        with opened_desk(settings_file) as opened:
            rows = camera_rows(opened)
            _add_last_hour(rows, opened)
            refused = opened.board.refused_lists()
    except (CameraListError, CoordinateError):
        # The boxes go on with the list before; what is wrong with this one is said after it.
        if told := _told_rows(town_settings(settings_file)):
            if as_json:
                print_json(told)
            else:
                out.print(show.cameras(told))
        raise
    if as_json:
        print_json(rows)
    else:
        out.print(show.cameras(rows))
    for one in refused:
        if SystemClock().now() - one.told_at <= STALE_S:
            err.print(show.refused_list(one), style="yellow", soft_wrap=True)


@app.command("check")
def cameras_check(
    settings_file: SettingsFile = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="how long to try")] = 15.0,
    as_json: AsJson = False,
) -> None:
    """逐个打开摄像头,说明故障 / open every camera and say what is wrong with which."""
    from pipeline.ingest import check_cameras
    from pipeline.town import load_town

    settings = town_settings(settings_file)
    town = load_town(settings.town)
    with err.status(f"{len(town.cameras)} cameras, {seconds:.0f} s at most"):
        statuses = check_cameras(town.cameras, settings.ingest, SystemClock(), seconds)
    rows = [asdict(status) for status in statuses]
    if as_json:
        print_json(rows)
    else:
        out.print(show.cameras(rows))
    if any(status.state not in ("live", "disabled") for status in statuses):
        raise typer.Exit(1)


@app.command("import")
def cameras_import(
    source: Annotated[Path, typer.Argument(help="CSV or YAML, as it came")],
    target: Annotated[Path, typer.Option("--out", help="the clean list")],
    force: Annotated[bool, typer.Option("--force", help="replace --out if it is there")] = False,
    as_json: AsJson = False,
) -> None:
    """导入摄像头清单,报告坏行 / keep the good rows of a list and report the bad ones."""
    from pipeline.town import import_cameras, write_cameras

    if target.exists() and (not force or target.samefile(source)):
        raise InputError(
            "is there already",
            file=target,
            allowed="another --out; --force replaces, never the source",
        )
    report = import_cameras(source)
    if report.cameras:
        write_cameras(target, report.cameras)
    if as_json:
        problems = [str(problem) for problem in report.problems]
        print_json(
            {
                "cameras": len(report.cameras),
                "bad_rows": report.bad_rows,
                "problems": problems,
            }
        )
    else:
        for problem in report.problems:
            out.print(str(problem), style="yellow", soft_wrap=True)
        written = (
            f"个摄像头已写入 / cameras written to {target}" if report.cameras else "写入 / written"
        )
        out.print(f"{len(report.cameras)} {written}, {report.bad_rows} 行有误 / bad rows")
    if report.problems:
        raise typer.Exit(1)


@app.command("accept-view")
def cameras_accept_view(
    camera_ids: Annotated[list[str], typer.Argument(metavar="CAMERA...", help="of the list")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """认可摄像头现在的画面 / what these cameras show now is right; run on the box that watches."""
    from pipeline.ingest import accept_view
    from pipeline.town import load_cameras

    settings = town_settings(settings_file)
    listed = {camera.camera_id for camera in load_cameras(settings.town.cameras)}
    unknown = [camera_id for camera_id in camera_ids if camera_id not in listed]
    if unknown:
        raise CameraListError(
            "there is no such camera", file=settings.town.cameras, found=", ".join(unknown)
        )
    for camera_id in camera_ids:
        accept_view(settings.views_dir, camera_id)
    if as_json:
        print_json({"accepted": camera_ids})
    else:
        names = ", ".join(camera_ids)
        out.print(f"{names}: 按现在的画面重新学习 / learnt anew from what is shown now")


app.command("windows")(lab.windows)
app.command("calibrate")(care_commands.calibrate)
app.command("zones")(care_commands.zones)


def camera_rows(opened: OpenDesk) -> list[dict[str, Any]]:
    """The camera list with the states the boxes last told; what nobody told is null.

    ``look_age_s``: seconds since the newest look that anybody told of, whoever watches it now; the
    boxes tell it every 30 s.
    """
    from pipeline.tickets import STALE_S
    from pipeline.town import masked_url

    told, now = opened.board.read(), SystemClock().now()
    rows = []
    for camera in opened.town.cameras:
        known = told.get(camera.camera_id)
        looked_at = known.status.last_look_at if known else None
        if known is not None and now - known.told_at > STALE_S:
            known = None  # whoever watched it doesn't any more
        status = asdict(known.status) if known else {"state": None, "since_at": None, "why": ""}
        rows.append(
            {
                **status,
                "camera_id": camera.camera_id,
                "name": camera.name,
                "url": masked_url(camera.url),
                "grid": opened.town.grids.owner((camera.lon, camera.lat)).code,
                "lon": camera.lon,
                "lat": camera.lat,
                "told_at": known.told_at if known else None,
                "look_age_s": None if looked_at is None else max(0.0, now - looked_at),
            }
        )
    return rows


def _told_rows(settings: Settings) -> list[dict[str, Any]]:
    """What boxes say now of the cameras they watch, without the list."""
    from pipeline.tickets import STALE_S, CameraBoard, open_redis

    clock = SystemClock()
    with open_redis(settings.redis, settings.data_dir) as redis:
        told = CameraBoard(redis, clock=clock, prefix=settings.redis.prefix).read()
    return [
        asdict(one.status) | {"told_at": one.told_at}
        for one in told.values()
        if clock.now() - one.told_at <= STALE_S
    ]


def _add_last_hour(rows: list[dict[str, Any]], opened: OpenDesk) -> None:
    """How many whole looks, and the longest gap between them, by the coverage ledger."""
    now = SystemClock().now()
    found = opened.coverage.recent(row["camera_id"] for row in rows)
    for row in rows:
        recent = found[row["camera_id"]]
        row |= {"looks_last_hour": recent.looks, "longest_gap_s": recent.longest_gap_s}
        if recent.newest_at is not None:  # boxes that are gone are in it, too
            age_s, told_s = max(0.0, now - recent.newest_at), row["look_age_s"]
            row["look_age_s"] = age_s if told_s is None else min(age_s, told_s)
