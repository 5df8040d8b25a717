"""What people report lands at the same desk as what cameras find."""

from __future__ import annotations

import itertools
import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ticket_town import DEGREE_M, LAT, LON, NOON, incident, report, small_town

from pipeline.clock import ManualClock
from pipeline.errors import CoordinateError, DeskError, OutboxError, ReportError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import (
    Desk,
    EvidenceRef,
    EvidenceStore,
    Outbox,
    PatientOutbox,
    PictureKeeper,
    ReportDesk,
    from_camera,
    reported_place,
)
from pipeline.tickets.report import clean_text
from pipeline.tickets.wire import schema
from pipeline.town import Camera, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EAST, TOWN = "410182102001002", "410182102"


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", ManualClock(NOON)) as box:
        yield box


@pytest.fixture
def picture() -> np.ndarray:
    return np.full((90, 160, 3), 90, np.uint8)


def test_a_report_alone_is_a_ticket_like_any_other(desk: Desk, clock: ManualClock):
    made = report(pictures=(EvidenceRef("a.jpg", "a.jpg"), EvidenceRef("b.jpg", "b.jpg")))
    filing = desk.file_report(made)
    assert filing.created
    ticket = desk.ticket(filing.ticket_id)
    assert (ticket.source, ticket.sources, ticket.count) == ("resident", ("resident",), 1)
    assert (ticket.incidents, ticket.reports, ticket.camera_ids) == ((), (made,), ())
    assert (ticket.severity, ticket.score, ticket.cleared_at) == ("notice", 0.0, None)
    assert [picture.plain for picture in ticket.evidence] == ["a.jpg", "b.jpg"]
    assert ticket.steps[0].facts["source"] == "resident"
    assert desk.ticket_of(made.report_id) == ticket
    assert desk.tickets(grid=EAST) == [ticket]
    clock.move_to(NOON + 1 + 3600)
    assert [alarm.name for alarm in desk.tick()] == ["accept_80", "accept_100"]
    assert desk.ticket(filing.ticket_id).state == "escalated"


def test_its_queue_entry_fits_the_published_schema_and_names_its_source(desk: Desk, redis: Redis):
    desk.file_report(report(pictures=(EvidenceRef("a.jpg", "a.jpg"),)))
    (message,) = desk.read_queue(EAST)
    assert (message.source, message.sources) == ("resident", ["resident"])
    assert (message.camera_id, message.incident_id) == ("", report().report_id)
    assert message.description_zh == "居民上报路面塌陷"
    assert message.evidence is not None
    ((_, fields),) = redis.xrange(f"{{{desk._keys.prefix}}}:queue:{EAST}")
    jsonschema.validate(json.loads(fields["json"]), schema())
    assert "郑好拍" not in fields["json"]


def test_a_report_and_an_incident_of_one_hole_are_one_ticket_in_either_order(
    new_desk: Callable[[], Desk],
):
    for first in ("camera", "person"):
        desk = new_desk()
        calls = [lambda d=desk: d.file(incident()), lambda d=desk: d.file_report(report())]
        filings = [call() for call in (calls if first == "camera" else calls[::-1])]
        assert [one.created for one in filings] == [True, False]
        ticket = desk.ticket(filings[0].ticket_id)
        assert ticket.count == 2
        assert ticket.incidents == (incident(),)
        assert ticket.reports == (report(),)
        assert sorted(ticket.sources) == ["resident", "video"]
        assert ticket.place == incident().place  # the better one
        assert [step.action for step in ticket.steps][2:] == [
            "add_report" if first == "camera" else "add_incident"
        ]
        assert desk.waiting() == {EAST: 1}


def test_the_next_entry_of_a_queue_names_all_sources(desk: Desk):
    ticket_id = desk.file(incident()).ticket_id
    desk.file_report(report())
    desk.file_report(report(2, source="staff", by="李四"))
    desk.move(ticket_id, "escalate", by="李四")
    (message,) = desk.read_queue(TOWN)
    assert (message.source, message.sources) == ("video", ["video", "resident", "staff"])


def test_the_same_report_again_changes_nothing(desk: Desk):
    filing = desk.file_report(report())
    before = desk.ticket(filing.ticket_id)
    again = desk.file_report(report(description="again", reported_at=NOON + 5))
    assert (again.duplicate, again.ticket_id) == (True, filing.ticket_id)
    assert desk.ticket(filing.ticket_id) == before


def test_a_resident_who_calls_a_pothole_a_collapse_makes_it_as_grave(desk: Desk):
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    desk.file_report(report())
    assert desk.ticket(ticket_id).hazard == "road_collapse"
    (message,) = desk.read_queue(EAST)
    assert (message.hazard, message.source) == ("road_collapse", "resident")


def test_reports_of_another_hazard_or_place_are_other_tickets(desk: Desk):
    first = desk.file_report(report(1)).ticket_id
    other = desk.file_report(report(2, hazard="blockage")).ticket_id
    far = desk.file_report(report(3, east_m=400)).ticket_id
    assert len({first, other, far}) == 3


def test_a_report_after_the_closing_opens_the_ticket_again(desk: Desk, clock: ManualClock):
    ticket_id = desk.file_report(report(1)).ticket_id
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")  # type: ignore[arg-type]
    clock.move_to(NOON + 300)
    again = desk.file_report(report(2, reported_at=NOON + 290))
    ticket = desk.ticket(ticket_id)
    assert (again.ticket_id, ticket.state, ticket.fed_back_at) == (ticket_id, "dispatched", None)
    assert desk.waiting() == {EAST: 1}


def test_what_was_rejected_does_not_swallow_what_a_person_reports(desk: Desk):
    crowd = {"hazard": "crowd"}
    ticket_id = desk.file(incident(**crowd)).ticket_id
    desk.move(ticket_id, "reject", by="command", note="市集")
    assert desk.file_report(report(1, reported_at=NOON + 60, **crowd)).created


def test_a_report_newer_than_what_the_camera_saw_clear_says_it_is_still_there(desk: Desk):
    found = incident()
    ticket_id = desk.file(found).ticket_id
    desk.file_report(report(1))
    desk.update(replace(found, cleared_at=NOON + 60))
    assert desk.ticket(ticket_id).cleared_at == NOON + 60
    desk.file_report(report(2, reported_at=NOON + 90))
    assert desk.ticket(ticket_id).cleared_at is None


def test_a_report_without_a_place_waits_at_the_first_level_and_merges_with_nothing(desk: Desk):
    somewhere = report(1, east_m=None, address="郑上路与飞龙路口")
    first = desk.file_report(somewhere).ticket_id
    second = desk.file_report(report(2, east_m=None, address="别处")).ticket_id
    middle = Place(LON, LAT, 25.0, "reported")
    third = desk.file_report(report(3, place=middle)).ticket_id
    assert len({first, second, third}) == 3
    ticket = desk.ticket(first)
    assert (ticket.state, ticket.grid_code, ticket.near_grids) == ("filed", TOWN, ())
    assert "郑上路与飞龙路口" in ticket.address
    assert ticket.place.radius_m > 1000
    assert {m.ticket_id for m in desk.read_queue(TOWN)} == {first, second}
    desk.move(first, "dispatch", by="command")
    assert desk.ticket(first).state == "dispatched"


def test_residents_reports_are_listed_newest_first_with_their_tickets(desk: Desk):
    desk.file(incident(9, east_m=-300))
    for number in range(3):
        desk.file_report(report(number, east_m=300 + 100 * number, reported_at=NOON - number))
    desk.file_report(report(7, source="staff", by="李四"))
    found = list(desk.reported(NOON - 1, NOON))
    assert [(one.report_id, ticket.reports[0].report_id) for one, ticket in found] == [
        (f"R{n:020d}", f"R{n:020d}") for n in (0, 1)
    ]


def test_a_year_later_a_report_is_listed_no_more(desk: Desk, clock: ManualClock):
    desk.file_report(report(1))
    clock.move_to(NOON + 367 * 86400)
    desk.file_report(report(2, reported_at=clock.now()))
    assert [one.report_id for one, _ in desk.reported(0, 1e11)] == [report(2).report_id]


def test_a_hazard_without_a_duty_is_refused_by_name(desk: Desk):
    with pytest.raises(DeskError, match="can't be filed"):
        desk.file_report(report(place=Place(float("nan"), LAT, 25.0, "reported")))


# Any mix, any order.

FAMILIES = {"road_collapse": "road", "road_damage": "road", "blockage": "blockage"}
sightings = st.fixed_dictionaries(
    {
        "place": st.integers(0, 4),
        "hazard": st.sampled_from(sorted(FAMILIES)),
        "who": st.sampled_from(("video", "resident", "staff")),
        "off_m": st.floats(-3, 3),
        "again": st.booleans(),
    }
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=st.lists(sightings, max_size=14))
def test_any_mix_of_incidents_and_reports_at_n_places_gives_n_tickets(
    new_desk: Callable[[], Desk], script: list
):
    desk, wanted = new_desk(), {}
    for number, one in enumerate(script):
        east_m = 100 + 200 * one["place"] + one["off_m"]
        for _ in range(1 + one["again"]):
            if one["who"] == "video":
                found = incident(number, hazard=one["hazard"], east_m=east_m)
                name, filing = found.incident_id, desk.file(found)
            else:
                place = Place(LON + east_m / DEGREE_M, LAT, 10.0, "reported")
                said = report(number, hazard=one["hazard"], source=one["who"], place=place)
                name, filing = said.report_id, desk.file_report(said)
        case = wanted.setdefault((one["place"], FAMILIES[one["hazard"]]), {"found": set()})
        assert case.setdefault("ticket_id", filing.ticket_id) == filing.ticket_id
        case["found"].add((name, one["who"]))
    tickets = {ticket.ticket_id: ticket for ticket in desk.tickets(limit=1000)}
    assert len(tickets) == len(wanted)
    assert sum(desk.waiting().values()) == len(wanted)
    for case in wanted.values():
        ticket = tickets[case["ticket_id"]]
        held = {(one.incident_id, "video") for one in ticket.incidents}
        held |= {(one.report_id, one.source) for one in ticket.reports}
        assert held == case["found"]
        assert ticket.count == len(case["found"])
        assert set(ticket.sources) == {who for _, who in case["found"]}
        assert len(ticket.sources) == len(set(ticket.sources))


# The way to the desk.


def nobody_there(tmp_path: Path) -> Desk:
    away = Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=Retry(NoBackoff(), 0))
    return Desk(away, small_town(), clock=ManualClock(NOON))


def report_desk(desk: Desk | None, outbox: Outbox, tmp_path: Path) -> ReportDesk:
    def look(_picture):
        raise RuntimeError("no model")

    settings = EvidenceSettings(min_free_mb=0)
    store = EvidenceStore(tmp_path, settings, ManualClock(NOON))
    return ReportDesk(desk, outbox, PictureKeeper(look, store, settings))


def test_while_redis_is_away_a_report_is_on_the_disk_before_it_is_acknowledged(
    tmp_path: Path, outbox: Outbox, desk: Desk
):
    taken = report_desk(nobody_there(tmp_path), outbox, tmp_path).take(report())
    assert taken.filing is None
    other = sqlite3.connect(tmp_path / "outbox.sqlite")
    ((kind, text),) = other.execute("SELECT kind, incident FROM waiting").fetchall()
    other.close()
    assert (kind, json.loads(text)["report_id"]) == ("report", report().report_id)
    assert outbox.has_report(report().report_id)
    assert not outbox.has_report("R1")
    assert outbox.send(desk) == 1
    assert not outbox.has_report(report().report_id)
    assert desk.ticket_of(report().report_id).reports == (report(),)


def test_without_any_redis_and_disk_nothing_is_acknowledged(tmp_path: Path, outbox: Outbox):
    outbox.close()
    with pytest.raises(OutboxError):
        report_desk(None, outbox, tmp_path).take(report())


def test_a_report_survives_days_in_the_daemons_outbox_in_its_order(tmp_path: Path, desk: Desk):
    with PatientOutbox(tmp_path / "outbox.sqlite", ManualClock(NOON)) as box:
        box.put("file", incident())
        box.put_report(report(east_m=None, address="某处", pictures=(EvidenceRef("a", "b"),)))
        box.put_report(report(2))
        assert box.send(desk) == 3
        assert box.refused() == []
    assert len(desk.tickets()) == 2


def test_a_picture_that_can_not_be_covered_costs_the_picture_and_not_the_report(
    tmp_path: Path, outbox: Outbox, desk: Desk, picture
):
    taken = report_desk(desk, outbox, tmp_path).take(report(), [picture])
    assert taken.filing is not None
    assert "no model" in taken.unkept[0]
    assert taken.report.pictures == ()
    assert not list(tmp_path.rglob("*.jpg"))


# What one of the staff marks in a picture.

CAMERA = Camera(
    camera_id="cam-1",
    name="",
    url="rtsp://192.0.2.1/",
    lon=LON,
    lat=LAT,
    declared_datum="wgs84",
    height_m=6.0,
    pitch_deg=25.0,
    heading_deg=90.0,
    hfov_deg=90.0,
)
BOX = (0.45, 0.5, 0.55, 0.6)


def test_the_place_of_a_staff_report_is_that_of_the_boxs_foot_on_the_ground():
    made = from_camera(CAMERA, "road_damage", BOX, by="李四", at=NOON, note="坑")
    assert (made.source, made.camera_id, made.box) == ("staff", "cam-1", BOX)
    assert made.place.method == "pose"
    assert made.place.lon > LON  # the camera looks east
    assert abs(made.place.lat - LAT) < 1e-6


def test_a_staff_report_merges_with_what_that_camera_finds_itself(desk: Desk):
    made = from_camera(CAMERA, "road_damage", BOX, by="李四", at=NOON)
    ticket_id = desk.file_report(made).ticket_id
    assert desk.file(incident(hazard="road_damage", place=made.place)).ticket_id == ticket_id
    ticket = desk.ticket(ticket_id)
    assert ticket.camera_ids == ("cam-1",)
    assert ticket.sources == ("staff", "video")
    assert ticket.steps[0].facts["reported_by"] == "李四"


def test_the_same_mark_at_the_same_moment_is_the_same_report():
    one, other, later = (
        from_camera(CAMERA, "blockage", BOX, by="a", at=at) for at in (NOON, NOON, NOON + 1)
    )
    assert one == other
    assert one.report_id != later.report_id


@pytest.mark.parametrize(
    "hazard, kind, box, words",
    [
        ("flood", None, BOX, "unknown hazard"),
        ("blockage", "tree", BOX, "crash, vehicle, object"),
        ("blockage", None, (0.5, 0.5, 0.5, 0.6), "x1 < x2"),
        ("blockage", None, (0.5, 0.5, 1.5, 0.6), "in 0..1"),
        ("blockage", None, (float("nan"), 0.5, 0.6, 0.6), "not a box"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(hazard, kind, box, words):
    with pytest.raises(ReportError, match=words):
        from_camera(CAMERA, hazard, box, kind=kind, by="a", at=NOON)


# Places and texts.


def test_a_place_in_another_datum_is_converted_at_the_border():
    grids = small_town().grids
    plain = reported_place(grids, LON, LAT, "wgs84", 25)
    assert (plain.lon, plain.lat, plain.method) == (LON, LAT, "reported")
    shifted = reported_place(grids, LON, LAT, "gcj02", 25)
    assert 400 < abs(shifted.lon - LON) * DEGREE_M < 700


HUGE = (1e308, -1e308, float("nan"), float("inf"), 181.0)


@pytest.mark.parametrize(
    "lon, lat",
    [*itertools.product(HUGE, (LAT, 1e300)), (LAT, LON), (2.35, 48.85), (LON, LAT + 0.5)],
)
def test_a_place_that_is_not_in_the_town_is_refused(lon, lat):
    with pytest.raises(CoordinateError):
        reported_place(small_town().grids, lon, lat, "wgs84", 25)


@given(st.text(max_size=200))
def test_a_text_is_kept_but_for_control_characters(text):
    kept = clean_text(text, 400, "x", lines=True)
    assert all(char.isprintable() or char == "\n" for char in kept)
    kept.encode("utf-8")
    one_line = clean_text(text, 400, "x")
    assert one_line.isprintable()


def test_markup_in_a_text_stays_text_and_too_much_is_refused():
    assert clean_text("<b>\x1b[31m坑</b>\x00", 99, "x") == "<b> [31m坑</b>"
    with pytest.raises(ReportError, match="up to 10"):
        clean_text("x" * 11, 10, "description")
