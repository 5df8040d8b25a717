"""What comes after the pictures: a clip, a before/after pair; on the ticket, holding up nothing."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from evidence_help import READER, SIZE, detail, footage, frames_of, noise, number_of, ring_of, seen
from structlog.testing import capture_logs
from ticket_town import NOON, incident

from pipeline.errors import OutboxError
from pipeline.ingest import picture_of
from pipeline.settings import EvidenceSettings
from pipeline.tickets import (
    EvidenceRef,
    EvidenceStore,
    Filer,
    Filmer,
    Outbox,
    PatientOutbox,
    Snapshot,
)
from pipeline.tickets.filmer import MOST
from pipeline.tickets.store import folder

SETTINGS = EvidenceSettings(min_free_mb=0, clip_s=3)
PERSON = ("person", (300.0, 100.0, 360.0, 280.0))
FOUND = incident(at=NOON + 5)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Twelve numbered key frames, a second apart."""
    return footage(tmp_path_factory.mktemp("film") / "twelve.mp4", 12)


class Stage:
    """One camera's ring, and all that files what it shows."""

    def __init__(self, tmp_path, clock, ring, look=None) -> None:
        self.clock, self.ring = clock, ring
        self.store = EvidenceStore(tmp_path, SETTINGS, clock)
        self.outbox = PatientOutbox(tmp_path / "outbox.sqlite", clock)
        self.filmer = Filmer(
            self.outbox,
            self.store,
            SETTINGS,
            kept=lambda camera_id, at: ring.group_at(at) if camera_id == "cam-1" else None,
            look=look or seen(PERSON),
            clock=clock,
        )
        self.filer = Filer(self.outbox, SETTINGS, tmp_path, store=self.store, filmer=self.filmer)

    def file(self, found=FOUND) -> None:
        picture = picture_of(self.ring.group_at(found.confirmed_at))
        self.filer.file(found, lambda: seen(PERSON)(picture))

    def work(self, at: float) -> None:
        """Do everything that is due by then."""
        self.clock.move_to(at)
        while self.filmer.step():
            pass


@pytest.fixture
def stage(tmp_path, clock, film):
    clock.move_to(NOON + 5.1)
    stage = Stage(tmp_path, clock, ring_of(film, NOON))
    yield stage
    stage.outbox.close()
    stage.store.close()


def evidence_of(stage, desk):
    stage.outbox.send(desk)
    (ticket,) = desk.tickets()
    (evidence,) = ticket.evidence
    return evidence


def test_the_seconds_before_and_after_become_a_clip_on_the_ticket(stage, desk):
    stage.file()
    stage.work(NOON + 5.1)
    assert evidence_of(stage, desk).clip is None  # filed at once, without waiting for it
    stage.work(NOON + 9)
    evidence = evidence_of(stage, desk)
    assert evidence.clip == f"2026/11/23/{FOUND.incident_id}-clip.mp4"
    content = stage.store.read(evidence.clip, READER)
    assert content.media_type == "video/mp4"
    frames = [picture for _, picture in frames_of(content.data)]
    assert [number_of(one) for one in frames] == [2, 3, 4, 5, 6, 7, 8, 8]
    for frame in frames:  # a frame of noise has a detail of about 100 where nothing covers it
        assert detail(frame[104:146, 304:356]) < 0.4 * detail(frame[180:270, 310:350])


def test_the_seconds_before_are_kept_though_the_ring_moves_on(tmp_path, clock, film, desk):
    clock.move_to(NOON + 5.1)
    ring = ring_of(film, NOON)
    stage = Stage(tmp_path, clock, ring)
    stage.file()
    stage.work(NOON + 5.1)
    for _ in range(5):
        ring._groups.popleft()
    stage.work(NOON + 9)
    data = stage.store.read(evidence_of(stage, desk).clip, READER).data
    assert [number_of(picture) for _, picture in frames_of(data)][:3] == [2, 3, 4]
    stage.outbox.close()
    stage.store.close()


def test_the_clip_says_so_in_the_queue_for_whatever_enters_it_later(stage, desk):
    stage.file()
    stage.work(NOON + 5.1)
    stage.work(NOON + 9)
    evidence = evidence_of(stage, desk)
    (ticket,) = desk.tickets()
    desk.move(ticket.ticket_id, "escalate", by="李四")
    (message,) = desk.read_queue("410182102")
    assert message.evidence.clip == evidence.clip
    assert message.evidence.plain == evidence.plain


@pytest.mark.parametrize("trouble", ["unseen", "fails"])
def test_where_a_frame_cannot_be_covered_the_ticket_goes_on_without_a_clip(
    tmp_path, clock, film, desk, trouble
):
    def look(picture: np.ndarray) -> Snapshot:
        if number_of(picture) == 7:
            if trouble == "fails":
                raise RuntimeError("the detector is gone")
            return Snapshot(picture, None, [])
        return seen(PERSON)(picture)

    clock.move_to(NOON + 5.1)
    stage = Stage(tmp_path, clock, ring_of(film, NOON), look)
    stage.file()
    stage.work(NOON + 5.1)
    with capture_logs() as logs:
        stage.work(NOON + 9)
    assert [(one["event"], one["what"]) for one in logs] == [("evidence.left_out", "clip")]
    evidence = evidence_of(stage, desk)
    assert (evidence.clip, stage.filmer.left_out) == (None, 1)
    assert not list(stage.store.folder.root.rglob("*.mp4"))
    assert len(list(stage.store.folder.root.rglob("*.jpg"))) == 2
    stage.outbox.close()
    stage.store.close()


def test_a_full_disk_costs_the_clip_and_not_the_ticket(stage, desk, monkeypatch):
    stage.file()
    stage.work(NOON + 5.1)

    def full(_path, _content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder, "_write", full)
    stage.work(NOON + 9)
    assert evidence_of(stage, desk).clip is None
    assert "No space left" in stage.store.trouble
    assert stage.filmer.left_out == 1


def test_an_incident_without_pictures_gets_no_clip(stage, desk):
    stage.filer.file(FOUND, lambda: None)
    stage.work(NOON + 9)
    stage.outbox.send(desk)
    (ticket,) = desk.tickets()
    assert ticket.evidence == ()
    assert stage.store.ledger.items() == []


def test_when_a_hazard_is_gone_before_and_after_stand_side_by_side(stage, desk):
    stage.file()
    gone = replace(FOUND, cleared_at=NOON + 8, last_seen_at=NOON + 7)
    stage.clock.move_to(NOON + 10.2)
    stage.filer.cleared(gone, NOON + 10)
    stage.work(NOON + 10.2)
    evidence = evidence_of(stage, desk)
    plain, after, pair = (
        cv2.imdecode(np.frombuffer(stage.store.read(name, READER).data, np.uint8), 1)
        for name in (evidence.plain, evidence.after, evidence.pair)
    )
    assert number_of(plain) == 5
    assert number_of(after) == 10
    for picture in (plain, after):
        assert detail(picture[104:146, 304:356]) < 0.4 * detail(picture[180:270, 310:350])
    # The box is 0.4 to 0.5 wide and 0.5 to 0.6 high; each half shows 0.35 of the picture around.
    width, height = round(0.35 * SIZE[0]), round(0.35 * SIZE[1])
    assert pair.shape[1] == pytest.approx(2 * width, abs=8)
    x, y = round((0.45 - 0.175) * SIZE[0]), round((0.55 - 0.175) * SIZE[1])
    for part, whole in ((pair[:height, :width], plain), (pair[:height, -width:], after)):
        cut = whole[y : y + height, x : x + width]
        alike = np.abs(part.astype(int) - cut.astype(int)).mean()
        other = np.abs(part.astype(int) - noise(99)[:height, :width].astype(int)).mean()
        assert alike < 0.5 * other
    machine = stage.store.ledger.reads([FOUND.incident_id])[0].said
    assert (machine["who"], machine["way"]) == ("gridwatch", "desk")


def test_the_clip_is_not_lost_by_the_pair_that_comes_after_it(stage, desk):
    stage.file()
    stage.work(NOON + 5.1)
    stage.work(NOON + 9)
    stage.filer.cleared(replace(FOUND, cleared_at=NOON + 8), NOON + 10)
    stage.work(NOON + 10.2)
    evidence = evidence_of(stage, desk)
    assert None not in (evidence.clip, evidence.after, evidence.pair)


def test_where_the_first_picture_is_gone_the_second_stands_alone(stage, desk):
    stage.file()
    stage.outbox.send(desk)
    (item, *_) = (one for one in stage.store.ledger.items() if one.name.endswith("plain.jpg"))
    stage.store.delete(item, "rule")
    stage.filer.cleared(replace(FOUND, cleared_at=NOON + 8), NOON + 10)
    stage.work(NOON + 10.2)
    evidence = evidence_of(stage, desk)
    assert evidence.after is not None
    assert evidence.pair is None


def test_what_is_too_much_is_left_out_at_once_and_filed_all_the_same(stage, desk):
    many = [incident(number, at=NOON + 5, east_m=100.0 * number) for number in range(MOST + 4)]
    with capture_logs() as logs:
        for found in many:
            stage.file(found)
    left_out = [one for one in logs if one["event"] == "evidence.left_out"]
    assert len(left_out) == stage.filmer.left_out == 4
    stage.outbox.send(desk)
    assert len(desk.tickets()) == len(many)


def test_filing_does_not_wait_for_a_film_that_hangs(stage, desk):
    hangs, go_on = threading.Event(), threading.Event()

    def hang(_picture):
        hangs.set()
        go_on.wait(20)
        raise RuntimeError("too late")

    stage.filmer._look = hang
    stop = threading.Event()
    thread = threading.Thread(target=stage.filmer.run, args=(stop,))
    stage.file()
    stage.clock.move_to(NOON + 9)
    thread.start()
    assert hangs.wait(20)
    for number in range(1, 5):
        stage.file(incident(number, at=NOON + 5, east_m=300.0 + 100 * number))
    stage.outbox.send(desk)
    assert len(desk.tickets()) == 5
    stop.set()
    go_on.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_clip_attached_twice_or_late_changes_nothing_more(stage, desk):
    stage.file()
    stage.work(NOON + 5.1)
    stage.work(NOON + 9)
    evidence = evidence_of(stage, desk)
    before = desk.tickets()
    desk.evidence.attach(FOUND.incident_id, replace(evidence, after=None, pair=None))
    assert desk.tickets() == before


def test_evidence_that_waits_in_memory_is_joined_with_what_comes_next(
    tmp_path, clock, desk, monkeypatch
):
    with PatientOutbox(tmp_path / "outbox.sqlite", clock) as outbox:
        outbox.put("file", FOUND, EvidenceRef("a", "p"))
        with monkeypatch.context() as full:
            full.setattr(Outbox, "put", lambda *_: (_ for _ in ()).throw(OutboxError("full")))
            outbox.put("evidence", FOUND, EvidenceRef("a", "p", clip="c"))
            outbox.put("evidence", FOUND, EvidenceRef("a", "p", after="n"))
        outbox.send(desk)
    (ticket,) = desk.tickets()
    assert ticket.evidence == (EvidenceRef("a", "p", clip="c", after="n"),)
