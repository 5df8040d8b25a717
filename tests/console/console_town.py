"""Names, cameras and users of the consoles under test, and one that is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import numpy as np
from ticket_town import NOON, incident

from pipeline.settings import EvidenceSettings
from pipeline.tickets import EvidenceStore, PictureKeeper, Snapshot, write_evidence
from pipeline.town import Camera

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from fastapi import FastAPI

    from pipeline.clock import Clock, ManualClock
    from pipeline.console import Accounts, CameraCare, Watching
    from pipeline.tickets import Desk
    from pipeline.tickets.pictures import Looker

EAST, WEST, TOP = "410182102001002", "410182102001001", "410182102"
PASSWORD = "rain-at-night-7"
CAMERAS = [
    {
        "camera_id": "cam-1",
        "name": "郑上路",
        "state": "live",
        "since_at": NOON - 60,
        "why": "",
        "grid": EAST,
        "lon": 113.448,
        "lat": 34.785,
    },
    {
        "camera_id": "cam-2",
        "state": "unreachable",
        "since_at": NOON - 600,
        "why": "拒绝连接 <b>",
        "grid": WEST,
        "lon": 113.441,
        "lat": 34.786,
    },
    {"camera_id": "cam-3", "state": None, "since_at": None, "why": "", "grid": EAST},
]
CAMERA_LIST = """\
camera_id,name,url,lon,lat,datum,heading_deg
cam-1,郑上路,rtsp://admin:geheim@10.0.0.5/101,113.448,34.785,wgs84,90
cam-2,,rtsp://admin:geheim@10.0.0.5/201,113.441,34.786,wgs84,
"""


# As the camera list has them; cam-1 looks east from the border, at what lies on the ground.
LISTED = {
    "cam-1": Camera(
        "cam-1",
        "郑上路",
        "rtsp://10.0.0.1/1",
        113.448,
        34.785,
        height_m=8.0,
        pitch_deg=20.0,
        heading_deg=90.0,
        hfov_deg=60.0,
    ),
    "cam-2": Camera("cam-2", "", "rtsp://10.0.0.2/1", 113.441, 34.786),
}


def grids_of(role: str) -> list[str]:
    """The eastern grid belongs to those who must have one, and to one who may."""
    return [EAST] if role in ("member", "head", "viewer") else []


def nobody(picture: np.ndarray) -> Snapshot:
    """A look that finds neither people nor vehicles."""
    return Snapshot(picture, np.zeros((0, 4), np.float32), [])


def pictures_in(folder: Path, clock: Clock, look: Looker = nobody, **more: object) -> PictureKeeper:
    """What keeps photos in a data folder; its store opens nothing before the first."""
    settings = EvidenceSettings(**({"min_free_mb": 0} | more))
    return PictureKeeper(look, EvidenceStore(folder, settings, clock), settings)


@dataclass
class Running:
    """A console that is served: its desk, its accounts, its address."""

    desk: Desk
    accounts: Accounts
    pictures: PictureKeeper
    clock: ManualClock
    folder: Path
    app: FastAPI
    url: str
    stop: Callable[[], None]
    browsers: ExitStack
    watching: Watching
    care: CameraCare

    def browser(self, name: str | None = None, **more: object) -> httpx.Client:
        """A browser of this user, signed in; None: of nobody."""
        # Nothing of this is encrypted; reading the system's certificates takes its time.
        client = httpx.Client(base_url=self.url, timeout=20, verify=False, **more)  # type: ignore[arg-type]
        self.browsers.callback(client.close)
        if name is not None:
            client.cookies.set("gridwatch", self.accounts.sessions.begin(name))
        return client

    def file(self, number: int = 0, *, picture: bool = True, **more: object) -> str:
        """A ticket, east of the border of the two grids unless told otherwise."""
        found = incident(number, **more)  # type: ignore[arg-type]
        ref = None
        if picture:
            pixels = np.random.default_rng(number).integers(0, 255, (90, 160, 3), np.uint8)
            ref = write_evidence(
                pixels,
                np.zeros((0, 4), np.float32),
                [],
                incident=found,
                settings=EvidenceSettings(min_free_mb=0),
                data_dir=self.folder,
            )
        return self.desk.file(found, ref).ticket_id
