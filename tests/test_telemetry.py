"""Logs are one line an event on stderr: JSON for machines, words for people."""

from __future__ import annotations

import json
import logging
import threading
import time

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.telemetry import log_crash, masked, set_up_logs


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler).__module__ == "pipeline.telemetry":
            root.removeHandler(handler)


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


# --- credentials --------------------------------------------------------------------------------

# What people really put into passwords; no spaces: then it is no URL.
SIGNS = "ab1@:/#%?&=;,'\"\\[]{}()!$^_-中文é"
secrets = st.text(SIGNS, min_size=6, max_size=24) | st.text(
    st.characters(min_codepoint=33, exclude_categories=("Z", "C")), min_size=6, max_size=24
).filter(lambda text: "*" not in text)
hosts = st.sampled_from(["10.0.0.5", "cam-1.example:8554", "[fe80::1]:554", "摄像头.example"])


def logged(capsys, **values: object) -> str:
    structlog.get_logger().warning("event", **values)
    return capsys.readouterr().err


@given(secrets, hosts)
def test_no_text_shows_the_password_of_a_url(secret, host):
    text = f"can't open 'rtsp://admin:{secret}@{host}/ch1' (try 3)"
    shown = masked(text)
    assert secret not in shown
    assert "admin" not in shown
    assert shown.startswith("can't open")
    assert shown.endswith("(try 3)")


@given(secrets, hosts)
@example("00A://", "10.0.0.5")
@example("bA://", "10.0.0.5")
def test_nor_where_the_scheme_was_forgotten(secret, host):
    assert secret not in masked(f"no scheme in admin:{secret}@{host}/ch1")


@given(
    secrets.filter(lambda text: text[0] not in "\"'"),
    st.sampled_from(
        ["password=", "PASSWD: ", "pwd =", "token=", "api_key:", "密码：", "x_secret="]
    ),
)
def test_nor_what_is_called_a_password(secret, name):
    shown = masked(f"{name}{secret} and on")
    assert secret not in shown
    assert shown.endswith(" and on")


@given(secrets)
def test_nor_a_password_in_json_or_in_a_repr(secret):
    told = {"url": "x", "password": secret, "next": 1}
    assert json.dumps(secret, ensure_ascii=False) not in masked(
        json.dumps(told, ensure_ascii=False)
    )
    assert repr(secret) not in masked(repr(told))


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([*SIGNS, " ", "://", "password", "token:", "h://a:b@c"])).map(
        "".join
    )
)
@example("A://?TOKEN:=")
def test_masking_takes_any_text_and_twice_is_as_once(text):
    once = masked(text)
    assert masked(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "camera live",
        "摄像机拒绝登录，请核对地址中的用户名和密码 / check user and password in its URL",
        "rtsp://10.0.0.5:554/ch1 12:30:01 a@b",
        "time 12:30, retry in 3.5 s: nothing lost",
    ],
)
def test_what_hides_nothing_stays_as_it_is(text):
    assert masked(text) == text


@pytest.mark.parametrize("size", [200_000])
@pytest.mark.parametrize("unit", ["a", "a:", "://", "@", "a:@", "password", "password=", "'"])
def test_masking_a_huge_text_takes_no_time(unit, size):
    began = time.process_time()
    masked(unit * (size // len(unit)) + "@")
    assert time.process_time() - began < 20


def test_every_value_of_an_event_is_masked_whatever_it_is(capsys):
    set_up_logs(json_lines=True)
    url = "rtsp://admin:geheim@10.0.0.5/1"

    class Thing:
        def __repr__(self) -> str:
            return f"Thing({url})"

    text = logged(
        capsys,
        url=url,
        why=OSError(f"cannot open {url}"),
        nested={"list": [url, (url,), {url}], url: 1},
        thing=Thing(),
        raw=url.encode(),
        password="geheim",
        authorization="Basic geheim==",
        count=3,
    )
    assert "geheim" not in text
    event = json.loads(text)
    assert event["url"] == "rtsp://10.0.0.5/1"
    assert event["count"] == 3


def test_a_traceback_shows_no_password(capsys):
    set_up_logs(json_lines=False)
    try:
        try:
            raise OSError("rtsp://admin:geheim@h/1: Invalid data")  # noqa: TRY301
        except OSError as error:
            raise RuntimeError("password=geheim") from error
    except RuntimeError as error:
        log_crash(error)
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "geheim" not in text


def test_a_thread_that_ends_by_an_exception_is_logged_without_one(capsys, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    set_up_logs(json_lines=True)

    def fail() -> None:
        raise OSError("rtsp://admin:geheim@h/1")

    thread = threading.Thread(target=fail, name="camera c1")
    thread.start()
    thread.join()
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["thread"]) == ("thread_ended", "camera c1")
    assert "OSError" in event["exception"]
    assert "geheim" not in event["exception"]


def test_what_libraries_say_is_an_event_like_ours(capsys):
    set_up_logs(json_lines=True)
    set_up_logs(json_lines=True)  # twice: still told once
    logging.getLogger("libav.rtsp").warning("failed: %s", "rtsp://admin:geheim@h/1")
    logging.getLogger("libav.rtsp").info("nobody needs this")
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["logger"]) == ("failed: rtsp://h/1", "libav.rtsp")
    assert event["level"] == "warning"
