"""A card says where a model comes from; what nobody wrote down can't be put on one."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import DataError
from scripts.train.card import card_of, note_run, read_record
from scripts.train.classes import NAMES

SCORE = {
    "size": [640, 384],
    "thresholds": {"person": 0.3, "cavity": 0.4},
    "scores": {"val, AP50": {"person": 0.7}},
}


@pytest.fixture
def run(tmp_path):
    note_run(tmp_path, "100 steps", {"accident_cctv": 5, "composite on detrac_sub": 2})
    (tmp_path / "score.json").write_text(json.dumps(SCORE))
    return tmp_path


def card(run, size=(640, 384), **changes):
    values = {"name": "street-n", "version": "v1", "opset": 17} | changes
    return card_of(read_record(run), NAMES, size, **values)


def test_the_card_holds_what_training_and_scoring_wrote_down(run):
    (run / "known_faults.txt").write_text("blind in fog\n\nslow\n")
    made = card(run)
    assert made.training == "100 steps"
    assert made.scores == SCORE["scores"]
    assert made.known_faults == ("blind in fog", "slow")
    assert [(one.pictures, one.use) for one in made.training_data] == [
        (5, "crash boxes and ordinary traffic"),
        (2, "holes seen from a pole camera"),
    ]
    assert "non-commercial" in made.use_restriction


def test_a_card_of_another_size_says_at_which_size_it_was_scored(run):
    assert card(run, (1280, 736)).scores == {"at 640x384: val, AP50": {"person": 0.7}}


def test_thresholds_come_from_scoring_and_the_others_are_the_usual(run):
    thresholds = card(run).thresholds
    assert set(thresholds) == set(NAMES)
    assert (thresholds["person"], thresholds["cavity"], thresholds["debris"]) == (0.3, 0.4, 0.25)


def test_sources_of_one_origin_are_one_line(run):
    note_run(run, "100 steps", {"composite on accident_cctv": 3})
    assert [one.pictures for one in card(run).training_data] == [5, 5]


def test_a_model_of_rendered_scenes_alone_is_free_for_everything(tmp_path):
    note_run(tmp_path, "100 steps", {"rendered streets": 9})
    (tmp_path / "score.json").write_text(json.dumps(SCORE))
    assert card(tmp_path).use_restriction == "The weights are AGPL-3.0."


def test_a_training_that_goes_on_adds_what_it_saw(run):
    note_run(run, "100 steps", {"accident_cctv": 5})
    note_run(run, "50 steps more", {"accident_cctv": 4, "rendered": 7})
    record = read_record(run)
    assert record.run.training == "100 steps; then 50 steps more"
    assert record.run.pictures == {"accident_cctv": 5, "composite on detrac_sub": 2, "rendered": 7}


def test_start_weights_are_named_and_said_to_add_to_the_list(run):
    starts = [run / "yolo26n.pt", run / "street1" / "last.pt"]
    note_run(run, "100 steps", {"accident_cctv": 5}, starts[:1])
    note_run(run, "50 steps more", {"accident_cctv": 5}, starts)
    lines = card(run).training_data
    names = [one.name for one in lines if one.use.startswith("start; what they were trained on")]
    assert names == ["start weights yolo26n", "start weights street1/last"]
    assert "COCO" in lines[0].licence
    assert "not known" in lines[1].licence


def test_what_start_weights_had_seen_restricts_a_model_of_rendered_scenes_too(tmp_path):
    note_run(tmp_path, "100 steps", {"rendered streets": 9}, [tmp_path / "yolo26n.pt"])
    (tmp_path / "score.json").write_text(json.dumps(SCORE))
    assert "Check this" in card(tmp_path).use_restriction


def test_a_source_without_a_known_licence_is_refused(run):
    note_run(run, "100 steps", {"from_the_net": 1})
    with pytest.raises(DataError, match="from_the_net") as caught:
        read_record(run)
    assert "accident_cctv" in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "score.json"])
def test_without_a_record_there_is_no_card(run, name):
    (run / name).unlink()
    with pytest.raises(DataError, match=name):
        read_record(run)


@pytest.mark.parametrize(
    "content, named",
    [
        ("{", "read"),
        ("[]", "score.json"),
        ('{"scores": {}, "size": [64, 64]}', "thresholds"),
        ('{"scores": {}, "size": [64, 64], "thresholds": {"person": 2}}', "thresholds.person"),
    ],
)
def test_a_wrong_record_is_refused_with_the_field(run, content, named):
    (run / "score.json").write_text(content)
    with pytest.raises(DataError, match=named):
        read_record(run)


def test_a_threshold_for_a_class_that_the_network_lacks_is_refused(run):
    with pytest.raises(DataError, match="cavity"):
        card_of(read_record(run), ("person",), (64, 64), name="x", version="v1", opset=17)
