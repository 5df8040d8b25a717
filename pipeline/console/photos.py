"""Photos that staff send with a step: read with suspicion, kept covered, or refused in words."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pipeline.console.context import Refused
from pipeline.errors import EvidenceError, PictureError
from pipeline.tickets import read_upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.console.context import Console
    from pipeline.settings import ReportSettings
    from pipeline.tickets import Ticket


def photo_from(data: bytes, limits: ReportSettings) -> NDArray[np.uint8]:
    """The photo, BGR (H, W, 3), upright. Raises Refused (422) for what is none that is taken."""
    try:
        return read_upload(data, limits)
    except PictureError as error:
        raise Refused(
            422, (f"照片不能用（支持 JPEG、PNG、WebP）：{error}", f"the photo: {error}")
        ) from None


def facts_with(
    console: Console,
    ticket: Ticket,
    action: str,
    command_id: str,
    photo: NDArray[np.uint8] | None,
) -> AbstractContextManager[dict[str, str]]:
    """What a step that is taken in this block says of the photo that came with it.

    Raises Refused (422) where faces and plates can't be covered, or nothing can be kept.
    """
    if photo is None:
        return nullcontext({})
    return _kept(console, ticket, action.replace("_", ""), command_id, photo)


@contextmanager
def _kept(
    console: Console, ticket: Ticket, what: str, command_id: str, photo: NDArray[np.uint8]
) -> Iterator[dict[str, str]]:
    try:
        with console.pictures.for_step(ticket, what, command_id, photo) as name:
            yield {"picture": name}
    except EvidenceError as error:
        raise Refused(
            422,
            (
                "照片未能遮挡人脸和车牌或无法保存，操作没有执行；可不附照片提交",
                f"the photo was not kept, so nothing was done; send it without one: {error}",
            ),
        ) from error
