"""Models are measured beside each other in one run."""

from __future__ import annotations

import onnx
import pytest
import tiny_street

from pipeline.detect import load_card
from pipeline.errors import ModelError
from scripts.train.bench import note, run, table
from scripts.train.delivery import delivery_to


@pytest.fixture
def models(tmp_path):
    """A model of ours, and one that takes RGB and a batch of one, as others are exported."""
    with delivery_to(tmp_path) as waiting:
        waiting.add(tiny_street.fronted(), tiny_street.card())
        (ours,) = waiting.arrive()
    other = tiny_street.trained()
    other.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(other, tmp_path / "other.onnx")
    return ours, tmp_path / "other.onnx"


def test_every_model_has_a_figure_for_all_threads_and_batches(models):
    ours, other = models
    result = run([ours], other, [1], [1, 4], rounds=3)
    assert [(one["model"], one["batch"]) for one in result["figures"]] == [
        (str(other), 1),
        (str(ours), 1),
        (str(other), 4),
        (str(ours), 4),
    ]
    for one in result["figures"]:
        assert 0 < one["p10_ms"] <= one["median_ms"] <= one["p90_ms"]
        assert one["ratio"] == 1 if one["model"] == str(other) else one["ratio"] > 0
    assert result["machine"]["cores"] >= 1
    assert table(result).row_count == 4


def test_the_figures_go_into_the_card_and_the_model_is_still_the_one_it_describes(models):
    ours, other = models
    note(ours, run([ours], other, [1], [1], rounds=3))
    speed = load_card(ours).speed_ms
    assert [name.split(",")[0] for name in speed] == ["other", "street-n"]
    assert all(value > 0 for value in speed.values())


def test_a_file_that_is_no_model_or_has_no_fixed_size_is_refused(models, tmp_path):
    ours, other = models
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"no\.onnx"):
        run([tmp_path / "no.onnx"], ours, [1], [1], rounds=3)
    model = onnx.load(other)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, tmp_path / "any.onnx")
    with pytest.raises(ModelError, match="no fixed picture size"):
        run([tmp_path / "any.onnx"], ours, [1], [1], rounds=3)
