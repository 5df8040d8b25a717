"""One child's work: cameras that answer with mutated RTSP replies and session descriptions.

    python -m scripts.fuzz.replies STREAM.ts SEED COUNT

prints what became of them as JSON.
"""

from __future__ import annotations

import json
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.ingest import Source
from pipeline.rehearsal.packets import ClipPackets, prepare
from pipeline.settings import IngestSettings

from .mutations import reply
from .packets import whole_looks
from .streams import SIZE, corrupt

_HASTY = IngestSettings(interval_s=0.01, open_timeout_s=0.5, read_timeout_s=0.5, stalled_after_s=2)
# Opening, the look at what answers there, reading: longer means that something hangs.
_LONGEST_S = 30.0
_AT_ONCE = 16
_LOOKS = 3
_SEQUENCE = re.compile(r"^CSeq: *(\d+)", re.IGNORECASE | re.MULTILINE)


class Camera:
    """Serves one clip and changes what it says, from one reply on."""

    def __init__(self, clip: ClipPackets, seed: int) -> None:
        self._clip = clip
        self._random = random.Random(seed)
        self._first = self._random.randrange(5)  # this reply is mutated, and maybe later ones
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_LONGEST_S)
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/a"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                viewer, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(viewer,), daemon=True).start()

    def _serve(self, viewer: socket.socket) -> None:
        viewer.settimeout(2.0)
        with viewer, suppress(OSError):
            for number in range(8):
                request = viewer.recv(8192).decode("latin-1")
                if not request:
                    return
                told = self._reply(request)
                if number >= self._first and (number == self._first or self._random.random() < 0.5):
                    told = reply(told, self._random)
                viewer.sendall(told)
                if request.startswith("PLAY"):
                    self._play(viewer)
                    return

    def _reply(self, request: str) -> bytes:
        sequence = _SEQUENCE.search(request)
        body, more = b"", "Session: 1;timeout=60\r\n"
        if request.startswith("DESCRIBE"):
            body = self._clip.description()
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif request.startswith("SETUP"):
            more += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        elif request.startswith("OPTIONS"):
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        number = sequence[1] if sequence else "0"
        return f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n".encode() + body

    def _play(self, viewer: socket.socket) -> None:
        for position in range(12):
            data = self._clip.data_at(position)
            if self._first == 4 and self._random.random() < 0.5:
                data = reply(data, self._random)
            viewer.sendall(data)


def run(path: Path, seed: int, count: int) -> dict[str, object]:
    """``count`` cameras, some at a time, until each has failed or given a few looks."""
    clip, clean = prepare(path), whole_looks(path)

    def watch(number: int) -> Counter[str]:
        camera = Camera(clip, seed * 1_000_003 + number)
        source = Source("fuzz", camera.url, _HASTY, size=SIZE, clock=SystemClock())
        told, began = Counter({"mutated": 1}), time.monotonic()
        try:
            with closing(source.looks()) as looks:
                for look in islice(looks, _LOOKS):
                    told["looks"] += 1
                    if all(corrupt(look, reference) for reference in clean):
                        told["corrupt"] += 1
        except SourceError as error:
            told[error.state] += 1
        finally:
            camera.close()
        told["too long"] += time.monotonic() - began > _LONGEST_S
        return told

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(sum(pool.map(watch, range(count)), Counter()))


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
