"""A clip of the seconds around a finding, from the key frames that a camera's ring still holds.

Every frame is covered like the pictures; one that can't be covered ends it without a clip.
"""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from pipeline.errors import EvidenceError
from pipeline.ingest import PacketGroup
from pipeline.tickets.drawing import captioned, time_text
from pipeline.tickets.evidence import Snapshot, covered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from av import VideoStream
    from numpy.typing import NDArray

    from pipeline.ingest import Kept

Moment = tuple[float, "Kept"]
"""When the picture was received (steady Unix seconds), and the picture, still compressed."""

GAP_S = 0.9  # a camera that sends a key frame a second gives them all; no clip needs more
_FEWEST = 2  # frames; less is a picture
_HOLD_MS = 1000  # how long the last frame is shown
_STILL = 0.5  # boxes before and after that overlap so much (IoU) are of one thing that stood there
_ENCODER = "libx264"
# Room for the index in front, so that a player can begin with what comes first.
_CONTAINER = {"moov_size": "16384"}
_OPTIONS = {"preset": "superfast", "crf": "28"}


def moments_between(kept: Callable[[float], Kept | None], start: float, end: float) -> list[Moment]:
    """What is kept of these seconds, in order of time, GAP_S or more apart."""
    found: list[Moment] = []
    at = end
    while at >= start:
        one = kept(at)
        if one is None:
            break
        shown_at = at
        if isinstance(one, PacketGroup) and one.received_at is not None:
            shown_at = min(at, one.received_at)  # a worker's word can't send us in a circle
        if shown_at < start:
            break
        found.append((shown_at, one))
        at = shown_at - GAP_S
    return found[::-1]


def clip_of(
    frames: Iterable[tuple[float, Snapshot]],
    camera_id: str,
    found_at: float,
    longest_px: int,
) -> bytes:
    """An MP4 of these pictures in their own rhythm, each over a caption that says when it was.

    ``found_at`` is the moment from which the caption counts. At most three pictures are held at a
    time. Raises EvidenceError, whatever fails.
    """
    try:
        return _mp4(_shown(frames, camera_id, found_at, longest_px))
    except EvidenceError:
        raise
    except Exception as error:  # whatever it is: no clip, and the ticket goes on
        raise EvidenceError(f"{type(error).__name__}: {error}") from error


def steady(
    frames: Iterable[tuple[float, Snapshot]],
) -> Iterator[tuple[float, Snapshot]]:
    """The same, where a box of the frame before that is there in the next one, too, is added.

    A detector blinks: who stands still and isn't seen in one frame alone must be covered in it.
    """
    window: list[tuple[float, Snapshot]] = []
    for frame in frames:
        window = [*window[-2:], frame]
        if len(window) == 2:
            yield window[0]
        elif len(window) == 3:
            yield window[1][0], _filled(*(one for _, one in window))
    if window:
        yield window[-1]


def _filled(before: Snapshot, now: Snapshot, after: Snapshot) -> Snapshot:
    same_size = before.picture.shape == now.picture.shape == after.picture.shape
    if before.boxes_px is None or now.boxes_px is None or after.boxes_px is None or not same_size:
        return now
    same = np.array(before.class_names)[:, None] == np.array(after.class_names)[None]
    stood = np.flatnonzero((same & (_overlaps(before.boxes_px, after.boxes_px) >= _STILL)).any(1))
    if not stood.size:
        return now
    return replace(
        now,
        boxes_px=np.vstack((now.boxes_px, before.boxes_px[stood])),
        class_names=[*now.class_names, *(before.class_names[index] for index in stood.tolist())],
    )


def _overlaps(ones: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes xyxy: (N, 4) and (M, 4) -> (N, M)."""
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (ones[:, 2:] - ones[:, :2]).prod(axis=1), (others[:, 2:] - others[:, :2]).prod(axis=1)
    united = areas[0][:, None] + areas[1][None] - shared
    overlaps: NDArray[np.float32] = shared / np.maximum(united, 1e-6)
    return overlaps


def _shown(
    frames: Iterable[tuple[float, Snapshot]], camera_id: str, found_at: float, longest_px: int
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for at, snapshot in steady(frames):
        text = f"{camera_id}  {time_text(at)}  {at - found_at:+.1f} s"
        yield at, captioned(covered(snapshot, longest_px), text)


def _mp4(pictures: Iterable[tuple[float, NDArray[np.uint8]]]) -> bytes:
    """H.264, every picture shown until the next one; all are brought to the size of the first."""
    if _ENCODER not in av.codecs_available:
        raise EvidenceError("no encoder for H.264 in this build of PyAV")
    file = io.BytesIO()
    count, ms = 0, 0
    with av.open(file, "w", format="mp4", options=_CONTAINER) as container:
        stream = cast("VideoStream", container.add_stream(_ENCODER, options=_OPTIONS))
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.thread_count = 1  # the cameras need the cores
        first_at, frame = 0.0, None
        for at, picture in pictures:
            if count == 0:
                first_at = at
                stream.height, stream.width = (side // 2 * 2 for side in picture.shape[:2])
            ms = max(ms + 1, round((at - first_at) * 1000)) if count else 0
            frame = _frame(picture, stream.width, stream.height, ms)
            container.mux(stream.encode(frame))
            count += 1
        if frame is None or count < _FEWEST:
            raise EvidenceError(f"{count} frames are no clip")
        frame.pts = ms + _HOLD_MS
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _frame(picture: NDArray[np.uint8], width: int, height: int, ms: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
    frame = frame.reformat(width, height, "yuv420p")
    frame.pts, frame.time_base = ms, Fraction(1, 1000)
    return frame


def half(moments: Sequence[Moment], later: Sequence[Moment]) -> list[Moment]:
    """Two stretches of one camera put together; what both hold stands there once."""
    last = moments[-1][0] if moments else float("-inf")
    return [*moments, *(one for one in later if one[0] > last + GAP_S / 2)]
