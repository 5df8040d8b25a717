"""The one run that measures a GPU box: whatever fails, the file tells of everything."""

from __future__ import annotations

import json
import os

import pytest
import spotter
from typer.testing import CliRunner

from pipeline.bench.gpu_use import ASKED, GpuWatch, gpus
from pipeline.clock import ManualClock
from pipeline.detect.ladder import NAMES
from scripts.gpu import ON_GPU, WAYS, app

QUICK = ("--rounds", "3", "--seconds", "1", "--batch", "16")


def run(out, *arguments):
    done = CliRunner().invoke(app, ["--out", str(out), *QUICK, *map(str, arguments)])
    return done, json.loads(out.read_text("utf-8"))


@pytest.fixture(scope="module")
def no_gpu(tmp_path_factory):
    """The whole run on a machine without a GPU, with a small model."""
    folder = tmp_path_factory.mktemp("gpu")
    model = spotter.write(folder).path
    found = run(folder / "gpu.json", model, "--provider", "cuda", "--provider", "cpu")
    return (*found, model)


def test_the_processor_is_measured_by_batch_and_under_load(no_gpu):
    _, found, model = no_gpu
    rows = {row["what"]: row for row in found["measured"] if row["provider"] == "cpu"}
    assert set(rows) == {"detect", "town"}
    for row in rows.values():
        assert row["model"] == str(model)
        assert row["took_s"] > 0
    names = {figure["name"] for figure in rows["detect"]["figures"]}
    assert {"look_in_batch_of_1", "look_in_batch_of_16", "outside_the_session"} <= names
    assert {"cameras", "p99_at_95%"} <= {figure["name"] for figure in rows["town"]["figures"]}


@pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")
def test_what_a_machine_lacks_is_told_with_its_reason_and_as_a_failure(no_gpu):
    done, found, _ = no_gpu
    failed = {row["provider"] or row["what"]: row for row in found["measured"] if "failed" in row}
    assert NAMES["cuda"] in failed["cuda"]["failed"]
    assert failed["decode"]["failed"]
    assert done.exit_code == 1
    assert "nothing was measured on a GPU" in done.stderr


def test_the_file_says_what_it_was_measured_on_and_with(no_gpu):
    _, found, _ = no_gpu
    assert found["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert NAMES["cpu"] in found["machine"]["providers"]
    assert found["how"]["batch"] == 16


def test_one_that_takes_too_long_is_ended_and_costs_nothing_else(tmp_path):
    _, late = run(tmp_path / "late.json", "none.onnx", "--provider", "cpu", "--limit-s", "0.2")
    assert len(late["measured"]) == 3
    assert all("took longer than 0 s" in row["failed"] for row in late["measured"])


def test_when_the_time_is_over_the_rest_is_told_as_not_begun(tmp_path):
    _, over = run(tmp_path / "over.json", "none.onnx", "--provider", "cpu", "--minutes", "0.01")
    assert all("not begun" in row["failed"] for row in over["measured"])


def test_what_a_gpu_is_asked_for_comes_first():
    assert [provider for provider, _ in WAYS][: len(ON_GPU)] == list(ON_GPU)
    assert WAYS[-1] == ("cpu", False)


def test_how_busy_a_gpu_was_is_its_mean_and_its_most():
    told = iter([("10", "100", "50"), ("90", "300", "[N/A]")])

    def ask():
        found = next(told, None)
        if found is None:
            watch._stop.set()
            return []
        busy, memory, power = found
        values = dict.fromkeys(ASKED, "x")
        return [values | {"utilization.gpu": busy, "memory.used": memory, "power.draw": power}]

    watch = GpuWatch(ManualClock(), ask)
    with watch:
        watch._thread.join(20)
    use = watch.use
    assert (use.samples, use.busy_mean, use.busy_most) == (2, 50, 90)
    assert (use.memory_most_mib, use.power_mean_w) == (300, 25)


def test_where_there_is_no_gpu_nothing_is_told_of_its_use():
    with GpuWatch(ManualClock(), list) as watch:
        watch._thread.join(20)
    assert watch.use is None
