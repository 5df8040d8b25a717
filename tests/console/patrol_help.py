"""Pictures of a street for the wall and the live view, and looks in the ledger."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from ticket_town import NOON

from pipeline.tickets import Shot

if TYPE_CHECKING:
    from console_town import Running

SIZES = {"wall": (320, 180), "view": (1280, 720)}


def street(size: tuple[int, int], number: int = 0) -> bytes:
    """A JPEG: a road under a sky, a hole in it, and a figure that tells pictures apart."""
    picture = Image.new("RGB", (1280, 720), (120, 150, 180))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(520, 300), (760, 300), (1280, 720), (0, 720)], fill=(90, 92, 96))
    draw.ellipse((560, 480, 720, 540), fill=(25, 24, 22))
    draw.rectangle((20, 20, 40 + 20 * number, 60), fill=(220, 200, 40))
    out = io.BytesIO()
    picture.resize(size).save(out, "JPEG", quality=80)
    return out.getvalue()


def show(console: Running, camera_id: str = "cam-1", at: float = NOON - 2, number: int = 0) -> Shot:
    """A camera's newest picture, in both sizes; gives the large one."""
    for size, pixels in SIZES.items():
        shot = Shot(camera_id, size, street(pixels, number), at, *pixels)  # type: ignore[arg-type]
        console.watching.shots.put(shot)
    return shot
