"""What holds for the whole tree: one-way imports, one clock, small modules, public faces."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.shipped import shipped

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450

# Names of the standard library that read or wait on the machine's clock.
CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "sleep", "localtime", "gmtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
CLOCK_READERS = {
    "clock.py": "it is the clock",
    "tickets/redis_server.py": "waits for another process, whatever time the rooms live in",
}


def named(path):
    return path.relative_to(PACKAGE).as_posix()


modules = pytest.mark.parametrize("path", MODULES, ids=named)


def test_rooms_import_in_one_direction():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "name",
    sorted(info.name for info in pkgutil.iter_modules(pipeline.__path__) if info.ispkg),
)
def test_everything_a_room_exports_is_there(name):
    room = importlib.import_module(f"pipeline.{name}")
    exported = getattr(room, "__all__", [])
    assert len(exported) == len(set(exported))
    for member in exported:
        assert getattr(room, member) is not None


def clock_calls(text):
    """Lines that read the machine's clock."""
    tree = ast.parse(text)
    meant = {}  # local name -> what it stands for
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            for one in node.names:
                meant[one.asname or one.name] = (module, one.name)
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name)):
                owner, member = meant.get(name, (None, name))[1], node.attr
            case ast.Attribute(value=ast.Attribute(attr=owner)):
                member = node.attr
            case ast.Name():
                owner, member = meant.get(node.id, (None, None))
            case _:
                continue
        if member in CLOCKS.get(owner, ()):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)",
        "import time as t\nt.monotonic()",
        "from time import time\ntime()",
        "from time import sleep as rest\nrest(1)",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as dt\ndt.datetime.now()",
        "import datetime\nwait = datetime.date.today",
    ],
)
def test_whoever_reads_the_clock_is_caught(text):
    assert clock_calls(text) == [2]


@pytest.mark.parametrize(
    "text",
    ["import time\ntime.perf_counter()", "clock.now()\nclock.sleep(1)", "sleep = time = 1\ntime"],
)
def test_who_measures_or_asks_a_clock_is_not(text):
    assert clock_calls(text) == []


@modules
def test_nothing_reads_the_wall_clock_past_the_clock(path):
    if named(path) in CLOCK_READERS:
        return
    assert clock_calls(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", CLOCK_READERS)
def test_those_who_may_read_the_clock_do(name):
    assert clock_calls((PACKAGE / name).read_text(encoding="utf-8")), "take it off the list"


@modules
def test_modules_stay_small_and_say_what_they_are_for(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    tree = ast.parse(text)
    holds_code = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
    assert ast.get_docstring(tree) or not holds_code


HOST = re.compile(
    r"https?://(?!127\.|localhost|192\.0\.2\.)([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE
)


@modules
def test_no_module_leans_on_what_is_outside_the_repository(path):
    text = path.read_text(encoding="utf-8")
    assert "../shared" not in text
    assert "pypi" not in text.lower()


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_no_manifest_names_the_host_of_a_registry(name):
    assert not HOST.search((ROOT / name).read_text(encoding="utf-8"))


def test_every_test_file_has_a_name_of_its_own():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["models/street-n.onnx", "configs/yulong/duties.yaml"])
def test_what_comes_with_the_program_is_found(name):
    assert shipped(name).is_file()
