"""The Open311 endpoint as its clients meet it: over HTTP, with a real desk behind it."""

from __future__ import annotations

import json
import socket
import uuid
from contextlib import suppress
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from PIL import Image
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import DEGREE_M, LAT, LON, NOON, incident, report, small_town

from pipeline.clock import ManualClock
from pipeline.console import serve
from pipeline.console.open311 import ApiKeys, Open311, create_open311
from pipeline.console.open311.services import Services
from pipeline.errors import ApiKeyError, SettingsError
from pipeline.settings import RedisSettings, Settings
from pipeline.tickets import Desk, Outbox, ReportDesk, Snapshot, open_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

V2 = "/open311/v2"
EAST_M = 300.0
PLACE = {"lat": f"{LAT}", "long": f"{LON + EAST_M / DEGREE_M}"}
HOLE = {"service_code": "road_collapse", **PLACE}


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
def away(tmp_path: Path, clock: ManualClock) -> Desk:
    """A desk whose Redis is not there."""
    nobody = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    return Desk(nobody, small_town(), clock=clock)


def nobody_seen(picture: np.ndarray) -> Snapshot:
    return Snapshot(picture, np.zeros((0, 4), np.float32), [])


@pytest.fixture
def served(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., SimpleNamespace]]:
    """Serve the endpoint; its client, key, keys and outbox."""
    opened = []

    def start(desk: Desk, look=nobody_seen, **settings: object) -> SimpleNamespace:
        made = Settings(
            open311=settings, tickets={"evidence": {"min_free_mb": 0}}, data_dir=tmp_path
        )
        outbox = Outbox(tmp_path / "outbox.sqlite", clock)
        reports = ReportDesk(desk, outbox, look, settings=made.tickets.evidence, data_dir=tmp_path)
        keys = ApiKeys(tmp_path / "keys.json", clock)
        endpoint = Open311(made, desk=desk, reports=reports, outbox=outbox, keys=keys, clock=clock)
        page = serve(create_open311(endpoint), port=0)
        client = httpx.Client(base_url=page.__enter__(), timeout=30)
        opened.append((page, client, outbox))
        name = "郑好拍" if len(opened) == 1 else f"郑好拍 {len(opened)}"
        return SimpleNamespace(client=client, keys=keys, key=keys.add(name), outbox=outbox)

    yield start
    for page, client, outbox in opened:
        client.close()
        page.__exit__(None, None, None)
        outbox.close()


@pytest.fixture
def town(served, desk: Desk) -> SimpleNamespace:
    return served(desk, reads_per_minute=10_000, reports_per_minute=10_000)


def post(town: SimpleNamespace, form: str = "json", files=None, **fields: str) -> httpx.Response:
    data = {"api_key": town.key, **fields}
    return town.client.post(f"{V2}/requests.{form}", data=data, files=files)


def filed(town: SimpleNamespace, **fields: str) -> str:
    answer = post(town, **HOLE, **fields)
    assert answer.status_code == 201, answer.text
    ((row),) = answer.json()
    return row["service_request_id"]


def refused(answer: httpx.Response, status: int, *words: str) -> None:
    """An error in the standard's form."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()
    assert error["code"] == status
    for word in words:
        assert word in error["description"]


def jpeg(size: tuple[int, int] = (320, 180), **options: object) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (90, 120, 90)).save(file, "JPEG", **options)
    return file.getvalue()


# What is on offer.


def test_discovery_says_where_the_endpoint_is(town):
    found = town.client.get("/open311/discovery.json").json()
    (endpoint,) = found["endpoints"]
    assert endpoint["specification"] == "http://wiki.open311.org/GeoReport_v2"
    assert endpoint["url"] == str(town.client.base_url).rstrip("/") + V2
    assert endpoint["formats"] == ["application/json", "text/xml"]
    root = ET.fromstring(town.client.get("/open311/discovery.xml").content)
    assert [part.tag for part in root] == ["changeset", "contact", "key_service", "endpoints"]
    assert root.find("endpoints/endpoint/type").text == "production"


def test_behind_a_proxy_discovery_names_the_public_address(served, desk):
    town = served(desk, public_url="https://open311.example.org/")
    (endpoint,) = town.client.get("/open311/discovery.json").json()["endpoints"]
    assert endpoint["url"] == "https://open311.example.org/open311/v2"


def test_every_duty_is_a_service(town):
    listed = town.client.get(f"{V2}/services.json").json()
    assert [row["service_code"] for row in listed] == [
        "road_collapse",
        "road_damage",
        "blockage",
        "blockage.crash",
        "crowd",
    ]
    for row in listed:
        assert set(row) == {
            "service_code",
            "service_name",
            "description",
            "metadata",
            "type",
            "keywords",
            "group",
        }
    answer = town.client.get(f"{V2}/services.xml")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(answer.content)
    assert root.tag == "services"
    assert root.findtext("service/service_code") == "road_collapse"
    assert root.findtext("service/metadata") == "false"
    assert "路面塌陷" in root.findtext("service/service_name")


def test_a_town_may_offer_only_some(served, desk):
    town = served(desk, services=["road_damage", "blockage.crash"])
    codes = [row["service_code"] for row in town.client.get(f"{V2}/services.json").json()]
    assert codes == ["road_damage", "blockage.crash"]
    refused(post(town, service_code="crowd", **PLACE), 404, "crowd")
    with pytest.raises(SettingsError, match=r"did you mean road_damage\?"):
        Services(desk.town.duties, ["road_damages"])


def test_the_definition_of_a_service_asks_nothing_more(town):
    found = town.client.get(f"{V2}/services/blockage.crash.json").json()
    assert found == {"service_code": "blockage.crash", "attributes": []}
    root = ET.fromstring(town.client.get(f"{V2}/services/crowd.xml").content)
    assert (root.tag, root.findtext("service_code")) == ("service_definition", "crowd")
    refused(town.client.get(f"{V2}/services/033.json"), 404, "service_code '033' was not found")


# A report and what becomes of it.


def test_a_report_as_the_standard_sends_it_becomes_a_ticket(town, desk: Desk):
    """All fields of the standard's own example, sent to this town."""
    answer = post(
        town,
        jurisdiction_id="yulong.example.org",
        address_string="郑上路 12 号",
        email="someone@example.org",
        device_id="tt222111",
        account_id="123456",
        first_name="San",
        last_name="Zhang",
        phone="111111111",
        description="路上有个大坑\n正在变大",
        media_url="http://192.0.2.7/hole.jpg",
        **HOLE,
    )
    assert answer.status_code == 201
    (row,) = answer.json()
    assert set(row) == {"service_request_id", "service_notice", "account_id"}
    assert "media_url" in row["service_notice"]
    ticket = desk.ticket_of(row["service_request_id"])
    (kept,) = ticket.reports
    assert (kept.source, kept.by, kept.hazard) == ("resident", "郑好拍", "road_collapse")
    assert kept.description == "路上有个大坑\n正在变大"
    assert kept.address == "郑上路 12 号"
    assert kept.place.method == "reported"
    held = json.dumps([str(part) for part in (ticket, ticket.steps)], ensure_ascii=False)
    for personal in ("someone@", "Zhang", "111111111", "tt222111", "192.0.2.7"):
        assert personal not in held
    (message,) = desk.read_queue("410182102001002")
    assert message.source == "resident"


def test_it_can_be_asked_after_in_both_formats(town, desk: Desk):
    name = filed(town, description="坑 <b>&")
    (row,) = town.client.get(f"{V2}/requests/{name}.json").json()
    assert list(row) == [
        "service_request_id",
        "status",
        "status_notes",
        "service_name",
        "service_code",
        "description",
        "agency_responsible",
        "service_notice",
        "requested_datetime",
        "updated_datetime",
        "expected_datetime",
        "address",
        "address_id",
        "zipcode",
        "lat",
        "long",
        "media_url",
    ]
    assert (row["status"], row["service_code"]) == ("open", "road_collapse")
    assert row["requested_datetime"] == "2026-11-23T04:00:00Z"
    assert row["expected_datetime"] == "2026-11-24T04:00:00Z"
    assert row["agency_responsible"] == "城市管理"
    assert (row["lat"], row["long"]) == (LAT, LON + EAST_M / DEGREE_M)
    root = ET.fromstring(town.client.get(f"{V2}/requests/{name}.xml").content)
    assert root.tag == "service_requests"
    assert root.findtext("request/service_request_id") == name
    assert root.findtext("request/lat") == str(LAT)


def test_what_was_written_goes_back_to_its_sender_alone(town):
    name = filed(town, description="我的电话 13800000000 <b>", address_string="张三家门口")
    other = town.keys.add("other")
    for key, shown in ((town.key, True), (other, False), ("", False), ("gw_wrong", False)):
        for form in ("json", "xml"):
            text = town.client.get(f"{V2}/requests/{name}.{form}", params={"api_key": key}).text
            assert ("13800000000" in text) == shown
            assert ("张三家门口" in text) == shown
    xml = town.client.get(f"{V2}/requests/{name}.xml", params={"api_key": town.key}).content
    assert "<b>" in ET.fromstring(xml).findtext("request/description")


def test_the_public_sees_how_it_stands_but_no_staff_and_no_evidence(town, desk: Desk):
    name = filed(town)
    ticket_id = desk.ticket_of(name).ticket_id
    seen = []
    for action in ("accept", "handle", "feed_back", "close"):
        facts = {"picture": "secret.jpg"}
        desk.move(ticket_id, action, by="李四", note="内部备注", facts=facts)
        answer = town.client.get(f"{V2}/requests/{name}.json")
        (row,) = answer.json()
        seen.append((row["status"], row["status_notes"].partition("，")[0].partition(" /")[0]))
        for secret in ("李四", "内部备注", "secret.jpg"):
            assert secret not in answer.text
    assert seen == [
        ("open", "已受理"),
        ("open", "处置中"),
        ("open", "已处置"),
        ("closed", "已结案"),
    ]


def test_a_second_report_of_the_same_hole_is_part_of_the_same_ticket(town, desk: Desk):
    camera = desk.file(incident(east_m=EAST_M)).ticket_id
    one, other = filed(town), filed(town)
    assert one != other
    assert {desk.ticket_of(name).ticket_id for name in (one, other)} == {camera}
    assert len(desk.tickets()) == 1


def test_a_report_that_is_sent_again_with_its_key_is_filed_once(town, desk: Desk):
    names = set()
    for _ in range(3):
        answer = town.client.post(
            f"{V2}/requests.json",
            data={"api_key": town.key, **HOLE},
            headers={"Idempotency-Key": "7f3"},
        )
        names.add(answer.json()[0]["service_request_id"])
    assert len(names) == 1
    assert desk.tickets()[0].count == 1


def test_an_address_alone_waits_for_a_person_to_find_it(town, desk: Desk):
    answer = post(town, service_code="blockage", address_string="郑上路与飞龙路口")
    name = answer.json()[0]["service_request_id"]
    assert desk.ticket_of(name).state == "filed"
    (row,) = town.client.get(f"{V2}/requests/{name}.json").json()
    assert (row["lat"], row["long"], row["address"]) == (None, None, None)


def test_what_only_cameras_and_staff_found_is_nobodys_business(town, desk: Desk):
    found = incident(east_m=EAST_M)
    ticket_id = desk.file(found).ticket_id
    staff = report(source="staff", by="李四")
    desk.file_report(staff)
    assert town.client.get(f"{V2}/requests.json").json() == []
    for name in (found.incident_id, ticket_id, staff.report_id, "nothing"):
        refused(town.client.get(f"{V2}/requests/{name}.json"), 404, "was not found")


# Asking for many.


def three_days(town: SimpleNamespace, clock: ManualClock, desk: Desk) -> list[str]:
    names = []
    for day, code in enumerate(("road_collapse", "blockage", "road_damage")):
        clock.move_to(NOON + day * 86_400)
        east = {"lat": f"{LAT}", "long": f"{LON + (100 + 200 * day) / DEGREE_M}"}
        names.append(post(town, service_code=code, **east).json()[0]["service_request_id"])
    ticket_id = desk.ticket_of(names[1]).ticket_id
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")  # type: ignore[arg-type]
    return names


def asked(town: SimpleNamespace, **query: str) -> list[str]:
    answer = town.client.get(f"{V2}/requests.json", params=query)
    assert answer.status_code == 200, answer.text
    return [row["service_request_id"] for row in answer.json()]


def test_reports_are_found_by_status_service_dates_and_ids(town, clock, desk: Desk):
    first, second, third = three_days(town, clock, desk)
    assert asked(town) == [third, second, first]
    assert asked(town, status="closed") == [second]
    assert asked(town, status="open,closed") == [third, second, first]
    assert asked(town, service_code="blockage,road_damage") == [third, second]
    assert asked(town, start_date="2026-11-24T00:00:00+08:00") == [third, second]
    assert asked(town, end_date="2026-11-24T04:00:00Z") == [second, first]
    assert asked(town, start_date="2026-11-24", end_date="2026-11-25T00:00:00Z") == [second]
    named = asked(town, service_request_id=f"{third},nothing,{first}", status="closed")
    assert named == [third, first]  # ids overrule everything else


def test_without_dates_the_last_90_days_are_meant(town, clock, desk: Desk):
    names = three_days(town, clock, desk)
    clock.move_to(NOON + 91 * 86_400)
    assert asked(town) == [names[2], names[1]]
    assert asked(town, start_date="2026-11-01T00:00:00Z") == names[::-1]


def test_at_most_a_thousand_are_given(town, clock, desk: Desk):
    for number in range(1003):
        desk.file_report(report(number, reported_at=NOON + number / 1000))
    clock.move_to(NOON + 10)
    found = asked(town)
    assert len(found) == 1000
    assert found[0] == report(1002).report_id


@pytest.mark.parametrize(
    "query, words",
    [
        ({"status": "fixed"}, "allowed: open, closed"),
        ({"start_date": "yesterday"}, "start_date 'yesterday'"),
        ({"end_date": "9" * 30}, "end_date"),
        ({"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"}, "90 days"),
        ({"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "before"),
        ({"service_request_id": ",".join(f"R{n}" for n in range(101))}, "up to 100"),
    ],
)
def test_what_can_not_be_asked_is_refused(town, query, words):
    refused(town.client.get(f"{V2}/requests.json", params=query), 400, words)


# What is refused.


@pytest.mark.parametrize(
    "fields, status, words",
    [
        ({"service_code": ""}, 400, "service_code was not provided"),
        ({"service_code": "999"}, 404, "service_code '999' was not found"),
        ({"service_code": "road_damage"}, 400, "a place was not provided"),
        ({"service_code": "road_damage", "lat": "34.78"}, 400, "not two numbers"),
        ({"service_code": "road_damage", "lat": "x", "long": "y"}, 400, "degrees in WGS-84"),
        ({"service_code": "road_damage", "lat": "1e308", "long": "-1e308"}, 400, "out of range"),
        ({"service_code": "road_damage", "lat": "nan", "long": "113"}, 400, "finite"),
        (
            {"service_code": "road_damage", "lat": "48.85", "long": "2.35"},
            400,
            "lies outside",
        ),
        ({"service_code": "road_damage", "lat": "113.44", "long": "34.78"}, 400, "exchanged"),
        ({**HOLE, "description": "x" * 4001}, 400, "is too long"),
        ({**HOLE, "address_string": "x" * 201}, 400, "address_string"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_and_nothing_is_filed(
    town, desk: Desk, fields, status, words
):
    refused(post(town, **fields), status, words)
    assert desk.tickets() == []


def test_errors_come_in_the_format_of_the_path(town):
    root = ET.fromstring(post(town, "xml", service_code="<x>").content)
    assert root.tag == "errors"
    assert root.findtext("error/code") == "404"
    assert "<x>" in root.findtext("error/description")
    refused(town.client.get(f"{V2}/services.csv"), 404, ".json or .xml")


def test_without_a_key_or_with_a_revoked_one_nothing_is_taken(town, desk: Desk):
    refused(town.client.post(f"{V2}/requests.json", data=HOLE), 403, "was not provided")
    for key in ("gw_wrong", town.key[:-1], "键", "x" * 10_000):
        refused(
            town.client.post(f"{V2}/requests.json", data={"api_key": key, **HOLE}), 403, "not valid"
        )
    town.keys.revoke("郑好拍")
    refused(post(town, **HOLE), 403, "not valid")
    assert desk.tickets() == []


def test_a_key_file_that_is_damaged_lets_nobody_in(town, tmp_path: Path):
    (tmp_path / "keys.json").write_text('{"keys": [{"name":')
    refused(post(town, **HOLE), 500, "can't be checked")
    assert town.client.get(f"{V2}/services.json").status_code == 200


def test_another_towns_reports_are_not_ours(served, desk: Desk):
    town = served(desk, jurisdiction_id="yulong.example.org")
    assert post(town, **HOLE, jurisdiction_id="yulong.example.org").status_code == 201
    assert post(town, **HOLE).status_code == 201
    refused(post(town, **HOLE, jurisdiction_id="sf.example.org"), 404, "jurisdiction_id")
    answer = town.client.get(f"{V2}/services.json", params={"jurisdiction_id": "elsewhere"})
    refused(answer, 404, "jurisdiction_id")


def test_each_key_has_a_rate_of_its_own(served, desk: Desk, clock: ManualClock):
    town = served(desk, reports_per_minute=2)
    assert [post(town, **HOLE).status_code for _ in range(3)] == [201, 201, 429]
    answer = post(town, **HOLE)
    refused(answer, 429, "too many")
    assert answer.headers["retry-after"] == "30"
    town.key = town.keys.add("other")
    assert post(town, **HOLE).status_code == 201
    clock.sleep(30)
    town.key = town.keys.add("third")
    assert post(town, **HOLE).status_code == 201


def test_who_only_reads_has_a_rate_too(served, desk: Desk, clock: ManualClock):
    town = served(desk, reads_per_minute=3)
    answers = [town.client.get(f"{V2}/services.json").status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    clock.sleep(21)
    assert town.client.get(f"{V2}/services.json").status_code == 200


def test_a_body_in_another_form_is_refused(town):
    answer = town.client.post(f"{V2}/requests.json", json={"api_key": town.key, **HOLE})
    refused(answer, 400, "application/x-www-form-urlencoded")
    for kind, content in (
        ("application/x-www-form-urlencoded", b"\xff\xfe=1"),
        ("multipart/form-data; boundary=x", b"--y\r\nnothing"),
        ("multipart/form-data", b"--y\r\nnothing"),
    ):
        headers = {"content-type": kind}
        answer = town.client.post(f"{V2}/requests.json", content=content, headers=headers)
        assert answer.status_code in (400, 403), answer.text


# Pictures.


def pictures_in(folder: Path) -> list[Path]:
    return sorted((folder / "evidence").rglob("*.jpg"))


def test_pictures_are_uploaded_covered_and_kept_without_their_metadata(
    served, desk: Desk, tmp_path: Path
):
    looked = []

    def look(picture):
        looked.append(picture.shape)
        return Snapshot(picture, np.array([[40, 20, 90, 150]], np.float32), ["person"])

    town = served(desk, look)
    exif = Image.Exif()
    exif[0x010F] = "SecretPhone"
    exif.get_ifd(0x8825)[2] = (34.0, 47.0, 6.0)
    files = [("media", ("hole.jpg", jpeg(exif=exif), "image/jpeg")) for _ in range(2)]
    answer = post(town, files=files, **HOLE)
    assert answer.status_code == 201
    assert answer.json()[0]["service_notice"] is None
    assert looked == [(180, 320, 3)] * 2
    kept = pictures_in(tmp_path)
    ticket = desk.ticket_of(answer.json()[0]["service_request_id"])
    assert [tmp_path / "evidence" / one.plain for one in ticket.evidence] == kept
    for path in kept:
        assert b"SecretPhone" not in path.read_bytes()
        with Image.open(path) as image:
            assert not image.getexif()


def test_a_picture_that_can_not_be_covered_is_not_kept_and_the_answer_says_so(
    served, desk: Desk, tmp_path: Path
):
    def look(_):
        raise RuntimeError("no model")

    town = served(desk, look)
    answer = post(town, files=[("media", ("hole.jpg", jpeg(), "image/jpeg"))], **HOLE)
    assert "was not kept" in answer.json()[0]["service_notice"]
    assert desk.tickets()[0].evidence == ()
    assert [path for path in tmp_path.rglob("*.jpg") if path.is_file()] == []


@pytest.mark.parametrize(
    "content, words",
    [
        (b"<html><script>alert(1)</script></html>", "is no picture"),
        (b"", "is no picture"),
        (jpeg()[:300], "is"),
    ],
)
def test_what_only_calls_itself_a_picture_is_refused_and_nothing_is_filed(
    town, desk: Desk, tmp_path: Path, content, words
):
    files = [("media", ("hole.jpg", content, "image/jpeg"))]
    refused(post(town, files=files, **HOLE), 400, words)
    assert desk.tickets() == []
    assert not (tmp_path / "evidence").exists()


def test_too_many_or_too_large_pictures_or_other_files_are_refused(town, desk: Desk):
    many = [("media", (f"{n}.jpg", jpeg(), "image/jpeg")) for n in range(4)]
    refused(post(town, files=many, **HOLE), 400, "up to 3 pictures")
    large = [("media", ("a.jpg", bytes(8_100_000), "image/jpeg"))]
    refused(post(town, files=large, **HOLE), 413, "up to 8 MB")
    other = [("virus", ("a.exe", b"MZ", "image/jpeg"))]
    refused(post(town, files=other, **HOLE), 400, "'virus'")
    assert desk.tickets() == []


def address_of(town: SimpleNamespace) -> tuple[str, int]:
    return town.client.base_url.host, town.client.base_url.port


def test_200_megabytes_that_are_announced_are_refused_before_they_are_sent(town):
    with socket.create_connection(address_of(town), timeout=20) as wire:
        wire.sendall(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 200000000\r\n\r\n"
        )
        answer = b""
        while part := wire.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"too large" in answer


def test_a_stream_without_an_end_is_cut_off(town, tmp_path: Path):
    sent = 0
    with socket.create_connection(address_of(town), timeout=20) as wire, suppress(OSError):
        wire.sendall(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        while sent < 200_000_000:
            wire.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
            sent += 65536
    assert 24_000_000 < sent < 60_000_000  # what is allowed, and what was under way
    assert town.client.get(f"{V2}/services.json").status_code == 200


def test_a_body_that_never_comes_is_not_waited_for(served, desk: Desk):
    town = served(desk, body_s=0.2)
    with socket.create_connection(address_of(town), timeout=20) as wire:
        wire.sendall(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nx"
        )
        answer = b""
        while part := wire.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")


# Redis away.


def test_while_redis_is_away_a_report_gets_a_token_and_later_its_number(
    served, away: Desk, desk: Desk
):
    town = served(away)
    (row,) = post(town, **HOLE, description="坑").json()
    assert "service_request_id" not in row
    assert "kept" in row["service_notice"]
    token = row["token"]
    waits = town.client.get(f"{V2}/tokens/{token}.json").json()
    assert waits == [{"service_request_id": None, "token": token}]
    root = ET.fromstring(post(town, "xml", **HOLE).content)
    assert root.findtext("request/token")
    assert town.outbox.backlog() == 2
    back = served(desk)
    assert back.client.get(f"{V2}/tokens/{token}.json").json()[0]["service_request_id"] is None
    town.outbox.send(desk)
    (row,) = back.client.get(f"{V2}/tokens/{token}.json").json()
    assert row == {"service_request_id": token, "token": token}
    assert back.client.get(f"{V2}/requests/{token}.json").json()[0]["status"] == "open"
    refused(back.client.get(f"{V2}/tokens/R0.json"), 404, "token 'R0' was not found")


def test_while_redis_is_away_nothing_can_be_asked(served, away: Desk):
    town = served(away)
    for path in ("requests.json", "requests/R1.json", "tokens/R1.json"):
        answer = town.client.get(f"{V2}/{path}")
        refused(answer, 503, "try again later")
        assert answer.headers["retry-after"] == "30"
        assert "nobody.sock" not in answer.text
    assert town.client.get(f"{V2}/services.json").status_code == 200


def test_without_redis_and_without_a_disk_nothing_is_acknowledged(served, away: Desk):
    town = served(away)
    town.outbox.close()
    refused(post(town, **HOLE), 503, "try again later")


# Keys.


def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path, clock):
    keys = ApiKeys(tmp_path / "data" / "keys.json", clock)
    assert keys.name_of("gw_x") is None
    key = keys.add("a")
    file = tmp_path / "data" / "keys.json"
    assert key.startswith("gw_")
    assert key not in file.read_text()
    assert key[3:] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.name_of(key) == "a"
    assert keys.name_of(key + "x") is None


def test_what_another_process_does_with_keys_counts_at_once(tmp_path: Path, clock):
    mine, theirs = (ApiKeys(tmp_path / "keys.json", clock) for _ in range(2))
    first = theirs.add("a")
    assert mine.name_of(first) == "a"
    theirs.revoke("a")
    assert mine.name_of(first) is None
    second = theirs.add("a")  # the name may be used again, the key not
    assert (mine.name_of(first), mine.name_of(second)) == (None, "a")
    assert [(one.name, one.revoked_at) for one in mine.listed()] == [("a", NOON), ("a", None)]


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\nb", "a\x1b[31m"])
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, clock, name):
    with pytest.raises(ApiKeyError, match="not a name"):
        ApiKeys(tmp_path / "keys.json", clock).add(name)


def test_a_name_is_given_once_and_only_what_is_there_is_revoked(tmp_path: Path, clock):
    keys = ApiKeys(tmp_path / "keys.json", clock)
    keys.add("a")
    with pytest.raises(ApiKeyError, match="there is such a key"):
        keys.add("a")
    with pytest.raises(ApiKeyError, match=r"no such key; found b; allowed: a"):
        keys.revoke("b")
