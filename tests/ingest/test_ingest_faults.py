"""No error of the video library may escape, and none of ours may hold a password."""

import inspect
from pathlib import Path

import av
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import FootageError, SourceError
from pipeline.ingest import Source, faults
from pipeline.ingest.tls import Trust
from pipeline.settings import IngestSettings

URL = "rtsp://admin:s3cret@127.0.0.1:9/ch1?token=s3cret"
TRUST = Trust.of(URL, IngestSettings())
STATES = {"unreachable", "unauthorised", "unsupported", "stalled"}
LOWER_ERRORS = [
    error
    for _, error in inspect.getmembers(av.error, inspect.isclass)
    if issubclass(error, av.FFmpegError)
]


def raised(kind):
    return kind(1, "reason", URL)


@pytest.mark.parametrize("kind", LOWER_ERRORS)
def test_every_lower_error_becomes_a_state_of_the_camera(kind):
    for error in (
        faults.opening_error(raised(kind), URL, took_s=0.1, limit_s=5, trust=TRUST),
        faults.opening_error(raised(kind), URL, took_s=5.0, limit_s=5, trust=TRUST),
        faults.reading_error(raised(kind), URL, silent_s=5),
    ):
        assert isinstance(error, SourceError)
        assert error.state in STATES
        assert "s3cret" not in str(error)
        assert " / " in error.reason


@pytest.mark.parametrize("kind", LOWER_ERRORS)
def test_every_lower_error_of_a_file_names_the_file(kind):
    error = faults.footage_error(raised(kind), Path("clip.mp4"))
    assert isinstance(error, FootageError)
    assert "clip.mp4" in str(error)


def refusal(url):
    settings = IngestSettings(open_timeout_s=1, read_timeout_s=1)
    source = Source("c", url, settings, size=(320, 192), clock=SystemClock())
    with pytest.raises(SourceError) as caught:
        next(source.looks())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "s3cret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "http://admin:s3cret@127.0.0.1/",
        "foo://admin:s3cret@127.0.0.1/x",
        "rtsp://admin:s3cret@127.0.0.1:99999/x",
        "rtsp:///s3cret",
        "rtsp://admin:s3cret@[::1/x",
        "://",
    ],
)
def test_an_address_that_cannot_be_a_camera_is_unsupported(url):
    error = refusal(url.replace("/s3cret", ""))
    assert error.state == "unsupported"
    assert "allowed" in error.reason


def test_a_host_that_does_not_resolve_is_said_so():
    error = refusal("rtsp://admin:s3cret@no-such-host.invalid/x")
    assert error.state == "unreachable"
    assert "resolve" in error.reason


def test_a_closed_port_is_said_to_refuse(unused_port):
    error = refusal(f"rtsp://admin:s3cret@127.0.0.1:{unused_port}/x")
    assert error.state == "unreachable"
    assert "refused" in error.reason


def test_a_web_server_is_not_a_camera(answering):
    port = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    error = refusal(f"rtsp://admin:s3cret@127.0.0.1:{port}/x")
    assert error.state == "unsupported"
    assert "doesn't speak RTSP" in error.reason


def test_garbage_is_not_a_camera(answering):
    error = refusal(f"rtsp://127.0.0.1:{answering(bytes(range(256)) * 4)}/x")
    assert error.state == "unsupported"
