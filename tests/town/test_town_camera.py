"""A camera shows everything about itself but its credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CameraListError
from pipeline.town.camera import Camera, Zone, masked_url


@pytest.mark.parametrize(
    "url, shown",
    [
        ("rtsp://admin:s3cret@10.0.0.8:554/Streaming/Channels/101",
         "rtsp://10.0.0.8:554/Streaming/Channels/101"),
        ("rtsp://admin:p@ss/w0rd@10.0.0.8/ch1", "rtsp://10.0.0.8/ch1"),
        ("rtsp://admin:pass/w0rd@10.0.0.8/ch1", "rtsp://10.0.0.8/ch1"),
        ("rtsps://nvr/live/1?sign=abcdef&user=x", "rtsps://nvr/live/1?sign=***&user=***"),
        ("rtsp://u:p#w@10.0.0.8/ch1", "rtsp://10.0.0.8/ch1"),
        ("rtsp://u:p?w@10.0.0.8/ch1", "rtsp://10.0.0.8/ch1"),
        ("rtsp://nvr/live?token1234", "rtsp://nvr/live?***"),
        ("rtsp://[::1]:8554/a", "rtsp://[::1]:8554/a"),
        ("rtsp://10.0.0.1/user=admin_password=tlJwpbo6_channel=1&stream=0.sdp",
         "rtsp://10.0.0.1/user=admin_password=***_channel=1&stream=0.sdp"),
        ("rtsp://nvr/user=admin&Password=tlJ_pbo6&channel=1",
         "rtsp://nvr/user=admin&Password=***&channel=1"),
        ("rtsp://nvr/token/abcdef/ch1", "rtsp://nvr/token/***/ch1"),
        ("admin:s3cret@10.0.0.8/ch1", "10.0.0.8/ch1"),
        ("//admin:s3cret@10.0.0.8/ch1", "10.0.0.8/ch1"),
        ("10.0.0.8/user=admin_password=s3cret_channel=1",
         "10.0.0.8/user=admin_password=***_channel=1"),
        ("footage/2026@5.mp4", "footage/2026@5.mp4"),
        ("/footage/street.mp4", "/footage/street.mp4"),
    ],
)  # fmt: skip
def test_a_masked_url_keeps_host_and_path(url, shown):
    assert masked_url(url) == shown


@given(
    user=st.text(st.characters(codec="ascii", exclude_characters="@"), max_size=8),
    password=st.text(st.characters(codec="ascii"), max_size=12),
)
def test_no_password_survives_masking_whatever_is_in_it(user, password):
    secret = f"QX{password}ZV"
    shown = masked_url(f"rtsp://{user}:{secret}@host/path")
    assert "QX" not in shown
    assert "ZV" not in shown


@given(
    front=st.sampled_from(("rtsp://10.0.0.1/", "rtsp://u:p@nvr:554/a/", "rtsp://nvr/ch1?", "nvr/")),
    before=st.sampled_from(("", "user=admin_", "user=admin&", "user/admin/", "x;", "a?b=1&")),
    key=st.sampled_from(("password", "passwd", "passw", "pwd", "token", "secret")),
    capitals=st.sampled_from((str.lower, str.upper, str.title)),
    separator=st.sampled_from("=/:"),
    middle=st.text(st.characters(codec="ascii", exclude_characters="&/;?@="), max_size=12),
    after=st.sampled_from(("", "_channel=1&stream=0.sdp", "&x=1", "/ch1", ";y", "?real_stream")),
)
def test_no_secret_in_a_path_survives_masking(
    front, before, key, capitals, separator, middle, after
):
    secret = f"QX{middle}ZV"
    shown = masked_url(f"{front}{before}{capitals(key)}{separator}{secret}{after}")
    assert "QX" not in shown
    assert "ZV" not in shown


@given(st.text())
def test_masking_never_fails(text):
    masked_url("rtsp://" + text)
    masked_url(text)


def test_neither_repr_nor_str_of_a_camera_shows_credentials():
    camera = Camera("c1", "门口", "rtsp://admin:s3cret@nvr/101", 113.4, 34.8)
    for text in (repr(camera), str(camera), f"{camera}"):
        assert "s3cret" not in text
        assert "rtsp://nvr/101" in text


def test_zones_are_found_by_kind():
    square = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
    zones = (Zone("carriageway", square), Zone("ignore", square), Zone("footway", square))
    camera = Camera("c1", "n", "/c.mp4", 113.4, 34.8, zones=zones)
    assert list(camera.zones_of("carriageway", "footway")) == [zones[0], zones[2]]


@pytest.mark.parametrize(
    "kind, polygon, problem",
    [
        ("lane", [(0, 0), (1, 0), (1, 1)], "unknown kind"),
        ("ignore", [(0, 0), (1.2, 0), (1, 1)], "outside the picture"),
        ("ignore", [(0, 0), (float("nan"), 0), (1, 1)], "outside the picture"),
        ("ignore", [(0, 0), (1, 1)], "too few corners"),
        ("ignore", [(0, 0), (1, 1), (0, 0), (1, 1)], "too few corners"),
        ("ignore", [(0, 0), (1, 1), (1, 0), (0, 1)], "crosses itself"),
        ("ignore", [(0, 0), (0.5, 0.5), (1, 1)], "crosses itself or has no area"),
    ],
)
def test_a_zone_must_be_a_simple_polygon_in_the_picture(kind, polygon, problem):
    with pytest.raises(CameraListError, match=problem):
        Zone(kind, tuple(polygon))
