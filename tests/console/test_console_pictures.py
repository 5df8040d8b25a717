"""Live pictures over HTTP: for those who may see the camera, and who looked is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticket_town import NOON

from pipeline.errors import DeskUnavailableError
from pipeline.tickets import Shot

if TYPE_CHECKING:
    import pytest
    from console_town import Running

PATH = "/cameras/cam-1/picture"


def put(console: Running, camera_id: str = "cam-1", at: float = NOON - 2) -> Shot:
    for size, data in (("wall", b"small"), ("view", b"large")):
        shot = Shot(camera_id, size, data, at, 320, 180)  # type: ignore[arg-type]
        console.watching.shots.put(shot)
    return shot


def test_who_asks_first_hears_that_there_is_none_yet_and_the_boxes_that_somebody_looks(
    console: Running,
):
    with console.browser("member") as browser:
        assert console.watching.shots.wanted() == []
        none = browser.get(PATH)
        assert none.status_code == 404
        assert "还没有这台摄像机的画面" in none.text
        browser.get(PATH, params={"size": "view"})
    wanted = {(one.camera_id, one.size) for one in console.watching.shots.wanted()}
    assert wanted == {("cam-1", "wall"), ("cam-1", "view")}


def test_the_newest_picture_comes_once_and_then_only_when_there_is_a_newer_one(console: Running):
    put(console)
    with console.browser("member") as browser:
        for size, data in (("wall", b"small"), ("view", b"large")):
            found = browser.get(PATH, params={"size": size})
            assert (found.status_code, found.content) == (200, data)
            assert found.headers["content-type"] == "image/jpeg"
            assert "private" in found.headers["cache-control"]
            assert float(found.headers["x-taken-at"]) == NOON - 2
            again = {"If-None-Match": found.headers["etag"]}
            same = browser.get(PATH, params={"size": size}, headers=again)
            assert (same.status_code, same.content) == (304, b"")
        put(console, at=NOON - 1)
        newer = browser.get(PATH, params={"size": "view"}, headers=again)
        assert (newer.status_code, float(newer.headers["x-taken-at"])) == (200, NOON - 1)


def test_the_picture_that_somebody_saw_can_be_had_after_a_newer_one_came(console: Running):
    seen = put(console)
    put(console, at=NOON - 1)
    with console.browser("member") as browser:
        found = browser.get(PATH, params={"size": "view", "shot": seen.shot_id})
        assert float(found.headers["x-taken-at"]) == seen.taken_at
        gone = browser.get(PATH, params={"size": "view", "shot": "17"})
        assert (gone.status_code, "已不存在" in gone.text) == (404, True)
        assert browser.get(PATH, params={"size": "huge"}).status_code == 422


def test_only_who_may_see_the_camera_sees_its_picture(console: Running):
    put(console)
    put(console, "cam-2")
    with console.browser("member") as east, console.browser("west") as west:
        assert east.get(PATH).status_code == 200
        assert east.get("/cameras/cam-2/picture").status_code == 403
        assert west.get(PATH).status_code == 403
        assert west.get("/cameras/cam-2/picture").status_code == 200
        assert west.get("/cameras/nowhere/picture").status_code == 404
    with console.browser("operator") as anywhere:
        assert anywhere.get(PATH).status_code == 200
    with console.browser() as nobody:
        assert nobody.get(PATH).status_code == 401


def test_a_look_at_one_camera_stands_in_the_audit_once_a_minute_a_wall_does_not(console: Running):
    put(console)
    with console.browser("member") as browser:
        browser.get(PATH)
        assert console.watching.audit.lines() == []
        for _ in range(3):
            browser.get(PATH, params={"size": "view"})
        console.clock.sleep(61)
        browser.get(PATH, params={"size": "view"})
    with console.browser("李四") as browser:
        browser.get(PATH, params={"size": "view"})
    lines = console.watching.audit.lines()
    assert [(one.who, one.origin) for one in lines] == [
        ("李四", "127.0.0.1"),
        ("member", "127.0.0.1"),
        ("member", "127.0.0.1"),
    ]
    assert {(one.action, one.subject) for one in lines} == {("patrol look", "cam-1")}


def test_what_can_not_be_recorded_is_not_shown(console: Running, monkeypatch: pytest.MonkeyPatch):
    put(console)

    def fails(*_: object, **__: object) -> None:
        raise DeskUnavailableError("writing the audit: refused")

    monkeypatch.setattr(console.watching.audit, "record", fails)
    with console.browser("member") as browser:
        assert browser.get(PATH, params={"size": "view"}).status_code == 503
        assert browser.get(PATH).status_code == 200
