"""A log of a training becomes charts, whatever kinds of lines come first."""

import json

import pytest

from pipeline.errors import DataError
from scripts.train.progress import charts, read_log


def log(folder, *rows):
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def test_losses_and_average_precision_have_charts_of_their_own(tmp_path):
    rows = read_log(
        log(
            tmp_path,
            {"step": 0, "AP50 car": 0.5, "trained_s": 0.0},
            {"step": 10, "loss": 4.0, "one_box": 2.0, "rate": 0.1},
            {"step": 20, "loss": 3.0, "one_box": 1.0, "rate": 0.2},
            {"step": 20, "AP50 car": 0.6, "AP50 cavity": 0.2},
        )
    )
    before, after = charts(rows).split("AP50 while training")
    assert before.count("<svg") == 2
    assert "loss</title>" in before
    assert "one_box</title>" in before
    assert after.count("<svg") == 2
    assert "小汽车 car</title>" in after
    assert after.count("<circle") == 3, "a line of one point is seen, too"


def test_a_log_of_losses_alone_has_no_chart_of_average_precision(tmp_path):
    page = charts(read_log(log(tmp_path, {"step": 10, "loss": 4.0})))
    assert page.count("<svg") == 1
    assert "AP50" not in page


def test_steps_that_were_done_twice_count_once(tmp_path):
    first = [{"step": step, "loss": 9.0} for step in (10, 20, 30)]
    again = [{"step": step, "loss": 1.0} for step in (20, 30, 40)]
    rows = read_log(log(tmp_path, *first, *again))
    assert [row["step"] for row in rows] == [10, 20, 30, 40]
    assert [row["loss"] for row in rows] == [9, 1, 1, 1]


@pytest.mark.parametrize("text", ["", "{", "[1]\n", '{"loss": 1}\n', '{"step": 1, "loss": "x"}\n'])
def test_what_is_no_log_is_named(tmp_path, text):
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"log\.jsonl.*no log of a training"):
        read_log(tmp_path)


def test_a_training_without_a_log_is_named(tmp_path):
    with pytest.raises(DataError, match=r"log\.jsonl"):
        read_log(tmp_path)
