"""Writes what is true about the clips: hazards, poses, zones, places. All from the geometry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .camera import HEIGHT, WIDTH
from .clip import FPS, SECONDS, Clip
from .street import KERB, RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def lines(clip: Clip) -> list[dict[str, Any]]:
    """The clip's lines for ``truth.jsonl``."""
    return [
        {
            "camera_id": clip.name,
            "hazard": truth.hazard,
            "start_s": truth.start_s,
            "end_s": None,
            "box": clip.camera.box(truth.points),
            "lon": None,
            "lat": None,
        }
        for truth in clip.truths
    ]


def card(clip: Clip) -> dict[str, Any]:
    """Pose, zones (polygons in 0..1) and true places of one clip for ``cameras.json``."""
    camera, (left, right) = clip.camera, clip.street.footway
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "seconds": SECONDS,
        "height_m": camera.height_m,
        "pitch_deg": camera.pitch_deg,
        "hfov_deg": camera.hfov_deg,
        "zones": {
            "carriageway": [camera.zone(-RUNNING, RUNNING)],
            "footway": [
                zone
                for zone in (camera.zone(-KERB - left, -KERB), camera.zone(KERB, KERB + right))
                if zone
            ],
        },
        "hazards": [
            {
                "hazard": truth.hazard,
                "start_s": truth.start_s,
                "box": camera.box(truth.points),
                "ahead_m": camera.place(truth.x, truth.y)[0],
                "right_m": camera.place(truth.x, truth.y)[1],
                "size_m": truth.size_m,
                "people": truth.people,
            }
            for truth in clip.truths
        ],
    }


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write ``truth.jsonl`` and ``cameras.json`` for all clips."""
    made = sorted(clips, key=lambda clip: clip.name)
    rows = [json.dumps(row) for clip in made for row in lines(clip)]
    (folder / "truth.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    cards = {clip.name: card(clip) for clip in made}
    (folder / "cameras.json").write_text(json.dumps(cards, indent=1) + "\n", encoding="utf-8")
