"""Pictures of noise, clips of them, and what a camera's ring would hold."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from pipeline.ingest.evidence import PacketRing
from pipeline.ingest.streams import FileStream
from pipeline.tickets import About, Snapshot, Who

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = (640, 360)
READER = Who("李四", "10.0.0.7", "console")
BLOCKAGE = About("0f3c5a9b7d1e24680ace", "cam-1", "blockage", "crash")
NAME = f"2026/11/23/{BLOCKAGE.owner}-plain.jpg"


def noise(seed: int = 1) -> np.ndarray:
    """Every pixel says something, so whatever is covered is seen to be covered."""
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def jpeg(seed: int = 1) -> bytes:
    return cv2.imencode(".jpg", noise(seed))[1].tobytes()


def detail(part: np.ndarray) -> float:
    """Mean step from a pixel to the next: what faces and signs are made of."""
    values = part.astype(np.float32)
    return float(np.abs(np.diff(values, axis=1)).mean() + np.abs(np.diff(values, axis=0)).mean())


def numbered(number: int) -> np.ndarray:
    """Noise whose left upper corner says which picture it is, even after it was encoded."""
    picture = noise(number + 1)
    picture[:48, :48] = 20 * number + 10
    return picture


def number_of(picture: np.ndarray) -> int:
    return round((float(picture[8:40, 8:40].mean()) - 10) / 20)


def footage(path: Path, count: int, apart_s: float = 1.0) -> Path:
    """Numbered key frames, ``apart_s`` apart, nearly as they were drawn."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1 / apart_s).limit_denominator(100))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "8", "x264-params": "keyint=1:bframes=0"}
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="bgr24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def ring_of(path: Path, start: float) -> PacketRing:
    """What a camera's ring holds that was sent this footage from ``start`` on."""
    ring, stream = PacketRing(limit=1 << 26), FileStream(path)
    for arrival in stream.arrivals():
        kept = replace(arrival, captured_at=arrival.captured_at + start)
        ring.add(stream.codec, kept)
    stream.close()
    return ring


def seen(*rows: tuple[str, tuple[float, float, float, float]]) -> Callable[..., Snapshot]:
    """A look at a picture that finds these."""
    boxes = np.array([box for _, box in rows], np.float32).reshape(-1, 4)
    return lambda picture: Snapshot(picture, boxes, [name for name, _ in rows])


def frames_of(data: bytes) -> list[tuple[float, np.ndarray]]:
    """(seconds, BGR) of every picture of an MP4."""
    with av.open(io.BytesIO(data)) as container:
        return [
            (float(frame.time or 0.0), frame.to_ndarray(format="bgr24"))
            for frame in container.decode(video=0)
        ]
