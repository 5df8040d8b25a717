"""The endpoint as a resident's app meets it: requests like those of the standard's examples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from open311_client import EAST_M, HOLE, PLACE, V2, filed, post, refused
from ticket_town import DEGREE_M, LAT, LON, NOON, incident, report

from pipeline.console.open311.services import Services
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from types import SimpleNamespace

    from pipeline.clock import ManualClock
    from pipeline.tickets import Desk


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


UNASKABLE = [
    ({"status": "fixed"}, "allowed: open, closed"),
    ({"start_date": "yesterday"}, "start_date 'yesterday'"),
    ({"end_date": "9" * 30}, "end_date"),
    ({"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"}, "90 days"),
    ({"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "before"),
    ({"service_request_id": ",".join(f"R{n}" for n in range(101))}, "up to 100"),
]


def test_what_can_not_be_asked_is_refused(town):
    for query, words in UNASKABLE:
        refused(town.client.get(f"{V2}/requests.json", params=query), 400, words)
