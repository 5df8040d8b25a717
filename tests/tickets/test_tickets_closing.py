"""How a case ends: feedback, the checks that its duty asks for, and back again."""

from __future__ import annotations

import multiprocessing
import uuid
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from ticket_town import NOON, incident, report, small_town

from pipeline.clock import ManualClock
from pipeline.errors import DeskError, EvidenceError, ReportError, UnknownTicketError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import Desk, EvidenceRef, EvidenceStore, Feedback, PictureKeeper, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.tickets import Ticket

MODES = ("camera", "person", "both")


@pytest.fixture
def desk_of(redis: Redis, clock: ManualClock) -> Callable[[str], Desk]:
    """A desk whose duty about collapses asks for this check."""
    return lambda verify: Desk(redis, small_town(verify), clock=clock, prefix=uuid.uuid4().hex)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)


def fed_back(desk: Desk, ticket_id: str) -> Ticket:
    desk.move(ticket_id, "accept", by="李四")
    return desk.move(ticket_id, "feed_back", by="李四", note="已填")


def gone(at: float = NOON + 30):
    return replace(incident(), cleared_at=at)


def actions(ticket: Ticket) -> list[str]:
    return [step.action for step in ticket.steps][2:]


def test_what_a_person_must_check_waits_for_that_person(desk_of):
    desk = desk_of("person")
    ticket_id = desk.file(incident()).ticket_id
    assert fed_back(desk, ticket_id).fed_back_at == NOON + 1
    desk.update(gone())
    assert desk.ticket(ticket_id).state == "fed_back"
    ticket = desk.verify(ticket_id, good=True, by="王五", note="看过")
    assert ticket.state == "closed"
    assert actions(ticket) == ["accept", "feed_back", "see_cleared", "verify", "close"]
    assert (ticket.steps[-2].by, ticket.steps[-2].note) == ("王五", "看过")
    assert (ticket.steps[-1].by, ticket.steps[-1].facts) == ("desk", {"checked_by": "person"})
    assert ticket.closed_at == NOON + 1
    assert desk.tick() == []


@pytest.mark.parametrize("first", ["camera", "handler"])
def test_what_the_camera_checks_is_closed_without_anybody(desk_of, first):
    desk = desk_of("camera")
    ticket_id = desk.file(incident()).ticket_id
    if first == "camera":
        desk.update(gone())
        assert desk.ticket(ticket_id).state == "dispatched"  # nobody has fed back yet
        ticket = fed_back(desk, ticket_id)
    else:
        assert fed_back(desk, ticket_id).state == "fed_back"
        desk.update(gone())
        ticket = desk.ticket(ticket_id)
    assert (ticket.state, ticket.steps[-1].facts) == ("closed", {"checked_by": "camera"})


@pytest.mark.parametrize("first", ["camera", "person"])
def test_where_both_must_check_both_must(desk_of, first):
    desk = desk_of("both")
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    checks = [lambda: desk.update(gone()), lambda: desk.verify(ticket_id, good=True, by="王五")]
    for check in checks if first == "camera" else checks[::-1]:
        assert desk.ticket(ticket_id).state == "fed_back"
        check()
    ticket = desk.ticket(ticket_id)
    assert (ticket.state, ticket.steps[-1].facts) == ("closed", {"checked_by": "camera,person"})


@pytest.mark.parametrize("mode", MODES)
def test_where_no_camera_sees_the_place_a_person_must_look(desk_of, mode):
    desk = desk_of(mode)
    ticket_id = desk.file_report(report()).ticket_id
    assert fed_back(desk, ticket_id).state == "fed_back"
    assert desk.verify(ticket_id, good=True, by="王五").state == "closed"


@pytest.mark.parametrize("mode", MODES)
def test_a_camera_that_has_lost_sight_of_it_holds_nothing_up(desk_of, clock, mode):
    desk = desk_of(mode)
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    clock.move_to(NOON + 3700)  # nothing heard for an hour
    assert desk.verify(ticket_id, good=True, by="王五").state == "closed"


@pytest.mark.parametrize("mode", ["camera", "both"])
def test_a_report_after_the_camera_saw_it_gone_wants_a_person(desk_of, mode):
    desk = desk_of(mode)
    ticket_id = desk.file(incident()).ticket_id
    desk.update(gone(NOON + 5))
    desk.file_report(report(reported_at=NOON + 8))
    assert fed_back(desk, ticket_id).state == "fed_back"
    assert desk.verify(ticket_id, good=True, by="王五").state == "closed"


@pytest.mark.parametrize("mode", ["camera", "both"])
def test_what_the_camera_still_sees_goes_back_to_the_handler_with_the_picture(desk_of, clock, mode):
    desk = desk_of(mode)
    ticket_id = desk.file(incident(), EvidenceRef("seen.jpg", "plain.jpg")).ticket_id
    fed_back(desk, ticket_id)
    desk.update(replace(incident(), last_seen_at=NOON + 61))
    assert desk.ticket(ticket_id).state == "fed_back"  # a minute's grace
    clock.move_to(NOON + 320)
    for _ in range(2):
        desk.update(replace(incident(), last_seen_at=NOON + 300))
    ticket = desk.ticket(ticket_id)
    assert (ticket.state, ticket.fed_back_at) == ("handling", None)
    assert actions(ticket) == ["accept", "feed_back", "rework"]
    assert ticket.steps[-1].facts["picture"] == "seen.jpg"
    assert ticket.steps[-1].facts["camera_id"] == "cam-1"
    assert ticket.handle_due_at == NOON + 1 + 24 * 3600  # no time is given for it


def test_where_a_person_checks_the_camera_only_tells_once(desk_of, clock):
    desk = desk_of("person")
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    clock.move_to(NOON + 700)
    for seconds in (300, 600):
        desk.update(replace(incident(), last_seen_at=NOON + seconds))
    ticket = desk.ticket(ticket_id)
    assert ticket.state == "fed_back"
    assert actions(ticket) == ["accept", "feed_back", "see_still"]


@pytest.mark.parametrize("mode", MODES)
def test_what_a_resident_reports_meanwhile_is_told_and_decides_nothing(desk_of, clock, mode):
    desk = desk_of(mode)
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    clock.move_to(NOON + 400)
    picture = EvidenceRef("people.jpg", "people.jpg")
    desk.file_report(report(reported_at=NOON + 300, pictures=(picture,)))
    ticket = desk.ticket(ticket_id)
    assert ticket.state == "fed_back"
    assert actions(ticket) == ["accept", "feed_back", "add_report", "see_still"]
    assert ticket.steps[-1].facts["picture"] == "people.jpg"


def test_another_camera_that_sees_it_sends_it_back_too(desk_of, clock):
    desk = desk_of("camera")
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    clock.move_to(NOON + 400)
    assert desk.file(incident(2, camera="cam-2", at=NOON + 390)).ticket_id == ticket_id
    assert desk.ticket(ticket_id).state == "handling"


def test_a_person_who_sees_it_still_sends_it_back_and_it_is_checked_anew(desk_of, clock):
    desk = desk_of("both")
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    desk.verify(ticket_id, good=True, by="王五")
    ticket = desk.verify(ticket_id, good=False, by="赵六", note="还在", facts={"picture": "x.jpg"})
    assert ticket.state == "handling"
    assert (ticket.steps[-1].action, ticket.steps[-1].by) == ("rework", "赵六")
    assert ticket.steps[-1].facts == {"picture": "x.jpg"}
    desk.update(gone())
    desk.move(ticket_id, "feed_back", by="李四")
    assert desk.ticket(ticket_id).state == "fed_back"  # what was said before counts no more
    assert desk.verify(ticket_id, good=True, by="王五").state == "closed"


def test_only_what_was_fed_back_can_be_verified(desk_of):
    desk = desk_of("person")
    ticket_id = desk.file(incident()).ticket_id
    before = desk.ticket(ticket_id)
    for good in (True, False):
        with pytest.raises(DeskError, match="is dispatched; only what was fed back"):
            desk.verify(ticket_id, good=good, by="x")
    assert desk.ticket(ticket_id) == before
    with pytest.raises(UnknownTicketError, match="YL20260101-000001"):
        desk.verify("YL20260101-000001", good=True, by="x")


def test_a_check_sent_twice_is_made_once(desk_of):
    desk = desk_of("both")
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    once = desk.verify(ticket_id, good=True, by="王五", command_id="c")
    assert desk.verify(ticket_id, good=True, by="王五", command_id="c") == once
    assert desk.verify(ticket_id, good=False, by="王五", command_id="c") == once


def test_a_case_opened_again_begins_without_old_checks(desk_of, clock):
    desk = desk_of("person")
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    desk.verify(ticket_id, good=True, by="王五")
    clock.move_to(NOON + 300)
    desk.file(incident(2, at=NOON + 290))
    assert desk.ticket(ticket_id).state == "dispatched"
    assert fed_back(desk, ticket_id).state == "fed_back"


def test_a_regrade_takes_over_who_must_check(desk_of):
    desk = desk_of("both")
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    assert desk.ticket(ticket_id).verify == "person"
    desk.file(incident(2, camera="cam-2"))
    assert desk.ticket(ticket_id).verify == "both"


news = st.sampled_from(("feed_back", "good", "bad", "see", "clear", "report", "wait"))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mode=st.sampled_from(MODES), history=st.lists(news, max_size=10))
def test_a_case_is_closed_exactly_when_every_check_is_done(
    desk_of, clock: ManualClock, mode: str, history: list[str]
):
    """Against a model: what the person said and what the camera last saw since the feedback."""
    clock.move_to(NOON + 1)
    desk = desk_of(mode)
    ticket_id = desk.file(incident()).ticket_id
    desk.move(ticket_id, "accept", by="李四")
    state, said, cleared, contradicted = "accepted", False, False, False
    for number, what in enumerate(history):
        clock.move_to(clock.now() + 100)
        now = clock.now()
        if what == "feed_back" and state in ("accepted", "handling"):
            desk.move(ticket_id, "feed_back", by="李四")
            state, said = "fed_back", False
            since = now
        elif what in ("good", "bad") and state == "fed_back":
            desk.verify(ticket_id, good=what == "good", by="王五")
            state, said = ("fed_back", True) if what == "good" else ("handling", False)
        elif what == "see" and not cleared and state != "closed":
            desk.update(replace(incident(), last_seen_at=now))
            if state == "fed_back" and mode != "person" and now > since + 60:
                state = "handling"
        elif what == "clear" and not cleared and state != "closed":
            desk.update(replace(incident(), last_seen_at=now, cleared_at=now))
            cleared = True
        elif what == "report" and state != "closed":
            desk.file_report(report(number, reported_at=now))
            contradicted = contradicted or cleared
        if state == "fed_back":
            blind = contradicted
            camera = mode == "person" or blind or cleared
            person = said or (mode == "camera" and not blind)
            state = "closed" if camera and person else state
        assert desk.ticket(ticket_id).state == state
    ticket = desk.ticket(ticket_id)
    assert actions(ticket).count("close") == (state == "closed")


def _verify_often(path: str, prefix: str, ticket_id: str, results) -> None:
    with Redis(unix_socket_path=path, decode_responses=True) as redis:
        desk = Desk(redis, small_town(), clock=ManualClock(NOON), prefix=prefix)
        try:
            desk.verify(ticket_id, good=True, by="x")
        except DeskError:
            results.put("refused")
        else:
            results.put("closed")


def test_of_many_who_check_at_once_one_closes_it(redis: Redis, town, clock):
    path, prefix = redis.connection_pool.connection_kwargs["path"], uuid.uuid4().hex
    desk = Desk(redis, town, clock=clock, prefix=prefix)
    ticket_id = desk.file(incident()).ticket_id
    fed_back(desk, ticket_id)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    boxes = [
        context.Process(target=_verify_often, args=(path, prefix, ticket_id, results))
        for _ in range(4)
    ]
    for box in boxes:
        box.start()
    answers = sorted(results.get(timeout=30) for _ in boxes)
    for box in boxes:
        box.join(timeout=30)
    assert answers == ["closed", "refused", "refused", "refused"]
    assert actions(desk.ticket(ticket_id)).count("close") == 1


# With pictures.


@pytest.fixture
def handler(tmp_path: Path, desk: Desk, clock: ManualClock) -> Iterator[Feedback]:
    def look(picture):
        return Snapshot(picture, np.array([[20, 10, 60, 80]], np.float32), ["person"])

    settings = EvidenceSettings(min_free_mb=0)
    with closing(EvidenceStore(tmp_path, settings, clock)) as store:
        yield Feedback(desk, PictureKeeper(look, store, settings))


def test_a_feedback_carries_its_picture_with_heads_covered(handler, desk, tmp_path, picture):
    ticket_id = desk.file(incident()).ticket_id
    desk.move(ticket_id, "accept", by="李四")
    ticket = handler.done(ticket_id, by="李四", note="已填", picture=picture, command_id="../../c")
    path = ticket.steps[-1].facts["picture"]
    (kept,) = (tmp_path / "evidence").rglob("*.jpg")
    assert (tmp_path / "evidence" / path) == kept
    assert kept.name.startswith(f"{ticket_id}-feedback")
    assert ticket.evidence == ()  # of the hazard there is none
    ticket = handler.checked(ticket_id, good=False, by="王五", picture=picture)
    assert "-check" in ticket.steps[-1].facts["picture"]
    assert ticket.state == "handling"


def test_a_step_that_is_refused_leaves_no_picture_behind(handler, desk, clock, tmp_path, picture):
    ticket_id = desk.file(incident()).ticket_id
    for call in (
        lambda: handler.done(ticket_id, by="x", picture=picture),
        lambda: handler.checked(ticket_id, good=True, by="x", picture=picture),
        lambda: handler.done("YL20260101-000001", by="x", picture=picture),
        lambda: handler.done(ticket_id, by="x", note="x" * 5000, picture=picture),
    ):
        with pytest.raises((DeskError, ReportError)):
            call()
    assert not list(tmp_path.rglob("*.jpg"))
    with closing(EvidenceStore(tmp_path, EvidenceSettings(), clock)) as store:
        assert store.ledger.items() == []
        rules = {link.said["rule"] for link in store.ledger.deletions([ticket_id])}
    assert rules == {"its step was refused"}


def test_a_picture_that_can_not_be_covered_stops_the_step(desk, clock, tmp_path, picture):
    def look(_):
        raise RuntimeError("no model")

    ticket_id = desk.file(incident()).ticket_id
    desk.move(ticket_id, "accept", by="李四")
    settings = EvidenceSettings(min_free_mb=0)
    with closing(EvidenceStore(tmp_path, settings, clock)) as store:
        handler = Feedback(desk, PictureKeeper(look, store, settings))
        with pytest.raises(EvidenceError, match="no model"):
            handler.done(ticket_id, by="x", picture=picture)
        assert desk.ticket(ticket_id).state == "accepted"
        assert handler.done(ticket_id, by="x").state == "fed_back"  # without one it may go on


def test_a_picture_in_the_history_is_not_replaced_by_the_same_command_again(
    handler, desk, tmp_path, picture
):
    ticket_id = desk.file(incident()).ticket_id
    desk.move(ticket_id, "accept", by="李四")
    first = handler.done(ticket_id, by="李四", picture=picture, command_id="c-1")
    (kept,) = (tmp_path / "evidence").rglob("*.jpg")
    before = kept.read_bytes()
    again = handler.done(ticket_id, by="李四", picture=255 - picture, command_id="c-1")
    assert again.steps == first.steps
    assert [one.read_bytes() for one in (tmp_path / "evidence").rglob("*.jpg")] == [before]


def test_any_step_may_bring_its_picture(handler, desk, tmp_path, picture):
    ticket_id = desk.file(incident()).ticket_id
    ticket = handler.moved(ticket_id, "return", by="李四", note="属于西村", picture=picture)
    assert ticket.state == "returned"
    assert (tmp_path / "evidence" / ticket.steps[-1].facts["picture"]).is_file()
