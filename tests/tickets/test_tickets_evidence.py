from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ticket_town import NOON, incident

from pipeline.clock import ManualClock
from pipeline.errors import EvidenceError
from pipeline.settings import EvidenceSettings
from pipeline.tickets import Filer, Outbox, Snapshot, write_evidence
from pipeline.tickets.evidence import annotated
from pipeline.tickets.privacy import blur_privacy

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 360, 640
SETTINGS = EvidenceSettings(min_free_mb=0)


@pytest.fixture
def picture() -> np.ndarray:
    """Noise: every pixel says something, so whatever is covered is seen to be covered."""
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def detail(part: np.ndarray) -> float:
    """Mean step from a pixel to the next: what faces and signs are made of."""
    values = part.astype(np.float32)
    return float(np.abs(np.diff(values, axis=1)).mean() + np.abs(np.diff(values, axis=0)).mean())


def covered(before: np.ndarray, after: np.ndarray, x1: int, y1: int, x2: int, y2: int) -> bool:
    return detail(after[y1:y2, x1:x2]) < 0.15 * detail(before[y1:y2, x1:x2])


def test_a_persons_head_is_covered_and_the_feet_are_not(picture):
    after = blur_privacy(picture, boxes((300, 100, 360, 280)), ["person"])
    assert covered(picture, after, 300, 100, 360, 148)
    assert np.array_equal(after[160:], picture[160:])
    assert np.array_equal(after[:, :285], picture[:, :285])


def test_the_upper_half_of_somebody_who_bends_or_sits_is_covered(picture):
    after = blur_privacy(picture, boxes((300, 100, 400, 200)), ["person"])
    assert covered(picture, after, 300, 100, 400, 150)


def test_both_ends_of_every_vehicle_lose_their_plate(picture):
    for name in ("car", "bus", "truck", "motorcycle"):
        after = blur_privacy(picture, boxes((100, 100, 300, 220)), [name])
        assert covered(picture, after, 102, 160, 140, 215), name
        assert covered(picture, after, 180, 160, 220, 215), name
        assert covered(picture, after, 260, 160, 298, 215), name


def test_whoever_sits_behind_the_windows_of_a_large_vehicle_is_covered(picture):
    for name in ("car", "bus", "truck"):
        after = blur_privacy(picture, boxes((100, 60, 400, 260)), [name])
        for x in (130, 200, 300, 340):  # a windscreen, seen from the front or from the side
            assert covered(picture, after, x, 72, x + 36, 150), name


def test_a_covered_vehicle_keeps_its_outline_and_its_coarse_shape(picture):
    """Whether it has hit something must still be seen: light and dark parts stay apart."""
    cv2.rectangle(picture, (100, 60), (400, 260), (230, 230, 230), -1)
    cv2.rectangle(picture, (160, 80), (340, 140), (20, 20, 20), -1)
    after = blur_privacy(picture, boxes((100, 60, 400, 260)), ["car"])
    assert (after[90:130, 180:320] < 60).all()
    assert (after[100:130, 130:145] > 170).all()
    assert np.array_equal(after[60:140, 100:120], picture[60:140, 100:120])


def test_windows_too_small_to_show_a_face_stay(picture):
    after = blur_privacy(picture, boxes((100, 100, 200, 158)), ["car"])
    assert np.array_equal(after[100:125], picture[100:125])


def test_a_rider_whom_nobody_detected_is_covered_above_the_vehicle(picture):
    for name in ("bicycle", "motorcycle"):
        after = blur_privacy(picture, boxes((300, 200, 380, 280)), [name])
        assert covered(picture, after, 300, 150, 380, 215), name


def test_a_tiny_person_is_covered_with_a_margin(picture):
    after = blur_privacy(picture, boxes((300, 100, 304, 110)), ["person"])
    assert covered(picture, after, 296, 96, 308, 108)


def test_what_is_covered_can_not_be_told_from_the_result(picture):
    """Two pictures that differ only in the fine pattern of a face give the same result."""
    rows, columns = np.indices((60, 60))
    pattern = np.where((rows + columns) % 2, 60, 200).astype(np.uint8)[..., None]
    one, other = picture.copy(), picture.copy()
    one[100:160, 300:360] = pattern
    other[100:160, 300:360] = pattern[::-1]
    person = boxes((300, 104, 360, 296))
    seen = [blur_privacy(each, person, ["person"])[104:158, 302:358] for each in (one, other)]
    assert np.abs(seen[0].astype(int) - seen[1].astype(int)).max() <= 3


def test_the_picture_that_was_given_is_left_as_it_was(picture):
    before = picture.copy()
    blur_privacy(picture, boxes((0, 0, 640, 360)), ["person"])
    assert np.array_equal(picture, before)


@given(
    rows=arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32)),
    names=st.lists(st.sampled_from(("person", "car", "bicycle", "cavity")), min_size=3, max_size=3),
)
def test_any_finite_box_is_survived(rows, names):
    small = np.zeros((48, 64, 3), np.uint8)
    assert blur_privacy(small, rows, names).shape == small.shape


@pytest.mark.parametrize(
    "broken",
    [
        lambda p: (p, boxes((0, 0, np.nan, 5)), ["person"]),
        lambda p: (p, boxes((0, 0, 5, 5)), []),
        lambda p: (p, np.zeros((1, 5), np.float32), ["person"]),
        lambda p: (p[..., 0], boxes(), []),
        lambda p: (p.astype(np.float32), boxes(), []),
        lambda p: (p[:0], boxes(), []),
        lambda p: (p, None, []),
    ],
)
def test_without_a_sound_picture_and_boxes_nothing_is_written(tmp_path, picture, broken):
    with pytest.raises(EvidenceError):
        write_evidence(*broken(picture), incident=incident(), settings=SETTINGS, data_dir=tmp_path)
    assert not list(tmp_path.rglob("*.jpg"))


def test_both_pictures_are_written_where_the_reference_says(tmp_path, picture):
    found = incident()
    person = boxes((300, 100, 360, 280))
    ref = write_evidence(
        picture, person, ["person"], incident=found, settings=SETTINGS, data_dir=tmp_path
    )
    assert ref.annotated == f"2026/11/23/{found.incident_id}-annotated.jpg"
    plain = cv2.imread(str(tmp_path / "evidence" / ref.plain))
    drawn = cv2.imread(str(tmp_path / "evidence" / ref.annotated))
    assert plain.shape == (HEIGHT, WIDTH, 3)
    assert drawn.shape[0] > HEIGHT
    for written in (plain, drawn):
        assert detail(written[104:146, 304:356]) < 0.3 * detail(picture[104:146, 304:356])
    assert len(list((tmp_path / "evidence").rglob("*"))) == 5  # three folders, two pictures


def test_the_box_is_drawn_where_the_hazard_is(picture):
    drawn = annotated(np.full_like(picture, 128), incident())
    y, x = np.nonzero((drawn[:HEIGHT] != 128).any(axis=2))
    assert abs(x.min() - 0.4 * WIDTH) < 6
    assert abs(x.max() - 0.5 * WIDTH) < 6
    assert abs(y.min() - 0.5 * HEIGHT) < 6
    assert abs(y.max() - 0.6 * HEIGHT) < 6


def test_large_pictures_are_scaled_down_after_they_were_covered(tmp_path):
    large = np.random.default_rng(2).integers(0, 256, (1080, 1920, 3), np.uint8)
    ref = write_evidence(
        large, boxes(), [], incident=incident(), settings=SETTINGS, data_dir=tmp_path
    )
    assert cv2.imread(str(tmp_path / "evidence" / ref.plain)).shape == (720, 1280, 3)


def test_the_last_disk_space_is_kept_for_tickets(tmp_path, picture):
    free_mb = shutil.disk_usage(tmp_path).free // 1_000_000
    scarce = EvidenceSettings(min_free_mb=free_mb + 10_000)
    with pytest.raises(EvidenceError, match="kept for tickets"):
        write_evidence(
            picture, boxes(), [], incident=incident(), settings=scarce, data_dir=tmp_path
        )
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_folder_that_can_t_be_written_is_an_evidence_error(tmp_path, picture):
    (tmp_path / "evidence").write_text("in the way")
    with pytest.raises(EvidenceError):
        write_evidence(
            picture, boxes(), [], incident=incident(), settings=SETTINGS, data_dir=tmp_path
        )


def fails() -> Snapshot:
    raise RuntimeError("the camera is gone")


@pytest.mark.parametrize(
    "snapshot, pictures",
    [
        (lambda: Snapshot(np.zeros((90, 160, 3), np.uint8), boxes(), []), 1),
        (lambda: Snapshot(np.zeros((90, 160, 3), np.uint8), None, []), 0),
        (lambda: None, 0),
        (fails, 0),
    ],
)
def test_a_ticket_goes_on_with_or_without_its_picture(tmp_path: Path, desk, snapshot, pictures):
    with Outbox(tmp_path / "outbox.sqlite", ManualClock(NOON)) as outbox:
        Filer(outbox, SETTINGS, tmp_path).file(incident(), snapshot)
        outbox.send(desk)
    (ticket,) = desk.tickets()
    assert len(ticket.evidence) == pictures
