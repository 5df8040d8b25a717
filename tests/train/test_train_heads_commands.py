"""Commands of the head counter: what a training is given, and what is written about it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from typer.testing import CliRunner  # noqa: E402

from scripts.train.__main__ import app  # noqa: E402 - needs torch
from scripts.train.heads import loop  # noqa: E402
from scripts.train.heads.network import HeadNet  # noqa: E402


@pytest.fixture
def data(tmp_path):
    """Two pictures of two sources."""
    rows = ["split,name,source,group"]
    for name, source in (("one", "lightly_coco"), ("two", "detrac_sub")):
        for folder in ("images", "labels"):
            (tmp_path / "data" / "train" / folder).mkdir(parents=True, exist_ok=True)
        picture = cv2.imencode(".jpg", np.full((90, 160, 3), 90, np.uint8))[1]
        (tmp_path / "data" / "train" / "images" / f"{name}.jpg").write_bytes(picture)
        label = tmp_path / "data" / "train" / "labels" / f"{name}.txt"
        label.write_text("0 0.5 0.5 0.1 0.6\n")
        rows.append(f"train,{name},{source},")
    (tmp_path / "data" / "index.csv").write_text("\n".join(rows))
    return tmp_path / "data"


def test_sources_can_be_left_out_and_those_of_the_start_stay_on_record(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SHARES", 1)
    before, out = tmp_path / "before", tmp_path / "run"
    before.mkdir()
    torch.save(HeadNet().state_dict(), before / "weights.pt")
    earlier = {"training": "9 steps", "pictures": {"rdd2022_china": 7}}
    (before / "run.json").write_text(json.dumps(earlier))
    line = ["heads", "--out", str(out), "--start", str(before / "weights.pt"), "--steps", "1"]
    done = CliRunner().invoke(app, [*line, "--data", str(data), "--without", "detrac"])
    assert done.exit_code == 0, done.output
    record = json.loads((out / "run.json").read_text())
    assert record["pictures"] == {"rdd2022_china": 7, "lightly_coco": 1}
    assert record["training"].startswith("9 steps; then 1 steps of 16 crops")
    assert (out / "weights.pt").exists()
