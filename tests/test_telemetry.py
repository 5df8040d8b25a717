"""Logs are one line an event on stderr: JSON for machines, words for people."""

from __future__ import annotations

import json

import pytest
import structlog

from pipeline.telemetry import set_up_logs


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_machine_gets_one_json_object_a_line(capsys):
    set_up_logs()  # stderr is no terminal here
    structlog.contextvars.bind_contextvars(camera_id="YL-0001")
    log = structlog.get_logger()
    log.info("camera live", name="东街")
    log.debug("nobody needs this")
    log.warning("second\nline")
    out, err = capsys.readouterr()
    assert out == ""
    first, second = (json.loads(line) for line in err.splitlines())
    assert (first["event"], first["level"], first["name"]) == ("camera live", "info", "东街")
    assert first["camera_id"] == "YL-0001"
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "second\nline"
    assert "东街" in err, "readable, not escaped"


def test_a_person_gets_words(capsys):
    set_up_logs(json_lines=False)
    structlog.get_logger().info("camera live", camera_id="c1")
    text = capsys.readouterr().err
    assert "camera live" in text
    assert not text.startswith("{")


def test_an_exception_becomes_part_of_its_line(capsys):
    set_up_logs(json_lines=True)
    try:
        raise RuntimeError("broken")  # noqa: TRY301
    except RuntimeError:
        structlog.get_logger().exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "RuntimeError: broken" in json.loads(line)["exception"]
