"""Pictures and clips over HTTP: read through the store, so that every read is on record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.responses import Response

from pipeline.errors import EvidenceError, StoreUnavailableError, UnknownEvidenceError
from pipeline.tickets import Who

if TYPE_CHECKING:
    from fastapi import Request

    from pipeline.tickets import EvidenceStore

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
# A name stands for one file for ever; shared caches must not keep what each read is recorded of.
_HEADERS = {"Cache-Control": "private, max-age=86400", "Accept-Ranges": "bytes"}


def evidence_response(
    store: EvidenceStore, name: str, request: Request, user: str = "anonymous"
) -> Response:
    """The file of this name; 404 where there is none, 503 where it can't be had or recorded.

    A part of it where the request names one, as players of clips do.
    """
    origin = request.client.host if request.client is not None else "unknown"
    try:
        content = store.read(name, Who(user, origin, "console"))
    except UnknownEvidenceError:
        raise HTTPException(404) from None
    except StoreUnavailableError:
        raise HTTPException(503, "证据存储暂时不可用 / evidence can't be reached now") from None
    except EvidenceError:
        raise HTTPException(503, "证据暂时无法读取 / evidence can't be read now") from None
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


def _part(wanted: str | None, size: int) -> tuple[int, int] | None:
    """From where to where (exclusive) one range reaches; None: the whole, also for several."""
    match = _RANGE.fullmatch(wanted or "")
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    end = min(int(match[2]) + 1, size) if match[2] else size
    return int(match[1]), end
