"""The vision engineer's commands: replay, compare, the model, and what cameras are looked at."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import show
from pipeline.clock import SystemClock
from pipeline.errors import CameraListError, FootageError, SettingsError
from pipeline.settings_file import load_settings
from pipeline.terminal import (
    AsJson,
    Overrides,
    SettingsFile,
    err,
    out,
    print_json,
    progress_bar,
    town_settings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.replay import Clip, Played, TruthEvent
    from pipeline.settings import Settings
    from pipeline.town import Camera, Town

app = typer.Typer()
model = typer.Typer(no_args_is_help=True, help="模型 / the detector's model")
app.add_typer(model, name="model")


@app.command()
def replay(
    target: Annotated[Path, typer.Argument(help="a clip, a folder of clips, or a set (.yaml)")],
    truth: Annotated[Path | None, typer.Option(help="truth.jsonl: what really happened")] = None,
    folder: Annotated[Path, typer.Option("--out", help="where the results go")] = Path(
        "replay-out"
    ),
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(help="key=value: play it once more with this setting, and tell both"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """回放录像并评分 / replay recorded footage and score it."""
    from pipeline import replay as room
    from pipeline.town import load_town

    settings = load_settings(settings_file, overrides or ())
    others = load_settings(settings_file, (*(overrides or ()), *beside)) if beside else None
    town = load_town(settings.town) if settings_file else None
    events = room.load_truth(truth) if truth else None
    clips = room.gather(target, town)
    room.clear_folder(folder)
    played, result = _replayed(clips, settings, town, events, folder)
    more: dict[str, Any] = {}
    if others is not None and beside:
        room.clear_folder(folder / room.BESIDE)
        theirs = _replayed(clips, others, town, events, folder / room.BESIDE)
        outcomes = room.outcome(played, result), room.outcome(*theirs)
        more = room.beside_json(*outcomes, beside)
        room.write_json(folder / "beside.json", more)
    if as_json:
        incidents = sum(len(one.incidents) for one in played)
        print_json({"out": str(folder), "incidents": incidents, "score": result} | more)
    else:
        out.print(show.played(played, result, folder))
        if more:
            out.print(show.beside(more))
    problems = [one.problem for one in played if one.problem]
    if problems:
        raise FootageError("; ".join(problems))


def _replayed(
    clips: Sequence[Clip],
    settings: Settings,
    town: Town | None,
    events: Sequence[TruthEvent] | None,
    folder: Path,
) -> tuple[list[Played], dict[str, Any] | None]:
    """Play the clips and write all files; what was played, and its score with a truth."""
    from pipeline import replay as room
    from pipeline.detect import Detector

    detector = Detector(settings.model)
    with progress_bar() as bar:
        task = bar.add_task("", total=len(clips))
        done: set[str] = set()

        def progress(clip: Clip, at_s: float) -> None:
            if clip.camera.camera_id not in done:
                done.add(clip.camera.camera_id)
                bar.update(task, completed=len(done) - 1)
            bar.update(task, description=f"{clip.path.name} {at_s:.0f} s")

        played = room.replay(clips, detector, settings, folder=folder, progress=progress)
        bar.update(task, completed=len(clips), description="")
    detector.close()
    incidents = [incident for one in played for incident in one.incidents]
    watched = {one.clip.camera.camera_id: one.watched_s for one in played}
    room.write_incidents(folder / "incidents.jsonl", played)
    placed = {one.clip.camera.camera_id: one.clip.placed for one in played}
    room.write_tickets(folder / "tickets.jsonl", room.tickets_of(incidents, town, settings), placed)
    result: dict[str, Any] | None = None
    if events is not None:
        result = room.score(incidents, events, watched)
        room.write_json(folder / "score.json", result)
    room.write_report(folder / "report.html", played, events, result)
    return played, result


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="folder of a replay")],
    after: Annotated[Path, typer.Argument(help="folder of another one")],
    page: Annotated[Path | None, typer.Option("--out", help="page with the pictures")] = None,
    as_json: AsJson = False,
) -> None:
    """对比两次回放 / which incidents appear, vanish or move between two replays."""
    from pipeline import replay as room

    found = room.compare(room.load_incidents(before), room.load_incidents(after))
    page = page or after / "compare.html"
    room.write_comparison(page, found, before, after)
    if as_json:
        print_json(found.as_json())
        return
    out.print(show.comparison(found))
    out.print(f"图 / pictures: {page}")


@model.command("predict")
def model_predict(
    paths: Annotated[list[Path], typer.Argument(help="pictures or folders of pictures")],
    file: Annotated[Path, typer.Option("--out", help="JSON lines")],
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    min_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="weakest detection to list; default: what hazards use"),
    ] = None,
) -> None:
    """对图片做检测 / detections of pictures as JSON lines; ``sure``: over the card's threshold."""
    from pipeline.detect import FLOOR, Detector, head_counter, pictures_in, predict

    settings = load_settings(settings_file, overrides or ())
    detector = Detector(settings.model)
    counter = head_counter(settings.heads)
    pictures = pictures_in(paths)
    problems = []
    with progress_bar() as bar, file.open("w", encoding="utf-8") as lines:
        for path in bar.track(pictures):
            try:
                found = predict(
                    path,
                    detector,
                    settings.ingest.road_looks,
                    counter,
                    FLOOR if min_score is None else min_score,
                )
                lines.write(json.dumps(found, ensure_ascii=False) + "\n")
            except FootageError as error:
                problems.append(str(error))
    err.print(f"{len(pictures) - len(problems)} 张图片 / pictures → {file}")
    if problems:
        raise FootageError("; ".join(problems))


@model.command("use")
def model_use(
    path: Annotated[Path | None, typer.Argument(help="ONNX file with its card")] = None,
    settings_file: SettingsFile = None,
    as_set: Annotated[bool, typer.Option(help="back to the model of the settings")] = False,
) -> None:
    """换用模型,不停机 / have this box run another model, without a stop.

    It is loaded, checked and tried out here first. A daemon that runs takes it over within some
    seconds, once it is warm; one that starts later begins with it.
    """
    from pipeline.detect import Detector, load_card
    from pipeline.model_choice import check_fits, choose

    settings = load_settings(settings_file)
    if (path is None) != as_set:
        raise SettingsError("name a model file, or --as-set to go back to that of the settings")
    if path is not None:
        detector = Detector(settings.model.model_copy(update={"path": path}))
        shape = load_card(settings.model.path).input
        check_fits(detector, (shape.width, shape.height), path)
        label, per_s = detector.card.label, f", {detector.looks_per_s:.0f} looks/s"
    else:
        label, per_s = load_card(settings.model.path).label, ""
    choose(settings.data_dir, path)
    err.print(
        f"{label}{per_s}: 运行中的程序数秒内换用 / a daemon that runs changes over within seconds; "
        f"gridwatch_build_info 可查 / the metrics tell which is at work",
        soft_wrap=True,
    )


@model.command("check")
def model_check(
    path: Annotated[Path | None, typer.Argument(help="ONNX file; default: of the settings")] = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """检查模型卡、哈希与速度 / card, hash, providers, and a figure for this machine."""
    from pipeline.detect import (
        Detector,
        HeadCounter,
        counts_heads,
        time_per_look_ms,
        time_per_picture_ms,
    )

    settings = load_settings(settings_file)
    chosen = settings.model if path is None else settings.model.model_copy(update={"path": path})
    loaded: Detector | HeadCounter
    if counts_heads(chosen.path):
        loaded = HeadCounter(chosen.path, settings.heads.threads)
        facts: dict[str, Any] = {"ms_per_picture": time_per_picture_ms(loaded)}
    else:
        loaded = Detector(chosen)
        speed = {str(batch): time_per_look_ms(loaded, batch) for batch in (1, 8)}
        facts = {"classes": loaded.card.classes, "ms_per_look": speed}
    card = loaded.card
    figure = {
        "model": card.label,
        "file": str(chosen.path),
        "sha256": card.sha256,
        "input": card.input.model_dump(),
        "licence": card.licence,
        "provider": loaded.provider,
        **facts,
    }
    if as_json:
        print_json(figure)
        return
    for key, value in figure.items():
        out.print(f"{key}: {value}", soft_wrap=True)
    out.print(f"use: {card.use_restriction}", soft_wrap=True)


def windows(
    camera_id: Annotated[str, typer.Argument(metavar="CAMERA", help="camera_id of the list")],
    file: Annotated[Path, typer.Option("--out", help="picture with the windows, .png or .jpg")],
    source: Annotated[
        Path | None, typer.Option("--picture", help="picture of it; default: one it takes now")
    ] = None,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """画出路面细看窗口 / draw the windows of a camera's road looks over a picture of it."""
    import cv2

    from pipeline.detect import load_card, read_picture
    from pipeline.ingest import draw_windows, plan_windows
    from pipeline.town import load_cameras

    settings = town_settings(settings_file, overrides or ())
    listed = {one.camera_id: one for one in load_cameras(settings.town.cameras)}
    if camera_id not in listed:
        raise CameraListError(
            "there is no such camera", file=settings.town.cameras, found=camera_id
        )
    camera, card = listed[camera_id], load_card(settings.model.path)
    size = card.input.width, card.input.height
    picture = _picture_of(camera, settings, size) if source is None else read_picture(source)
    height, width = picture.shape[:2]
    plan = plan_windows(camera, (width, height), size, settings.ingest.road_looks)
    kind = file.suffix.lower()
    if kind not in (".png", ".jpg", ".jpeg"):
        raise FootageError("is no kind of picture", file=file, allowed=".png or .jpg")
    file.write_bytes(cv2.imencode(kind, draw_windows(picture, plan, camera))[1].tobytes())
    if as_json:
        rows = [{"x": w.x, "y": w.y, "width": w.width, "height": w.height} for w in plan.windows]
        left_out = plan.left_out / max(1, len(plan.places))
        print_json({"source": [width, height], "windows": rows, "left_out": round(left_out, 3)})
        return
    out.print(f"{len(plan.windows)} 个窗口 / windows of {width}×{height} → {file}")
    if plan.left_out:
        share = plan.left_out / len(plan.places)
        out.print(
            f"远处路面的 {share:.0%} 没有窗口 / of the far road has none; see road_looks.most"
        )


def _picture_of(camera: Camera, settings: Settings, size: tuple[int, int]) -> NDArray[np.uint8]:
    from pipeline.ingest import Source

    source = Source.of(camera, settings.ingest, size=size, clock=SystemClock())
    with closing(source.looks()) as looks:
        for look in looks:
            picture = source.full_picture(look.captured_at)
            if picture is not None:
                return picture
    raise FootageError("gave no picture", file=camera.camera_id)
