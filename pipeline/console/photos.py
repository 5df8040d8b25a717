"""Pictures going out. Every read of evidence passes ``Pictures.read``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from pipeline.console.context import Refused

if TYPE_CHECKING:
    from pathlib import Path

_THUMB_PX = 480
_QUALITY = 82


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
            pixels = picture.convert("RGB")
            pixels.thumbnail((_THUMB_PX, _THUMB_PX))
            out = io.BytesIO()
            pixels.save(out, "JPEG", quality=_QUALITY, optimize=True)
            return out.getvalue()
