"""The programs that are measured against each other, each a process of its own.

``python -m pipeline.bench.contestant JSON`` reads the cameras, prints a line when a picture of each
has come (or ``wait_s`` has passed), and another for every line it is given: what it has counted.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Took = Callable[[str], None]
    Contestant = Callable[[Sequence[str], tuple[int, int], Took], None]


def main() -> None:
    asked = json.loads(sys.argv[1])
    urls, size = asked["urls"], tuple(asked["size"])
    counts: Counter[str] = Counter()
    all_seen = threading.Event()

    def took(url: str) -> None:
        counts[url] += 1
        if len(counts) == len(urls):
            all_seen.set()

    CONTESTANTS[asked["who"]](urls, size, took)
    all_seen.wait(asked["wait_s"])
    while True:
        sys.stdout.write(json.dumps({"cameras": len(counts), "pictures": counts.total()}) + "\n")
        sys.stdout.flush()
        if not sys.stdin.readline():
            os._exit(0)  # threads may still hang in a camera; nothing is left to save


def bare(urls: Sequence[str], size: tuple[int, int], took: Took) -> None:
    """As little as PyAV allows: a thread for each camera, key frames alone, scaled."""
    import av

    def read(url: str) -> None:
        options = {"rtsp_transport": "tcp", "probesize": "32", "analyzeduration": "0"}
        with av.open(url, options=options, timeout=(10, 10)) as container:
            video = container.streams.video[0]
            video.codec_context.skip_frame = "NONKEY"
            video.codec_context.thread_count = 1
            for frame in container.decode(video):
                frame.reformat(*size, "yuv420p", interpolation="FAST_BILINEAR")
                took(url)

    _one_thread_each(urls, read)


def every_frame(urls: Sequence[str], _: tuple[int, int], took: Took) -> None:
    """As stream loaders of detection libraries do: every frame decoded to BGR by OpenCV."""
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"
    import cv2

    def read(url: str) -> None:
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
        while capture.grab():
            seen, _ = capture.retrieve()
            if seen:
                took(url)

    _one_thread_each(urls, read)


def gridwatch(urls: Sequence[str], size: tuple[int, int], took: Took) -> None:
    """The ingest as the daemon runs it, without a detector."""
    from pipeline.clock import SystemClock
    from pipeline.ingest import Look, Workers
    from pipeline.settings import IngestSettings, RoadLookSettings
    from pipeline.town import Camera

    def deliver(look: Look, release: Callable[[], None]) -> None:
        took(urls[int(look.camera_id)])
        release()

    settings = IngestSettings(road_looks=RoadLookSettings(most=0), sessions_per_host=64)
    cameras = [
        Camera(camera_id=str(number), name="", url=url, lon=0.0, lat=0.0)
        for number, url in enumerate(urls)
    ]
    Workers(cameras, settings, size=size, clock=SystemClock(), deliver=deliver).start()


def _one_thread_each(urls: Sequence[str], read: Callable[[str], None]) -> None:
    for url in urls:
        threading.Thread(target=read, args=(url,), daemon=True).start()


CONTESTANTS: dict[str, Contestant] = {
    "bare": bare,
    "every_frame": every_frame,
    "gridwatch": gridwatch,
}

if __name__ == "__main__":
    main()
