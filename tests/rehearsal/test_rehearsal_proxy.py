"""The line to Redis: whole, cut, slow and half-open, with a real Redis behind it."""

import time

import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.rehearsal.proxy import Line, proxy_to
from pipeline.settings import RedisSettings
from pipeline.tickets import open_redis


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis")
    with open_redis(RedisSettings(), folder, fsync=False) as client:
        yield client.connection_pool.connection_kwargs["path"]


@pytest.fixture
def proxy(server):
    with proxy_to(server) as running:
        yield running


@pytest.fixture
def client(proxy):
    with redis_py.Redis(
        port=proxy.port, socket_timeout=3, socket_connect_timeout=3, retry=Retry(NoBackoff(), 0)
    ) as one:
        yield one


def test_a_whole_line_passes_everything(client):
    value = bytes(range(256)) * 4000
    client.set("big", value)
    assert client.get("big") == value


def test_a_cut_line_breaks_what_is_open_and_refuses_what_is_new(client, proxy):
    assert client.ping()
    proxy.set_line(Line.CUT)
    for _ in range(3):
        with pytest.raises(redis_py.ConnectionError):
            client.ping()
    proxy.set_line(Line.PASS)
    assert client.ping()


def test_a_slow_line_takes_its_time_both_ways(client, proxy):
    assert client.ping()
    proxy.set_line(Line.SLOW, 0.2)
    began = time.monotonic()
    assert client.ping()
    assert time.monotonic() - began >= 0.4
    proxy.set_line(Line.PASS)
    assert client.ping()


def test_a_half_open_line_accepts_and_never_answers(client, proxy):
    assert client.ping()
    proxy.set_line(Line.HALF_OPEN)
    with pytest.raises(redis_py.TimeoutError):
        client.set("lost", 1)
    proxy.set_line(Line.PASS)
    assert client.get("lost") is None


def test_what_was_asked_on_a_half_open_line_is_never_answered_later(client, proxy):
    client.set("a", 1)
    proxy.set_line(Line.HALF_OPEN)
    connection = client.connection_pool.get_connection()
    connection.send_command("GET", "a")
    proxy.set_line(Line.PASS)
    with pytest.raises((redis_py.ConnectionError, redis_py.TimeoutError)):
        connection.read_response()


def test_the_port_stays_the_same(client, proxy):
    port = proxy.port
    proxy.set_line(Line.CUT)
    proxy.set_line(Line.HALF_OPEN)
    proxy.set_line(Line.PASS)
    assert proxy.port == port
    assert client.ping()


def test_a_server_that_is_away_costs_the_connection_alone(tmp_path):
    with (
        proxy_to(str(tmp_path / "nothing.sock")) as proxy,
        redis_py.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)) as client,
    ):
        for _ in range(2):
            with pytest.raises(redis_py.ConnectionError):
                client.ping()
