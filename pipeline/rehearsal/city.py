"""A city of cameras: an RTSP server with any number of cameras made from a few clips.

One asyncio loop serves a thousand viewers, with one write per frame and viewer. All cameras
follow one timeline from the server's start, so several viewers of a camera see the same moment;
a clip starts over when it ends, without a break in its numbers. Cameras may belong to several
hosts (recorders), which can be switched off and on. Faults can be set per camera and changed while
it runs.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import defaultdict
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.rehearsal.channel import Channel, Fault, FaultKind, Served, Viewer
from pipeline.rehearsal.packets import ClipPackets, prepare
from pipeline.rehearsal.rtsp import Login, Request, read_request, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from pathlib import Path

_KERNEL_BUFFER = 1 << 18  # bytes; without it the kernel would hold megabytes for each viewer
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"


@dataclass(frozen=True, slots=True)
class CityCamera:
    """One camera: which clip it shows and how.

    ``phase_s`` shifts it on the common timeline. ``own_start``: the clip starts when a viewer
    connects instead. ``loop`` false: the stream ends with the clip. ``host``: the address at which
    it is found, where the city has several.
    """

    clip: str
    phase_s: float = 0.0
    own_start: bool = False
    loop: bool = True
    login: Login | None = None
    fault: Fault | None = None
    host: str | None = None


class City:
    """The server. ``clips``: name to video file; ``cameras``: camera_id to what it shows.

    Raises FootageError when a clip can't be served.
    """

    def __init__(self, clips: Mapping[str, Path], cameras: Mapping[str, CityCamera]) -> None:
        self._clips = {name: prepare(path) for name, path in clips.items()}
        self._cameras = dict(cameras)
        self._faults = {camera_id: camera.fault for camera_id, camera in cameras.items()}
        self._served = {camera_id: Served() for camera_id in cameras}
        self._viewers: dict[str, set[Viewer]] = defaultdict(set)
        self._channels: dict[tuple[str, float], Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: dict[str, asyncio.Server] = {}
        self._connections: dict[str, set[asyncio.StreamWriter]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started_at = 0.0
        self._late_s = 0.0
        self._host, self._port = "", 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen at ``host`` and at all hosts of the cameras; the common timeline begins now.

        Returns the port, which is the same everywhere.
        """
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._host, self._port = host, port
        for one in dict.fromkeys([host, *(self._host_of(name) for name in self._cameras)]):
            await self._listen(one)
        return self._port

    async def stop(self) -> None:
        """Close the ports and all connections."""
        for host in tuple(self._servers):
            await self.switch_off(host)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def switch_off(self, host: str) -> None:
        """A host loses its power: its connections break and new ones are refused."""
        if server := self._servers.pop(host, None):
            # asyncio (3.11) loses the socket of one that is being accepted when its server closes.
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(0)
            server.close()
        for writer in tuple(self._connections[host]):
            writer.transport.abort()

    async def switch_on(self, host: str) -> None:
        if host not in self._servers:
            await self._listen(host)

    def url(self, camera_id: str) -> str:
        """Where the camera is found, its login included."""
        login = self._cameras[camera_id].login
        host = self._host_of(camera_id)
        return f"rtsp://{login.in_url if login else ''}{host}:{self._port}/{camera_id}"

    def set_fault(self, camera_id: str, fault: Fault | None) -> None:
        """Change what the camera does wrong, from any thread; None: it is well again.

        A fault that concerns connecting also ends the connections there are. KeyError: no such
        camera or clip.
        """
        _ = self._cameras[camera_id], fault and fault.clip and self._clips[fault.clip]
        self._faults[camera_id] = fault
        if fault is not None and not fault.kind.concerns_pictures:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._disconnect, camera_id)

    def viewers(self, camera_id: str) -> int:
        """How many are being sent this camera's stream."""
        return len(self._viewers[camera_id])

    def served(self) -> Mapping[str, Served]:
        """What every camera has sent so far, by camera_id."""
        return self._served

    def late_s(self) -> float:
        """By how much a frame was sent too late at most: whether this machine keeps up."""
        channels = tuple(self._channels.values())
        return max((self._late_s, *(channel.late_s for channel in channels)))

    def elapsed_s(self) -> float:
        """How far the common timeline has come."""
        assert self._loop is not None
        return self._loop.time() - self._started_at

    def _host_of(self, camera_id: str) -> str:
        return self._cameras[camera_id].host or self._host

    async def _listen(self, host: str) -> None:
        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Not a coroutine: one cancelled before its first step would leave the socket open."""
            if self._servers.get(host) is not server:  # switched off while this one came in
                writer.transport.abort()
                return
            self._connections[host].add(writer)
            self._begin(self._serve(reader, writer)).add_done_callback(
                lambda _: self._connections[host].discard(writer)
            )

        server = await asyncio.start_server(
            welcome, host, self._port, backlog=2048, start_serving=False
        )
        self._port = server.sockets[0].getsockname()[1]
        self._servers[host] = server
        await server.start_serving()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run it until it is done or the city stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _disconnect(self, camera_id: str) -> None:
        for viewer in self._viewers[camera_id]:
            viewer.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
        watching: list[tuple[Viewer, Channel]] = []
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._answer(request, reader, writer, watching):
                    break
                await writer.drain()
        except ValueError:
            writer.write(reply(None, 400))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the viewer went away or talks nonsense
        except asyncio.CancelledError:
            pass  # the city stops
        finally:
            for viewer, channel in watching:
                channel.viewers.discard(viewer)
                self._viewers[viewer.camera_id].discard(viewer)
            writer.close()
            with suppress(OSError):  # one who reads no more holds it open until the city stops
                await writer.wait_closed()

    async def _answer(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        watching: list[tuple[Viewer, Channel]],
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
            writer.write(_answer_method(request, self._clips[camera.clip]))
            if request.method == "PLAY" and not watching:
                watching.append(self._play(request.camera_id, camera, writer))
        return request.method != "TEARDOWN"

    def _play(
        self, camera_id: str, camera: CityCamera, writer: asyncio.StreamWriter
    ) -> tuple[Viewer, Channel]:
        assert self._loop is not None
        now, served = self._loop.time(), self._served[camera_id]
        viewer = Viewer(camera_id, writer, now, lambda: self._faults[camera_id], served)
        clip = self._clips[camera.clip]
        origin = (now if camera.own_start else self._started_at) - camera.phase_s
        end = None if camera.loop else len(clip.frames)
        shared = camera.loop and not camera.own_start
        name = (camera.clip, camera.phase_s)
        channel = self._channels.get(name) if shared else None
        served.sessions += 1
        self._viewers[camera_id].add(viewer)
        if channel is not None and channel.viewers:  # else it is about to end
            channel.viewers.add(viewer)
            return viewer, channel
        channel = Channel(clip, self._clips, origin, now, end, {viewer})
        if shared:
            self._channels[name] = channel
        self._begin(channel.run()).add_done_callback(lambda _: self._ended(channel, name))
        return viewer, channel

    def _ended(self, channel: Channel, name: tuple[str, float]) -> None:
        self._late_s = max(self._late_s, channel.late_s)
        if self._channels.get(name) is channel:
            del self._channels[name]


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


@contextmanager
def running_city(
    clips: Mapping[str, Path],
    cameras: Mapping[str, CityCamera],
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[City]:
    """A city that runs in a thread of its own until the block ends."""
    city = City(clips, cameras)
    started: Future[Callable[[], object]] = Future()

    async def run() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            await city.start(host, port)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(lambda: loop.call_soon_threadsafe(over.set))
        await over.wait()
        await city.stop()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="city", daemon=True)
    thread.start()
    end = started.result(timeout=10)
    try:
        yield city
    finally:
        end()
        thread.join(timeout=10)
