"""What every command shares: the two consoles, the common options, JSON and progress."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.clock import SystemClock
from pipeline.errors import SettingsError
from pipeline.settings_file import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.settings import Settings
    from pipeline.tickets import OpenDesk

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

    with open_desk(town_settings(file), SystemClock()) as opened:
        yield opened


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
