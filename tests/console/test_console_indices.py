"""The page of the indices: the same figures as on the command line, of the visitor's grids."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest
from console_town import EAST, TOP, WEST
from forms import text_of
from lxml import etree

from pipeline.console import charts
from pipeline.console.charts import Point
from pipeline.console.index_words import INDICES
from pipeline.tickets.indices import RATES, indices_of

if TYPE_CHECKING:
    from console_town import Running

HOUR = 3600.0
SVG = "{http://www.w3.org/1999/xhtml}svg"


def worked(console: Running) -> None:
    """In the east one handled in time and one late; in the west one that nobody took."""
    good, late = console.file(1), console.file(2, east_m=500)
    console.file(3, hazard="blockage", east_m=-600)
    for action in ("accept", "feed_back"):
        console.desk.move(good, action, by="王")
    console.clock.move_to(console.clock.now() + 25 * HOUR)
    for action in ("accept", "feed_back"):
        console.desk.move(late, action, by="王")


def file_of(console: Running, name: str, query: str = "", **cookies: str) -> list[dict[str, str]]:
    with console.browser(name, cookies=cookies) as browser:
        answer = browser.get("/indices.csv" + query)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf"), "Excel must see that it is UTF-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_names_on_the_page_are_those_of_the_calculation():
    assert {name: said for name, (said, _) in RATES.items()} == {
        name: of.name[0] for name, of in INDICES.items()
    }


def test_the_file_has_what_the_command_counts(console: Running):
    worked(console)
    expected = indices_of(
        console.desk.histories(), "grid", now=console.clock.now(), file_within_s=600.0
    )
    rows = {row["group"]: row for row in file_of(console, "command", lang="en")}
    assert rows.keys() == {one.group for one in expected} == {EAST, WEST}
    for one in expected:
        said = rows[one.group]
        for name, value in one.row().items():
            assert said[name] == ("" if value is None else str(value))
    chinese = {row["网格"]: row for row in file_of(console, "command")}
    assert chinese[EAST]["名称"] == "东村二网格"
    assert (chinese[EAST]["按时处置数"], chinese[EAST]["按时处置率"]) == ("1", "0.5")


@pytest.mark.parametrize(
    "name,grids", [("member", {EAST}), ("west", {WEST}), ("admin", {EAST, WEST})]
)
def test_nobody_sees_the_figures_of_other_grids(console: Running, name: str, grids: set[str]):
    worked(console)
    assert {row["网格"] for row in file_of(console, name)} == grids
    with console.browser(name) as browser:
        html = browser.get("/indices").text
        assert {code for code in (EAST, WEST) if f'value="{code}"' in html} == grids
        assert ("西村一网格" in text_of(html)) == (WEST in grids)
        assert browser.get("/indices", params={"grid": WEST}).status_code == (
            200 if WEST in grids else 403
        )


def test_a_grid_that_holds_others_counts_them(console: Running):
    worked(console)
    assert {row["网格"] for row in file_of(console, "command", f"?grid={TOP}")} == {EAST, WEST}
    assert {row["网格"] for row in file_of(console, "command", f"?grid={EAST}")} == {EAST}
    with console.browser("command") as browser:
        assert browser.get("/indices?grid=999").status_code == 404


def test_the_page_shows_a_figure_its_definition_a_chart_and_the_table(console: Running):
    worked(console)
    with console.browser("command") as browser:
        html = browser.get("/indices?index=handled_rate").text
    for name in INDICES:
        assert html.count(f"index={name}&amp;") >= 1 or f"index={name}" in html
    assert "按时处置数 ÷ 应处置数" in html
    (chart,) = re.findall(r"(?s)<svg.*?</svg>", html)
    drawn = etree.fromstring(chart)
    ids = drawn.get("aria-labelledby").split()
    texts = {one.get("id"): one.text for one in drawn if one.get("id")}
    assert [bool(texts[one]) for one in ids] == [True, True]
    # The worst comes first: in the west nobody came.
    assert texts["chart-desc"].startswith("西村一网格 0.0 %; 东村二网格 100.0 %")
    widths = [one.get("width") for one in drawn if one.get("class") == "bar"]
    assert widths == ["0.0%", "100.0%"]
    assert "style=" not in html


def test_groups_can_be_departments_hazards_and_months(console: Running):
    worked(console)
    assert {row["部门"] for row in file_of(console, "command", "?by=department")} == {"城市管理"}
    rows = file_of(console, "command", "?by=hazard")
    assert {row["名称"] for row in rows} == {"路面塌陷", "道路受阻"}
    assert [row["月份"] for row in file_of(console, "command", "?by=month")] == ["2026-11"]
    with console.browser("command") as browser:
        assert 'class="chart upright"' in browser.get("/indices?by=month").text
        assert "没有立案的案卷" in browser.get("/indices?month=2026-10").text


@pytest.mark.parametrize(
    "query,status",
    [
        ("by=colour", 404),
        ("index=beauty", 404),
        ("month=2026-13", 422),
        ("month=0000-01", 422),
        ("month=year", 200),
        ("grid=", 200),
    ],
)
def test_what_there_is_not_is_said(console: Running, query: str, status: int):
    with console.browser("member") as browser:
        answer = browser.get(f"/indices?{query}")
    assert answer.status_code == status


def test_figures_are_counted_again_after_a_minute(console: Running):
    with console.browser("command") as browser:
        assert "立案 0" in text_of(browser.get("/indices").text)
        console.file(1)
        assert "立案 0" in text_of(browser.get("/indices").text)
        console.clock.sleep(61)
        assert "立案 1" in text_of(browser.get("/indices").text)


def test_a_month_without_anything_has_no_column_and_a_full_one_the_whole_height():
    chart = charts.columns([Point("2026-10", None), Point("2026-11", 1.0), Point("2026-12", 0.5)])
    assert [bar.said for bar in chart.bars] == ["—", "100", "50"]
    assert [bar.height for bar in chart.bars] == [0.0, 150.0, 75.0]
    assert all(bar.y + bar.height == chart.bars[0].y for bar in chart.bars)
    assert chart.bars[-1].x + chart.bars[-1].width <= 100
