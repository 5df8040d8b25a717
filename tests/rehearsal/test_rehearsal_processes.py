"""The programs of a rehearsal: the city as a process, what processes use, how they end."""

import os
import socket
import time
from urllib.parse import urlsplit

import pytest

from pipeline.errors import RehearsalError
from pipeline.rehearsal import CityCamera, Fault, FaultKind
from pipeline.rehearsal.processes import Program, alive, kill, running, uses
from pipeline.rehearsal.serve import CityProcess


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Makes a program of a few lines that runs as a module."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(text):
        (tmp_path / "played.py").write_text(text)
        return Program("played", ["played"], tmp_path / "played.log")

    return make


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip(fps=25, gop=5, seconds=1)


@pytest.fixture
def city(clip, tmp_path):
    cameras = {
        "a": CityCamera("c", host="127.9.0.1"),
        "b": CityCamera("c", host="127.9.0.2", phase_s=0.2),
    }
    with CityProcess({"c": clip, "c:black": clip}, cameras, tmp_path / "city.log") as running_city:
        yield running_city


def answers(url, timeout_s=5.0):
    """What a camera says to OPTIONS; raises OSError when it can't be reached."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout_s) as one:
        one.settimeout(timeout_s)
        one.sendall(f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        return one.recv(1000).decode()


def test_the_city_serves_at_the_hosts_of_its_cameras(city):
    assert {urlsplit(url).hostname for url in city.urls.values()} == {"127.9.0.1", "127.9.0.2"}
    assert all(" 200 " in answers(url) for url in city.urls.values())


def test_faults_are_set_and_lifted_over_the_control_socket(city):
    city.set_fault(["a"], Fault(FaultKind.REFUSE))
    assert answers(city.urls["a"]) == ""
    assert " 200 " in answers(city.urls["b"])
    city.set_fault(["a"], None)
    assert " 200 " in answers(city.urls["a"])


def test_a_recorder_can_be_switched_off_and_on(city):
    city.switch(["127.9.0.1"], on=False)
    with pytest.raises(ConnectionRefusedError):
        answers(city.urls["a"])
    assert " 200 " in answers(city.urls["b"])
    city.switch(["127.9.0.1"], on=True)
    assert " 200 " in answers(city.urls["a"])


def test_it_tells_what_it_has_served(city):
    served, late_s = city.served()
    assert served == {name: {"sessions": 0, "frames": 0, "keys": 0} for name in "ab"}
    assert late_s == 0.0


def test_what_the_city_refuses_is_told(city):
    with pytest.raises(RehearsalError, match="nobody"):
        city.set_fault(["nobody"], Fault(FaultKind.CLOSE))
    assert city.served()


def test_a_city_that_cannot_start_says_why(tmp_path):
    (tmp_path / "no.mp4").write_text("no video")
    with pytest.raises(RehearsalError, match=r"no\.mp4"):
        CityProcess({"c": tmp_path / "no.mp4"}, {}, tmp_path / "city.log")


def test_a_city_that_was_killed_is_an_error_with_its_log(city):
    kill(city.program.pid)
    with pytest.raises(RehearsalError, match=r"SIGKILL[\s\S]*city\.log"):
        city.served()


def test_the_city_ends_with_whoever_started_it(city, eventually):
    pid = city.program.pid
    city._lines.close()
    city._socket.close()
    eventually(lambda: not alive([pid]), 30)


def test_a_program_that_ended_is_told_with_the_end_of_its_log(script, eventually):
    program = script("print('all is lost'); raise SystemExit(3)")
    eventually(lambda: program.process.poll() is not None, 30)
    with pytest.raises(RehearsalError, match=r"exit code 3[\s\S]*all is lost"):
        program.check()


def test_a_program_that_does_not_want_to_end_is_killed(script, eventually):
    program = script(
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None);"
        "print('ready', flush=True); [time.sleep(1) for _ in range(999)]"
    )
    eventually(lambda: "ready" in program.log.read_text(), 30)
    assert program.stop(0.2) is None
    assert not alive([program.pid])


def test_a_program_ends_with_its_block(script):
    with running(script("import time; time.sleep(999)")) as program:
        program.check()
    assert not alive([program.pid])


def test_a_process_and_its_descendants_are_counted_with_their_roles(script, eventually):
    program = script(
        "import subprocess, sys, time\n"
        "held = bytearray(64 << 20)\n"
        "code = 'import time; time.sleep(99)'\n"
        "command = [sys.executable, '-c', code, 'pipeline.ingest.worker']\n"
        "with subprocess.Popen(command) as child:\n"
        "    time.sleep(99)\n"
    )
    with running(program):
        eventually(lambda: len(uses(program.pid)) == 2, 30)
        eventually(lambda: uses(program.pid)[0].memory > 64 << 20, 30)
        found = {use.role: use for use in uses(program.pid)}
        assert found.keys() == {"daemon", "worker"}
        assert found["daemon"].pid == program.pid
        assert found["worker"].threads == 1
        assert found["worker"].fds >= 3
        kill(found["worker"].pid)


def test_cpu_time_is_that_of_the_kernel():
    began = time.process_time()
    while time.process_time() - began < 0.2:
        pass
    own = uses(os.getpid())[0]
    assert own.cpu_s == pytest.approx(time.process_time(), abs=0.3)
