"""Clips as street cameras would send them: the program's own, encoded anew, whole or spoilt.

Spoilt ones have the same frames at the same times, so that a camera can change over to one in the
middle of its stream.
"""

from __future__ import annotations

import hashlib
import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.rehearsal.scenario import ClipPlan

Spoilt = Literal["black", "covered", "turned", "frozen"]

_CODERS = {"h264": "x264", "h265": "x265"}
_TURN_DEG, _TURN_SHARE = 6.0, 0.22  # a pole that was hit: rotated, and by a fifth of the picture
_BLOCK_PX = 16  # noise of this size survives the encoder
_QUIET_S = 200.0  # after which a quiet street starts over
_TAIL_S = 10.0  # of the source's end, when all has happened


def made(
    source: Path,
    plan: ClipPlan,
    folder: Path,
    spoilt: Spoilt | None = None,
    *,
    hazard_at_s: float | None = None,
) -> Path:
    """The clip of this plan, made in ``folder`` unless it is there already.

    ``hazard_at_s``: when the hazard begins in the source, if there is one.
    """
    told = f"{source.stat().st_size} {plan!r} {spoilt} {hazard_at_s}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    target = folder / f"{source.stem}-{spoilt or 'whole'}-{digest}.mp4"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".unfinished.mp4")
        pictures, rate = _pictures(source, plan)
        order = order_of(len(pictures), rate, plan, hazard_at_s)
        _encode(unfinished, pictures, order, plan, spoilt)
        unfinished.replace(target)
    return target


def _pictures(source: Path, plan: ClipPlan) -> tuple[list[NDArray[np.uint8]], float]:
    """All pictures of a clip, BGR (H, W, 3) of the planned size, and how many make a second."""
    with av.open(f"file:{source}") as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        pictures = [
            np.asarray(
                frame.to_ndarray(format="bgr24", width=plan.width, height=plan.height), np.uint8
            )
            for frame in container.decode(stream)
        ]
    return pictures, rate


def order_of(count: int, rate: float, plan: ClipPlan, hazard_at_s: float | None) -> list[int]:
    """Which of the ``count`` pictures of the source stands at each place of the clip.

    The clip is a multiple of the gap between key frames, so that they keep their rhythm when it
    starts over. A quiet street goes on at another moment, drawn at random, from each key frame on:
    were it played again and again, looks at key frames would meet the same vehicles in the same
    places, which stand there then as far as anybody can tell.
    """
    step = rate / (plan.fps * plan.slower)  # pictures of the source for each one made
    gop, length = _gop(plan), max(1, int(count / step))
    draw = random.Random(0)  # noqa: S311 - the same at each run

    def moments(seconds: float, first: int, end: int) -> list[int]:
        """Pictures from ``first`` up to ``end``, in runs of one gap between key frames each."""
        shown: list[int] = []
        for _ in range(round(seconds * plan.fps / gop)):
            began = draw.randint(first, max(first, end - gop))
            shown += [min(began + at, end - 1) for at in range(gop)]
        return shown

    if hazard_at_s is None:
        shown = moments(max(_QUIET_S, plan.key_every_s), 0, length)
    else:
        happens = min(length - 1, int(hazard_at_s * plan.slower * plan.fps))
        begins = happens if plan.lead_s else 0
        shown = [
            *moments(plan.lead_s or 0.0, 0, happens),
            *range(begins, length),
            *moments(plan.stays_s or 0.0, max(happens, length - round(_TAIL_S * plan.fps)), length),
        ]
    return [int(at * step) for at in shown[: gop * max(1, len(shown) // gop)]]


def _gop(plan: ClipPlan) -> int:
    return max(1, round(plan.key_every_s * plan.fps))


def _encode(
    target: Path,
    pictures: Sequence[NDArray[np.uint8]],
    order: Iterable[int],
    plan: ClipPlan,
    spoilt: Spoilt | None,
) -> None:
    gop = _gop(plan)
    coder = _CODERS[plan.codec]
    with av.open(target, "w") as container:
        stream: Any = container.add_stream(
            f"lib{coder}", rate=Fraction(plan.fps).limit_denominator(1000)
        )
        stream.width, stream.height, stream.pix_fmt = plan.width, plan.height, "yuv420p"
        stream.options = {
            "preset": "superfast",
            # Whoever aims at a quality gives a picture other bits each time.
            "qp" if spoilt == "frozen" else "crf": "26",
            f"{coder}-params": _parameters(coder, gop),
        }
        first = None
        for number, at in enumerate(order):
            first = at if first is None else first
            shown = _spoil(pictures[first if spoilt == "frozen" else at], spoilt, number)
            container.mux(stream.encode(_frame(shown, number, plan.fps)))
        container.mux(stream.encode())


def _parameters(coder: str, gop: int) -> str:
    """One thread: while clips are made, the machine may have better things to do."""
    rhythm = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0"
    if coder == "x265":
        return f"{rhythm}:log-level=none:frame-threads=1:pools=none"
    return f"{rhythm}:threads=1"


def _frame(picture: NDArray[np.uint8], number: int, fps: float) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    frame.pts, frame.time_base = number, Fraction(1 / fps).limit_denominator(1000)
    return frame


def _spoil(picture: NDArray[np.uint8], spoilt: Spoilt | None, number: int) -> NDArray[np.uint8]:
    if spoilt == "turned":
        return _turned(picture)
    if spoilt in (None, "frozen"):
        return picture
    # Even a black picture of a real camera has noise; one without would be a frozen one.
    height, width = picture.shape[:2]
    blocks = (height // _BLOCK_PX + 1, width // _BLOCK_PX + 1)
    noise = np.random.default_rng(number).integers(0, 4, blocks, dtype=np.uint8)
    noise = np.kron(noise, np.ones((_BLOCK_PX, _BLOCK_PX), np.uint8))[:height, :width, None]
    if spoilt == "black":
        return np.repeat(noise, 3, axis=2)
    # A bag over the lens: some light, hardly any shape.
    shape = cv2.resize(picture, (8, 5), interpolation=cv2.INTER_AREA) // 12
    through = cv2.resize(shape, (width, height))
    return np.asarray(through + np.array((52, 60, 66), np.uint8) + noise, np.uint8)


def _turned(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), _TURN_DEG, 1.08)
    turn[:, 2] += (width * _TURN_SHARE, height * _TURN_SHARE / 2)
    moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)
