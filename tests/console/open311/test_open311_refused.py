"""What the endpoint refuses, and what it does while Redis is away."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from open311_client import HOLE, V2, post, refused

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.clock import ManualClock
    from pipeline.tickets import Desk


NONSENSE = [
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
]


def test_a_report_that_makes_no_sense_is_refused_and_nothing_is_filed(town, desk: Desk):
    for fields, status, words in NONSENSE:
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


values = st.one_of(
    st.text(max_size=30),
    st.floats().map(str),
    st.sampled_from(("road_damage", "34.785", "113.448", "0", "-0", "1e-320", "\x00", "<a>")),
)
names = st.one_of(
    st.sampled_from(("service_code", "lat", "long", "address_string", "address_id", "description")),
    st.text(min_size=1, max_size=10),
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fields=st.dictionaries(names, values, max_size=6), form=st.sampled_from(["json", "xml"]))
def test_whatever_is_sent_is_taken_or_refused_in_words(town, fields, form):
    fields = {"service_code": "road_damage", **fields}
    fields.pop("api_key", None)
    answer = post(
        town,
        form,
        **{
            name.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
            for name, value in fields.items()
        },
    )
    assert answer.status_code in (201, 400, 404), answer.text
    if form == "xml":
        assert ET.fromstring(answer.content).tag in ("service_requests", "errors")
    else:
        assert len(answer.json()) == 1


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.dictionaries(
        st.sampled_from(
            ("service_request_id", "service_code", "status", "start_date", "end_date", "api_key")
        ),
        st.one_of(st.text(max_size=30), st.datetimes().map(str), st.integers().map(str)),
    )
)
def test_whatever_is_asked_is_answered_or_refused_in_words(town, query):
    query = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    answer = town.client.get(f"{V2}/requests.json", params=query)
    assert answer.status_code in (200, 400), answer.text
    assert isinstance(answer.json(), list)


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
