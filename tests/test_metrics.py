"""A box is watched from outside: metrics in Prometheus's format, made when they are asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.clock import ManualClock
from pipeline.ingest import CameraStatus, Spread, SpreadCounts, WorkerState
from pipeline.metrics import registry_of
from pipeline.vitals import Ever, Pulse, Vitals, readiness, stuck

DOCS = Path(__file__).parents[1] / "docs" / "operations.md"


def spread(*values: float, bounds: tuple[float, ...] = (2.0, 5.0, 15.0)) -> SpreadCounts:
    made = Spread(bounds)
    for value in values:
        made.add(value)
    return made.counts()


LIVE = CameraStatus("c", "live", 900.0)
VITALS = Vitals(
    at=1000.0,
    cameras={
        "c1": CameraStatus("c1", "live", 900.0, last_look_at=997.5),
        "c2": CameraStatus("c2", "live", 900.0, last_look_at=1000.5),  # captured just now
        "c3": CameraStatus("c3", "unreachable", 900.0, "rtsp://h/1 拒绝连接 / refused"),
    },
    detector_warm=True,
    desk_reachable=True,
    outbox_writable=True,
    threads={"detector": 0.1, "board": 2.0},
    workers=(
        WorkerState(0, "running", 900.0, 3, {}, "", 77, rss_bytes=300_000_000, fds=20, threads=9),
        WorkerState(1, "waiting", 990.0, 0, {"memory": 2}, "too large"),
    ),
    worker_restarts={"memory": 2},
    looks={("whole", "done"): 7, ("whole", "replaced"): 1, ("road", "done"): 3},
    key_frames=40,
    pictures=30,
    reconnects=5,
    gaps={"whole": spread(5.0, 5.0, 12.0, 4000.0)},
    lateness=spread(0.25, 3.0),
    pace_stretch=1.5,
    detect={8: spread(0.2, bounds=(0.1, 1.0))},
    outbox_backlog=4,
    incidents={"crowd": 2},
    list_applied_at=950.0,
    build={"version": "1", "model": "street-n"},
)


def samples(vitals: Vitals, *, per_camera: bool = True) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of the labels' names) -> value, as Prometheus reads them."""
    text = generate_latest(registry_of(lambda: vitals, per_camera=per_camera)).decode()
    return {
        (one.name, *(one.labels[label] for label in sorted(one.labels))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_cameras_are_counted_by_state_with_those_that_nobody_is_in():
    found = samples(VITALS)
    assert found["gridwatch_cameras", "live"] == 2
    assert found["gridwatch_cameras", "unreachable"] == 1
    assert found["gridwatch_cameras", "moved"] == 0


def test_ages_are_those_of_cameras_that_gave_a_look():
    found = samples(VITALS)
    ages = {key[1]: value for key, value in found.items() if key[0].endswith("look_age_seconds")}
    assert ages == {"c1": 2.5, "c2": 0.0}


def test_a_series_for_every_camera_can_be_left_out():
    assert not any("c1" in key for key in samples(VITALS, per_camera=False))


def test_looks_workers_and_incidents_carry_their_labels():
    found = samples(VITALS)
    assert found["gridwatch_looks_total", "replaced", "whole"] == 1
    assert found["gridwatch_looks_total", "done", "road"] == 3
    assert found["gridwatch_worker_rss_bytes", "0"] == 300_000_000
    assert found["gridwatch_worker_up", "1"] == 0
    assert found["gridwatch_worker_restarts_total", "memory"] == 2
    assert found["gridwatch_incidents_total", "crowd"] == 2
    assert found["gridwatch_key_frames_total",] == 40
    assert found["gridwatch_pictures_total",] == 30
    assert found["gridwatch_build_info", "street-n", "1"] == 1
    assert found["gridwatch_pace_stretch",] == 1.5


def test_a_histogram_counts_what_lies_at_or_below_each_bound():
    found = samples(VITALS)
    name = "gridwatch_look_gap_seconds_bucket"
    assert found[name, "2.0", "whole"] == 0
    assert found[name, "5.0", "whole"] == 2
    assert found[name, "15.0", "whole"] == 3
    assert found[name, "+Inf", "whole"] == 4
    assert found["gridwatch_look_gap_seconds_count", "whole"] == 4
    assert found["gridwatch_look_gap_seconds_sum", "whole"] == 4022.0
    assert found["gridwatch_look_lateness_seconds_count",] == 2
    assert found["gridwatch_detect_seconds_bucket", "8", "1.0"] == 1


def test_numbers_are_those_of_the_moment_one_asks():
    moments = iter((VITALS, replace(VITALS, outbox_backlog=0)))
    registry = registry_of(lambda: next(moments))
    assert b"gridwatch_outbox_backlog 4.0" in generate_latest(registry)
    assert b"gridwatch_outbox_backlog 0.0" in generate_latest(registry)


def test_a_sum_over_cameras_never_falls():
    looks = Ever(lambda status: status.looks)

    def total(**counts: int) -> int:
        return looks.total({name: replace(LIVE, looks=count) for name, count in counts.items()})

    assert total(a=5, b=3) == 8
    assert total(a=7, b=3) == 10
    assert total(a=7) == 10, "b was taken out of the list"
    assert total(a=2) == 12, "its worker was replaced and counts anew"
    assert total(a=2, b=1) == 13


def test_a_refused_camera_list_shows():
    assert samples(VITALS)["gridwatch_camera_list_good",] == 1
    assert samples(replace(VITALS, list_problem="line 3"))["gridwatch_camera_list_good",] == 0


def test_a_model_that_was_refused_is_told():
    assert samples(VITALS)["gridwatch_model_good",] == 1
    assert samples(replace(VITALS, model_problem="gone"))["gridwatch_model_good",] == 0


def test_why_a_camera_is_down_stays_out_of_the_metrics():
    assert b"rtsp://" not in generate_latest(registry_of(lambda: VITALS))


def test_the_page_for_operators_names_every_metric():
    page = DOCS.read_text("utf-8")
    text = generate_latest(registry_of(lambda: VITALS)).decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE gridwatch_")}
    assert len(names) > 15
    told = set(re.findall(r"`(gridwatch_\w+)`", page))
    assert told == names


def test_its_rules_ask_for_nothing_that_is_not_told():
    asked = set(re.findall(r"\bgridwatch_\w+", DOCS.read_text("utf-8")))
    text = generate_latest(registry_of(lambda: VITALS)).decode()
    told = {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line[0] != "#"}
    histograms = {name.removesuffix("_bucket") for name in told if name.endswith("_bucket")}
    assert asked <= told | histograms


def test_its_rules_are_yaml():
    (block,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (group,) = yaml.safe_load(block)["groups"]
    assert all({"alert", "expr"} <= rule.keys() for rule in group["rules"])


# --- health -------------------------------------------------------------------------------------


def test_a_thread_hangs_when_it_has_not_come_round_for_a_minute():
    clock = ManualClock(100.0)
    pulse = Pulse(clock)
    pulse.beat("detector")
    clock.move_to(150.0)
    pulse.beat("board")
    clock.move_to(165.0)
    assert pulse.ages() == {"detector": 65.0, "board": 15.0}
    assert stuck(replace(VITALS, threads=pulse.ages())) == {"detector": 65.0}


def test_a_box_is_ready_with_model_desk_and_a_worker():
    assert readiness(VITALS) == {"detector": "", "desk": "", "workers": ""}


@pytest.mark.parametrize(
    "change, part",
    [
        ({"detector_warm": False}, "detector"),
        ({"desk_reachable": False, "outbox_writable": False}, "desk"),
        ({"workers": ()}, "workers"),
        ({"workers": (VITALS.workers[1],)}, "workers"),
    ],
)
def test_it_is_not_without_one_of_them_and_says_which(change, part):
    missing = {name: why for name, why in readiness(replace(VITALS, **change)).items() if why}
    assert list(missing) == [part]
    assert " / " in missing[part], "Chinese and English"


def test_redis_away_leaves_it_ready_while_the_outbox_takes_incidents():
    assert not any(readiness(replace(VITALS, desk_reachable=False)).values())


def test_with_no_camera_to_watch_no_worker_is_missed():
    off = {"c1": CameraStatus("c1", "disabled", 0.0)}
    assert not any(readiness(replace(VITALS, cameras=off, workers=())).values())
