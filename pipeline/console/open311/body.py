"""The body of a report: read only up to a limit, and never onto a disk.

Uploads show people who have not been covered yet, so they stay in memory.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pipeline.console.open311.answers import GeoReportError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from fastapi import Request

MEDIA = "media"
"""The field of a picture, an extension of the standard."""
FIELDS_BYTES = 65_536  # for everything in a report but its pictures
_MOST_FIELDS = 100


class Memory:
    """How much of all bodies together may be held at a time, so that nobody can fill the memory.

    Those without pictures are small and don't count. For the event loop's thread alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that takes so many bytes more; all are given back at the end.

        It raises GeoReportError when there are no more.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._held + size > self._most:
                text = "暂时繁忙，请稍后再试 / busy, try again later"
                raise GeoReportError(503, text, Connection="close", Retry_After="10")
            self._held += size
            taken += size

        try:
            yield take
        finally:
            self._held -= taken


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 40


async def read_form(
    request: Request,
    take: Callable[[int], None],
    *,
    pictures: int,
    picture_bytes: int,
    within_s: float,
) -> tuple[dict[str, str], list[bytes]]:
    """The fields, and the pictures in field ``media``. Raises GeoReportError.

    A body that says, or turns out, to be too long is refused before the rest of it is read; what
    is read of a large one is asked of ``take`` first.
    """
    most = pictures * picture_bytes + FIELDS_BYTES
    try:
        async with asyncio.timeout(within_s):
            content = await _read(request, take, most)
    except TimeoutError:
        raise GeoReportError(
            408, f"it took longer than {within_s:g} s", Connection="close"
        ) from None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, content, pictures)
    if kind in ("application/x-www-form-urlencoded", ""):
        return _urlencoded(content), []
    raise GeoReportError(
        400,
        f"content type {kind[:80]}; allowed: application/x-www-form-urlencoded, or "
        "multipart/form-data with pictures in the field media",
    )


async def _read(request: Request, take: Callable[[int], None], most: int) -> bytes:
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        if size > FIELDS_BYTES:
            take(len(part))
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> GeoReportError:
    # The rest of the body is not waited for.
    text = f"too large; allowed: up to {most / 1e6:.1f} MB with all pictures"
    return GeoReportError(413, text, Connection="close")


def _urlencoded(content: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            content.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise GeoReportError(400, "the body is no form in UTF-8") from None
    return dict(pairs)


async def _multipart(
    request: Request, content: bytes, pictures: int
) -> tuple[dict[str, str], list[bytes]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield content

    parser = _InMemory(
        request.headers,
        stream(),
        max_files=pictures,
        max_fields=_MOST_FIELDS,
        max_part_size=FIELDS_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        allowed = f"up to {pictures} pictures of a report"
        raise GeoReportError(400, f"the body is no such form: {error.message}; {allowed}") from None
    except (KeyError, ValueError, AssertionError):
        raise GeoReportError(400, "the body is no multipart/form-data") from None
    try:
        return await _parts(form)
    finally:
        await form.close()


async def _parts(form: FormData) -> tuple[dict[str, str], list[bytes]]:
    fields: dict[str, str] = {}
    pictures: list[bytes] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name != MEDIA:
                raise GeoReportError(400, f"a file in field {name[:80]!r}; allowed: {MEDIA}")
            pictures.append(await value.read())
        else:
            fields[name] = value
    return fields, pictures
