"""Steps taken from the pages: once, by those who may, with photos that are photos."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from console_town import EAST
from forms import forms_of, send, text_of
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from pipeline.errors import ModelError
from pipeline.tickets import Feedback, PrivacyLook, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console_town import Running


def photo(size: tuple[int, int] = (400, 300), format: str = "JPEG", **more: object) -> bytes:  # noqa: A002
    out = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(out, format, **more)
    return out.getvalue()


def photo_with_gps() -> bytes:
    exif = Image.Exif()
    exif[Base.Make] = "SecretPhone"
    exif[Base.Orientation] = 6  # on its side
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (34.0, 47.0, 6.0)
    return photo(exif=exif)


def actions(console: Running, ticket_id: str) -> list[tuple[str, str]]:
    return [(step.action, step.by) for step in console.desk.ticket(ticket_id).steps]


def photos_of(console: Running) -> list[Path]:
    """What lies on the disk of what people handed in."""
    evidence = {
        path
        for ticket in console.desk.tickets()
        for ref in ticket.evidence
        for path in (ref.annotated, ref.plain)
    }
    folder = console.folder / "evidence"
    return [one for one in folder.rglob("*.jpg") if str(one.relative_to(folder)) not in evidence]


def test_a_ticket_is_accepted_from_the_queue_in_one_tap(console: Running):
    ticket_id = console.file()
    with console.browser("member") as browser:
        answer = send(browser, "/queue", f"/tickets/{ticket_id}/accept")
        assert answer.url.path == "/queue"
    assert actions(console, ticket_id)[-1] == ("accept", "member")


def test_a_double_tap_accepts_once(console: Running):
    ticket_id = console.file()
    action = f"/tickets/{ticket_id}/accept"
    with console.browser("member") as browser:
        form = forms_of(browser.get("/queue").text)[action]
        other = forms_of(browser.get(f"/tickets/{ticket_id}").text)[action]  # from another tab
        for sent in (form, form, other):
            assert browser.post(action, data=sent).status_code == 303
    assert actions(console, ticket_id).count(("accept", "member")) == 1


def test_passing_up_twice_is_passing_up_once(console: Running):
    ticket_id = console.file()
    action = f"/tickets/{ticket_id}/escalate"
    with console.browser("member") as browser:
        form = forms_of(browser.get(f"/tickets/{ticket_id}").text)[action] | {"note": "太大"}
        for _ in range(2):
            assert browser.post(action, data=form).status_code == 303
    assert actions(console, ticket_id).count(("escalate", "member")) == 1


def test_who_comes_too_late_hears_what_it_is_now_and_who_moved_it(console: Running):
    ticket_id = console.file()
    action = f"/tickets/{ticket_id}/accept"
    with console.browser("member") as slow, console.browser("李四") as quick:
        form = forms_of(slow.get("/queue").text)[action]
        console.clock.sleep(600)
        send(quick, "/queue", action)
        answer = slow.post(action, data=form)
    assert answer.status_code == 409
    assert "案卷已有变化：现在是“已受理”（受理，李四，12:10）。您的操作没有执行。" in answer.text
    assert actions(console, ticket_id)[-1] == ("accept", "李四")


def test_what_was_written_for_a_ticket_that_moved_away_is_not_lost(console: Running):
    ticket_id = console.file()
    action = f"/tickets/{ticket_id}/return"
    with console.browser("member") as browser:
        form = forms_of(browser.get(f"/tickets/{ticket_id}").text)[action]
        console.desk.move(ticket_id, "escalate", by="李四")
        answer = browser.post(action, data=form | {"note": "属于西村"})
        assert answer.status_code == 409
        assert "现在是“已上报一级网格”" in answer.text
        assert "您写的内容没有提交 属于西村" in text_of(answer.text)
        browser.get("/language/en")
        english = browser.post(action, data=form | {"note": "属于西村"}).text
    assert "it is now passed up (passed up by 李四, 12:00). Nothing was done." in english


def test_the_whole_loop_from_accepting_to_closing(console: Running):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    with console.browser("member") as member:
        send(member, page, f"{page}/accept")
        send(member, page, f"{page}/handle")
        done = send(member, page, f"{page}/feed_back", photo=photo(), note="已填补")
        assert "已完成：反馈" in text_of(done.text)
        assert f"{page}/close" not in done.text
    with console.browser("head") as head:
        again = send(head, page, f"{page}/rework", note="边上还有裂缝")
        assert "处置中" in text_of(again.text)
    with console.browser("member") as member:
        send(member, page, f"{page}/feed_back", photo=photo(), note="裂缝也补了")
    with console.browser("head") as head:
        closed = send(head, page, f"{page}/close")
        assert "已结案" in text_of(closed.text)
    steps = [action for action, _ in actions(console, ticket_id)]
    assert steps[2:] == [
        "accept",
        "handle",
        "feed_back",
        "rework",
        "feed_back",
        "verify",
        "close",
    ]
    assert ("verify", "head") in actions(console, ticket_id)


@pytest.mark.parametrize("action", ["return", "escalate"])
def test_a_reason_is_asked_for_where_the_next_one_needs_it(console: Running, action: str):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    with console.browser("member") as browser:
        answer = send(browser, page, f"{page}/{action}", note="  ")
        assert answer.status_code == 422
        assert "请写明原因" in answer.text
    assert console.desk.ticket(ticket_id).state == "dispatched"


def test_a_photo_comes_back_without_place_or_camera_and_upright(console: Running):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        html = send(browser, page, f"{page}/feed_back", photo=photo_with_gps(), note="好了").text
        (path,) = {part.split('"')[0] for part in html.split('src="') if "/photos/" in part[:80]}
        data = browser.get(path).content
    assert b"SecretPhone" not in data
    assert b"Exif" not in data
    with Image.open(io.BytesIO(data)) as kept:
        assert kept.size == (300, 400)
        assert not kept.getexif()
    with console.browser("west") as stranger:
        assert stranger.get(path).status_code == 403


@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html><script>alert(1)</script>",
        b"",
        b"\xff\xd8\xff\xe0 cut off",
        photo()[:400],
        b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=["html", "empty", "head of a jpeg", "half a jpeg", "gif", "svg"],
)
def test_what_is_no_photo_is_refused_whatever_it_is_called(console: Running, data: bytes):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        answer = send(browser, page, f"{page}/feed_back", photo=data, note="已填补")
    if not data:  # nothing was chosen: a photo may be left out
        assert answer.status_code == 200
        return
    assert answer.status_code == 422
    assert "照片无法使用" in answer.text
    assert "已填补" in forms_of(answer.text)[f"{page}/feed_back"]["note"]
    assert console.desk.ticket(ticket_id).state == "accepted"
    assert not photos_of(console)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(console: Running):
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        browser.get("/language/en")
        answer = send(browser, page, f"{page}/feed_back", photo=bomb.getvalue())
    assert answer.status_code == 422
    assert "has too many pixels" in answer.text


def test_people_in_a_photo_are_covered_before_it_touches_the_disk(start: Callable[..., Running]):
    def somebody(picture: np.ndarray) -> Snapshot:
        return Snapshot(picture, np.array([[100, 20, 140, 160]], np.float32), ["person"])

    console = start(look=somebody)
    ticket_id = console.file(picture=False)
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    noise = np.random.default_rng(1).integers(0, 256, (180, 320, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    with console.browser("member") as browser:
        assert send(browser, page, f"{page}/feed_back", photo=out.getvalue()).status_code == 200
    (file,) = photos_of(console)
    with Image.open(file) as picture:
        kept = np.asarray(picture).astype(int)
    assert kept.shape == noise.shape
    head, feet = kept[20:58, 100:140], kept[120:158, 100:140]
    assert np.abs(np.diff(head, axis=1)).mean() < 0.3 * np.abs(np.diff(feet, axis=1)).mean()


@pytest.mark.parametrize(
    "action, user", [("feed_back", "member"), ("return", "member"), ("rework", "head")]
)
def test_a_photo_that_can_not_be_covered_is_not_kept_and_nothing_is_done(
    start: Callable[..., Running], action: str, user: str
):
    def no_model():
        raise ModelError("is missing", where="model.path")

    console = start(look=PrivacyLook(no_model))
    ticket_id = console.file(picture=False)
    page = f"/tickets/{ticket_id}"
    if action != "return":
        console.desk.move(ticket_id, "accept", by="member")
    if action == "rework":
        console.desk.move(ticket_id, "feed_back", by="member")
    before = console.desk.ticket(ticket_id)
    with console.browser(user) as browser:
        answer = send(browser, page, f"{page}/{action}", photo=photo(), note="看照片")
        assert answer.status_code == 503
        assert "照片没有保存，您的操作没有执行" in answer.text
        assert forms_of(answer.text)[f"{page}/{action}"]["note"] == "看照片"
        browser.get("/language/en")
        english = send(browser, page, f"{page}/{action}", photo=photo(), note="see it").text
        assert "the photo was not kept and nothing was done" in text_of(english)
        assert console.desk.ticket(ticket_id) == before
        assert [path for path in console.folder.rglob("*.jpg") if path.is_file()] == []
        # Without the photo it goes on.
        assert send(browser, page, f"{page}/{action}", note="已到场").status_code == 200
    assert console.desk.ticket(ticket_id).steps[-1].action == action


def test_the_model_is_not_loaded_before_the_first_photo(start: Callable[..., Running]):
    asked = []

    def model():
        asked.append(1)
        raise ModelError("is missing", where="model.path")

    console = start(look=PrivacyLook(model))
    ticket_id = console.file(picture=False)
    page = f"/tickets/{ticket_id}"
    with console.browser("member") as browser:
        send(browser, page, f"{page}/accept")
        assert asked == []
        send(browser, page, f"{page}/feed_back", photo=photo())
    assert asked == [1]


def test_a_ticket_that_changed_since_its_page_was_shown_is_not_touched(console: Running):
    """Its state still allows the step: only the version tells."""
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    action = f"{page}/feed_back"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        form = forms_of(browser.get(page).text)[action] | {"note": "已填补"}
        console.desk.move(ticket_id, "handle", by="李四")
        files = {"photo": ("a.jpg", photo(), "image/jpeg")}
        answer = browser.post(action, data=form, files=files)
        assert answer.status_code == 409
        assert "现在是“处置中”（到场处置，李四，12:00）。您的操作没有执行。" in text_of(answer.text)
        assert console.desk.ticket(ticket_id).state == "handling"
        assert not photos_of(console)
        again = forms_of(answer.text)[action]  # as it is now, with what was written
        assert again["note"] == "已填补"
        assert browser.post(action, data=again).status_code == 303
    assert actions(console, ticket_id)[-1] == ("feed_back", "member")


def test_a_photo_that_was_fed_back_by_another_way_stands_in_the_history(
    console: Running,
):
    ticket_id = console.file(picture=False)
    console.desk.move(ticket_id, "accept", by="member")
    feedback = Feedback(console.desk, console.pictures)
    feedback.done(ticket_id, by="郑好拍", picture=np.full((90, 160, 3), 99, np.uint8))
    with console.browser("head") as browser:
        html = browser.get(f"/tickets/{ticket_id}").text
        (path,) = {part.split('"')[0] for part in html.split('src="') if "/photos/" in part[:80]}
        answer = browser.get(path)
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (160, 90)


def test_a_photo_in_the_history_can_not_be_replaced_by_sending_its_form_again(console: Running):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        form = forms_of(browser.get(page).text)[f"{page}/feed_back"]
        for size in ((400, 300), (80, 60)):
            files = {"photo": ("a.jpg", photo(size), "image/jpeg")}
            assert browser.post(f"{page}/feed_back", data=form, files=files).status_code == 303
    (kept,) = photos_of(console)
    with Image.open(kept) as picture:
        assert picture.size == (400, 300)
    assert actions(console, ticket_id).count(("feed_back", "member")) == 1


def test_the_photo_of_a_step_that_was_refused_is_not_kept(console: Running):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("command") as browser:
        form = forms_of(browser.get(page).text)[f"{page}/feed_back"]
        for action in ("feed_back", "close"):
            console.desk.move(ticket_id, action, by="李四")  # type: ignore[arg-type]
        files = {"photo": ("a.jpg", photo(), "image/jpeg")}
        assert browser.post(f"{page}/feed_back", data=form, files=files).status_code == 409
    assert not photos_of(console)
    (link,) = console.pictures.store.ledger.deletions()
    assert (link.said["owner"], link.said["rule"]) == (ticket_id, "its step was refused")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_photos_of_phones_are_scaled_and_become_jpeg(console: Running, form: str):
    ticket_id = console.file(picture=False)
    page = f"/tickets/{ticket_id}"
    console.desk.move(ticket_id, "accept", by="member")
    with console.browser("member") as browser:
        send(browser, page, f"{page}/feed_back", photo=photo((4000, 3000), form))
    (file,) = photos_of(console)
    with Image.open(file) as kept:
        assert (kept.format, kept.size) == ("JPEG", (1280, 960))


def test_a_body_beyond_the_limit_is_read_to_the_end_kept_nowhere_and_answered(
    start: Callable[..., Running],
):
    console = start(upload_mb=1)
    ticket_id = console.file()
    with console.browser("member") as browser:
        answer = browser.post(
            f"/tickets/{ticket_id}/accept", files={"photo": ("a.jpg", bytes(30_000_000))}
        )
        assert answer.status_code == 413
        assert "太大" in answer.text
        assert browser.get("/queue").status_code == 200


def test_a_body_that_does_not_say_its_length_is_cut(start: Callable[..., Running]):
    console = start(upload_mb=1)
    with console.browser("member") as browser:
        cookie = f"gridwatch={browser.cookies['gridwatch']}"
    address = urlsplit(console.url)
    with socket.create_connection((address.hostname, address.port)) as line:
        head = (
            f"POST /tickets/x/accept HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {cookie}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        line.sendall(head.encode())
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        try:
            for _ in range(40):
                line.sendall(chunk)
        except OSError:
            pass  # cut off
        # Which of the two it is depends on how much had come when it was cut.
        assert line.recv(12) in (b"HTTP/1.1 413", b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "fields",
    [
        {"command_id": ""},
        {"command_id": "../x"},
        {"note": "字" * 2001},
        {"version": ""},
        {"version": "-1"},
        {"version": "²"},
    ],
)
def test_a_form_that_makes_no_sense_changes_nothing(console: Running, fields: dict[str, str]):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    with console.browser("member") as browser:
        assert (
            send(browser, page, f"{page}/escalate", **({"note": "太大"} | fields)).status_code
            == 422
        )
    assert console.desk.ticket(ticket_id).state == "dispatched"


def test_steps_that_are_the_desks_own_can_not_be_asked_for(console: Running):
    ticket_id = console.file()
    page = f"/tickets/{ticket_id}"
    with console.browser("admin") as browser:
        form = forms_of(browser.get(page).text)[f"{page}/accept"]
        for action in ("file", "merge", "reopen", "nothing", "__class__"):
            assert browser.post(f"{page}/{action}", data=form).status_code == 404
    assert console.desk.ticket(ticket_id).state == "dispatched"


def test_command_dispatches_what_waits_for_review_or_rejects_it(console: Running):
    first, second = (console.file(n, hazard="crowd", east_m=300 * n) for n in (1, 3))
    with console.browser("command") as browser:
        send(browser, f"/tickets/{first}", f"/tickets/{first}/dispatch")
        send(browser, f"/tickets/{second}", f"/tickets/{second}/reject", note="是集市")
    assert console.desk.ticket(first).state == "dispatched"
    assert console.desk.ticket(second).state == "rejected"
    assert [one.ticket_id for one in console.desk.read_queue(EAST)] == [first]
