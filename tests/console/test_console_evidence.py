"""Pictures and clips over HTTP: to those who may see the ticket, and each look on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ticket_town import incident

from pipeline.tickets import EvidenceRef
from pipeline.tickets.evidence import about
from pipeline.tickets.store import name_of

if TYPE_CHECKING:
    from console_town import Running


def with_clip(console: Running) -> str:
    """A ticket with pictures and a clip; the address of the clip."""
    ticket_id = console.file()
    found, (ref,) = incident(), console.desk.ticket(ticket_id).evidence
    clip = name_of(found, "clip", ".mp4")
    console.pictures.store.keep({clip: b"0123456789"}, about(found))
    console.desk.evidence.attach(
        found.incident_id, EvidenceRef(ref.annotated, ref.plain, clip=clip)
    )
    return f"/tickets/{ticket_id}/pictures/0/clip"


def test_every_look_at_evidence_is_recorded_and_no_refusal_is(console: Running):
    clip = with_clip(console)
    with console.browser("member") as browser, console.browser("west") as stranger:
        assert clip in browser.get(clip.removesuffix("/pictures/0/clip")).text
        whole = browser.get(clip)
        assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
        assert whole.headers["cache-control"].startswith("private")
        assert stranger.get(clip).status_code == 403
        assert browser.get(clip.replace("clip", "pair")).status_code == 404
        assert browser.get(clip.replace("clip", "thumb")).headers["content-type"] == "image/jpeg"
    said = [link.said for link in console.pictures.store.ledger.reads()]
    assert [(one["who"], one["from"], one["way"]) for one in said] == [
        ("member", "127.0.0.1", "console")
    ] * 2
    assert [one["name"].rpartition("-")[2] for one in said] == ["clip.mp4", "annotated.jpg"]


def test_a_picture_that_was_deleted_is_gone_and_the_ticket_is_not(console: Running):
    clip = with_clip(console)
    store = console.pictures.store
    (item,) = store.ledger.items()
    store.delete(item, "a test")
    with console.browser("member") as browser:
        assert browser.get(clip).status_code == 404
        assert browser.get(clip.removesuffix("/pictures/0/clip")).status_code == 200


@pytest.mark.parametrize(
    "wanted, status, content, said",
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=5-2", 416, b"", "bytes */10"),
        ("bytes=0-1,4-5", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("pages=1-2", 200, b"0123456789", None),
    ],
)
def test_a_player_gets_the_part_of_a_clip_that_it_asks_for(
    console: Running, wanted, status, content, said
):
    clip = with_clip(console)
    with console.browser("member") as browser:
        answer = browser.get(clip, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == said
