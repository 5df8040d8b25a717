"""Pictures from outside: what is let in, and what of them is kept."""

from __future__ import annotations

import struct
import zlib
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from ticket_town import NOON, report

from pipeline.clock import ManualClock
from pipeline.errors import EvidenceError, PictureError
from pipeline.settings import EvidenceSettings, ReportSettings
from pipeline.tickets import EvidenceStore, PictureKeeper, Snapshot, read_upload
from pipeline.tickets.store import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMITS = ReportSettings()
KEEP = EvidenceSettings(min_free_mb=0)
GPS = 0x8825


SEEN = report(reported_at=NOON)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with closing(EvidenceStore(tmp_path, KEEP, ManualClock(NOON))) as store:
        yield store


def keeper(store: EvidenceStore, look) -> PictureKeeper:
    return PictureKeeper(look, store, KEEP)


def street(size: tuple[int, int] = (320, 180)) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(noise)


def encoded(form: str = "JPEG", image: Image.Image | None = None, **options: object) -> bytes:
    file = BytesIO()
    (image or street()).save(file, form, **options)
    return file.getvalue()


def from_a_telephone(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "SecretPhone"
    exif[0x0112] = orientation
    exif.get_ifd(GPS)[2] = (34.0, 47.0, 6.0)
    return encoded(exif=exif, comment=b"owner: Zhang San")


def nobody(picture) -> Snapshot:
    return Snapshot(picture, np.zeros((0, 4), np.float32), [])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_are_read_in_bgr(form):
    red = Image.new("RGB", (64, 48), (250, 10, 10))
    picture = read_upload(encoded(form, red), LIMITS)
    assert (picture.shape, picture.dtype) == ((48, 64, 3), np.uint8)
    blue, _, strength = picture[24, 32]
    assert blue < 40
    assert strength > 220


def test_a_picture_taken_on_its_side_is_turned_upright():
    assert read_upload(from_a_telephone(orientation=6), LIMITS).shape == (320, 180, 3)


def test_what_is_transparent_shows_white():
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert read_upload(encoded("PNG", clear), LIMITS).min() > 250


def test_nothing_of_a_file_is_kept_but_its_pixels(store: EvidenceStore, tmp_path: Path):
    raw = from_a_telephone()
    assert b"SecretPhone" in raw
    ref = keeper(store, nobody).of_report(SEEN, 1, read_upload(raw, LIMITS))
    kept = (tmp_path / "evidence" / ref.plain).read_bytes()
    assert ref.plain == f"2026/11/23/{SEEN.report_id}-plain.jpg"
    for secret in (b"SecretPhone", b"Zhang San", b"Exif"):
        assert secret not in kept
    with Image.open(BytesIO(kept)) as image:
        assert not image.getexif()
        assert image.size == (320, 180)


def test_people_in_it_are_covered_before_it_is_written(store: EvidenceStore, tmp_path: Path):
    picture = read_upload(encoded("PNG"), LIMITS)

    def somebody(seen):
        return Snapshot(seen, np.array([[100, 20, 140, 160]], np.float32), ["person"])

    ref = keeper(store, somebody).of_report(SEEN, 1, picture)
    with Image.open(tmp_path / "evidence" / ref.plain) as image:
        kept = np.asarray(image)
    head = kept[20:58, 100:140].astype(int)
    feet = kept[120:158, 100:140].astype(int)
    assert np.abs(np.diff(head, axis=1)).mean() < 0.3 * np.abs(np.diff(feet, axis=1)).mean()


def test_what_one_of_the_staff_marked_is_drawn(store: EvidenceStore, tmp_path: Path):
    picture = read_upload(encoded("PNG"), LIMITS)
    marked = report(source="staff", by="李四", camera_id="cam-1", box=(0.4, 0.4, 0.6, 0.6))
    ref = keeper(store, nobody).of_report(marked, 1, picture)
    with (
        Image.open(tmp_path / "evidence" / ref.annotated) as drawn,
        Image.open(tmp_path / "evidence" / ref.plain) as plain,
    ):
        assert drawn.size[1] > plain.size[1]
        at_border = np.asarray(drawn)[72:75, 140:180].astype(int).mean(axis=(0, 1))
    assert at_border[2] > at_border[0] + 60  # blue


def test_a_name_stands_for_one_picture_for_ever(store: EvidenceStore):
    """A retry keeps nothing anew; further pictures of a report have names of their own."""
    picture, other = read_upload(encoded("PNG"), LIMITS), np.full((180, 320, 3), 9, np.uint8)
    first = keeper(store, nobody).of_report(SEEN, 1, picture)
    kept = store.ledger.item(first.plain)
    assert keeper(store, nobody).of_report(SEEN, 1, other) == first
    assert store.ledger.item(first.plain) == kept
    second = keeper(store, nobody).of_report(SEEN, 2, other)
    assert second.plain != first.plain
    assert {owner_of(item.name) for item in store.ledger.items()} == {SEEN.report_id}


def test_a_full_disk_costs_the_picture_and_the_operator_is_told(tmp_path: Path):
    full = EvidenceSettings(min_free_mb=10**9)
    with closing(EvidenceStore(tmp_path, full, ManualClock(NOON))) as store:
        with pytest.raises(EvidenceError, match="kept for tickets"):
            keeper(store, nobody).of_report(SEEN, 1, read_upload(encoded(), LIMITS))
        assert "kept for tickets" in store.trouble


@pytest.mark.parametrize(
    "look",
    [
        lambda _: (_ for _ in ()).throw(MemoryError("model")),
        lambda picture: Snapshot(picture, None, []),
        lambda picture: Snapshot(picture, np.full((1, 4), np.nan, np.float32), ["person"]),
    ],
)
def test_what_can_not_be_covered_is_not_written(store: EvidenceStore, tmp_path: Path, look):
    picture = read_upload(encoded(), LIMITS)
    with pytest.raises(EvidenceError):
        keeper(store, look).of_report(SEEN, 1, picture)
    assert not [path for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
    assert store.ledger.items() == []


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few kilobytes that is 10 GB when decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is no picture"),
        (b"<html><script>alert(1)</script></html>", "is no picture"),
        (encoded()[:200], "is damaged|is no picture"),
        (encoded("GIF"), "is no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is no picture"),
        (encoded("PNG")[:4000], "is damaged"),
        (bomb(), "too many pixels"),
        (bomb(9_000, 9_000), "too many pixels"),
        (encoded(image=Image.new("RGB", (20, 600))), "is too small"),
        (bytes(9_000_000), "is too large"),
    ],
)
def test_what_is_no_picture_to_be_trusted_is_refused(content, words):
    with pytest.raises(PictureError, match=words):
        read_upload(content, LIMITS)


@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP"]), st.integers(0, 2000))
def test_whatever_the_bytes_are_it_is_a_picture_or_an_error_of_ours(noise, form, at):
    whole = encoded(form, Image.new("RGB", (64, 48), (9, 90, 200)))
    broken = whole[: at % len(whole)] + noise + whole[at % len(whole) + len(noise) :]
    try:
        picture = read_upload(broken, LIMITS)
    except PictureError:
        return
    assert picture.dtype == np.uint8
