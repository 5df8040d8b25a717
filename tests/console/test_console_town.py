"""The pages for those who see more than one grid, and news as it happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from forms import text_of
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import NOON

from pipeline.errors import DeskUnavailableError
from pipeline.tickets import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx
    from console_town import Running


@pytest.fixture
def console(live_console: Running) -> Running:
    return live_console


def test_command_sees_what_presses_and_how_the_load_is_spread(console: Running):
    passed_up, _, other = console.file(1), console.file(2, east_m=600), console.file(3, east_m=-600)
    console.desk.move(passed_up, "escalate", by="李四", note="太大")
    console.file(4, hazard="crowd", east_m=-900, severity="emergency")
    with console.browser("command") as browser:
        text = text_of(browser.get("/command").text)
        for words in ("1 紧急", "0 超时", "1 上报到一级", "4 待受理", "4 未结"):
            assert words in text
        assert "东村二网格 410182102001002 0 2 2" in text
        console.clock.move_to(NOON + 3700)
        html = browser.get("/command").text
        assert "3 超时" in text_of(html) or "4 超时" in text_of(html)
        assert f"/tickets/{other}" in html


def test_a_viewer_of_one_grid_sees_that_grid_alone(console: Running):
    own, other = console.file(1, severity="emergency"), console.file(2, east_m=-600)
    with console.browser("viewer") as browser:
        html = browser.get("/command").text
    assert own in html
    assert other not in html
    assert "西村" not in html


def test_the_map_page_lists_what_the_map_shows_and_loads_the_map_only_here(console: Running):
    ticket_id = console.file()
    with console.browser("member") as browser:
        html = browser.get("/map").text
        assert f"/tickets/{ticket_id}" in html
        assert "maplibre" in html
        for page in ("/queue", "/cameras", f"/tickets/{ticket_id}"):
            assert "maplibre" not in browser.get(page).text


def test_tiles_of_ones_own_are_allowed_and_nothing_else(start: Callable[..., Running]):
    console = start(tiles="http://10.0.0.9:8000/tiles/{z}/{x}/{y}.png")
    with console.browser("member") as browser:
        answer = browser.get("/map")
    policy = answer.headers["content-security-policy"]
    assert "img-src 'self' blob: data: http://10.0.0.9:8000;" in policy
    assert 'data-tiles="http://10.0.0.9:8000/tiles/{z}/{x}/{y}.png"' in answer.text


def news(answer: httpx.Response) -> Iterator[dict[str, int]]:
    for line in answer.iter_lines():
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def test_a_page_hears_of_the_own_grids_tickets_and_of_no_others(
    console: Running, eventually: Callable[..., None]
):
    live = live_of(console)
    with (
        console.browser("member") as browser,
        browser.stream("GET", "/events") as answer,
    ):
        eventually(lambda: live.pages == 1)
        console.file(1, east_m=-600)
        own = console.file(2)
        heard = news(answer)
        told = next(heard)
        assert told == {own: 2}
        console.desk.move(own, "accept", by="李四")
        assert next(heard) == {own: 3}
    eventually(lambda: live.pages == 0)


def live_of(console: Running):
    return console.app.state.live


def test_a_stream_ends_with_its_session(console: Running, eventually: Callable[..., None]):
    live = live_of(console)
    with console.browser("member") as browser, browser.stream("GET", "/events") as answer:
        eventually(lambda: live.pages == 1)
        console.accounts.sessions.end_all("member")
        console.file()
        assert list(news(answer)) == []


def test_open_streams_do_not_hold_up_the_end(console: Running, eventually: Callable[..., None]):
    browser = console.browser("member")
    with browser.stream("GET", "/events") as answer:
        eventually(lambda: live_of(console).pages == 1)
        console.stop()
        assert list(news(answer)) == []


def test_each_step_is_told_once_and_redis_away_is_said(
    console: Running, redis: Redis, prefix: str, tmp_path: Path
):
    changes = Changes(redis, prefix=prefix)
    assert changes.read(1.0) is None  # it listens from now on
    ticket_id = console.file()
    found = [changes.read(5.0) for _ in range(2)]
    assert [one and (one.ticket_id, one.steps) for one in found] == [(ticket_id, 1), (ticket_id, 2)]
    changes.close()
    far = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    with pytest.raises(DeskUnavailableError):
        Changes(far).read(0.1)
