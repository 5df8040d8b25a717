"""The examples of docs/reports.md, typed into a shell as they stand, against the real endpoint."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from open311_client import jpeg

from pipeline.settings import TownSettings
from pipeline.shipped import shipped
from pipeline.tickets import Desk
from pipeline.town import load_town

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from redis import Redis

    from pipeline.clock import ManualClock

PAGE = Path(__file__).parents[3] / "docs" / "reports.md"
BLOCK = re.compile(r"```console\n(\$ .*?)\n```\n", re.DOTALL)
SERVED, KEY = "http://127.0.0.1:8311/", "gw_…"
REWRITE = "GRIDWATCH_REWRITE_DOCS"
"""Set in the environment, the answers on the page are brought up to date."""


@pytest.fixture
def yulong(
    served: Callable[..., SimpleNamespace], redis: Redis, clock: ManualClock, tmp_path: Path
) -> SimpleNamespace:
    """The endpoint of the town as it is shipped, and a picture to send."""
    files = {"cameras": "cameras.csv", "grids": "grids.geojson", "duties": "duties.yaml"}
    settings = TownSettings(
        **{name: shipped(f"configs/yulong/{file}") for name, file in files.items()}
    )
    (tmp_path / "hole.jpg").write_bytes(jpeg())
    desk = Desk(redis, load_town(settings), clock=clock, prefix=tmp_path.name)
    return served(desk, services=["road_damage", "blockage.crash"])


def test_each_example_does_what_the_page_says(yulong: SimpleNamespace, tmp_path: Path):
    page = PAGE.read_text("utf-8")
    written = BLOCK.findall(page)
    assert len(written) >= 8
    happened = [_run(command_of(one), yulong, tmp_path) for one in written]
    if os.environ.get(REWRITE):
        for old, new in zip(written, happened, strict=True):
            page = page.replace(f"```console\n{old}\n```", f"```console\n{new}\n```")
        PAGE.write_text(page, "utf-8")
        return
    assert written == happened


def test_the_examples_show_both_formats_of_everything(yulong: SimpleNamespace):
    commands = "\n".join(map(command_of, BLOCK.findall(PAGE.read_text("utf-8"))))
    for path in ("discovery", "services", r"requests", r"requests/R\w+"):
        for form in ("json", "xml"):
            assert re.search(rf"{path}\.{form}\b", commands), f"no example of {path}.{form}"


def command_of(block: str) -> str:
    """Its first line, and those that a backslash carries on."""
    return re.match(r"(?:[^\n]*\\\n)*[^\n]*", block)[0]


def _run(command: str, town: SimpleNamespace, folder: Path) -> str:
    """The block as it should stand there."""
    here = str(town.client.base_url).rstrip("/") + "/"
    line = command.removeprefix("$ ").replace(SERVED, here).replace(KEY, town.key)
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=True, timeout=30
    )
    return f"{command}\n{_pretty(done.stdout).replace(here, SERVED)}"


def _pretty(answer: str) -> str:
    """Set out for people; nothing else is changed."""
    if answer.startswith("<"):
        root = ET.fromstring(answer)
        ET.indent(root)
        return ET.tostring(root, encoding="unicode", short_empty_elements=True)
    return json.dumps(json.loads(answer), ensure_ascii=False, indent=1)
