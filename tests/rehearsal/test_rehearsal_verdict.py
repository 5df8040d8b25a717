"""The verdict: what adds up over the samples, and when a line passes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.rehearsal import verdict as verdict_module
from pipeline.rehearsal.cast import cast
from pipeline.rehearsal.picture import draw, live_table, verdict_table
from pipeline.rehearsal.processes import Use
from pipeline.rehearsal.record import Ending, Record
from pipeline.rehearsal.rhythm import Episode, Gaps, Rising, rhythm_of
from pipeline.rehearsal.scenario import parse_scenario
from pipeline.rehearsal.verdict import verdict_of
from pipeline.rehearsal.watching import Sample, Seen

SCENARIO = {
    "cameras": 4,
    "seconds": 100,
    "clips": {"quiet": {"of": "quiet_street"}, "hole": {"of": "collapse"}},
    "groups": [
        {"name": "planted", "cameras": 1, "clips": ["hole"]},
        {
            "name": "bad",
            "cameras": 1,
            "clips": ["quiet"],
            "faults": [{"way": "stall", "at_s": 20, "for_s": 20}],
        },
        {"name": "steady", "clips": ["quiet"]},
    ],
    "limits": {"warm_up_s": 10, "longest_gap_to_mean": 1.5, "memory_growth_percent": 5},
}
MIB = 1 << 20


def played(*, memory=lambda _: 100 * MIB, fds=lambda _: 30, stalled=(45, 50), **ending):
    """A record of 100 s in which everything is well, but for what is said."""
    scenario = parse_scenario(SCENARIO, file="mine.yaml")
    record = Record(scenario, cast(scenario))
    names = list(record.cast.members)
    bad = record.cast.group("bad")[0]
    episode = Episode("bad", "stall", ("stalled",), (bad,), began_s=20.0)
    for at in range(100):
        if at == 20:
            record.episodes.append(episode)
        episode.ended_s = 40.0 if at >= 40 else None
        cameras = {name: Seen("live", 3.0, "", float(at), at // 5) for name in names}
        if 25 <= at < stalled[0]:
            cameras[bad] = Seen("stalled", 25.0, "", 20.0, 4)
        elif at >= stalled[0]:
            cameras[bad] = Seen("live", float(stalled[1]), "", float(at), at // 5)
        for name in names:
            last_s = cameras[name].last_look_s // 5 * 5
            cameras[name] = replace(cameras[name], last_look_s=last_s)
        served = {name: {"sessions": 1, "frames": at * 5, "keys": at // 5} for name in names}
        use = Use(1, "daemon", memory(at), 0, at * 0.1, fds(at), 9)
        record.feed(Sample(float(at), cameras, served, 0.1, [use]))
    wanted = record.cast.expected[0]
    ticket = SimpleNamespace(
        hazard=wanted.hazard,
        camera_ids=(wanted.camera_id,),
        grid_code=wanted.grid_code,
        ticket_id="t1",
    )
    usual = {
        "tickets": [ticket],
        "sent": record.points and served,
        "seen": cameras,
        "backlog": 0,
        "stop_s": 2.0,
        "rhythm": record.gaps.rhythm(100.0),
    }
    record.ending = Ending(**usual | ending)
    return record, ticket


def line(verdict, name):
    return next(one for one in verdict.lines if one.name == name)


def failed(record):
    return [one.name for one in verdict_of(record).lines if one.passed is False]


def test_a_good_rehearsal_passes_every_line():
    record, _ = played()
    verdict = verdict_of(record)
    assert failed(record) == []
    assert verdict.passed
    assert line(verdict, "cpu").figure == pytest.approx(10 / 4, rel=0.05)
    assert line(verdict, "memory").figure == pytest.approx(25)
    assert line(verdict, "gap_to_mean").figure == pytest.approx(1.0)


def test_a_planted_hazard_without_a_ticket_is_lost():
    record, _ = played(tickets=[])
    assert failed(record) == ["lost"]


def test_a_ticket_in_another_grid_is_lost_too():
    record, ticket = played()
    ticket.grid_code = "elsewhere"
    assert failed(record) == ["lost"]


def test_a_second_ticket_of_a_planted_hazard_is_a_double():
    record, ticket = played()
    record.ending.tickets = [ticket, SimpleNamespace(**vars(ticket) | {"ticket_id": "t2"})]
    assert failed(record) == ["doubled"]


def test_other_tickets_are_told():
    record, ticket = played()
    other = SimpleNamespace(**vars(ticket) | {"ticket_id": "t2", "hazard": "crowd"})
    record.ending.tickets = [ticket, other]
    assert "crowd" in line(verdict_of(record), "not_planted").told


def test_memory_that_grows_fails():
    record, _ = played(memory=lambda at: (100 + at) * MIB)
    assert failed(record) == ["memory_growth"]


def test_descriptors_that_grow_fail():
    record, _ = played(fds=lambda at: 30 + at)
    assert failed(record) == ["fds"]


def test_a_camera_that_is_late_to_come_back_fails():
    record, _ = played(stalled=(99, 150))
    assert failed(record) == ["back stall"]


def test_a_camera_that_never_comes_back_is_named():
    record, _ = played(stalled=(1000, 0))
    assert failed(record) == ["back stall"]
    assert record.cast.group("bad")[0] in line(verdict_of(record), "back stall").told


def test_unseen_key_frames_fail():
    record, _ = played()
    record.ending.sent = {name: {"keys": 200} for name in record.cast.members}
    assert failed(record) == ["keys"]


def test_what_is_left_in_the_outbox_or_behind_fails():
    record, _ = played(backlog=2, left=["pid 7"], stop_s=None)
    assert failed(record) == ["outbox", "stop", "left"]


def test_a_program_that_ended_fails_with_what_it_said():
    record, _ = played()
    record.notes.append("gridwatch run ended early: no such model")
    verdict = verdict_of(record)
    assert not verdict.passed
    assert "no such model" in line(verdict, "ran").told


def test_there_is_a_verdict_even_of_nothing():
    scenario = parse_scenario(SCENARIO, file="mine.yaml")
    record = Record(scenario, cast(scenario))
    verdict = verdict_of(record)
    assert not verdict.passed
    assert {"ran", "live", "keys", "lost", "outbox", "stop"} <= set(failed(record))


def test_a_bug_in_one_line_does_not_cost_the_others(monkeypatch):
    def _broken(_):
        raise ZeroDivisionError

    monkeypatch.setattr(verdict_module, "_PARTS", (_broken, *verdict_module._PARTS))
    record, _ = played()
    assert failed(record) == ["broken"]
    assert len(verdict_of(record).lines) > 10


def test_a_kill_that_never_happened_fails():
    record, _ = played()
    record.kills["worker"] = 0
    assert failed(record) == ["killed worker"]


def test_the_verdict_can_be_written_shown_and_drawn(tmp_path):
    record, _ = played()
    verdict = verdict_of(record)
    assert json.loads(json.dumps(verdict.as_json()))["passed"] is True
    assert verdict_table(verdict).row_count == len(verdict.lines)
    assert live_table(record).renderables
    draw(record, tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert text.count("<polyline") == 5
    assert "stall (bad)" in text


def test_counts_go_on_over_a_restart_of_what_counts():
    rising = Rising()
    for value in (5, 9, 2, 4):
        rising.feed({"looks": value})
    assert rising.total() == 13


def test_a_sample_in_which_the_daemon_could_not_be_asked_counts_nothing_twice():
    scenario = parse_scenario(SCENARIO, file="mine.yaml")
    record = Record(scenario, cast(scenario))
    told = {("key_frames_total", ()): 50.0, ("looks_total", ("done", "whole")): 40.0}
    for metrics in (told, {}, told):
        record.feed(Sample(1.0, {"a": Seen("live", 0.0, "", 1.0, 45)}, metrics=metrics))
    assert record.seen_keys() == 50
    assert record.points[-1].looks == 40


def test_a_gap_is_the_time_between_looks_and_one_that_has_not_ended_counts():
    gaps = Gaps(["a", "b"], from_s=0.0)
    for at in (0, 5, 10, 15):
        a = Seen("live", 0.0, "", float(at), at // 5)
        b = Seen("live", 0.0, "", float(min(at, 5)), min(at, 5) // 5)
        gaps.feed(Sample(float(at), {"a": a, "b": b}))
    rhythm = gaps.rhythm(17.0)
    assert (rhythm.camera_id, rhythm.longest_s, rhythm.mean_s) == ("b", 12.0, 5.0)


def test_several_looks_between_two_samples_are_no_long_gap():
    gaps = Gaps(["a"], from_s=0.0)
    gaps.feed(Sample(0.0, {"a": Seen("live", 0.0, "", 0.0, 0)}))
    gaps.feed(Sample(30.0, {"a": Seen("live", 0.0, "", 30.0, 6)}))
    assert gaps.rhythm(30.0).longest_s == 5.0


def minute(done, longest_gap_s):
    return SimpleNamespace(looks={"whole": SimpleNamespace(done=done, longest_gap_s=longest_gap_s)})


def test_the_ledgers_rhythm_is_over_all_cameras_and_minutes():
    looked = {"a": [minute(12, 5.0), minute(12, 6.0)], "b": [minute(10, 8.0), minute(14, 5.0)]}
    rhythm = rhythm_of(looked, 2)
    assert (rhythm.camera_id, rhythm.longest_s, rhythm.mean_s) == ("b", 8.0, 5.0)


def test_a_camera_the_ledger_does_not_know_has_the_whole_time_for_a_gap():
    rhythm = rhythm_of({"a": [minute(12, 5.0)], "b": []}, 1)
    assert (rhythm.camera_id, rhythm.longest_s) == ("b", 60.0)
    assert rhythm_of({"a": [], "b": []}, 1) is None


def test_a_state_counts_from_when_it_began_even_if_it_is_told_late():
    episode = Episode("g", "stall", ("stalled",), ("a",), began_s=10.0, ended_s=40.0)
    episode.feed(Sample(90.0, {"a": Seen("stalled", 22.0, "", 9.0, 1)}))
    assert episode.right_s == {"a": 12.0}
    episode.feed(Sample(95.0, {"a": Seen("live", 70.0, "", 71.0, 2)}))
    assert episode.back_s == {"a": 30.0}


def test_live_without_a_new_look_is_not_back():
    episode = Episode("g", "flapping", (), ("a",), began_s=10.0, ended_s=40.0)
    episode.feed(Sample(41.0, {"a": Seen("live", 3.0, "", 39.0, 1)}))
    assert episode.back_s == {}
    episode.feed(Sample(45.0, {"a": Seen("live", 3.0, "", 44.0, 2)}))
    assert episode.back_s == {"a": 0.0}
