"""What `gridwatch bench console` measures, with few pages and actions."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the console is not installed")

from pipeline.bench.console import bench_console, why_no_phone
from pipeline.clock import SystemClock


@pytest.fixture(scope="module")
def figures():
    found = bench_console(
        pages=200,
        rate=5.0,
        seconds=2.0,
        phone=why_no_phone() is None,
        clock=SystemClock(),
        say=lambda _: None,
    )
    return {one.name: one for one in found}


def test_all_pages_stay_open_hear_the_news_and_ask_anew(figures):
    assert figures["open_pages"].figure == 200
    assert figures["news_per_s"].figure > 0
    assert figures["renewed_per_s"].figure > 0


def test_an_action_stands_beside_the_bare_step_and_has_a_target(figures):
    assert figures["action_p50"].floor > 0
    assert figures["action_p50"].figure <= figures["action_p95"].figure
    assert figures["action_p95"].met is (figures["action_p95"].figure <= 100)
    assert 30 < figures["memory"].figure < 1000


@pytest.mark.skipif(why_no_phone() is not None, reason="no Chromium")
def test_the_telephone_is_slow_and_its_first_page_is_small(figures):
    # One way there and back and the page's 15 kB at 400 kbit/s take longer than this.
    assert figures["phone_first_paint"].figure > 600
    assert 10_000 < figures["phone_first_bytes"].figure < 150_000
    assert figures["phone_again_bytes"].figure < figures["phone_first_bytes"].figure
    assert figures["phone_accept"].figure > 400
