"""What a ticket's page shows of its place: before and after, the error circle, what is near."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from console_town import EAST
from forms import text_of
from ticket_town import NOON, incident

from pipeline.console.plan import HEIGHT, WIDTH, plan_of, reach_m
from pipeline.settings import EvidenceSettings
from pipeline.tickets import write_evidence
from pipeline.tickets.drawing import jpeg
from pipeline.tickets.store import name_of
from pipeline.town import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from console_town import Running


def gone(console: Running) -> str:
    """A ticket whose hazard was seen to be gone, with the picture of that."""
    found = incident(1)
    gray = np.full((180, 320, 3), 90, np.uint8)
    evidence = write_evidence(
        gray,
        np.zeros((0, 4), np.float32),
        [],
        incident=found,
        settings=EvidenceSettings(min_free_mb=0),
        data_dir=console.folder,
    )
    ticket_id = console.desk.file(found, evidence).ticket_id
    cleared = replace(found, cleared_at=NOON + 1800)
    after = name_of(cleared, "after")
    (console.folder / "evidence" / after).write_bytes(jpeg(gray + 90, 85))
    console.desk.update(cleared)
    console.desk.evidence.attach(found.incident_id, replace(evidence, after=after))
    return ticket_id


def svg_of(html: str) -> str:
    return html.partition('<svg viewBox="0 0 400 300"')[2].partition("</svg>")[0]


def test_before_and_after_stand_below_each_other_with_the_times_they_were_seen(console: Running):
    ticket_id = gone(console)
    console.clock.move_to(NOON + 3600)
    with console.browser("head") as browser:
        html = browser.get(f"/tickets/{ticket_id}").text
        for kind in ("plain", "after"):
            assert f'src="/tickets/{ticket_id}/pictures/0/{kind}"' in html
            assert browser.get(f"/tickets/{ticket_id}/pictures/0/{kind}").status_code == 200
    assert "处置前 12:00" in text_of(html)
    assert "消失后 12:30" in text_of(html)


def test_a_ticket_whose_hazard_is_still_there_compares_nothing(console: Running):
    ticket_id = console.file()
    with console.browser("head") as browser:
        assert 'class="compare"' not in browser.get(f"/tickets/{ticket_id}").text


def test_the_small_map_shows_the_error_circle_borders_and_the_open_tickets_near(console: Running):
    ticket_id = console.file(1, east_m=60, radius_m=30)
    near = console.file(2, hazard="blockage", east_m=100, north_m=40)
    done = console.file(3, hazard="road_damage", east_m=20, north_m=-40)
    far = console.file(4, hazard="blockage", east_m=600)
    for action in ("accept", "feed_back", "close"):
        console.desk.move(done, action, by="李四")  # type: ignore[arg-type]
    with console.browser("command") as browser:
        html = browser.get(f"/tickets/{ticket_id}").text
    drawn = svg_of(html)
    assert 'class="error" cx="200" cy="150" r="40.0"' in drawn  # 30 m where 400 units are 300 m
    assert drawn.count('class="near') == 1
    assert '<path class="own"' in drawn
    assert '<path class="other"' in drawn
    listed = html.partition("附近未结案卷")[2].partition("</ol>")[0]
    assert f'href="/tickets/{near}"' in listed
    assert "57 m" in listed
    assert done not in listed
    assert far not in listed


def test_a_neighbour_that_is_not_ones_own_is_not_told(console: Running):
    ticket_id = console.file(1, east_m=30)
    other = console.file(2, hazard="blockage", east_m=-30)
    with console.browser("member") as browser:
        html = browser.get(f"/tickets/{ticket_id}").text
    assert other not in html
    assert 'class="near' not in svg_of(html)


def test_a_place_that_could_be_anywhere_has_no_map(console: Running):
    assert reach_m(Place(113.4, 34.8, 3.0, "pose")) == 150
    assert reach_m(Place(113.4, 34.8, 400.0, "camera")) == 1000
    assert reach_m(Place(113.4, 34.8, 5000.0, "reported")) is None
    ticket_id = console.file(1, radius_m=5000.0)
    with console.browser("command") as browser:
        assert svg_of(browser.get(f"/tickets/{ticket_id}").text) == ""


def test_tiles_of_ones_own_lie_where_they_belong(console: Running, start: Callable[..., Running]):
    ticket = console.desk.ticket(console.file(1))
    tiles = "http://10.0.0.9/{z}/{x}/{y}.png"
    plan = plan_of(ticket, [], console.desk.town.grids, tiles)
    assert 4 <= len(plan.tiles) <= 24
    # They cover the drawing without gaps, and the ticket lies in the tile that holds its place.
    assert min(one.x for one in plan.tiles) <= 0
    assert max(one.x + one.width for one in plan.tiles) >= WIDTH
    assert min(one.y for one in plan.tiles) <= 0
    assert max(one.y + one.height for one in plan.tiles) >= HEIGHT
    (middle,) = (
        one
        for one in plan.tiles
        if one.x <= WIDTH / 2 < one.x + one.width and one.y <= HEIGHT / 2 < one.y + one.height
    )
    assert middle.url == "http://10.0.0.9/18/213682/104025.png"
    assert abs(middle.width / middle.height - 1) < 0.01
    served = start(tiles=tiles)
    with served.browser("head") as browser:
        answer = browser.get(f"/tickets/{ticket.ticket_id}")
    assert f'href="{middle.url}"' in answer.text
    assert "img-src 'self' blob: data: http://10.0.0.9" in answer.headers["content-security-policy"]


def test_the_desk_finds_what_is_near_nearest_first_of_every_hazard(console: Running):
    ids = [
        console.file(1, east_m=300),
        console.file(2, hazard="blockage", east_m=330),
        console.file(3, hazard="crowd", east_m=250, radius_m=30),
        console.file(5, hazard="crowd", east_m=380, radius_m=90),
    ]
    console.file(4, hazard="road_damage", east_m=700)
    place = console.desk.ticket(ids[0]).place
    assert [one.ticket_id for one in console.desk.near(place, 100)] == ids
    assert console.desk.near(replace(place, lat=place.lat + 0.01), 100) == []


playwright: Any = pytest.importorskip("playwright.sync_api")

from test_console_browser import CHROMIUM, FLAGS, SIZES, violations  # noqa: E402


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")
@pytest.mark.parametrize("size", SIZES)
def test_the_border_of_before_and_after_moves_by_pointer_touch_and_keyboard(
    console: Running, size: str
):
    ticket_id = gone(console)
    width, height = SIZES[size]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(
            base_url=console.url,
            viewport={"width": width, "height": height},
            has_touch=size == "phone",
            is_mobile=size == "phone",
        )
        secret = console.accounts.sessions.begin("head")
        context.add_cookies([{"name": "gridwatch", "value": secret, "url": console.url}])
        page = context.new_page()
        page.goto(f"/tickets/{ticket_id}")
        slider = page.get_by_role("slider", name="前后对比：左右移动分界")
        slider.scroll_into_view_if_needed()
        assert slider.input_value() == "50"
        box = slider.bounding_box()
        assert box["width"] > 0.9 * page.locator(".compare").bounding_box()["width"]
        at = {"x": 0.25 * box["width"], "y": box["height"] / 2}
        if size == "phone":
            slider.tap(position=at)
        else:
            slider.click(position=at)
        assert abs(int(slider.input_value()) - 25) <= 3
        slider.focus()
        page.keyboard.press("End")
        assert slider.input_value() == "100"
        page.keyboard.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == "99 % 处置前"
        after = page.locator(".compare .after")
        assert re.search(r"inset\(0(px|%)? 0(px|%)? 0(px|%)? 99%\)", _clip(after))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert violations(page) == []
        browser.close()


def _clip(one: Any) -> str:
    clip: str = one.evaluate("one => getComputedStyle(one).clipPath")
    return clip


def test_the_first_picture_of_the_own_grid_is_known_by_name(console: Running):
    """The border of the ticket's own grid is told from the others'."""
    ticket = console.desk.ticket(console.file(1, east_m=20))
    plan = plan_of(ticket, [], console.desk.town.grids, None)
    assert {one.name for one in plan.borders if one.own} == {"东村二网格"}
    assert ticket.grid_code == EAST
