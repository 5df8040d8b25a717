"""The programs of a rehearsal: started, watched, killed; and what the kernel says they use.

Read from /proc, so for Linux only, like the rest of the rehearsal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_WORKER = "pipeline.ingest.worker"
_LOG_TAIL = 2000  # characters of a log that say why a program ended


@dataclass(frozen=True, slots=True)
class Use:
    """What one process uses. ``memory`` in bytes, pages shared with others divided among them.

    ``shared`` of it in shared memory. ``cpu_s`` since the process began.
    """

    pid: int
    role: str
    memory: int
    shared: int
    cpu_s: float
    fds: int
    threads: int


class Program:
    """A program of ours that runs in a process of its own, with a log."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, *, pass_fds: Sequence[int] = ()
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as lines:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                pass_fds=tuple(pass_fds),
                process_group=0,  # Ctrl-C is for the rehearsal, which then stops the others
            )

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def check(self) -> None:
        """Raises RehearsalError with the end of its log when it has ended by itself."""
        code = self.process.poll()
        if code is not None:
            text = self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
            raise RehearsalError(
                f"{self.name} 提前退出 / ended early ({_exit_text(code)}), {self.log}:\n{text}"
            )

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float) -> int | None:
        """Ask it to end; its exit code, or None when it had to be killed after ``within_s``."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return int(self.process.wait(within_s))
        except subprocess.TimeoutExpired:
            self.kill()
            return None


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """The program is gone when the block ends."""
    try:
        yield program
    finally:
        program.stop(10.0)


def uses(pid: int) -> list[Use]:
    """The process and all its descendants, as far as they can be read now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        if (use := _use(one, main=one == pid)) is not None:
            found.append(use)
    return found


def kill(pid: int) -> None:
    """SIGKILL; a process that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def shared_memory() -> frozenset[str]:
    """The names in /dev/shm, to see what is left behind there."""
    try:
        return frozenset(entry.name for entry in Path("/dev/shm").iterdir())  # noqa: S108 - looked at, not written
    except OSError:
        return frozenset()


def alive(pids: Sequence[int]) -> list[int]:
    """Which of these processes still run; one that only waits to be buried doesn't."""
    stats = {pid: _stat(pid) for pid in pids}
    return [pid for pid, stat in stats.items() if stat is not None and stat[0] != "Z"]


def _use(pid: int, *, main: bool) -> Use | None:
    folder = Path(f"/proc/{pid}")
    stat = _stat(pid)
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        memory = _memory(folder)
        fds = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        return None
    if stat is None or stat[0] == "Z":
        return None
    role = "daemon" if main else "worker" if _WORKER in command else "other"
    cpu_s = (int(stat[11]) + int(stat[12])) / _TICKS_PER_S
    return Use(pid, role, memory[0], memory[1], cpu_s, fds, int(stat[17]))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent, ..."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _memory(folder: Path) -> tuple[int, int]:
    """Proportional set size and the part of it in shared memory, in bytes."""
    values = {}
    for line in (folder / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    return values["Pss"], values.get("Pss_Shmem", 0)


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"
