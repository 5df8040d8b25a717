"""A checkpoint becomes a model that sees what the trained network saw, or nothing is written."""

from __future__ import annotations

import json

import pytest
import tiny_street

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

import tiny_network  # noqa: E402 - needs torch

from pipeline.detect import Detector  # noqa: E402
from pipeline.errors import DataError, ModelError  # noqa: E402
from pipeline.settings import ModelSettings  # noqa: E402
from scripts.train import export as exporting  # noqa: E402 - needs torch
from scripts.train import graph, network  # noqa: E402
from scripts.train.agreement import agreement  # noqa: E402
from scripts.train.card import note_run  # noqa: E402
from scripts.train.classes import NAMES  # noqa: E402
from scripts.train.delivery import drawn_looks  # noqa: E402
from scripts.train.export import export  # noqa: E402
from scripts.train.i420 import to_rgb  # noqa: E402

SIZES = [(128, 128), (160, 128)]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    tiny_network.save(folder / "last.pt")
    note_run(folder, "no steps", {"rendered": 1})
    score = {"size": SIZES[0], "thresholds": {"person": 0.4}, "scores": {}}
    (folder / "score.json").write_text(json.dumps(score))
    return folder


def models(folder):
    return sorted(path.name for path in folder.glob("*"))


def test_both_sizes_are_written_with_their_cards_and_see_the_same_as_the_network(run, tmp_path):
    out = tmp_path / "models" / "street-n.onnx"
    lines = list(export(run, out, "v1", SIZES, []))
    assert "agree" in lines[0]
    names = ["street-n-160.json", "street-n-160.onnx", "street-n.json", "street-n.onnx"]
    assert models(out.parent) == names
    detector = Detector(ModelSettings(path=out))
    assert (detector.size, detector.card.classes) == ((128, 128), NAMES)
    assert detector.card.thresholds["person"] == 0.4
    assert Detector(ModelSettings(path=out.with_name("street-n-160.onnx"))).size == (160, 128)


def test_the_rows_that_are_chosen_first_and_decoded_then_are_those_of_the_network(run):
    trained = network.load(run / "last.pt")
    pictures = torch.from_numpy(to_rgb(drawn_looks((128, 128))))
    with torch.no_grad():
        wanted = trained(pictures)
        found = graph.FinalBoxes(network.load(run / "last.pt").fuse(), 128, 128)(pictures)
    assert {int(number) for number in wanted[..., 5].unique()} == set(range(len(NAMES)))
    same = agreement(list(wanted.numpy()), list(found.numpy()), 0.2)
    assert same.found >= 0.98 * same.boxes > 0, "but for ties at the end of the list"
    assert same.score_off < 2e-3


def test_a_data_folder_gives_pictures_to_check_on(run, tmp_path):
    data = tiny_street.data_folder(tmp_path / "data")
    (line, _) = export(run, tmp_path / "out" / "street-n.onnx", "v1", SIZES[:1], [data])
    assert "on 16 pictures" in line


def test_a_model_that_sees_other_things_is_not_written_and_the_old_one_stays(
    run, tmp_path, monkeypatch
):
    out = tmp_path / "models" / "street-n.onnx"
    list(export(run, out, "v1", SIZES[:1], []))
    before = {path: path.read_bytes() for path in out.parent.iterdir()}
    sound = exporting.to_onnx

    def off(trained, width, height):
        with torch.no_grad():
            trained.traffic.one2one_cv2[0][-1].bias += 1.0
        return sound(trained, width, height)

    monkeypatch.setattr(exporting, "to_onnx", off)
    with pytest.raises(ModelError, match="doesn't see what the trained network sees"):
        list(export(run, out, "v2", SIZES[:1], []))
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == before


def test_an_export_without_a_checkpoint_or_with_another_network_is_refused(run, tmp_path):
    out = tmp_path / "models" / "street-n.onnx"
    torch.save({"names": NAMES, "ema": torch.nn.Linear(2, 2).state_dict()}, run / "best.pt")
    with pytest.raises(DataError, match="YOLO26n"):
        list(export(run, out, "v1", SIZES[:1], []))
    for name in ("best.pt", "last.pt"):
        (run / name).unlink()
    with pytest.raises(DataError, match=r"best\.pt or last\.pt"):
        list(export(run, out, "v1", SIZES[:1], []))
    (run / "best.pt").write_text("no checkpoint")
    with pytest.raises(DataError, match=r"best\.pt"):
        list(export(run / "best.pt", out, "v1", SIZES[:1], []))
    assert not out.exists()
