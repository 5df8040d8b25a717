"""The city as a process of its own, so that what it costs isn't taken for the daemon's.

``python -m pipeline.rehearsal.serve FD``: FD is a socket that both ends inherit; over it come the
plan and then commands, a line of JSON each, and each is answered by a line. The city ends with the
socket, so it never outlives who started it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import GridwatchError, RehearsalError
from pipeline.rehearsal.channel import Fault, FaultKind
from pipeline.rehearsal.city import City, CityCamera
from pipeline.rehearsal.processes import Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LINE_LIMIT = 64 << 20  # bytes; the plan of a large town is one line
_START_S, _ANSWER_S = 120.0, 20.0  # clips are read and framed at the start


class CityProcess:
    """The runner's end: starts the city, tells it what to do, asks what it has served.

    Raises RehearsalError when it doesn't answer or has ended; the text says why.
    """

    def __init__(
        self, clips: Mapping[str, Path], cameras: Mapping[str, CityCamera], log: Path
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            arguments = ["pipeline.rehearsal.serve", str(theirs.fileno())]
            self.program = Program("city", arguments, log, pass_fds=(theirs.fileno(),))
        self._socket = ours
        self._lines = ours.makefile("rb")
        plan = {
            "clips": {name: str(path) for name, path in clips.items()},
            "cameras": {
                camera_id: {"clip": one.clip, "phase_s": one.phase_s, "host": one.host}
                for camera_id, one in cameras.items()
            },
        }
        try:
            self.urls: dict[str, str] = self._ask(plan, _START_S)["urls"]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()
        self.program.stop(5.0)

    def set_fault(self, cameras: Iterable[str], fault: Fault | None) -> None:
        told = None
        if fault is not None:
            told = {"kind": fault.kind.name, "after_s": fault.after_s, "clip": fault.clip}
        self._ask({"do": "fault", "cameras": list(cameras), "fault": told})

    def switch(self, hosts: Iterable[str], *, on: bool) -> None:
        """Switch recorders off or on."""
        self._ask({"do": "switch", "hosts": list(hosts), "on": on})

    def served(self) -> tuple[dict[str, dict[str, int]], float]:
        """By camera_id the fields of Served; and by how much frames were sent too late at most."""
        answer = self._ask({"do": "count"})
        return answer["served"], answer["late_s"]

    def _ask(self, question: Mapping[str, Any], within_s: float = _ANSWER_S) -> dict[str, Any]:
        self._socket.settimeout(within_s)
        try:
            self._socket.sendall(json.dumps(question).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            self._check()
            raise RehearsalError(f"the city doesn't answer: {error}") from None
        if not line:
            self._check()
            raise RehearsalError("the city has hung up")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RehearsalError(f"the city: {answer['error']}")
        return answer

    def _check(self) -> None:
        """Raises RehearsalError when it has ended; a broken socket is there a moment earlier."""
        with suppress(subprocess.TimeoutExpired):
            self.program.process.wait(2.0)
        self.program.check()


async def _serve(control: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=control, limit=_LINE_LIMIT)
    city: City | None = None
    while line := await reader.readline():
        order = json.loads(line)
        try:
            if city is None:
                city, answer = await _begin(order)
            else:
                answer = await _obey(city, order)
        except (GridwatchError, OSError, KeyError, TypeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    if city is not None:
        await city.stop()


async def _begin(plan: Mapping[str, Any]) -> tuple[City, dict[str, Any]]:
    clips = {name: Path(path) for name, path in plan["clips"].items()}
    cameras = {camera_id: CityCamera(**one) for camera_id, one in plan["cameras"].items()}
    city = City(clips, cameras)
    await city.start()
    return city, {"urls": {camera_id: city.url(camera_id) for camera_id in cameras}}


async def _obey(city: City, order: Mapping[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "fault":
            told = order["fault"]
            fault = told and Fault(FaultKind[told["kind"]], told["after_s"], told["clip"])
            for camera_id in order["cameras"]:
                city.set_fault(camera_id, fault)
        case "switch":
            for host in order["hosts"]:
                await (city.switch_on(host) if order["on"] else city.switch_off(host))
        case "count":
            served = {camera_id: asdict(one) for camera_id, one in city.served().items()}
            return {"served": served, "late_s": city.late_s()}
        case other:
            return {"error": f"unknown command {other}"}
    return {}


def main() -> None:
    """Serve until the socket closes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a descriptor for every viewer
    asyncio.run(_serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
