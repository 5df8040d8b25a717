"""From a change of a ticket to its recipient: once, retried apart, rolled up, quiet at night."""

from __future__ import annotations

import json
import multiprocessing
import threading
from importlib.resources import files

import pytest
from receivers import HttpReceiver, notify_for_ever
from ticket_town import NOON, incident

from pipeline.tickets import NotifyStore
from pipeline.tickets.notify import Verifier
from pipeline.tickets.transitions import LEVEL_OF

SECRET = "kept-between-us-two"
EAST, TOP = "410182102001002", "410182102"
HOUR = 3600.0


def deliveries(receiver):
    return [one.headers["Gridwatch-Delivery"] for one in receiver.got]


def events(request):
    return [(one["event"], one["ticket"]["ticket_id"]) for one in request.json["events"]]


def test_a_filed_ticket_is_told_once_with_all_that_one_needs(
    desk, settings, webhook, receiver, new_notifier, play, clock
):
    notifier = new_notifier(settings({"east": webhook()}))
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    play(notifier, seconds=60)
    (request,) = receiver.got
    assert events(request) == [("queued", ticket_id)]
    assert request.json["title"] == "【较急 warning】道路破损 待受理 / road damage, to be accepted"
    for words in (
        ticket_id,
        "东村二网格 410182102001002",
        "34.785000, 113.448282 WGS-84 ±3 m",
        "受理 accept by 2026-11-23 13:00",
        f"https://grid.example/tickets/{ticket_id}",
    ):
        assert words in request.json["text"]
    verified = Verifier([SECRET], clock=clock).verify(request.headers, request.body)
    assert verified == request.json["delivery"]


def test_the_limits_and_moves_of_a_ticket_are_told_as_they_happen(
    desk, settings, webhook, receiver, new_notifier, play, clock
):
    notifier = new_notifier(settings({"east": webhook(grids=[EAST])}))
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    play(notifier)
    for hours in (0.8, 1.0):
        clock.move_to(NOON + hours * HOUR + 2)
        desk.tick()
        play(notifier)
    for action in ("accept", "feed_back", "rework", "feed_back", "close"):
        desk.move(ticket_id, action, by="head")
        play(notifier)
    told = [name for request in receiver.got for name, _ in events(request)]
    late = ["queued", "remind", "overdue", "escalated"]
    assert told == [*late, "fed_back", "rework", "fed_back", "closed"]
    assert "受理超时" in receiver.got[2].json["text"]


@pytest.mark.parametrize(
    "who, hears",
    [
        ({"role": "member"}, ["queued", "queued"]),
        ({"role": "command"}, ["escalated"]),
        ({"role": "operator"}, []),
        ({"role": "emergency"}, []),
        ({"grids": ["410182102001001"]}, []),
        ({"levels": [1]}, ["queued"]),
        ({"levels": [3]}, ["queued", "escalated"]),
        ({"least": "emergency"}, []),
        ({"events": ["escalated"]}, ["escalated"]),
    ],
)
def test_role_grid_level_and_severity_decide_who_hears_of_it(
    desk, settings, webhook, receiver, new_notifier, play, who, hears
):
    notifier = new_notifier(settings({"one": webhook(**who)}))
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    desk.move(ticket_id, "escalate", by="head")  # its queue is now that of the first level
    play(notifier)
    assert [name for one in receiver.got for name, _ in events(one)] == hears


def test_five_hundred_at_once_are_one_message_that_names_the_gravest_first(
    desk, settings, webhook, new_notifier, play
):
    with HttpReceiver() as first, HttpReceiver() as second:
        recipients = {"one": webhook(url=first.url), "two": webhook(url=second.url)}
        notifier = new_notifier(settings(recipients))
        for n in range(499):
            at = {"east_m": 60 + 70 * (n % 20), "north_m": 60 * (n // 20) - 800}
            desk.file(incident(n, hazard="road_damage", severity="notice", **at))
        crash = incident(500, hazard="blockage", east_m=-900, trail={"kind": "crash"})
        gravest = desk.file(crash).ticket_id
        play(notifier, seconds=60)
        for receiver in (first, second):
            (request,) = receiver.got
            assert len(request.json["events"]) == 500
            assert request.json["title"].startswith("【紧急 EMERGENCY】500 件")
            assert gravest in request.json["title"]
            lines = request.json["text"].splitlines()
            assert lines[2].startswith("1. 紧急")
            assert gravest in lines[2]
            assert "另有 490 件 / and 490 more" in lines


def test_at_night_only_the_gravest_comes_and_the_rest_in_one_message_in_the_morning(
    desk, settings, webhook, receiver, new_notifier, play, clock
):
    quiet = {"begins": "22:00", "ends": "07:00"}
    notifier = new_notifier(settings({"east": webhook(quiet=quiet, events=["queued"])}))
    clock.move_to(NOON + 11 * HOUR)  # 23:00
    lesser = [
        desk.file(incident(n, hazard="road_damage", east_m=100 * n)).ticket_id for n in (1, 2)
    ]
    play(notifier, seconds=60)
    assert receiver.got == []
    grave = desk.file(incident(3, hazard="blockage", east_m=500, trail={"kind": "crash"})).ticket_id
    play(notifier, seconds=60)
    assert events(receiver.got[0]) == [("queued", grave)]
    play(notifier, seconds=7.9 * HOUR, step=HOUR)
    assert len(receiver.got) == 1
    play(notifier, seconds=600, step=60)
    (_, morning) = receiver.got
    assert events(morning) == [("queued", one) for one in lesser]


def test_a_recipient_that_fails_is_tried_again_ever_later_and_no_other_waits_for_it(
    desk, settings, webhook, new_notifier, play, store, clock
):
    with HttpReceiver(500, 500, 503, 200) as bad, HttpReceiver() as good:
        recipients = {"bad": webhook(url=bad.url), "good": webhook(url=good.url)}
        notifier = new_notifier(settings(recipients, retry_first_s=10))
        desk.file(incident(hazard="road_damage"))
        play(notifier, seconds=10, step=1)
        assert (len(bad.got), len(good.got)) == (2, 1)  # after 5 s and 5 s more: half of 10
        (standing,) = store.standings(["bad"])
        assert (standing.tries, standing.failures) == (2, 2)
        assert "127.0.0.1 answers 500" in standing.why
        play(notifier, seconds=9, step=1)
        assert len(bad.got) == 2, "half of 20 s after the second"
        play(notifier, seconds=60, step=1)
        assert (len(bad.got), len(good.got)) == (4, 1)
        assert len(set(deliveries(bad))) == 1, "the same message all along"
        signatures = {one.headers["Gridwatch-Signature"] for one in bad.got}
        assert len(signatures) == 4, "each try is signed anew, so none looks like a replay"
        (standing,) = store.standings(["bad"])
        assert (standing.sent, standing.waiting, standing.why) == (1, 0, "")


@pytest.mark.parametrize(
    "item, why",
    [
        ("hang", "no answer within 0.3 s"),
        ("slow", "no answer within 0.3 s"),
        ("close", "127.0.0.1 broke off"),
        (429, "127.0.0.1 answers 429"),
    ],
)
def test_what_may_pass_is_tried_again(
    desk, settings, webhook, receiver, new_notifier, play, store, item, why
):
    receiver.script = [item, 200]
    notifier = new_notifier(settings({"one": webhook()}, timeout_s=0.3))
    desk.file(incident(hazard="road_damage"))
    play(notifier, seconds=5)
    (standing,) = store.standings(["one"])
    assert why in standing.why
    assert "hidden-key" not in standing.why
    play(notifier, seconds=20)
    assert len(receiver.got) == 2
    (standing,) = store.standings(["one"])
    assert (standing.sent, standing.dead) == (1, ())


def test_a_redirect_is_not_followed_and_nothing_refused_for_good_is_tried_again(
    desk, settings, webhook, receiver, new_notifier, play, store, clock
):
    receiver.script = ["redirect", 404, 200]
    notifier = new_notifier(settings({"one": webhook()}))
    first = desk.file(incident(1, hazard="road_damage")).ticket_id
    play(notifier, seconds=3600, step=600)
    second = desk.file(incident(2, hazard="road_damage", east_m=900)).ticket_id
    play(notifier, seconds=3600, step=600)
    assert [events(one)[0][1] for one in receiver.got] == [first, second]
    (standing,) = store.standings(["one"])
    assert [letter.tries for letter in standing.dead] == [1, 1]
    assert "redirects are not followed" in standing.dead[0].why
    assert store.revive("one", clock.now()) == 2
    play(notifier, seconds=20)
    assert events(receiver.got[2]) == [("queued", first), ("queued", second)]
    (standing,) = store.standings(["one"])
    assert (standing.sent, standing.dead, standing.waiting) == (1, (), 0)


def test_what_fails_for_a_day_is_given_up(
    desk, settings, webhook, receiver, new_notifier, play, store
):
    receiver.script = [500]
    notifier = new_notifier(settings({"one": webhook()}, retry_most_s=3600))
    desk.file(incident(hazard="road_damage"))
    play(notifier, seconds=26 * HOUR, step=600)
    (standing,) = store.standings(["one"])
    (letter,) = standing.dead
    assert letter.dead_at - letter.made_at >= 24 * HOUR
    assert letter.tries == len(receiver.got) > 20


def test_killed_between_sending_and_noting_it_the_same_message_comes_again_from_another_box(
    desk, settings, webhook, receiver, new_notifier, play, redis, prefix, clock, eventually
):
    receiver.script = ["hang", 200]
    made = settings({"one": webhook()}, timeout_s=30, gather_s=0)
    desk.file(incident(hazard="road_damage"))
    path = redis.connection_pool.connection_kwargs["path"]
    box = multiprocessing.get_context("fork").Process(
        target=notify_for_ever, args=(path, prefix, made, clock.now())
    )
    box.start()
    eventually(lambda: receiver.got, within_s=30)
    box.kill()
    box.join()
    living = new_notifier(made)
    play(living, seconds=60)
    assert len(receiver.got) == 1, "it is the dead box's for as long as its lease runs"
    play(living, seconds=60)
    assert len(receiver.got) == 2
    assert len(set(deliveries(receiver))) == 1, "so that the other side can drop the second"
    play(living, seconds=300)
    assert len(receiver.got) == 2


def test_killed_between_reading_an_event_and_handing_it_on_another_box_hands_it_on(
    desk, settings, webhook, receiver, new_notifier, play, store, redis, prefix, monkeypatch
):
    desk.file(incident(hazard="road_damage"))
    ((entry, _),) = store.read(0)  # and no more is heard of it
    living = new_notifier(settings({"one": webhook()}))
    play(living)
    assert receiver.got == []
    monkeypatch.setattr("pipeline.tickets.notify.store._ORPHAN_MS", 0)
    play(living, seconds=60)
    assert len(receiver.got) == 1
    assert store.route(entry, "{}", [("one", "normal", 0.0)]) is False, "handed on once"


def test_two_boxes_that_run_side_by_side_send_every_message_once(
    desk, settings, webhook, receiver, new_notifier, play
):
    made = settings({"one": webhook(events=["queued"])}, gather_s=0, pace_s=0)
    boxes = [new_notifier(made), new_notifier(made)]
    tickets = []
    for n in range(12):
        at = {"east_m": 80.0 * n + 60}
        tickets.append(desk.file(incident(n, hazard="road_damage", **at)).ticket_id)
        rounds = [threading.Thread(target=one.round, args=(0,)) for one in boxes]
        for one in rounds:
            one.start()
        for one in rounds:
            one.join()
        for one in boxes:
            one.settle()
    play(*boxes, seconds=5, step=1)
    told = [ticket for request in receiver.got for _, ticket in events(request)]
    assert sorted(told) == sorted(tickets)


def test_a_result_that_comes_after_the_lease_was_lost_changes_nothing(desk, store, redis, prefix):
    other = NotifyStore(redis, prefix=prefix)
    desk.file(incident(hazard="road_damage"))
    for entry, text in store.read(0):
        store.route(entry, text, [("one", "normal", 0.0)])
    how = {"lease_s": 10, "pace_s": 0, "most": 100, "sweep": False}
    slow = store.take("one", "normal", 0.0, **how)
    assert other.take("one", "normal", 5.0, **how) is None
    taken_over = other.take("one", "normal", 11.0, **how)
    assert taken_over.message_id == slow.message_id
    assert taken_over.tries == 2
    assert not store.dead(slow, 12.0, why="it took too long")
    assert other.sent(taken_over, 13.0)


def test_an_event_of_a_newer_version_holds_nothing_up(
    desk, settings, webhook, receiver, new_notifier, play, redis, prefix
):
    desk.file(incident(1, hazard="road_damage"))
    redis.xadd(f"{{{prefix}}}:events", {"v": "2", "json": '{"event":"flood"}'})
    desk.file(incident(2, hazard="road_damage", east_m=900))
    notifier = new_notifier(settings({"one": webhook()}))
    play(notifier, seconds=20)
    assert len(receiver.got[0].json["events"]) == 2
    assert notifier._store.unread() == 0


def test_old_events_are_forgotten_but_none_that_nobody_has_handed_on(
    desk, settings, webhook, new_notifier, play, redis, prefix, clock, store
):
    stream = f"{{{prefix}}}:events"
    for n in range(300):
        redis.xadd(stream, {"v": "1", "json": "{}"}, id=f"{n + 1}-0", nomkstream=False)
    redis.xgroup_create(stream, "notify", id="0")
    for entry, text in store.read(0):
        if entry != "150-0":
            store.route(entry, text, ())
    store.trim(clock.now())
    left = [entry for entry, _ in redis.xrange(stream)]
    assert "150-0" in left
    assert left[-1] == "300-0"
    assert len(left) < 300
    assert store.unread() == 1 + 100, "one in the middle, and those not read yet"


def test_what_the_script_takes_for_over_is_what_the_table_says():
    source = (files("pipeline.tickets") / "lua" / "events.lua").read_text("utf-8")
    over = source.partition("local OVER = {")[2].partition("}")[0]
    done = {name for name, level in LEVEL_OF.items() if level == "done"}
    assert {part.partition("=")[0].strip() for part in over.split(",")} == done


def test_the_event_of_a_ticket_is_as_exact_as_the_ticket(desk, store, clock):
    clock.move_to(NOON + 0.123456)
    desk.file(incident(hazard="road_damage"))
    ((_, text),) = store.read(0)
    assert json.loads(text)["step"]["at"] == NOON + 0.123456
