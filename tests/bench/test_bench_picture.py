"""Figures of a bench as a picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from pipeline.bench import Figure, draw

FIGURES = [
    Figure("look", 30.0, 20.0, "ms", "a look <whole>", 1.05),
    Figure("outside", -0.1, None, "ms", "outside", 0.3, of_ratio=False),
    Figure("memory", 3.0, 12.0, "MiB", "of a camera"),
]


def bars(figures, tmp_path):
    draw(figures, tmp_path / "plot.svg", "检测 & more")
    root = ET.fromstring((tmp_path / "plot.svg").read_text("utf-8"))
    found = root.iter("{http://www.w3.org/2000/svg}rect")
    return [(float(one.get("width")), one.get("fill")) for one in found if one.get("x")]


def test_every_figure_has_a_bar_and_its_floor_another_on_the_scale_of_their_unit(tmp_path):
    look, floor, outside, memory, other = [width for width, _ in bars(FIGURES, tmp_path)]
    assert round(floor / look, 2) == 0.67
    assert outside == 0  # less than nothing is noise
    assert other > memory
    assert other == look


def test_a_figure_that_misses_its_target_stands_out(tmp_path):
    colours = [colour for _, colour in bars(FIGURES, tmp_path)]
    assert colours[0] != colours[3]
    assert colours[1] == colours[4]
