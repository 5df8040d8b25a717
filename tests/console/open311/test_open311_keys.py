"""API keys: shown once, kept as hashes, gone at once when they are revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ticket_town import NOON

from pipeline.clock import ManualClock
from pipeline.console.open311 import ApiKeys
from pipeline.console.open311.rate import RateLimit
from pipeline.errors import ApiKeyError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path, clock):
    keys = ApiKeys(tmp_path / "data" / "keys.json", clock)
    assert keys.name_of("gw_x") is None
    key = keys.add("a")
    file = tmp_path / "data" / "keys.json"
    assert key.startswith("gw_")
    assert key not in file.read_text()
    assert key[3:] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.name_of(key) == "a"
    assert keys.name_of(key + "x") is None


def test_what_another_process_does_with_keys_counts_at_once(tmp_path: Path, clock):
    mine, theirs = (ApiKeys(tmp_path / "keys.json", clock) for _ in range(2))
    first = theirs.add("a")
    assert mine.name_of(first) == "a"
    theirs.revoke("a")
    assert mine.name_of(first) is None
    second = theirs.add("a")  # the name may be used again, the key not
    assert (mine.name_of(first), mine.name_of(second)) == (None, "a")
    assert [(one.name, one.revoked_at) for one in mine.listed()] == [("a", NOON), ("a", None)]


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\nb", "a\x1b[31m"])
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, clock, name):
    with pytest.raises(ApiKeyError, match="not a name"):
        ApiKeys(tmp_path / "keys.json", clock).add(name)


def test_a_name_is_given_once_and_only_what_is_there_is_revoked(tmp_path: Path, clock):
    keys = ApiKeys(tmp_path / "keys.json", clock)
    keys.add("a")
    with pytest.raises(ApiKeyError, match="there is such a key"):
        keys.add("a")
    with pytest.raises(ApiKeyError, match=r"no such key; found b; allowed: a"):
        keys.revoke("b")


def test_a_rate_fills_up_evenly_and_never_over_its_most():
    clock = ManualClock()
    rate = RateLimit(6, clock)
    assert [rate.wait_s("a") for _ in range(7)] == [0.0] * 6 + [10.0]
    clock.sleep(10)
    assert (rate.wait_s("a"), rate.wait_s("a")) == (0.0, 10.0)
    clock.sleep(3600)
    assert [rate.wait_s("a") for _ in range(7)] == [0.0] * 6 + [10.0]
    assert rate.wait_s("b") == 0.0


def test_clients_without_number_are_not_all_remembered():
    rate = RateLimit(1, ManualClock())
    for number in range(10_100):
        rate.wait_s(str(number))
    assert len(rate._left) == 10_000
