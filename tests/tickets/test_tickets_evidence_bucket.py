"""Evidence is carried to a bucket: here a real S3 server, moto's, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import uuid
from typing import TYPE_CHECKING

import boto3
import pytest
import yaml
from evidence_help import BLOCKAGE, NAME, READER, jpeg
from pydantic import SecretStr
from ticket_town import NOON, incident, small_town, wait_until

from pipeline.errors import EvidenceError, InputError, SettingsError, StoreUnavailableError
from pipeline.settings import EvidenceSettings, StoreSettings
from pipeline.settings_file import load_settings
from pipeline.tickets import EvidenceStore, Keeper, Sweep
from pipeline.tickets.evidence import about
from pipeline.tickets.store import bucket as bucket_module
from pipeline.tickets.store import name_of
from pipeline.tickets.store.bucket import Bucket, bucket_of

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400.0
SECRET = "s3cr3t-never-shown"
NOT_NOW = threading.Event()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Server:
    """An S3 server in a process of its own; it forgets everything when it ends."""

    def __init__(self) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
        )
        wait_until(self._answers, within_s=30)

    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="cn-north-1",
            aws_access_key_id="gridwatch",
            aws_secret_access_key=SECRET,
        )

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the S3 server ended"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def town_bucket(server) -> str:
    """A new bucket's name."""
    name = f"town-{uuid.uuid4().hex[:12]}"
    server.client().create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "cn-north-1"}
    )
    return name


def settings_for(endpoint: str, bucket: str, **more: object) -> EvidenceSettings:
    store = StoreSettings(
        url=f"s3://{bucket}/yulong",
        endpoint=endpoint,
        region="cn-north-1",
        access_key=SecretStr("gridwatch"),
        secret_key=SecretStr(SECRET),
        timeout_s=2,
        **more,
    )
    return EvidenceSettings(min_free_mb=0, store=store)


@pytest.fixture
def open_store(tmp_path, clock):
    opened = []

    def make(settings: EvidenceSettings) -> EvidenceStore:
        store = EvidenceStore(tmp_path, settings, clock, bucket=bucket_of(settings.store))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store, server, town_bucket):
    return open_store(settings_for(server.endpoint, town_bucket))


def away(town_bucket: str, **more: object) -> EvidenceSettings:
    return settings_for(f"http://127.0.0.1:{free_port()}", town_bucket, **more)


def keys_in(server, bucket: str) -> list[str]:
    found = server.client().list_objects_v2(Bucket=bucket)
    return [one["Key"] for one in found.get("Contents", ())]


def here(store: EvidenceStore) -> list[str]:
    return sorted(name for name, _ in store.folder.names())


def test_what_is_kept_is_carried_and_leaves_this_disk(store, server, town_bucket):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    assert here(store) == [NAME]
    assert store.carry(NOT_NOW) == 1
    assert here(store) == []
    assert keys_in(server, town_bucket) == [f"yulong/{NAME}"]
    head = server.client().head_object(Bucket=town_bucket, Key=f"yulong/{NAME}")
    assert head["ContentType"] == "image/jpeg"
    assert head["Metadata"]["sha256"] == store.ledger.item(NAME).sha256
    assert store.ledger.item(NAME).place == "bucket"


def test_it_is_read_from_there_with_a_record(store):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    store.carry(NOT_NOW)
    assert store.read(NAME, READER).data == jpeg()
    assert len(store.ledger.reads()) == 1


def test_what_was_changed_there_is_not_given_out(store, server, town_bucket):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    store.carry(NOT_NOW)
    server.client().put_object(Bucket=town_bucket, Key=f"yulong/{NAME}", Body=jpeg(2))
    with pytest.raises(EvidenceError, match="not what was kept"):
        store.read(NAME, READER)


def test_while_the_bucket_is_away_pictures_wait_here_and_go_later(
    open_store, server, town_bucket, clock
):
    far = open_store(away(town_bucket))
    far.keep({NAME: jpeg()}, BLOCKAGE)
    with pytest.raises(StoreUnavailableError, match="putting") as error:
        far.carry(NOT_NOW)
    assert SECRET not in str(error.value)
    assert far.read(NAME, READER).data == jpeg()
    back = open_store(settings_for(server.endpoint, town_bucket))
    assert back.carry(NOT_NOW) == 1
    assert here(back) == []


def test_too_much_that_waits_gives_way_oldest_first_and_with_a_record(
    open_store, town_bucket, clock, desk
):
    far = open_store(away(town_bucket, waiting_mb=1))
    for number in range(4):
        clock.move_to(NOON + number)
        far.keep({f"2026/11/23/x{number}-plain.jpg": bytes(400_000)}, BLOCKAGE)
    keeper = Keeper(far, Sweep(far, desk.evidence, small_town().duties, clock), clock)
    keeper.round(NOT_NOW)
    assert here(far) == ["2026/11/23/x2-plain.jpg", "2026/11/23/x3-plain.jpg"]
    rules = [link.said["rule"] for link in far.ledger.deletions()]
    assert len(rules) == 2
    assert all("gave way: more than 1 MB waited for s3://" in rule for rule in rules)
    assert "putting" in far.trouble


def test_what_is_on_hold_does_not_give_way(open_store, town_bucket, clock, desk):
    far = open_store(away(town_bucket, waiting_mb=1))
    held, other = incident(1), incident(2, east_m=600.0)
    for number, found in enumerate((held, other)):
        clock.move_to(NOON + number)
        far.keep({name_of(found, "plain"): bytes(700_000)}, about(found))
        ticket_id = desk.file(found).ticket_id
        if found is held:
            desk.evidence.hold(ticket_id, by="王五")
    Sweep(far, desk.evidence, small_town().duties, clock).dues()
    assert far.give_way() == 1
    assert here(far) == [name_of(held, "plain")]


def test_nothing_gives_way_where_evidence_stays_in_the_folder(tmp_path, clock):
    store = EvidenceStore(tmp_path, EvidenceSettings(min_free_mb=0), clock)
    store.keep({NAME: jpeg()}, BLOCKAGE)
    assert store.give_way() == 0
    assert here(store) == [NAME]
    store.close()


def test_the_sweep_deletes_there_and_records_it(store, server, town_bucket, clock, desk):
    found = incident()
    store.keep({name_of(found, "plain"): jpeg()}, about(found))
    store.carry(NOT_NOW)
    sweep = Sweep(store, desk.evidence, small_town().duties, clock)
    clock.move_to(NOON + 91 * DAY)
    assert len(sweep.run().deleted) == 1
    assert keys_in(server, town_bucket) == []
    (link,) = store.ledger.deletions()
    assert (link.said["place"], link.said["found"]) == ("bucket", "as kept")


def test_a_bucket_that_keeps_versions_keeps_none_of_a_deleted_picture(store, server, town_bucket):
    client = server.client()
    client.put_bucket_versioning(Bucket=town_bucket, VersioningConfiguration={"Status": "Enabled"})
    for seed in (1, 2):
        store.keep({NAME: jpeg(seed)}, BLOCKAGE)
        store.carry(NOT_NOW)
    neighbour = NAME.replace("plain", "plainer")
    store.keep({neighbour: jpeg()}, BLOCKAGE)
    store.carry(NOT_NOW)
    store.delete(store.ledger.item(NAME), "rule")
    left = client.list_object_versions(Bucket=town_bucket)
    assert [one["Key"] for one in left["Versions"]] == [f"yulong/{neighbour}"]
    assert "DeleteMarkers" not in left


def test_while_the_bucket_is_away_nothing_counts_as_deleted(
    open_store, server, town_bucket, clock, desk
):
    near = open_store(settings_for(server.endpoint, town_bucket))
    near.keep({NAME: jpeg()}, BLOCKAGE)
    near.carry(NOT_NOW)
    clock.move_to(NOON + 91 * DAY)
    far = open_store(away(town_bucket))
    swept = Sweep(far, desk.evidence, small_town().duties, clock).run()
    assert (swept.deleted, swept.away) == ([], [NAME])
    assert near.ledger.deletions() == []
    later = Sweep(near, desk.evidence, small_town().duties, clock).run()
    assert later.deleted == [NAME]
    assert keys_in(server, town_bucket) == []


def test_a_kill_between_carrying_and_removing_leaves_one_copy(
    store, server, town_bucket, clock, desk, monkeypatch
):
    store.keep({NAME: jpeg()}, BLOCKAGE)

    def killed(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.folder, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        store.carry(NOT_NOW)
    monkeypatch.undo()
    assert here(store) == [NAME]
    Sweep(store, desk.evidence, small_town().duties, clock).run()
    assert here(store) == []
    assert store.read(NAME, READER).data == jpeg()


def test_settings_without_the_bucket_say_so_instead_of_losing_track(store, open_store):
    store.keep({NAME: jpeg()}, BLOCKAGE)
    store.carry(NOT_NOW)
    local = open_store(EvidenceSettings(min_free_mb=0))
    with pytest.raises(StoreUnavailableError, match="the settings name none"):
        local.read(NAME, READER)


def test_wrong_keys_and_missing_buckets_are_named_without_the_keys(server, open_store):
    store = open_store(settings_for(server.endpoint, "no-such-bucket"))
    store.keep({NAME: jpeg()}, BLOCKAGE)
    with pytest.raises(StoreUnavailableError, match="NoSuchBucket") as error:
        store.carry(NOT_NOW)
    assert SECRET not in str(error.value)
    with pytest.raises(StoreUnavailableError, match="NoSuchBucket"):
        store.bucket.check()


def test_without_the_extra_the_settings_are_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(InputError, match=r"gridwatch\[s3\]"):
        bucket_of(StoreSettings(url="s3://town"))
    assert bucket_of(StoreSettings()) is None
    assert isinstance(bucket_module.Bucket, type)


@pytest.mark.parametrize(
    "values, where",
    [
        ({"url": "https://town.example"}, "tickets.evidence.store.url"),
        ({"url": "s3://Town/a/../b"}, "tickets.evidence.store.url"),
        ({"url": "s3://user:pass@town/x"}, "tickets.evidence.store.url"),
        ({"endpoint": "http://user:pass@host"}, "tickets.evidence.store.endpoint"),
        ({"secret_key": 12345}, "tickets.evidence.store.secret_key"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, values, where):
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({"tickets": {"evidence": {"store": values}}}), "utf-8")
    with pytest.raises(SettingsError, match=where) as error:
        load_settings(file)
    assert "12345" not in str(error.value)
    assert "pass@" not in str(error.value)


def test_a_secret_is_not_printed_with_the_settings(town_bucket):
    settings = away(town_bucket)
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    assert SECRET not in str(Bucket(settings.store))
