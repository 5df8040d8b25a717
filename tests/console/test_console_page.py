from __future__ import annotations

import http.client
import re
import socket
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import NOON, incident, report, small_town

from pipeline.clock import ManualClock
from pipeline.console import create_app, serve
from pipeline.errors import SettingsError
from pipeline.settings import EvidenceSettings, RedisSettings
from pipeline.tickets import Desk, EvidenceStore, open_redis, write_evidence
from pipeline.tickets.evidence import about

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAMERAS = [
    {"camera_id": "cam-1", "name": "郑上路", "state": "live", "since_at": NOON - 60, "why": ""},
    {"camera_id": "cam-2", "state": "unreachable", "since_at": NOON - 600, "why": "拒绝连接 <b>"},
]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with open_redis(RedisSettings(), tmp_path_factory.mktemp("redis"), fsync=False) as client:
        yield client


@pytest.fixture
def desk(redis: Redis, clock: ManualClock) -> Desk:
    return Desk(redis, small_town(), clock=clock, prefix=uuid.uuid4().hex)


@pytest.fixture
def page(desk: Desk, tmp_path: Path, clock: ManualClock) -> Iterator[httpx.Client]:
    (tmp_path / "evidence").mkdir()
    app = create_app(desk, tmp_path / "evidence", lambda: CAMERAS, clock=clock)
    with serve(app, port=0) as url, httpx.Client(base_url=url) as client:
        yield client


def text_of(page: httpx.Client) -> str:
    html = page.get("/").text
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_ticket_shows_hazard_grid_place_deadline_state_and_count(page: httpx.Client, desk: Desk):
    desk.file(incident(1, severity="emergency"))
    desk.file(incident(2, camera="cam-9", at=NOON + 1))
    text = text_of(page)
    for words in (
        "路面塌陷 road collapse 2 次发现合并",
        "紧急 emergency",
        "已派遣 dispatched",
        "YL20261123-000001",
        "东村二网格 410182102001002",
        "豫龙镇东村二网格 34.78500, 113.44828 ±3 m",
        "受理时限 accept by 11-23 13:00 剩 1 小时 00 分",
        "cam-1、cam-9",
    ):
        assert words in text


def test_what_waits_is_counted_for_each_grid(page: httpx.Client, desk: Desk):
    desk.file(incident(1))
    desk.file(incident(2, east_m=600))
    desk.file(incident(3, hazard="crowd"))
    text = text_of(page)
    assert "东村二网格 410182102001002 2 豫龙镇 410182102 1" in text
    assert "3 待受理 waiting" in text


def test_a_deadline_turns_yellow_at_80_percent_and_red_when_it_has_passed(
    page: httpx.Client, desk: Desk, clock: ManualClock
):
    desk.file(incident())
    for minutes, lamp in ((10, "green"), (50, "yellow"), (61, "red")):
        clock.move_to(NOON + 60 * minutes)
        assert f'class="lamp {lamp}"' in page.get("/").text
    assert "超时 1 分" in text_of(page)


def test_cameras_in_trouble_come_first_and_say_why(page: httpx.Client):
    html = page.get("/").text
    assert html.index("cam-2") < html.index("cam-1")
    assert "拒绝连接 &lt;b&gt;" in html
    assert "1/2 摄像机在线" in text_of(page)


def test_a_thousand_cameras_do_not_bury_those_in_trouble(
    desk: Desk, tmp_path: Path, clock: ManualClock
):
    many = [{"camera_id": f"cam-{n:04d}", "state": "live"} for n in range(1050)]
    app = create_app(
        desk, tmp_path, lambda: [*many, {"camera_id": "zz", "state": "dark"}], clock=clock
    )
    with serve(app, port=0) as url:
        html = httpx.get(url).text
    assert html.index("zz") < html.index("cam-0000")
    assert "另有 991 路" in html
    assert "cam-0900" not in html


def test_what_comes_from_outside_can_not_become_markup(page: httpx.Client, desk: Desk):
    desk.file(incident(camera='"><script>alert(1)</script>'))
    html = page.get("/").text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_ticket_that_no_camera_found_says_who_did(page: httpx.Client, desk: Desk):
    desk.file_report(report(description="<script>alert(1)</script>"))
    text = text_of(page)
    assert "来源 source 居民上报 · 11-23 12:00" in text
    assert "%" not in text
    assert "<script>alert" not in page.get("/").text
    desk.file(incident(at=NOON + 1))
    assert "居民上报、视频智能发现 · cam-1 · 11-23 12:00 · 90%" in text_of(page)


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_code(page: httpx.Client):
    answer = page.get("/")
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert re.findall(r'(?:src|href)="(?!/)[^"]*"', answer.text) == []
    assert re.findall(r"<script(?! src=)|<style|\sstyle=|\son\w+=", answer.text) == []
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
        assert page.get(path).status_code == 200


def test_evidence_is_shown_and_served(page: httpx.Client, desk: Desk, tmp_path: Path):
    picture = np.zeros((90, 160, 3), np.uint8)
    nobody = np.zeros((0, 4), np.float32)
    settings = EvidenceSettings(min_free_mb=0)
    ref = write_evidence(
        picture, nobody, [], incident=incident(), settings=settings, data_dir=tmp_path
    )
    desk.file(incident(), ref)
    assert f'src="/evidence/{ref.annotated}"' in page.get("/").text
    answer = page.get(f"/evidence/{ref.annotated}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content == (tmp_path / "evidence" / ref.annotated).read_bytes()


def test_every_look_at_evidence_is_recorded_and_no_refusal_is(
    page: httpx.Client, desk: Desk, tmp_path: Path, clock: ManualClock
):
    store = EvidenceStore(tmp_path, EvidenceSettings(min_free_mb=0), clock)
    store.keep({f"2026/11/23/{incident().incident_id}-clip.mp4": b"0123456789"}, about(incident()))
    path = f"/evidence/2026/11/23/{incident().incident_id}-clip.mp4"
    whole = page.get(path)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.headers["cache-control"].startswith("private")
    assert page.get(path.replace("clip", "pair")).status_code == 404
    (link,) = store.ledger.reads()
    assert (link.said["who"], link.said["from"], link.said["way"]) == (
        "anonymous",
        "127.0.0.1",
        "console",
    )
    store.close()


@pytest.mark.parametrize(
    "wanted, status, content, said",
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=5-2", 416, b"", "bytes */10"),
        ("bytes=0-1,4-5", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("pages=1-2", 200, b"0123456789", None),
    ],
)
def test_a_player_gets_the_part_of_a_clip_that_it_asks_for(
    page: httpx.Client, tmp_path: Path, clock: ManualClock, wanted, status, content, said
):
    store = EvidenceStore(tmp_path, EvidenceSettings(min_free_mb=0), clock)
    store.keep({"2026/11/23/a-clip.mp4": b"0123456789"}, about(incident()))
    store.close()
    answer = page.get("/evidence/2026/11/23/a-clip.mp4", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == said


@pytest.mark.parametrize(
    "path",
    [
        "../secret.jpg",
        "..%2fsecret.jpg",
        "%2e%2e/secret.jpg",
        "%2fetc/passwd",
        "//etc/passwd",
        "link.jpg",
        "note.txt",
        "folder.jpg",
        "",
        "a%00.jpg",
        "x" * 5000 + ".jpg",
    ],
)
def test_nothing_but_evidence_leaves_the_folder(page: httpx.Client, tmp_path: Path, path: str):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "evidence"
    (folder / "note.txt").write_bytes(b"secret")
    (folder / "folder.jpg").mkdir()
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    address = http.client.HTTPConnection(page.base_url.host, page.base_url.port)
    address.request("GET", f"/evidence/{path}")  # as it stands: httpx would tidy the path up
    answer = address.getresponse()
    assert answer.status == 404
    assert b"secret" not in answer.read()
    address.close()


def test_without_redis_the_page_says_so_and_still_shows_the_cameras(
    tmp_path: Path, clock: ManualClock
):
    far = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    desk = Desk(far, small_town(), clock=clock)
    with serve(create_app(desk, tmp_path, lambda: CAMERAS, clock=clock), port=0) as url:
        answer = httpx.get(url)
    assert answer.status_code == 503
    assert "暂时无法读取案卷" in answer.text
    assert "cam-2" in answer.text


def test_the_page_changes_nothing(page: httpx.Client):
    for path in ("/", "/evidence/a.jpg", "/static/status.css"):
        assert page.post(path).status_code == 405


def test_every_state_and_step_has_a_chinese_name(page: httpx.Client, desk: Desk):
    found = incident()
    filing = desk.file(found)
    desk.file(incident(2))
    desk.update(replace(found, cleared_at=NOON + 5))
    for action in ("accept", "handle", "feed_back", "close"):
        desk.move(filing.ticket_id, action, by="李四")  # type: ignore[arg-type]
    text = text_of(page)
    for words in ("立案 file", "并入新发现", "画面中已消失", "结案 close", "已结案 closed"):
        assert words in text


def test_it_is_served_until_the_block_ends_and_an_address_in_use_is_named(
    desk: Desk, tmp_path: Path
):
    app = create_app(desk, tmp_path, list)
    with serve(app, port=0) as url:
        assert httpx.get(url).status_code == 200
        port = int(url.rstrip("/").rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"), serve(app, port=port):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    socket.create_server(("127.0.0.1", port)).close()
