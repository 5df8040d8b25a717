from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest


@pytest.fixture
def unused_port():
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def answering():
    """Start a server that answers every request with the same bytes; gives its port."""
    servers = []

    def start(answer: bytes) -> int:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    self.request.recv(4096)
                    self.request.sendall(answer)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _write_ramps(path, sizes, codec="h264", fps=10, seconds=1.0):
    """Pictures that brighten to the right, in a size that changes every ``seconds``.

    Only the key frames, every five pictures, tell of another size.
    """
    coder = {"h264": "x264", "hevc": "x265"}[codec]
    number = 0
    with av.open(path, "w") as container:
        stream = container.add_stream(f"lib{coder}", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        stream.options = {"preset": "veryfast"}
        for size in sizes:
            encoder = av.CodecContext.create(f"lib{coder}", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, fps), fps
            quiet = ":log-level=none:pools=none:frame-threads=1" if coder == "x265" else ""
            encoder.options = {
                "preset": "veryfast",
                f"{coder}-params": f"keyint=5:bframes=0:repeat-headers=1{quiet}",
            }
            packets = []
            for at in range(round(fps * seconds)):
                ramp = np.linspace(30, 200, size[0]) + 3 * at
                grey = np.broadcast_to(ramp, size[::-1]).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="gray")
                frame.pts = at
                packets += encoder.encode(frame.reformat(format="yuv420p"))
            packets += encoder.encode(None)
            for packet in packets:
                packet.pts = packet.dts = number
                packet.time_base, packet.stream = Fraction(1, fps), stream
                container.mux(packet)
                number += 1
    return path


@pytest.fixture(scope="session")
def write_ramps():
    """Write a clip of pictures that brighten to the right: (path, sizes, codec, fps, seconds)."""
    return _write_ramps
