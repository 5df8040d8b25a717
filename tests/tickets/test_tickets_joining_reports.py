"""Tickets that hold what people reported are merged and split like any other: nothing is lost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from evidence_help import noise
from ticket_town import EAST, NOON, TOWN, incident, report, small_town

from pipeline.errors import DeskError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import (
    Archive,
    Archivist,
    Desk,
    EvidenceRef,
    EvidenceStore,
    Feedback,
    PictureKeeper,
    Snapshot,
    Sweep,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.clock import ManualClock

DAY = 86400.0
SETTINGS = EvidenceSettings(min_free_mb=0)
FAR_M = 500.0  # east of the border: another hole


def by_camera(desk: Desk, number: int = 1, **more: object) -> str:
    return desk.file(incident(number, **more)).ticket_id  # type: ignore[arg-type]


def by_resident(desk: Desk, number: int = 1, **more: object) -> str:
    return desk.file_report(report(number, **more)).ticket_id  # type: ignore[arg-type]


def actions(desk: Desk, ticket_id: str) -> list[str]:
    return [step.action for step in desk.ticket(ticket_id).steps]


# Merged.


def test_a_report_goes_over_with_its_ticket_and_its_pictures(desk: Desk):
    picture = EvidenceRef("r.jpg", "r.jpg")
    said = report(1, east_m=FAR_M, pictures=(picture,))
    one, other = desk.file_report(said).ticket_id, by_camera(desk)
    ticket = desk.merge(one, other, by="镇", note="同一处")
    assert ticket.reports == (said,)
    assert (ticket.count, ticket.sources) == (2, ("video", "resident"))
    assert picture in ticket.evidence
    assert desk.ticket_of(said.report_id).ticket_id == other
    gone = desk.ticket(one)
    assert (gone.reports, gone.count, gone.merged_into) == ((), 0, other)
    assert [(held.report_id, of.ticket_id) for held, of in desk.reported(0, NOON + 9)] == [
        (said.report_id, other)
    ]


def test_a_report_that_was_merged_and_is_sent_again_is_filed_once(desk: Desk):
    one, other = by_resident(desk, east_m=FAR_M), by_camera(desk)
    desk.merge(one, other, by="镇")
    again = desk.file_report(report(1, east_m=FAR_M))
    assert (again.ticket_id, again.duplicate) == (other, True)
    assert desk.ticket(other).count == 2


def test_a_camera_that_saw_it_gone_before_somebody_reported_it_decides_nothing(
    desk: Desk, clock: ManualClock
):
    """The report goes over with its time: the hole was still there."""
    seen = incident(1)
    other = desk.file(seen).ticket_id
    desk.update(replace(seen, last_seen_at=NOON + 30, cleared_at=NOON + 30))
    assert desk.ticket(other).cleared_at == NOON + 30
    clock.move_to(NOON + 60)
    one = by_resident(desk, east_m=FAR_M, reported_at=NOON + 50)
    assert desk.merge(one, other, by="镇").cleared_at is None


def test_a_report_without_a_place_takes_the_place_of_the_case_it_is_merged_into(desk: Desk):
    lost, found = by_resident(desk, east_m=None, address="老粮站对面"), by_camera(desk)
    ticket = desk.merge(lost, found, by="镇", note="就是这一处")
    assert ticket.place == incident(1).place
    assert ticket.grid_code == EAST
    assert "place not known" not in ticket.address
    assert desk.waiting() == {EAST: 1}


def test_a_case_without_a_place_gets_that_of_what_is_merged_into_it_and_its_address(desk: Desk):
    lost, found = by_resident(desk, east_m=None, address="老粮站对面"), by_camera(desk)
    ticket = desk.merge(found, lost, by="镇")
    assert ticket.place == incident(1).place
    assert "place not known" not in ticket.address
    (message,) = desk.read_queue(TOWN)
    assert message.ticket_id == lost
    near = desk.file(incident(7, camera="cam-2"))
    assert (near.ticket_id, near.merged) == (lost, True), "it can be met now"


def test_two_reports_without_a_place_can_be_one_case(desk: Desk):
    one, other = (by_resident(desk, n, east_m=None, address=f"{n} 号") for n in (1, 2))
    ticket = desk.merge(one, other, by="镇")
    assert len(ticket.reports) == 2
    assert "place not known" in ticket.address
    assert desk.file(incident(1, east_m=0.1)).created, "nobody knows where it is"


def test_reports_of_another_hazard_are_no_case_of_this_one(desk: Desk):
    crowd, hole = by_resident(desk, hazard="crowd"), by_camera(desk)
    with pytest.raises(DeskError, match="different duties"):
        desk.merge(crowd, hole, by="镇")


# Split.


@pytest.fixture
def mixed(desk: Desk) -> str:
    """A hole that a camera saw and two residents reported."""
    ticket_id = by_camera(desk)
    for number in (1, 2):
        assert by_resident(desk, number) == ticket_id
    return ticket_id


def test_reports_are_split_off_as_a_case_of_residents(desk: Desk, mixed: str):
    pictures = desk.ticket(mixed)
    names = [one.report_id for one in pictures.reports]
    new = desk.split(mixed, names, by="镇", note="是旁边的井盖")
    assert (new.source, new.sources, new.count) == ("resident", ("resident",), 2)
    assert (new.incidents, len(new.reports), new.camera_ids) == ((), 2, ())
    assert new.place.method == "reported"
    left = desk.ticket(mixed)
    assert (left.source, left.sources, left.count, left.reports) == ("video", ("video",), 1, ())
    assert {desk.ticket_of(name).ticket_id for name in names} == {new.ticket_id}
    messages = {one.ticket_id: one for one in desk.read_queue(EAST)}
    assert messages[new.ticket_id].sources == ["resident"]
    assert messages[new.ticket_id].camera_id == ""
    assert messages[mixed].sources == ["video"]


def test_what_the_camera_saw_is_split_off_and_the_reports_stay(desk: Desk, mixed: str):
    new = desk.split(mixed, [incident(1).incident_id], by="镇")
    assert (new.source, new.reports) == ("video", ())
    left = desk.ticket(mixed)
    assert (left.source, left.camera_ids, len(left.reports)) == ("resident", (), 2)
    assert left.place.radius_m == 25.0, "better is not known any more"


def test_one_report_of_two_is_split_off_and_merged_back(desk: Desk):
    ticket_id = by_resident(desk, 1)
    assert by_resident(desk, 2) == ticket_id
    name = report(2).report_id
    new = desk.split(ticket_id, [name], by="镇", command_id="s")
    assert desk.split(ticket_id, [name], by="镇", command_id="s").ticket_id == new.ticket_id
    back = desk.merge(new.ticket_id, ticket_id, by="镇")
    assert [one.report_id for one in back.reports] == [report(1).report_id, name]
    assert actions(desk, ticket_id)[-2:] == ["split", "take_in"]


def test_a_report_without_a_place_that_is_split_off_waits_for_one_again(desk: Desk):
    found, lost = by_camera(desk), by_resident(desk, east_m=None, address="老粮站对面")
    desk.merge(lost, found, by="镇")
    new = desk.split(found, [report(1).report_id], by="镇", note="不是这一处")
    assert (new.state, new.grid_code) == ("filed", TOWN)
    assert new.address.endswith("老粮站对面")
    left = desk.ticket(found)
    assert (left.place, left.grid_code) == (incident(1).place, EAST)
    assert desk.waiting() == {EAST: 1, TOWN: 1}


# What was handed in with steps of a ticket that was merged away.


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[EvidenceStore]:
    with closing(EvidenceStore(tmp_path, SETTINGS, clock)) as store:
        yield store


@pytest.fixture
def sweep(store: EvidenceStore, desk: Desk, clock: ManualClock) -> Sweep:
    return Sweep(store, desk.evidence, small_town().duties, clock)


@pytest.fixture
def merged(desk: Desk, store: EvidenceStore) -> tuple[str, str, str]:
    """A ticket with a picture of its feedback, merged into another; the picture's name."""
    nobody = lambda seen: Snapshot(seen, np.zeros((0, 4), np.float32), [])  # noqa: E731
    one, other = by_camera(desk, 2, east_m=FAR_M), by_camera(desk)
    desk.move(one, "accept", by="李四")
    feedback = Feedback(desk, PictureKeeper(nobody, store, SETTINGS))
    done = feedback.done(one, by="李四", picture=noise())
    desk.merge(one, other, by="镇")
    return one, other, done.steps[-1].facts["picture"]


def close(desk: Desk, ticket_id: str) -> None:
    for action in ("accept", "feed_back", "close"):
        desk.move(ticket_id, action, by="李四")


def test_it_is_kept_as_long_as_the_case_goes_on(desk, store, sweep, clock, merged):
    _, other, picture = merged
    clock.move_to(NOON + 200 * DAY)
    assert sweep.run().deleted == []
    (due,) = sweep.dues()
    assert (due.item.name, due.item.ticket_id, due.rule) == (
        picture, other, "its ticket is open"
    )  # fmt: skip
    close(desk, other)
    clock.move_to(NOON + 290 * DAY - 60)
    assert sweep.run().deleted == []
    clock.move_to(NOON + 290 * DAY + 60)
    assert sweep.run().deleted == [picture]
    (link,) = store.ledger.deletions()
    assert (link.said["owner"], link.said["ticket_id"]) == (merged[0], other)


@pytest.mark.parametrize("which", [0, 1], ids=["the merged one", "the one that carries on"])
@pytest.mark.parametrize("swept", [False, True])
def test_a_hold_on_either_number_holds_it(desk, sweep, clock, merged, which, swept):
    close(desk, merged[1])
    if swept:
        sweep.run()
    desk.evidence.hold(merged[which], by="王五", note="诉讼")
    clock.move_to(NOON + 1000 * DAY)
    assert sweep.run().deleted == []
    desk.evidence.release(merged[which], by="王五")
    assert sweep.run().deleted == [merged[2]]


def test_the_end_of_a_chain_of_merges_counts(desk, sweep, clock, merged):
    third = by_camera(desk, 3, east_m=700)
    desk.merge(merged[1], third, by="镇")
    clock.move_to(NOON + 200 * DAY)
    assert sweep.run().deleted == []
    assert [one.item.ticket_id for one in sweep.dues()] == [third]


def test_it_stays_though_the_merged_ticket_has_gone_to_the_archive(
    redis, desk, store, clock, tmp_path, merged
):
    sweep = Sweep(store, desk.evidence, small_town().duties, clock)
    sweep.run()
    file = tmp_path / "archive.sqlite"
    with closing(Archive(None, file, desk._keys.prefix)) as archive:
        archivist = Archivist(redis, desk._keys, archive, clock=clock, quiet_s=7 * DAY)
        clock.move_to(NOON + 30 * DAY)
        assert archivist.round().tickets == 1
    assert redis.exists(desk._keys.ticket(merged[0])) == 0
    clock.move_to(NOON + 200 * DAY)
    assert sweep.run().deleted == []
    close(desk, merged[1])
    clock.move_to(NOON + 290 * DAY + 60)
    assert sweep.run().deleted == [merged[2]]
