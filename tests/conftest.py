"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import hypothesis
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def write_clip(
    path: Path,
    *,
    seconds: float = 10,
    fps: int = 5,
    gop: int = 5,
    bframes: int = 0,
    size: tuple[int, int] = (320, 180),
    codec: str = "h264",
    **options: str,
) -> Path:
    """A clip of a pattern that moves, with a key frame every ``gop`` pictures."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    coder = {"h264": "x264", "hevc": "x265"}[codec]
    parameters = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}"
    parameters += ":log-level=none:frame-threads=1:pools=none" if coder == "x265" else ""
    with av.open(path, "w", options=options) as container:
        stream = container.add_stream(f"lib{coder}", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", f"{coder}-params": parameters}
        for number in range(round(seconds * fps)):
            rgb = np.stack([x + 4 * number, y + 2 * number, (x + y) // 2], axis=-1) % 256
            frame = av.VideoFrame.from_ndarray(rgb.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``write_clip`` without a path; each kind of clip is made once."""
    made: dict[str, Path] = {}
    folder = tmp_path_factory.mktemp("clips")

    def make(suffix: str = ".mp4", **kind: object) -> Path:
        key = f"{suffix}{sorted(kind.items())}"
        if key not in made:
            made[key] = write_clip(folder / f"clip{len(made)}{suffix}", **kind)  # type: ignore[arg-type]
        return made[key]

    return make


@pytest.fixture(scope="session")
def tiny_clip(make_clip: Callable[..., Path]) -> Path:
    """10 s of 320×180 at 5 pictures a second, a key frame each second."""
    return make_clip()


@pytest.fixture(scope="session")
def sparse_clip(make_clip: Callable[..., Path]) -> Path:
    """The same with one key frame in 10 s, as recorders and smart codecs make them."""
    return make_clip(gop=50)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a condition holds; fail when it doesn't within the time."""

    def wait(condition: Callable[[], object], within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "did not happen in time"
            time.sleep(0.02)

    return wait
