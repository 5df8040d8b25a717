"""What `gridwatch bench town` measures, in fractions of a second on a tiny network."""

from __future__ import annotations

import pytest
import spotter

from pipeline.bench import bench_town
from pipeline.bench.town import LOADS
from pipeline.clock import SystemClock
from pipeline.rehearsal import CLIPS


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    settings = spotter.write(tmp_path_factory.mktemp("spotter")).model_copy(update={"batch": 4})
    said = []
    figures = bench_town(
        settings, CLIPS / "quiet_street.mp4", seconds=1, clock=SystemClock(), say=said.append
    )
    return {figure.name: figure for figure in figures}, said


def test_a_look_on_the_daemons_way_stands_beside_a_bare_session(measured):
    figures, _ = measured
    assert figures["look"].floor > 0
    assert figures["look"].target is not None
    assert figures["cameras"].figure == pytest.approx(0.95 * 1000 / figures["look"].figure)


def test_detections_come_later_the_more_there_is_to_do_and_never_before_their_picture(measured):
    figures, said = measured
    for load in LOADS:
        assert 0 < figures[f"p50_at_{load:.0%}"].figure <= figures[f"p99_at_{load:.0%}"].figure
    assert len(said) == 2 + len(LOADS)
