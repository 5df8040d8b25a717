"""What the operator hears and does: faults told once, settings, status, retry, dead readers."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from receivers import HttpReceiver
from ticket_town import incident

from pipeline import cli
from pipeline.errors import SettingsError, UnknownGridError
from pipeline.ingest import CameraStatus
from pipeline.settings_file import load_settings
from pipeline.tickets import Notices, NotifyStore
from pipeline.tickets.asyncapi import asyncapi_text, document
from pipeline.tickets.event_wire import EXAMPLES, event_of
from pipeline.tickets.retention import QueueKeeper

EAST = "410182102001002"
SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def status(state, camera_id="cam-1"):
    why = "" if state == "live" else "connection refused"
    return CameraStatus(camera_id, state, 1.0, why)


@pytest.fixture
def new_box(redis, prefix, clock, settings):
    """What a box tells the operator; its backlog is the list's length."""

    def make(backlog=()):
        return Notices(
            NotifyStore(redis, prefix=prefix),
            settings({}).notify,
            clock=clock,
            names={"cam-1": "某路口东"},
            backlog=lambda: len(backlog),
        )

    return make


@pytest.fixture
def told(store):
    """The events since the last call."""
    return lambda: [event_of(text) for _, text in store.read(0)]


class TestFaults:
    def test_a_camera_out_of_order_for_a_while_is_told_once_by_however_many_boxes(
        self, new_box, clock, told
    ):
        boxes = [new_box(), new_box()]
        for second in range(0, 900, 10):
            for box in boxes:
                # between two attempts it is connecting, which is no sign of health
                box.tell([status("unreachable" if second % 30 else "connecting")])
            clock.move_to(clock.now() + 10)
        (event,) = told()
        assert (event.event, event.camera_id, event.name) == ("camera_fault", "cam-1", "某路口东")

    def test_a_hiccup_is_not_told(self, new_box, clock, told):
        box = new_box()
        for state in ("live", "stalled", "live", "unreachable", "live"):
            box.tell([status(state)])
            clock.move_to(clock.now() + 290)
        assert told() == []

    def test_that_it_is_well_again_is_told_by_a_box_that_never_saw_it_ill(
        self, new_box, clock, told
    ):
        before, after = new_box(), new_box()
        before.tell([status("dark")])
        clock.move_to(clock.now() + 301)
        before.tell([status("dark")])
        for _ in range(3):
            after.tell([status("live")])
        assert [event.event for event in told()] == ["camera_fault", "camera_well"]

    def test_a_switch_that_fails_is_one_message(
        self, new_box, clock, settings, webhook, receiver, new_notifier, play
    ):
        notifier = new_notifier(settings({"ops": webhook(role="operator")}))
        box = new_box()
        cameras = [status("unreachable", f"cam-{n}") for n in range(300)]
        box.tell(cameras)
        clock.move_to(clock.now() + 301)
        box.tell(cameras)
        play(notifier, seconds=30)
        (request,) = receiver.got
        assert len(request.json["events"]) == 300
        assert "摄像机故障 300" in request.json["text"]

    def test_many_incidents_that_wait_on_a_box_are_told_and_that_they_are_gone(
        self, new_box, clock, told
    ):
        backlog = list(range(120))
        box = new_box(backlog)
        for _ in range(20):
            box.tell([])
            clock.move_to(clock.now() + 10)
        backlog[:] = [1]
        box.tell([])
        (event,) = told()
        assert (event.event, event.box, event.waiting) == ("backlog", socket.gethostname(), 120)
        backlog.clear()
        box.tell([])
        assert [event.event for event in told()] == ["backlog_gone"]


HOOK = {"way": "webhook", "url": "http://a.example/?key=hidden-key", "secret": "hidden-secret"}


class TestSettings:
    @pytest.fixture
    def refused(self, tmp_path):
        def load(notify):
            path = tmp_path / "settings.yaml"
            path.write_text(yaml.safe_dump({"notify": notify}), "utf-8")
            with pytest.raises(SettingsError) as caught:
                load_settings(path)
            return str(caught.value)

        return load

    @pytest.mark.parametrize(
        "change, words",
        [
            ({"secret": None}, "needs a secret"),
            ({"url": None}, "needs a url"),
            ({"url": "ftp://hidden-key"}, "begins with http://"),
            ({"secret": 12345}, "int, not shown"),
            ({"secret": ["hidden-secret"]}, "list, not shown"),
            ({"way": "pigeon"}, "pigeon"),
            ({"way": "email"}, "to: [address]"),
            ({"role": "mayor"}, "mayor"),
            ({"quiet": {"begins": "25:00", "ends": "7:00"}}, "quiet.begins"),
            ({"to": ["no address"]}, "a mail address"),
            ({"events": ["flood"]}, "flood"),
            ({"levels": [4]}, "levels"),
            ({"sceret": "hidden-secret"}, "did you mean secret"),
        ],
    )
    def test_a_wrong_recipient_is_named_and_its_secrets_are_not(self, refused, change, words):
        text = refused({"recipients": {"east": HOOK | change}})
        assert words in text
        assert "notify.recipients.east" in text
        assert "hidden" not in text
        assert "12345" not in text

    @pytest.mark.parametrize(
        "notify, words",
        [
            ({"recipients": {"East Head": HOOK}}, "notify.recipients"),
            ({"recipients": {"m": {"way": "email", "to": ["a@b.c"]}}}, "notify.smtp"),
            ({"allow": ["10.0.0.5/8"]}, "networks such as"),
            ({"smtp": {"host": "h", "sender": "a@b.c", "security": "none", "user": "u"}}, "tls"),
        ],
    )
    def test_what_cannot_work_together_is_refused(self, refused, notify, words):
        assert words in refused(notify)

    def test_secrets_come_from_the_environment_and_are_never_shown(self, tmp_path, monkeypatch):
        path = tmp_path / "settings.yaml"
        recipient = {name: value for name, value in HOOK.items() if name != "secret"}
        path.write_text(yaml.safe_dump({"notify": {"recipients": {"east": recipient}}}), "utf-8")
        monkeypatch.setenv("GRIDWATCH_NOTIFY__RECIPIENTS__EAST__SECRET", "hidden-secret")
        settings = load_settings(path)
        assert settings.notify.recipients["east"].secret.get_secret_value() == "hidden-secret"
        assert "hidden" not in repr(settings)
        assert "hidden" not in settings.model_dump_json()

    @pytest.mark.parametrize("begins", ["22:00", "'22:00'", "22:00:00"])
    def test_hours_may_be_written_with_and_without_quotes(self, tmp_path, begins):
        path = tmp_path / "settings.yaml"
        path.write_text(
            "notify: {recipients: {e: {way: wecom, url: 'http://a.example/', "
            f"quiet: {{begins: {begins}, ends: 07:00}}}}}}}}",
            "utf-8",
        )
        quiet = load_settings(path).notify.recipients["e"].quiet
        assert (quiet.begins.hour, quiet.ends.hour) == (22, 7)


class TestQueues:
    @pytest.fixture
    def keeper(self, redis, town, clock, prefix):
        return QueueKeeper(redis, town, clock=clock, keep_s=3600, prefix=prefix)

    @pytest.fixture
    def stream(self, prefix):
        return f"{{{prefix}}}:queue:{EAST}"

    def later(self, clock, redis):
        """Entries are named by the server's clock, which no test moves."""
        seconds, _ = redis.time()
        clock.move_to(seconds + 3601)

    def test_what_a_dead_reader_left_goes_to_a_living_one_once(self, desk, redis, keeper, stream):
        ticket_id = desk.file(incident()).ticket_id
        redis.xreadgroup("grid", "dead", {stream: ">"})
        assert keeper.claim(EAST, "living", idle_s=60) == []
        (claimed,) = keeper.claim(EAST, "living", idle_s=0)
        assert claimed.message.ticket_id == ticket_id
        assert [one["consumer"] for one in redis.xpending_range(stream, "grid", "-", "+", 9)] == [
            "living"
        ]
        assert redis.xack(stream, "grid", claimed.entry) == 1
        assert keeper.claim(EAST, "living", idle_s=0) == []

    def test_a_ticket_that_has_moved_on_is_nobody_s_to_take(self, desk, redis, keeper, stream):
        ticket_id = desk.file(incident()).ticket_id
        redis.xreadgroup("grid", "dead", {stream: ">"})
        desk.move(ticket_id, "accept", by="head")
        assert keeper.claim(EAST, "living", idle_s=0) == []

    def test_a_queue_that_nothing_entered_yet_has_nothing_to_take(self, keeper):
        assert keeper.claim(EAST, "living", idle_s=0) == []
        assert keeper.claim("emergency", "living", idle_s=0) == []
        with pytest.raises(UnknownGridError):
            keeper.claim("nowhere", "living", idle_s=0)

    def test_acknowledged_entries_are_forgotten_after_a_while_and_no_others(
        self, desk, redis, keeper, stream, clock
    ):
        tickets = [
            desk.file(incident(n, hazard="road_damage", east_m=100 * n)).ticket_id
            for n in range(1, 5)
        ]
        ((_, entries),) = redis.xreadgroup("grid", "a", {stream: ">"}, count=3)
        names = [entry for entry, _ in entries]
        redis.xack(stream, "grid", names[0], names[2])
        assert keeper.forget_old() == 0
        self.later(clock, redis)
        assert keeper.forget_old() == 2
        left = [one.ticket_id for one in desk.read_queue(EAST)]
        assert left == [tickets[1], tickets[3]], "one is not acknowledged, one was never read"
        desk.move(tickets[0], "accept", by="head")
        assert desk.waiting() == {EAST: 3}, "what is forgotten still counts until it moves on"

    def test_an_entry_that_a_group_of_another_system_has_not_read_stays(
        self, desk, redis, keeper, stream, clock
    ):
        desk.file(incident())
        redis.xgroup_create(stream, "other", id="0")
        ((_, entries),) = redis.xreadgroup("grid", "a", {stream: ">"})
        redis.xack(stream, "grid", entries[0][0])
        self.later(clock, redis)
        assert keeper.forget_old() == 0
        redis.xreadgroup("other", "b", {stream: ">"})
        redis.xack(stream, "other", entries[0][0])
        assert keeper.forget_old() == 1

    def test_more_entries_than_fit_into_one_step_are_forgotten_too(
        self, redis, keeper, stream, clock
    ):
        for n in range(1200):
            redis.xadd(stream, {"v": "1", "json": "{}"}, id=f"{n + 1}-0")
        redis.xgroup_create(stream, "grid", id="0")
        ((_, entries),) = redis.xreadgroup("grid", "a", {stream: ">"})
        redis.xack(stream, "grid", *(entry for entry, _ in entries))
        assert keeper.forget_old() == 1200


class TestPublished:
    def test_the_asyncapi_document_is_the_one_in_force(self):
        renew = (
            "from pipeline.tickets.asyncapi import asyncapi_text; print(asyncapi_text(), end='')"
        )
        published = (SCHEMAS / "asyncapi.yaml").read_text("utf-8")
        assert published == asyncapi_text(), f'renew it: python -c "{renew}"'

    def test_every_reference_in_it_leads_somewhere(self):
        made = yaml.safe_load(asyncapi_text())

        def references(value):
            if isinstance(value, dict):
                if "$ref" in value:
                    yield value["$ref"]
                for one in value.values():
                    yield from references(one)
            elif isinstance(value, list):
                for one in value:
                    yield from references(one)

        found = set(references(made))
        assert len(found) > 10
        for reference in found:
            here = made
            for part in reference.removeprefix("#/").split("/"):
                here = here[part]

    def test_what_is_really_in_the_streams_fits_it(self, desk, redis, prefix, new_box, clock):
        ticket_id = desk.file(incident()).ticket_id
        desk.file(incident(2, hazard="crowd", east_m=-900))
        for action in ("accept", "feed_back", "rework", "feed_back", "close"):
            desk.move(ticket_id, action, by="head")
        box = new_box(list(range(500)))
        for state in ("dark", "dark", "live"):
            box.tell([status(state)])
            clock.move_to(clock.now() + 301)
        made = document()
        channels = {
            address["address"].replace("{root}", f"{{{prefix}}}"): address["messages"]
            for address in made["channels"].values()
        }
        read = 0
        for address, messages in channels.items():
            pattern = address.replace("{grid}", "4*")
            payloads = [
                made["components"]["messages"][name]["payload"]["$ref"].rpartition("/")[2]
                for name in messages
            ]
            schema = {
                "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in payloads],
                "components": made["components"],
            }
            for key in redis.scan_iter(pattern):
                for _, fields in redis.xrange(key):
                    assert fields["v"] == made["info"]["version"]
                    jsonschema.Draft202012Validator(schema).validate(json.loads(fields["json"]))
                    read += 1
        assert read >= 11

    def test_its_examples_are_events(self):
        for example in EXAMPLES:
            assert event_of(example.model_dump_json()) == example


@pytest.fixture
def town_folder(tmp_path):
    """Settings of a town with a recipient, and a way to run a command in it."""
    yulong = Path(__file__).parents[2] / "configs" / "yulong"
    for name in ("grids.geojson", "duties.yaml"):
        (tmp_path / name).write_text((yulong / name).read_text("utf-8"), "utf-8")
    rows = (yulong / "cameras.csv").read_text("utf-8").splitlines()
    (tmp_path / "cameras.csv").write_text("\n".join(rows[:4]) + "\n", "utf-8")
    with HttpReceiver() as receiver:
        recipient = {"way": "webhook", "url": receiver.url, "secret": "hidden-secret"}
        settings = {
            "data_dir": "data",
            "notify": {"allow": ["127.0.0.1/32"], "recipients": {"east": recipient}},
        }
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(settings), "utf-8")
        yield receiver, path


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["gridwatch", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    assert "hidden" not in captured.out + captured.err
    return int(end.value.code or 0), captured.out, captured.err


def test_a_recipient_is_tried_out_looked_at_and_its_dead_letters_sent_again(
    town_folder, monkeypatch, capsys
):
    receiver, path = town_folder

    def run(*arguments):
        return command(monkeypatch, capsys, *arguments, "-s", path)

    code, out, _ = run("notify", "test", "east")
    assert (code, out) == (0, "east: 已送达 / taken\n")
    assert "测试" in receiver.got[0].json["text"]
    receiver.script = [500]
    code, _, err = run("notify", "test", "east")
    assert code == 1
    assert "east: 127.0.0.1 answers 500" in err
    code, _, err = run("notify", "test", "west")
    assert code == 2
    assert "allowed: east" in err
    code, _, err = run("notify", "test", "cap-files")
    assert code == 2
    assert "CAP documents alone" in err
    code, out, _ = run("notify", "status", "--json")
    assert code == 0
    standing = json.loads(out)
    assert standing["unread"] == 0
    assert [one["name"] for one in standing["recipients"]] == ["east", "cap-files"]
    code, out, _ = run("notify", "status")
    assert "east" in out
    code, out, _ = run("notify", "retry", "--json")
    assert json.loads(out) == {"east": 0, "cap-files": 0}
    code, out, _ = run("queue", "claim", "emergency")
    assert (code, out) == (0, "emergency: 没有可接管的条目 / nothing to take over\n")
    code, out, _ = run("queue", "read", "emergency", "--json")
    assert (code, json.loads(out)) == (0, [])
