"""The vision engineer's commands: replay, compare, and the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import show
from pipeline.errors import FootageError
from pipeline.settings import load_settings
from pipeline.terminal import (
    AsJson,
    Overrides,
    SettingsFile,
    err,
    out,
    print_json,
    progress_bar,
)

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
    as_json: AsJson = False,
) -> None:
    """回放录像并评分 / replay recorded footage and score it."""
    from pipeline import replay as room
    from pipeline.detect import Detector
    from pipeline.town import load_town

    settings = load_settings(settings_file, overrides or ())
    town = load_town(settings.town) if settings_file else None
    events = room.load_truth(truth) if truth else None
    clips = room.gather(target, town)
    detector = Detector(settings.model)
    room.clear_folder(folder)
    with progress_bar() as bar:
        task = bar.add_task("", total=len(clips))
        done: set[str] = set()

        def progress(clip: room.Clip, at_s: float) -> None:
            if clip.camera.camera_id not in done:
                done.add(clip.camera.camera_id)
                bar.update(task, completed=len(done) - 1)
            bar.update(task, description=f"{clip.path.name} {at_s:.0f} s")

        played = room.replay(clips, detector, settings, folder=folder, progress=progress)
        bar.update(task, completed=len(clips), description="")
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
    if as_json:
        print_json({"out": str(folder), "incidents": len(incidents), "score": result})
    else:
        out.print(show.played(played, result, folder))
    problems = [one.problem for one in played if one.problem]
    if problems:
        raise FootageError("; ".join(problems))


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
) -> None:
    """对图片做检测 / detections of pictures as JSON lines."""
    from pipeline.detect import Detector, pictures_in, predict

    settings = load_settings(settings_file, overrides or ())
    detector = Detector(settings.model)
    pictures = pictures_in(paths)
    problems = []
    with progress_bar() as bar, file.open("w", encoding="utf-8") as lines:
        for path in bar.track(pictures):
            try:
                found = predict(path, detector, settings.ingest.road_looks)
                lines.write(json.dumps(found, ensure_ascii=False) + "\n")
            except FootageError as error:
                problems.append(str(error))
    err.print(f"{len(pictures) - len(problems)} 张图片 / pictures → {file}")
    if problems:
        raise FootageError("; ".join(problems))


@model.command("check")
def model_check(
    path: Annotated[Path | None, typer.Argument(help="ONNX file; default: of the settings")] = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """检查模型卡、哈希与速度 / card, hash, providers, and a figure for this machine."""
    from pipeline.detect import Detector, time_per_look_ms

    settings = load_settings(settings_file)
    chosen = settings.model if path is None else settings.model.model_copy(update={"path": path})
    detector = Detector(chosen)
    card = detector.card
    figure = {
        "model": card.label,
        "file": str(chosen.path),
        "sha256": card.sha256,
        "input": card.input.model_dump(),
        "classes": card.classes,
        "licence": card.licence,
        "providers": detector.providers,
        "ms_per_look": {str(batch): time_per_look_ms(detector, batch) for batch in (1, 8)},
    }
    if as_json:
        print_json(figure)
        return
    for key, value in figure.items():
        out.print(f"{key}: {value}", soft_wrap=True)
    out.print(f"use: {card.use_restriction}", soft_wrap=True)
