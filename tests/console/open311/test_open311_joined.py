"""What a resident reads of a report whose case was merged into another, or split off."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from open311_client import EAST_M, V2, filed, post
from ticket_town import DEGREE_M, LAT, LON, incident, small_town

from pipeline.tickets import Archive, Archivist, Desk

if TYPE_CHECKING:
    from types import SimpleNamespace

    from redis import Redis

    from pipeline.clock import ManualClock

FAR = {"lat": f"{LAT}", "long": f"{LON + 700 / DEGREE_M}"}


def read(town: SimpleNamespace, name: str, **query: str) -> dict:
    (row,) = town.client.get(f"{V2}/requests/{name}.json", params=query).json()
    return row


def far(town: SimpleNamespace, **fields: str) -> str:
    place = {} if "address_string" in fields else FAR
    answer = post(town, service_code="road_collapse", **place, **fields)
    return answer.json()[0]["service_request_id"]


def closed(desk: Desk, ticket_id: str) -> None:
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")


def test_merged_it_stands_as_the_case_it_went_into_stands(town, desk: Desk, clock: ManualClock):
    other = desk.file(incident(east_m=EAST_M)).ticket_id
    name = far(town, description="坑")
    before = read(town, name)
    clock.sleep(60)
    desk.merge(desk.ticket_of(name).ticket_id, other, by="镇", note="内部备注")
    row = read(town, name)
    assert row["status"] == "open", "the case goes on, so nothing is closed for its reporter"
    assert row["status_notes"].endswith(f"案卷号 / case {other}")
    assert (row["lat"], row["long"]) == (LAT, incident(east_m=EAST_M).place.lon)
    assert row["address"] == desk.ticket(other).address
    assert row["requested_datetime"] == before["requested_datetime"]
    assert row["updated_datetime"] == "2026-11-23T04:01:00Z"
    assert "内部备注" not in str(row)
    assert read(town, name, api_key=town.key)["description"] == "坑", "still its sender's own words"
    closed(desk, other)
    assert read(town, name)["status"] == "closed"
    assert read(town, name)["status_notes"].startswith("已结案")


def test_merged_it_is_found_under_its_own_number_and_in_its_own_list(town, desk: Desk):
    other = desk.file(incident(east_m=EAST_M)).ticket_id
    names = [filed(town), far(town)]
    desk.merge(desk.ticket_of(names[1]).ticket_id, other, by="镇")
    for form in ("json", "xml"):
        answer = town.client.get(f"{V2}/requests.{form}", params={"status": "open"}).text
        assert all(answer.count(name) == 1 for name in names)
    closed(desk, other)
    root = ET.fromstring(town.client.get(f"{V2}/requests.xml?status=closed").content)
    assert {one.text for one in root.iter("service_request_id")} == set(names)


def test_an_address_that_was_merged_into_a_known_place_gives_that_place_to_nobody_else(
    town, desk: Desk
):
    """The words of a resident stay the sender's; where the case is, everybody may know."""
    other = desk.file(incident(east_m=EAST_M)).ticket_id
    name = far(town, address_string="张三家门口")
    desk.merge(desk.ticket_of(name).ticket_id, other, by="镇")
    row, own = read(town, name), read(town, name, api_key=town.key)
    assert "张三" not in str(row)
    assert own["address"] == "张三家门口"
    assert row["status_notes"].endswith(other)


def test_what_takes_it_in_may_have_had_no_place_before(town, desk: Desk):
    lost = far(town, address_string="张三家门口")
    placed = filed(town)
    desk.merge(desk.ticket_of(placed).ticket_id, desk.ticket_of(lost).ticket_id, by="镇")
    row = read(town, placed)
    assert row["status_notes"].endswith(desk.ticket_of(lost).ticket_id)
    assert row["lat"] == LAT
    assert "张三" not in str(row), "nobody reads another's words as the place of the own report"


def test_split_off_it_stands_as_its_new_case_does(town, desk: Desk):
    one, other = filed(town), filed(town)
    ticket_id = desk.ticket_of(one).ticket_id
    new = desk.split(ticket_id, [other], by="镇")
    closed(desk, new.ticket_id)
    assert read(town, one)["status"] == "open"
    row = read(town, other)
    assert row["status"] == "closed"
    assert row["status_notes"].endswith(new.ticket_id)


def test_a_case_that_was_merged_on_and_on_leads_its_reports_to_the_end(town, desk: Desk):
    name = far(town)
    chain = [desk.ticket_of(name).ticket_id]
    for number in (1, 2):
        chain.append(desk.file(incident(number, east_m=-300.0 * number)).ticket_id)
        desk.merge(chain[-2], chain[-1], by="镇")
    assert read(town, name)["status_notes"].endswith(chain[-1])


def test_what_has_gone_to_the_archive_is_answered_as_before(
    served, redis: Redis, clock: ManualClock, tmp_path
):
    prefix = uuid.uuid4().hex
    with closing(Archive(None, tmp_path / "archive.sqlite", prefix)) as archive:
        desk = Desk(redis, small_town(), clock=clock, prefix=prefix, archive=archive)
        town = served(desk, reads_per_minute=10_000)
        names = [filed(town), far(town)]
        other = desk.ticket_of(names[0]).ticket_id
        desk.merge(desk.ticket_of(names[1]).ticket_id, other, by="镇")
        closed(desk, other)
        before = [read(town, name) for name in names]
        clock.sleep(30 * 86_400)
        archivist = Archivist(redis, desk._keys, archive, clock=clock, quiet_s=7 * 86_400)
        assert archivist.round().tickets == 2
        assert [read(town, name) for name in names] == before
        listed = town.client.get(f"{V2}/requests.json", params={"status": "closed"}).json()
        assert {one["service_request_id"] for one in listed} == set(names)
