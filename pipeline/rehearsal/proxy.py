"""A TCP proxy in front of Redis that can be cut, slow or half-open."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_PIECE = 1 << 16


class Line(Enum):
    """How the line to the server is."""

    PASS = "lets everything through"  # noqa: S105 - no password
    CUT = "breaks all connections and refuses new ones"
    SLOW = "holds every piece back for a while"
    HALF_OPEN = "accepts and swallows everything, without an answer"


class FaultProxy:
    """Listens on 127.0.0.1 and passes everything on to the server behind ``connect``.

    ``connect`` opens a connection to it, such as one to a unix socket.
    """

    def __init__(
        self,
        connect: Callable[
            [], Coroutine[None, None, tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        ],
    ) -> None:
        self._connect = connect
        self._line = Line.PASS
        self._delay_s = 0.0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._break()

    async def set_line(self, line: Line, delay_s: float = 0.0) -> None:
        """Change the line, also for the connections there are.

        Those that were swallowed while it was half-open are broken when that ends: what they held
        is lost, and a peer that asks again must not get the answer to an older question.
        """
        before, self._line, self._delay_s = self._line, line, delay_s
        if line is Line.CUT:
            await self.stop()
        elif before is Line.HALF_OPEN:
            await self._break()
        if line is not Line.CUT and self._server is None:
            await self.start()

    async def _break(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await self._connect()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, upstream))
                both.create_task(self._pass(answers, writer))
        except* (OSError, asyncio.CancelledError):
            pass  # one side is gone, or the line is cut
        finally:
            self._tasks.discard(task)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            if self._line is Line.SLOW:
                await asyncio.sleep(self._delay_s)
            if self._line is not Line.HALF_OPEN:
                writer.write(piece)
                await writer.drain()
        raise ConnectionResetError  # so that the other direction ends, too


class RunningProxy:
    """A proxy whose loop runs in a thread; may be used from any other."""

    def __init__(self, proxy: FaultProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy, self._loop = proxy, loop

    @property
    def port(self) -> int:
        return self._proxy.port

    def set_line(self, line: Line, delay_s: float = 0.0) -> None:
        change = self._proxy.set_line(line, delay_s)
        asyncio.run_coroutine_threadsafe(change, self._loop).result(timeout=10)


@contextmanager
def proxy_to(socket_path: str) -> Iterator[RunningProxy]:
    """A proxy to the server at this unix socket, until the block ends."""
    proxy = FaultProxy(lambda: asyncio.open_unix_connection(socket_path))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(timeout=10)
        yield RunningProxy(proxy, loop)
    finally:
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()
