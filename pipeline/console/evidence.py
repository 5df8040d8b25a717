"""Pictures and clips over HTTP: read through the store, so that every read is on record."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from PIL import Image
from starlette.responses import Response

from pipeline.console.context import Refused, console_of, visit_of
from pipeline.errors import EvidenceError, StoreUnavailableError, UnknownEvidenceError
from pipeline.tickets import Who

if TYPE_CHECKING:
    from starlette.requests import Request

    from pipeline.tickets import Content

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
# A name stands for one file for ever; shared caches must not keep what each read is recorded of.
_FOR_EVER = {"Cache-Control": "private, max-age=86400, immutable"}
_HEADERS = {**_FOR_EVER, "Accept-Ranges": "bytes"}
_THUMB_PX = 480
_QUALITY = 82


def evidence_response(request: Request, name: str) -> Response:
    """The file of this name, or a part of it where one is asked for, as players of clips do.

    Raises Refused: 404 where there is none, 503 where it can't be had or its reading recorded.
    """
    content = _read(request, name)
    data, media_type = content.data, content.media_type
    part = _part(request.headers.get("range"), len(data))
    if part is None:
        return Response(data, media_type=media_type, headers=_HEADERS)
    start, end = part
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(data)}"})
    said = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
    return Response(
        data[start:end], status_code=206, media_type=media_type, headers={**_HEADERS, **said}
    )


def thumb_response(request: Request, name: str) -> Response:
    """The picture of this name, small enough for a list on a slow line. Raises likewise."""
    content = _read(request, name)
    with Image.open(io.BytesIO(content.data), formats=["JPEG"]) as picture:
        picture.draft("RGB", (_THUMB_PX, _THUMB_PX))
        picture.thumbnail((_THUMB_PX, _THUMB_PX))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return Response(out.getvalue(), media_type=content.media_type, headers=_FOR_EVER)


def _read(request: Request, name: str) -> Content:
    origin = request.client.host if request.client is not None else "unknown"
    who = Who(visit_of(request).by.name, origin, "console")
    try:
        return console_of(request).pictures.store.read(name, who)
    except UnknownEvidenceError:
        raise Refused(404, ("图片已不存在", "the picture is gone")) from None
    except StoreUnavailableError:
        raise Refused(503, ("证据存储暂时不可用", "evidence can't be reached now")) from None
    except EvidenceError:
        raise Refused(503, ("证据暂时无法读取", "evidence can't be read now")) from None


def _part(wanted: str | None, size: int) -> tuple[int, int] | None:
    """From where to where (exclusive) one range reaches; None: the whole, also for several."""
    match = _RANGE.fullmatch(wanted or "")
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    end = min(int(match[2]) + 1, size) if match[2] else size
    return int(match[1]), end
