"""Pictures that residents send, and bodies that are meant to harm."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from open311_client import HOLE, V2, jpeg, post, refused
from PIL import Image

from pipeline.console.open311.answers import GeoReportError
from pipeline.console.open311.body import Memory
from pipeline.tickets import Snapshot

if TYPE_CHECKING:
    from pathlib import Path
    from types import SimpleNamespace

    from pipeline.tickets import Desk


def pictures_in(folder: Path) -> list[Path]:
    return sorted((folder / "evidence").rglob("*.jpg"))


def test_pictures_are_uploaded_covered_and_kept_without_their_metadata(
    served, desk: Desk, tmp_path: Path
):
    looked = []

    def look(picture):
        looked.append(picture.shape)
        return Snapshot(picture, np.array([[40, 20, 90, 150]], np.float32), ["person"])

    town = served(desk, look)
    exif = Image.Exif()
    exif[0x010F] = "SecretPhone"
    exif.get_ifd(0x8825)[2] = (34.0, 47.0, 6.0)
    files = [("media", ("hole.jpg", jpeg(exif=exif), "image/jpeg")) for _ in range(2)]
    answer = post(town, files=files, **HOLE)
    assert answer.status_code == 201
    assert answer.json()[0]["service_notice"] is None
    assert looked == [(180, 320, 3)] * 2
    kept = pictures_in(tmp_path)
    ticket = desk.ticket_of(answer.json()[0]["service_request_id"])
    assert [tmp_path / "evidence" / one.plain for one in ticket.evidence] == kept
    for path in kept:
        assert b"SecretPhone" not in path.read_bytes()
        with Image.open(path) as image:
            assert not image.getexif()


def test_a_picture_that_can_not_be_covered_is_not_kept_and_the_answer_says_so(
    served, desk: Desk, tmp_path: Path
):
    def look(_):
        raise RuntimeError("no model")

    town = served(desk, look)
    answer = post(town, files=[("media", ("hole.jpg", jpeg(), "image/jpeg"))], **HOLE)
    assert "was not kept" in answer.json()[0]["service_notice"]
    assert desk.tickets()[0].evidence == ()
    assert [path for path in tmp_path.rglob("*.jpg") if path.is_file()] == []


@pytest.mark.parametrize(
    "content, words",
    [
        (b"<html><script>alert(1)</script></html>", "is no picture"),
        (b"", "is no picture"),
        (jpeg()[:300], "is"),
    ],
)
def test_what_only_calls_itself_a_picture_is_refused_and_nothing_is_filed(
    town, desk: Desk, tmp_path: Path, content, words
):
    files = [("media", ("hole.jpg", content, "image/jpeg"))]
    refused(post(town, files=files, **HOLE), 400, words)
    assert desk.tickets() == []
    assert not (tmp_path / "evidence").exists()


def test_too_many_or_too_large_pictures_or_other_files_are_refused(town, desk: Desk):
    many = [("media", (f"{n}.jpg", jpeg(), "image/jpeg")) for n in range(4)]
    refused(post(town, files=many, **HOLE), 400, "up to 3 pictures")
    large = [("media", ("a.jpg", bytes(8_100_000), "image/jpeg"))]
    refused(post(town, files=large, **HOLE), 413, "up to 8 MB")
    other = [("virus", ("a.exe", b"MZ", "image/jpeg"))]
    refused(post(town, files=other, **HOLE), 400, "'virus'")
    assert desk.tickets() == []


def address_of(town: SimpleNamespace) -> tuple[str, int]:
    return town.client.base_url.host, town.client.base_url.port


def test_200_megabytes_that_are_announced_are_refused_before_they_are_sent(town):
    with socket.create_connection(address_of(town), timeout=20) as wire:
        wire.sendall(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 200000000\r\n\r\n"
        )
        answer = b""
        while part := wire.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"too large" in answer


def test_a_stream_without_an_end_is_cut_off(town, tmp_path: Path):
    sent = 0
    with socket.create_connection(address_of(town), timeout=20) as wire, suppress(OSError):
        wire.sendall(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        while sent < 200_000_000:
            wire.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
            sent += 65536
    assert 24_000_000 < sent < 60_000_000  # what is allowed, and what was under way
    assert town.client.get(f"{V2}/services.json").status_code == 200


def test_a_body_that_never_comes_is_not_waited_for(served, desk: Desk):
    town = served(desk, body_s=0.2)
    with socket.create_connection(address_of(town), timeout=20) as wire:
        wire.sendall(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nx"
        )
        answer = b""
        while part := wire.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")


def test_all_clients_together_can_not_fill_the_memory():
    memory = Memory(100)
    with memory.share() as one, memory.share() as other:
        one(60)
        other(40)
        with pytest.raises(GeoReportError, match="busy") as error:
            one(1)
        assert error.value.status == 503
    with memory.share() as later:
        later(100)
