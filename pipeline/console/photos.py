"""Pictures going out and photos coming in. Every read of evidence passes ``Pictures.read``."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from pipeline.console.context import Refused
from pipeline.town import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_FORMATS = ("JPEG", "PNG", "WEBP")
_PIXELS_AT_MOST = 60_000_000  # a phone's 50 MP; decoded that is 180 MB
_LONGEST_PX = 1600
_THUMB_PX = 480
_QUALITY = 82
_STAFF = "staff"  # folder of the photos of grid staff, below evidence/

_NO_PICTURE = (
    "这不是照片（支持 JPEG、PNG、WebP）",
    "not a photo; JPEG, PNG and WebP are taken",
)
_TOO_MANY_PIXELS = ("照片像素过大", "the photo has too many pixels")


class Pictures:
    """The folder ``data_dir/evidence``: what cameras and staff have taken, by relative path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes:
        """The JPEG of this path. Raises Refused (404) for anything else, links out included."""
        try:
            root = self._folder.resolve()
            file = (root / path).resolve(strict=True)
            if file.is_relative_to(root) and file.suffix == ".jpg" and file.is_file():
                return file.read_bytes()
        except (OSError, ValueError, RuntimeError):
            pass
        raise Refused(404, ("图片已不存在", "the picture is gone"))

    def thumb(self, path: str) -> bytes:
        """The same, small enough for a list on a slow line."""
        with Image.open(io.BytesIO(self.read(path)), formats=["JPEG"]) as picture:
            picture.draft("RGB", (_THUMB_PX, _THUMB_PX))
            return _jpeg(picture, _THUMB_PX)

    def keep(self, photo: bytes, ticket_id: str, command_id: str) -> tuple[str, bool]:
        """Keep a photo of the staff's, made by ``clean``: its path, and whether it is new.

        The first one of a command stays: what stands in a history is never replaced.
        """
        path = f"{_STAFF}/{ticket_id}/{command_id}.jpg"
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            return path, False
        write_atomically(file, photo)
        return path, True

    def drop(self, path: str) -> None:
        """Take away a photo whose step the desk refused."""
        (self._folder / path).unlink(missing_ok=True)


def clean(data: bytes) -> bytes:
    """A photo as JPEG, upright and scaled, with nothing but its pixels: no place, no camera.

    Raises Refused (422) for what is no picture, whatever it is called.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > _PIXELS_AT_MOST:
                    raise Refused(422, _TOO_MANY_PIXELS)
                picture.draft("RGB", (_LONGEST_PX, _LONGEST_PX))
                return _jpeg(ImageOps.exif_transpose(picture), _LONGEST_PX)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused(422, _TOO_MANY_PIXELS) from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError):
        raise Refused(422, _NO_PICTURE) from None


def _jpeg(picture: Image.Image, longest_px: int) -> bytes:
    pixels = picture.convert("RGB")
    pixels.thumbnail((longest_px, longest_px))
    bare = Image.new("RGB", pixels.size)  # takes no metadata along
    bare.paste(pixels)
    out = io.BytesIO()
    bare.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
