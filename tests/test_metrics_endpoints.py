"""/metrics, /healthz and /readyz as a probe meets them, over real HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
import structlog
from prometheus_client.openmetrics import parser as openmetrics
from test_metrics import VITALS

from pipeline import endpoints
from pipeline.endpoints import serve_vitals
from pipeline.errors import SettingsError
from pipeline.settings import TelemetrySettings

ANY_PORT = TelemetrySettings(port=0)


@pytest.fixture(autouse=True)
def said():
    with structlog.testing.capture_logs() as events:
        yield events


def get(url, path, method="GET", **headers):
    """Status, headers and body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_metrics_are_served_in_the_format_that_is_asked_for():
    with serve_vitals(ANY_PORT, lambda: VITALS) as url:
        status, headers, plain = get(url, "/metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain")
        assert b'gridwatch_cameras{state="live"} 2.0' in plain
        assert b"process_resident_memory_bytes" in plain
        _, headers, new = get(url, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert list(openmetrics.text_string_to_metric_families(new.decode()))


def test_a_well_box_says_so():
    with serve_vitals(ANY_PORT, lambda: VITALS) as url:
        status, _, body = get(url, "/healthz")
        assert (status, json.loads(body)["healthy"]) == (200, True)
        status, _, body = get(url, "/readyz?verbose")
    assert status == 200
    assert json.loads(body) == {
        "ready": True,
        "parts": {"detector": "ok", "desk": "ok", "workers": "ok"},
    }


def test_a_box_that_is_not_ready_says_which_part():
    with serve_vitals(ANY_PORT, lambda: replace(VITALS, detector_warm=False)) as url:
        status, _, body = get(url, "/readyz")
        assert get(url, "/healthz")[0] == 200, "not ready is no reason to kill it"
    assert status == 503
    assert "model" in json.loads(body)["parts"]["detector"]
    assert "预热" in body.decode()


def test_a_thread_that_hangs_is_named():
    with serve_vitals(ANY_PORT, lambda: replace(VITALS, threads={"detector": 99.0})) as url:
        status, _, body = get(url, "/healthz")
    assert status == 503
    assert json.loads(body)["hanging"] == ["detector"]


def test_other_paths_and_methods_are_refused():
    with serve_vitals(ANY_PORT, lambda: VITALS) as url:
        assert get(url, "/")[0] == 404
        assert get(url, "/metrics", "POST")[0] == 501
        status, headers, body = get(url, "/healthz", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


def test_numbers_that_fail_are_an_answer_too_without_credentials(said):
    def fail():
        raise RuntimeError("rtsp://admin:geheim@h/1")

    with serve_vitals(ANY_PORT, fail) as url:
        for path in ("/healthz", "/readyz", "/metrics"):
            status, _, body = get(url, path)
            assert status == 503
            assert json.loads(body) == {"answers": False, "why": "rtsp://h/1"}
    assert [event["event"] for event in said].count("telemetry_failed") == 1


def test_a_daemon_that_hangs_is_told_and_nothing_heaps_up(monkeypatch):
    monkeypatch.setattr(endpoints, "_ANSWER_S", 0.3)
    free, asked = threading.Event(), threading.Event()

    def hang():
        asked.set()
        assert free.wait(60)
        return VITALS

    with serve_vitals(ANY_PORT, hang) as url:
        first = threading.Thread(target=get, args=(url, "/healthz"))
        first.start()
        assert asked.wait(60)
        for _ in range(3):
            status, _, body = get(url, "/healthz")
            assert status == 503
            assert "no numbers" in json.loads(body)["why"]
        free.set()
        first.join()
        assert get(url, "/healthz")[0] == 200


def test_clients_that_say_nothing_take_only_so_many_places(eventually):
    before = threading.active_count()
    with serve_vitals(ANY_PORT, lambda: VITALS) as url:
        address = urlsplit(url).hostname, urlsplit(url).port
        silent = [socket.create_connection(address) for _ in range(40)]
        eventually(lambda: threading.active_count() >= before + 10, 60)
        assert threading.active_count() <= before + 1 + 16
        for one in silent:
            one.close()
        eventually(lambda: threading.active_count() <= before + 1, 60)
        assert get(url, "/healthz")[0] == 200
    eventually(lambda: threading.active_count() <= before, 60)


def test_a_taken_port_does_not_stop_the_daemon(said):
    with serve_vitals(ANY_PORT, lambda: VITALS) as url:
        taken = TelemetrySettings(port=urlsplit(url).port)
        with serve_vitals(taken, lambda: VITALS) as second:
            assert second is None
    (event,) = [event for event in said if event["event"] == "telemetry_off"]
    assert str(taken.port) in event["address"]


def test_an_address_of_another_machine_is_refused():
    elsewhere = TelemetrySettings(address="192.0.2.1", port=0)
    with (
        pytest.raises(SettingsError, match=r"telemetry\.address.*192\.0\.2\.1"),
        serve_vitals(elsewhere, lambda: VITALS),
    ):
        pass


def test_no_port_no_server():
    before = threading.active_count()
    with serve_vitals(TelemetrySettings(port=None), lambda: VITALS) as url:
        assert url is None
        assert threading.active_count() == before


def test_ipv6_is_an_address_too():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serve_vitals(TelemetrySettings(address="::1", port=0), lambda: VITALS) as url:
        assert get(url, "/readyz")[0] == 200
