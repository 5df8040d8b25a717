"""What every command shares: the two consoles, the common options, JSON and progress."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import sys
import threading
from contextlib import closing, contextmanager
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.clock import SystemClock
from pipeline.errors import DeskError, GridwatchError, InputError, SettingsError
from pipeline.settings_file import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.console import Watching
    from pipeline.settings import Settings
    from pipeline.tickets import Audit, EvidenceStore, OpenDesk, PictureKeeper
    from pipeline.town import Camera

_NOT_AUDITED = ("cameras",)
"""Commands that touch no ticket."""
_COMMAND = re.compile(r"[a-z][a-z-]*")
_NUMBER = re.compile(r"[A-Z]+\d{8}-\d{6,}")
_SECRET = re.compile(r"pass|secret|token|key", re.IGNORECASE)

# No markup: what is printed comes from files and cameras and may contain brackets.
out = Console(markup=False)
err = Console(stderr=True, markup=False)

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", "-s", envvar="GRIDWATCH_SETTINGS", help="settings file (YAML)"),
]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="key=value, may be repeated")]
AsJson = Annotated[bool, typer.Option("--json", help="for machines, stable")]


def town_settings(file: Path | None, overrides: Iterable[str] = ()) -> Settings:
    """Settings of a command that needs a town; says so where none was named."""
    settings = load_settings(file, overrides)
    if file is None and not settings.town.cameras.exists():
        raise SettingsError(
            "no settings file named, and no town in this folder",
            file=settings.town.cameras,
            found="no such file",
            allowed="--settings FILE, e.g. configs/yulong/settings.yaml",
        )
    return settings


@contextmanager
def opened_desk(file: Path | None) -> Iterator[OpenDesk]:
    """The desk of the town of these settings, until the block ends."""
    from pipeline.tickets import open_desk

    with open_desk(town_settings(file), SystemClock()) as opened, audited(opened.audit):
        yield opened


@contextmanager
def opened_pictures(settings: Settings) -> Iterator[PictureKeeper]:
    """What keeps the pictures that people hand in; the model is loaded for the first."""
    from pipeline.model_choice import begin_with
    from pipeline.tickets import PictureKeeper, PrivacyLook, open_store

    with closing(open_store(settings, SystemClock())) as store:
        look = PrivacyLook(lambda: begin_with(settings))
        yield PictureKeeper(look, store, settings.tickets.evidence)


@contextmanager
def watched(settings: Settings, opened: OpenDesk, pictures: PictureKeeper) -> Iterator[Watching]:
    """Live pictures and reports from them; these wait on this box while Redis is away."""
    from pipeline.console import Watching
    from pipeline.tickets import Outbox, ReportDesk
    from pipeline.town import CameraListFile

    lists = CameraListFile(settings.town.cameras, opened.town.grids)

    def camera(camera_id: str) -> Camera:
        """As it is calibrated now; while the list is wrong, as it was when this began."""
        try:
            return lists.entry(camera_id).camera
        except InputError:
            return opened.town.camera(camera_id)

    clock, stop = SystemClock(), threading.Event()
    with Outbox(settings.data_dir / "outbox.sqlite", clock) as outbox:
        drain = threading.Thread(
            target=outbox.drain,
            args=(opened.desk, stop),
            kwargs={"retry_s": settings.tickets.retry_s},
            name="outbox",
        )
        drain.start()
        try:
            yield Watching(
                opened.shots,
                opened.audit,
                clock,
                ReportDesk(opened.desk, outbox, pictures),
                camera,
                opened.coverage,
            )
        finally:
            stop.set()
            drain.join()


@contextmanager
def looked_after(store: EvidenceStore, opened: OpenDesk) -> Iterator[None]:
    """Carry and sweep evidence meanwhile: whoever takes pictures in for long does that, too."""
    from pipeline.tickets import Keeper, Sweep

    clock, stop = SystemClock(), threading.Event()
    sweep = Sweep(store, opened.desk.evidence, opened.town.duties, clock)
    thread = threading.Thread(target=Keeper(store, sweep, clock).run, args=(stop,), name="evidence")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def following_duties(settings: Settings, opened: OpenDesk) -> Iterator[None]:
    """Put changes of the list of duties in force meanwhile."""
    from pipeline.reload import DutiesWatch

    stop = threading.Event()
    watch = DutiesWatch(settings.town.duties, opened.town.duties, clock=SystemClock())
    thread = threading.Thread(target=watch.run, args=(stop,), name="duties")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def audited(audit: Audit) -> Iterator[None]:
    """Record the command that is being carried out, and what comes of it.

    An audit that can't be written is said and stops nothing: what changes a ticket is in its steps.
    """
    result = "done"
    try:
        yield
    except BaseException as error:
        result = str(error) if isinstance(error, GridwatchError) else type(error).__name__
        raise
    finally:
        action, subject, said = asked_for(sys.argv[1:])
        if action.partition(" ")[0] not in _NOT_AUDITED:
            try:
                audit.record(
                    action,
                    subject,
                    who=person(),
                    origin=machine(),
                    result=result,
                    details={"given": said} if said else {},
                )
            except DeskError as error:
                err.print(f"审计未记录 / not in the audit: {error}", soft_wrap=True)


def asked_for(arguments: Sequence[str]) -> tuple[str, str, list[str]]:
    """The command, what it is about (a ticket's number, a grid), and all that was given."""
    words = list(takewhile(_COMMAND.fullmatch, arguments))[:2]
    action = " ".join(words) or "gridwatch"
    rest = arguments[len(words) :]
    if rest and not rest[0].startswith("-"):
        subject = rest[0]
    else:
        subject = next(filter(_NUMBER.fullmatch, rest), "")
    said = [_masked(before, one) for before, one in pairwise(["", *rest])]
    return action, subject, said


def _masked(before: str, one: str) -> str:
    """A word of the command line, without a secret in it."""
    name, given, _ = one.partition("=")
    if given and name.startswith("-") and _SECRET.search(name):
        return f"{name}=***"
    return "***" if before.startswith("-") and _SECRET.search(before) else one


def person() -> str:
    """Who sits there: the person behind sudo, too."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{name} ({behind})" if behind and behind != name else name


def machine() -> str:
    """This machine, and the one from which somebody is logged in here."""
    peer = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return f"{peer} > {socket.gethostname()}" if peer else socket.gethostname()


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
