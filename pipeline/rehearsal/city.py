"""A city of cameras: an RTSP server with any number of cameras made from a few clips.

One asyncio loop serves hundreds of viewers, with one write per frame and viewer. All cameras
follow one timeline from the server's start, so several viewers of a camera see the same moment;
a clip starts over when it ends, without a break in its numbers. Faults can be set per camera and
changed while it runs.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pipeline.rehearsal.packets import ClipPackets, prepare
from pipeline.rehearsal.rtsp import Login, Request, read_request, reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BUFFER_LIMIT = 1 << 20  # bytes that may wait for a slow viewer before frames are left out
_KERNEL_BUFFER = 1 << 18  # bytes; without it the kernel would hold megabytes for each of them
_PATIENCE_S = 10.0  # a viewer who takes nothing for so long is disconnected
_IDLE_STEP_S = 0.1  # how often a stalled sender looks whether its fault has ended
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"


class FaultKind(Enum):
    """What a camera does wrong."""

    REFUSE = "closes the connection at the first request"
    HANG = "accepts and never answers"
    SILENT = "answers PLAY and never sends"
    STALL = "stops sending but keeps the connection"
    CLOSE = "closes the connection in the middle of the stream"
    UNAUTHORISED = "turns every login away"
    NOT_FOUND = "doesn't know its own path"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; STALL and CLOSE begin ``after_s`` seconds after PLAY."""

    kind: FaultKind
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CityCamera:
    """One camera: which clip it shows and how.

    ``phase_s`` shifts it on the common timeline. ``own_start``: the clip starts when a viewer
    connects instead. ``loop`` false: the stream ends with the clip.
    """

    clip: str
    phase_s: float = 0.0
    own_start: bool = False
    loop: bool = True
    login: Login | None = None
    fault: Fault | None = None


class City:
    """The server. ``clips``: name to H.264 file; ``cameras``: camera_id to what it shows.

    Raises FootageError when a clip can't be served.
    """

    def __init__(self, clips: Mapping[str, Path], cameras: Mapping[str, CityCamera]) -> None:
        self._clips = {name: prepare(path) for name, path in clips.items()}
        self._cameras = dict(cameras)
        self._faults = {camera_id: camera.fault for camera_id, camera in cameras.items()}
        self._viewers: set[_Viewer] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started_at = 0.0
        self._address = ("", 0)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; the common timeline begins now. Returns the port."""
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._server = await asyncio.start_server(self._serve, host, port, backlog=2048)
        self._address = (host, self._server.sockets[0].getsockname()[1])
        return self._address[1]

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, camera_id: str) -> str:
        """Where the camera is found, its login included."""
        host, port = self._address
        login = self._cameras[camera_id].login
        return f"rtsp://{login.in_url if login else ''}{host}:{port}/{camera_id}"

    def set_fault(self, camera_id: str, fault: Fault | None) -> None:
        """Change what the camera does wrong, from any thread; None: it is well again.

        A fault that concerns connecting also ends the connections there are.
        """
        self._faults[camera_id] = fault
        if fault is not None and fault.kind not in (FaultKind.SILENT, FaultKind.STALL):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._disconnect, camera_id)

    def viewers(self, camera_id: str) -> int:
        """How many are being sent this camera's stream."""
        return sum(viewer.camera_id == camera_id for viewer in tuple(self._viewers))

    def elapsed_s(self) -> float:
        """How far the common timeline has come."""
        assert self._loop is not None
        return self._loop.time() - self._started_at

    def _disconnect(self, camera_id: str) -> None:
        for viewer in [viewer for viewer in self._viewers if viewer.camera_id == camera_id]:
            viewer.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
        sending: list[asyncio.Task[None]] = []
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._answer(request, reader, writer, sending):
                    break
                await writer.drain()
        except ValueError:
            writer.write(reply(None, 400))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the viewer went away or talks nonsense
        except asyncio.CancelledError:
            pass  # the city stops
        finally:
            for sender in sending:
                sender.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            self._tasks.discard(task)
            writer.close()

    async def _answer(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sending: list[asyncio.Task[None]],
    ) -> bool:
        """Answer one request; False when the connection is over."""
        camera = self._cameras.get(request.camera_id)
        fault = self._faults.get(request.camera_id)
        kind = fault.kind if fault else None
        if kind is FaultKind.REFUSE:
            return False
        if kind is FaultKind.HANG:
            while await reader.read(4096):
                pass
            return False
        if request.method == "OPTIONS":
            writer.write(reply(request, 200, {"Public": _METHODS}))
        elif camera is None or kind is FaultKind.NOT_FOUND:
            writer.write(reply(request, 404))
        elif challenge := _challenge(camera, request, kind):
            writer.write(reply(request, 401, {"WWW-Authenticate": challenge}))
        else:
            clip = self._clips[camera.clip]
            writer.write(_answer_method(request, clip))
            if request.method == "PLAY" and not sending:
                viewer = _Viewer(request.camera_id, camera, clip, writer)
                sending.append(asyncio.create_task(self._send(viewer)))
        return request.method != "TEARDOWN"

    async def _send(self, viewer: _Viewer) -> None:
        assert self._loop is not None
        self._viewers.add(viewer)
        played_at = self._loop.time()
        origin = played_at if viewer.camera.own_start else self._started_at
        try:
            await self._send_frames(viewer, played_at, origin - viewer.camera.phase_s)
        except OSError:
            pass
        finally:
            self._viewers.discard(viewer)
            viewer.writer.close()

    async def _send_frames(self, viewer: _Viewer, played_at: float, origin: float) -> None:
        assert self._loop is not None
        clip, now = viewer.clip, self._loop.time
        position = clip.position_at(played_at - origin)
        end = None if viewer.camera.loop else len(clip.frames)
        while end is None or position < end:
            await asyncio.sleep(max(0.0, origin + clip.due_s(position) - now()))
            fault = self._faults.get(viewer.camera_id)
            begun = fault is not None and now() - played_at >= fault.after_s
            if fault and begun and fault.kind is FaultKind.CLOSE:
                return
            if fault and begun and fault.kind in (FaultKind.STALL, FaultKind.SILENT):
                await asyncio.sleep(_IDLE_STEP_S)
                position = clip.position_at(now() - origin)
                viewer.waits_for_key = True
            elif viewer.offer(position, now()):
                position += 1
            else:
                viewer.writer.transport.abort()
                return


def _challenge(camera: CityCamera, request: Request, kind: FaultKind | None) -> str | None:
    """What to ask the viewer for, or None when it may come in."""
    if kind is FaultKind.UNAUTHORISED:
        return (camera.login or Login("nobody", "nothing")).challenge
    if camera.login is not None and not camera.login.admits(request):
        return camera.login.challenge
    return None


def _answer_method(request: Request, clip: ClipPackets) -> bytes:
    """The reply to a request that is admitted."""
    match request.method:
        case "DESCRIBE":
            headers = {"Content-Type": "application/sdp", "Content-Base": f"{request.url}/"}
            return reply(request, 200, headers, clip.description())
        case "SETUP":
            return _setup(request)
        case "PLAY":
            return reply(request, 200, {"Session": "1", "Range": "npt=now-"})
        case "TEARDOWN" | "GET_PARAMETER":
            return reply(request, 200, {"Session": "1"})
        case _:
            return reply(request, 501)


def _setup(request: Request) -> bytes:
    transport = request.headers.get("transport", "")
    if "/TCP" not in transport.upper():
        return reply(request, 461)
    headers = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", "Session": "1;timeout=60"}
    return reply(request, 200, headers)


@dataclass(eq=False, slots=True)
class _Viewer:
    """One connection that is sent a stream. A slow one loses whole stretches up to a key frame."""

    camera_id: str
    camera: CityCamera
    clip: ClipPackets
    writer: asyncio.StreamWriter
    waits_for_key: bool = True
    last_taken_at: float | None = None

    def offer(self, position: int, now: float) -> bool:
        """Write the frame if the viewer keeps up; False when it has taken nothing for too long."""
        waiting = self.writer.transport.get_write_buffer_size()
        if waiting <= _BUFFER_LIMIT or self.last_taken_at is None:
            self.last_taken_at = now
        elif now - self.last_taken_at > _PATIENCE_S:
            return False
        if waiting > _BUFFER_LIMIT:
            self.waits_for_key = True
        elif not self.waits_for_key or self.clip.is_key(position):
            self.waits_for_key = False
            self.writer.write(self.clip.data_at(position))
        return True


@contextmanager
def running_city(
    clips: Mapping[str, Path],
    cameras: Mapping[str, CityCamera],
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[City]:
    """A city that runs in a thread of its own until the block ends."""
    city = City(clips, cameras)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="city", daemon=True)
    thread.start()

    try:
        asyncio.run_coroutine_threadsafe(city.start(host, port), loop).result(timeout=10)
        yield city
    finally:
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(city.stop(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()
