"""Pictures of the console for the README, of a staged town: python scripts/console_pictures.py.

The console, the desk and the Redis are real; the tickets are what the rendered clips show, filed at
cameras of Yulong. Needs Chromium and the dev extra.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from pipeline.clock import ManualClock
from pipeline.console import Accounts, create_app, serve
from pipeline.hazards import Incident
from pipeline.rehearsal.stage import CLIPS
from pipeline.settings import EvidenceSettings, RedisSettings, TownSettings
from pipeline.tickets import (
    Desk,
    EvidenceStore,
    PictureKeeper,
    Snapshot,
    open_redis,
    write_evidence,
)
from pipeline.town import Place, load_town

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.town import Camera

ROOT = Path(__file__).parents[1]
YULONG = ROOT / "configs" / "yulong"
DOCS = ROOT / "docs"
NOON = 1_795_406_400.0  # Monday 2026-11-23, noon in China
AFTER_S = 8.0  # into the hazard the picture is taken
PHONE, DESKTOP = (390, 844), (1280, 800)


def main() -> None:
    settings = TownSettings(
        cameras=YULONG / "cameras.csv",
        grids=YULONG / "grids.geojson",
        duties=YULONG / "duties.yaml",
    )
    town, clock = load_town(settings), ManualClock(NOON)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(open_redis(RedisSettings(), folder, fsync=False))
        accounts = stack.enter_context(Accounts(folder / "accounts.sqlite", clock))
        desk = Desk(redis, town, clock=clock)
        filed = file_all(desk, town.cameras, clock, folder)
        own = desk.ticket(filed[0]).grid_code
        accounts.users.add("网格员", "member", [own], "rain-at-night-7")
        accounts.users.add("指挥", "command", [], "rain-at-night-7")
        rows = [
            {
                "camera_id": camera.camera_id,
                "name": camera.name,
                "state": "live" if number % 17 else "unreachable",
                "lon": camera.lon,
                "lat": camera.lat,
                "grid": town.grids.owner((camera.lon, camera.lat)).code,
            }
            for number, camera in enumerate(town.cameras)
        ]
        evidence = EvidenceSettings()
        store = stack.enter_context(closing(EvidenceStore(folder, evidence, clock)))
        pictures = PictureKeeper(_no_photos, store, evidence)
        app = create_app(desk, pictures, lambda: rows, accounts, clock=clock)
        url = stack.enter_context(serve(app, port=0))
        phone = shot(accounts, url, "网格员", "/queue", PHONE, folder)
        ticket = shot(accounts, url, "网格员", f"/tickets/{filed[0]}", PHONE, folder)
        town_map = shot(accounts, url, "指挥", "/map", DESKTOP, folder)
        beside([phone, ticket, town_map], DOCS / "console.jpg")


def _no_photos(_: NDArray[np.uint8]) -> Snapshot:
    raise NotImplementedError  # nobody sends any here


def file_all(desk: Desk, cameras: Sequence[Camera], clock: ManualClock, folder: Path) -> list[str]:
    """A ticket of every hazard of the clips in one grid, and more in the rest of the town."""
    told = json.loads((CLIPS / "cameras.json").read_text("utf-8"))
    shown = [(name, one) for name, clip in told.items() for one in clip["hazards"]]
    near = [
        camera
        for camera in cameras
        if desk.town.grids.owner((camera.lon, camera.lat))
        is desk.town.grids.owner((cameras[10].lon, cameras[10].lat))
    ]
    filed = []
    for number, camera in enumerate([*near[: len(shown)], *cameras[40::97]]):
        name, hazard = shown[number % len(shown)]
        at = NOON - 600 - 700 * number
        clock.move_to(at)
        filed.append(file_one(desk, camera, name, hazard, at, folder))
    clock.move_to(NOON)
    return filed


def file_one(
    desk: Desk, camera: Camera, clip: str, hazard: Mapping[str, Any], at: float, folder: Path
) -> str:
    incident = Incident(
        incident_id=f"{camera.camera_id}-{clip}",
        camera_id=camera.camera_id,
        hazard=hazard["hazard"],
        box=tuple(hazard["box"]),
        started_at=at - AFTER_S,
        confirmed_at=at,
        last_seen_at=at,
        cleared_at=None,
        place=Place(camera.lon + 0.0001, camera.lat, 4.0, "pose"),
        score=0.93,
        severity="emergency" if hazard["hazard"] == "road_collapse" else "warning",
        measures={},
        trail={"kind": "crash" if clip == "crash" else "", "model": "street-n"},
    )
    evidence = write_evidence(
        frame(CLIPS / f"{clip}.mp4", hazard["start_s"] + AFTER_S),
        np.zeros((0, 4), np.float32),  # nobody in these pictures is real
        [],
        incident=incident,
        settings=EvidenceSettings(min_free_mb=0),
        data_dir=folder,
    )
    return desk.file(incident, evidence).ticket_id


def frame(clip: Path, at_s: float) -> NDArray[np.uint8]:
    """The picture shown at this second of the clip, BGR."""
    with av.open(clip) as container:
        for one in container.decode(video=0):
            if one.time is not None and one.time >= at_s:
                return one.to_ndarray(format="bgr24")
    raise SystemExit(f"{clip} is shorter than {at_s} s")


def shot(
    accounts: Accounts, url: str, name: str, path: str, size: tuple[int, int], folder: Path
) -> Path:
    """A picture of one page as this user sees it."""
    file = folder / f"{size[0]}{path.replace('/', '-')}.png"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--headless", "--enable-unsafe-swiftshader"],
        )
        context = browser.new_context(
            base_url=url, viewport={"width": size[0], "height": size[1]}, device_scale_factor=1
        )
        context.add_cookies(
            [{"name": "gridwatch", "value": accounts.sessions.begin(name), "url": url}]
        )
        page = context.new_page()
        page.goto(path)
        page.wait_for_load_state("load")
        if path == "/map":
            page.wait_for_function("() => document.querySelector('#map').dataset.drawn")
        page.wait_for_timeout(1500)  # tiles and pictures fade in
        page.screenshot(path=file)
        browser.close()
    return file


def beside(files: list[Path], target: Path) -> None:
    """All of them in one picture, of the same height."""
    pictures = [Image.open(file).convert("RGB") for file in files]
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (sum(one.width + 24 for one in pictures) + 24, height + 48), "#7d8a96")
    left = 24
    for picture in pictures:
        sheet.paste(picture, (left, 24))
        left += picture.width + 24
    sheet.thumbnail((1600, 1600))
    sheet.save(target, "JPEG", quality=82, optimize=True)


if __name__ == "__main__":
    main()
