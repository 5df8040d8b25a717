"""Settings: where values come from, and how a wrong one is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.settings import Section, Settings
from pipeline.settings_file import load_settings
from pipeline.shipped import shipped

CRASH = "GRIDWATCH_HAZARDS__BLOCKAGE__CRASH_DWELL_S"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("GRIDWATCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "settings.yaml"
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
        return path

    return write


def crash_dwell(settings):
    return settings.hazards.blockage.crash_dwell_s


def refusal(path=None, overrides=()):
    with pytest.raises(SettingsError) as caught:
        load_settings(path, overrides)
    return caught.value


def test_without_a_file_the_defaults_hold():
    settings = load_settings()
    assert crash_dwell(settings) == 20
    assert settings.redis.url is None
    assert settings.model.path == shipped("models/street-n.onnx")


def test_the_environment_wins_over_the_file_and_set_over_both(file, monkeypatch):
    path = file({"hazards": {"blockage": {"crash_dwell_s": 5, "vehicle_dwell_s": 6}}})
    assert crash_dwell(load_settings(path)) == 5
    monkeypatch.setenv(CRASH, "7")
    assert crash_dwell(load_settings(path)) == 7
    settings = load_settings(path, ["hazards.blockage.crash_dwell_s=8"])
    assert crash_dwell(settings) == 8
    assert settings.hazards.blockage.vehicle_dwell_s == 6, "its neighbours stay"


def test_of_two_sets_the_later_wins():
    name = "hazards.blockage.crash_dwell_s"
    assert crash_dwell(load_settings(None, [f"{name}=8", f"{name}=9"])) == 9


def test_variables_that_are_not_settings_are_none_of_our_business(monkeypatch):
    monkeypatch.setenv("GRIDWATCH_HOME", "/somewhere")
    assert load_settings() == load_settings()


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path):
    file = tmp_path / "town.yaml"
    file.write_text("redis: {url: null}\ndata_dir: a\nredis: {prefix: b}\n", "utf-8")
    with pytest.raises(SettingsError, match=r"town\.yaml, line 3.*redis stands twice"):
        load_settings(file)


def test_a_variable_of_a_section_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("GRIDWATCH_HAZARD__ROAD__DWELL_S", "3")
    with pytest.raises(SettingsError, match=r"GRIDWATCH_HAZARD__ROAD__DWELL_S.*hazards"):
        load_settings()


@pytest.mark.parametrize(
    "wrong, field, allowed",
    [
        (
            {"hazards": {"blockage": {"crash_dwel_s": 4}}},
            "hazards.blockage.crash_dwel_s",
            "crash_dwell_s",
        ),
        ({"hazard": {}}, "hazard", "hazards"),
        (
            {"tickets": {"evidence": {"jpg_quality": 4}}},
            "tickets.evidence.jpg_quality",
            "jpeg_quality",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(file, wrong, field, allowed):
    error = refusal(file(wrong))
    assert error.where == field
    assert f"did you mean {allowed}?" in error.allowed


def test_an_unknown_key_that_resembles_nothing_lists_what_is_allowed():
    error = refusal(None, ["redis.zzz=1"])
    assert (error.file, error.where) == ("--set redis.zzz", "redis.zzz")
    assert error.allowed == "prefix, timeout_s, url"


@pytest.mark.parametrize("key", ["_env_file", "_case_sensitive", 3, None, True])
def test_a_top_level_key_that_is_no_section_is_refused(file, key):
    assert "unknown setting" in str(refusal(file({key: "x"})))


def test_a_key_that_is_no_name_is_refused_inside_a_section_too(file):
    assert "hazards" in str(refusal(file({"hazards": {3: 1}})))


@pytest.mark.parametrize(
    "override",
    [
        "hazards.blockage.crash_dwell_s=-1",
        "hazards.blockage.crash_dwell_s=soon",
        "hazards.blockage.crash_dwell_s=.nan",
        "hazards.blockage.crash_dwell_s=.inf",
        "hazards.confirm_score=1.5",
        "hazards.clear_looks=0",
        "hazards.crowd.people=0",
        "hazards.crowd.people=.inf",
        "ingest.interval_s=0",
        "ingest.policy=some",
        "ingest.sessions_per_host=0",
        "ingest.hosts={10.0.0.5/ch1: {sessions: 4}}",
        "model.batch=0",
        "redis.prefix=a b",
        "tickets.evidence.jpeg_quality=101",
        "hazards=5",
        "hazards.blockage=null",
    ],
)
def test_a_value_out_of_range_is_refused_with_field_found_and_allowed(override):
    key, _, value = override.partition("=")
    error = refusal(None, [override])
    assert error.file == f"--set {key}"
    assert error.where == key
    assert error.found == repr(yaml.safe_load(value))
    assert error.allowed


def test_the_source_of_a_wrong_value_is_named(file, monkeypatch):
    path = file({"hazards": {"blockage": {"crash_dwell_s": -1}}})
    assert refusal(path).file == str(path)
    monkeypatch.setenv(CRASH, "-2")
    error = refusal(path)
    assert (error.file, error.found) == ("environment", "'-2'")


@pytest.mark.parametrize("override", ["nonsense", "=4", " =4", "hazards", ""])
def test_an_override_that_is_no_assignment_is_refused(override):
    error = refusal(None, [override])
    assert (error.file, error.allowed) == ("--set", "key=value")


def test_a_section_of_the_environment_that_is_no_mapping_is_refused(monkeypatch):
    monkeypatch.setenv("GRIDWATCH_HAZARDS", "{broken")
    assert refusal().file == "environment"


def test_yaml_that_cannot_be_read_is_refused_with_its_line(file):
    error = refusal(file("redis:\n  prefix: a\n bad: [\n"))
    assert error.where == "line 3"
    assert "is not YAML" in str(error)


def test_text_that_is_not_utf_8_is_refused(file):
    assert "UTF-8" in str(refusal(file("data_dir: 数据\n".encode("gb18030"))))


def test_a_missing_file_a_folder_and_a_list_are_refused(file, tmp_path):
    assert "No such file" in str(refusal(tmp_path / "none.yaml"))
    assert str(tmp_path) in str(refusal(tmp_path))
    assert "list" in str(refusal(file("- a\n- b\n")))


def test_an_empty_file_means_the_defaults(file):
    assert load_settings(file("# nothing yet\n")).hazards == Settings().hazards


def test_paths_are_relative_to_the_settings_file(file, tmp_path):
    path = file(
        {"data_dir": "../data", "town": {"cameras": "cams.csv"}, "model": {"path": "/m.onnx"}}
    )
    settings = load_settings(path)
    assert settings.data_dir == tmp_path.parent / "data"
    assert settings.town.cameras == tmp_path / "cams.csv"
    assert settings.town.grids == tmp_path / "grids.geojson"
    assert settings.model.path == Path("/m.onnx")


def test_without_a_file_paths_are_relative_to_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings().data_dir == tmp_path / "data"


@pytest.mark.parametrize(
    "override, changes",
    [
        ("hazards.blockage.crash_dwell_s=3", True),
        ("hazards.crowd.people=5", True),
        ("ingest.interval_s=1", True),
        ("redis.url=redis://elsewhere", False),
        ("data_dir=/somewhere", False),
        ("model.threads=2", False),
        ("heads.from_people=20", True),
        ("heads.threads=2", False),
        ("tickets.cool_down_s=1", False),
    ],
)
def test_the_digest_changes_with_what_decides_about_hazards_and_nothing_else(override, changes):
    changed = load_settings(None, [override])
    assert (changed.digest() != load_settings().digest()) is changes


def fields_of(section, path=""):
    for name, field in section.model_fields.items():
        here = f"{path}.{name}".lstrip(".")
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield here, inner.__doc__
            yield from fields_of(inner, here)
        else:
            yield here, field.description


@pytest.mark.parametrize("name, description", list(fields_of(Settings)))
def test_every_setting_says_what_it_means(name, description):
    assert description
    assert len(description) > 10, name


def test_settings_that_are_written_down_come_back(file):
    settings = load_settings(None, ["hazards.crowd.people=5", "redis.prefix=town-2"])
    path = file(settings.model_dump(mode="json"))
    assert load_settings(path) == settings


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(("hazards", "blockage", "crash_dwell_s", "town", "redis", "url", "x")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(_values, st.lists(st.text(max_size=30), max_size=2))
def test_whatever_is_written_is_read_or_refused(file, value, overrides):
    path = file(yaml.safe_dump(value))
    try:
        settings = load_settings(path, overrides)
    except SettingsError as error:
        assert error.file is not None  # noqa: PT017 - most inputs are refused, some are right
    else:
        assert settings.digest()


def test_limits_of_single_hosts_are_read_and_named_when_wrong(file):
    hosts = {"NVR.lan:554": {"sessions": 16}, "10.0.0.5": {"verify": False}}
    ingest = load_settings(file({"ingest": {"hosts": hosts}})).ingest
    assert ingest.hosts["nvr.lan:554"].sessions == 16
    assert ingest.hosts["10.0.0.5"].verify is False

    error = refusal(file({"ingest": {"hosts": {"10.0.0.5": {"sesions": 4}}}}))
    assert error.where == "ingest.hosts.10.0.0.5.sesions"
    assert "did you mean sessions" in error.allowed
    error = refusal(file({"ingest": {"hosts": {"rtsp://admin:s3cret@10.0.0.5": {"sessions": 4}}}}))
    assert error.where == "ingest.hosts"
    assert "s3cret" not in str(error)
    assert "address:port" in error.allowed


def test_the_file_of_trusted_certificates_is_relative_to_the_settings(file):
    path = file({"ingest": {"tls": {"ca_file": "cameras.pem"}}})
    assert load_settings(path).ingest.tls.ca_file == path.parent / "cameras.pem"
