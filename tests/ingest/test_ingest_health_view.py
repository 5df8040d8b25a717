"""Covered and moved, told from the pictures alone."""

import io
from functools import partial

import numpy as np
import pytest
from street_views import Watching, bag, fog, infrared, leaf, look, lorry, night, seen, street

from pipeline.ingest.health import PictureHealth
from pipeline.ingest.view_files import accept_view

AFTER_S = 20.0


@pytest.fixture
def watching():
    """A camera whose view is known."""
    camera = Watching(PictureHealth(AFTER_S))
    camera.sees(90)
    return camera


def states(verdicts):
    return {verdict.state for _, verdict in verdicts}


def began(verdicts, state):
    """Seconds until the state came; None if it never did."""
    return next((at for at, verdict in verdicts if verdict.state == state), None)


def test_traffic_before_a_still_view_is_live_from_the_first_look_on():
    verdicts = Watching(PictureHealth(AFTER_S), every_s=3).sees(240)
    assert states(verdicts) == {"live"}
    assert all(verdict.telling for _, verdict in verdicts)


@pytest.mark.parametrize(
    "change",
    [
        {"right": 0.03},
        {"down": -0.05},
        {"zoom": 1.04},
        {"zoom": 0.96},
        {"zoom": 1.12},
        {"turn_deg": 2.5},
        {"turn_deg": -6},
        {"right": -0.3},
    ],
    ids=str,
)
def test_a_slight_turn_or_zoom_is_moved_within_30_s_and_live_again_within_60(watching, change):
    turned = watching.sees(40, partial(seen, **change))
    assert began(turned, "moved") <= 30
    back = watching.sees(60)
    assert began(back, "live") <= 30


def test_a_moved_camera_says_by_how_much_and_where_to(watching):
    verdict = watching.sees(40, partial(seen, right=0.05, down=-0.08))[-1][1]
    assert "右移 5%、上移 8%" in verdict.why
    assert "5% right, 8% up" in verdict.why
    watching.sees(60)
    assert "4% larger" in watching.sees(40, partial(seen, zoom=1.04))[-1][1].why
    watching.sees(60)
    assert "turned 3° clockwise" in watching.sees(40, partial(seen, turn_deg=3))[-1][1].why


def test_no_picture_of_a_turned_camera_tells_anything(watching):
    turned = watching.sees(60, partial(seen, right=0.1))
    assert not any(verdict.telling for _, verdict in turned)


def test_another_view_altogether_is_moved(watching):
    turned = watching.sees(60, lambda picture: seen(picture)[::-1, ::-1], clip="gathering")
    assert began(turned, "moved") <= 30
    assert not any(verdict.telling for _, verdict in turned)
    assert "another one" in turned[-1][1].why


def test_trembling_in_the_wind_is_not_moved(watching):
    swing = iter(np.random.default_rng(1).uniform(-0.005, 0.005, (100, 2)))
    verdicts = watching.sees(120, lambda picture: seen(picture, *next(swing)), clip="quiet_street")
    assert states(verdicts) == {"live"}


def test_a_knock_that_is_over_at_once_is_not_moved(watching):
    assert states(watching.sees(10, partial(seen, right=0.04))) == {"live"}
    assert states(watching.sees(60)) == {"live"}


@pytest.mark.parametrize("light", [0.3, 0.06], ids=["dusk", "night"])
def test_lamps_going_off_are_neither(watching, light):
    verdicts = watching.sees(120, lambda picture: night(seen(picture), light))
    assert states(verdicts + watching.sees(60)) == {"live"}


def test_the_switch_to_infrared_and_back_is_neither(watching):
    verdicts = watching.sees(240, lambda picture: infrared(seen(picture)), grey=True)
    assert states(verdicts + watching.sees(60)) == {"live"}


def test_a_camera_turned_under_infrared_is_moved_still_by_day(watching):
    watching.sees(120, lambda picture: infrared(seen(picture)), grey=True)
    turned = partial(seen, right=0.05)
    verdicts = watching.sees(40, lambda picture: infrared(turned(picture)), grey=True)
    assert began(verdicts, "moved") <= 30
    assert states(watching.sees(60, turned)) == {"moved"}
    assert began(watching.sees(60), "live") <= 30


def test_fog_that_stays_is_not_covered(watching):
    watching.every_s = 15
    verdicts = watching.sees(900, lambda picture: fog(seen(picture)))
    assert states(verdicts + watching.sees(60)) == {"live"}


@pytest.mark.parametrize("share", [0.5, 0.75])
def test_a_lorry_before_the_picture_for_two_minutes_is_not_covered(watching, share):
    verdicts = watching.sees(120, lambda picture: lorry(seen(picture), share))
    assert states(verdicts + watching.sees(60)) == {"live"}
    assert all(verdict.telling for _, verdict in verdicts)


@pytest.mark.parametrize("brightness", [60, 160])
def test_a_bag_over_the_lens_is_covered_within_30_s_and_live_again_within_60(watching, brightness):
    covered = watching.sees(60, lambda picture: bag(picture, brightness))
    assert began(covered, "covered") <= 30
    assert not any(verdict.telling for _, verdict in covered)
    assert "lens is covered" in covered[-1][1].why
    assert began(watching.sees(60), "live") <= 30


def test_a_leaf_on_most_of_the_lens_is_covered_after_ten_minutes(watching):
    watching.every_s = 20
    covered = watching.sees(700, lambda picture: leaf(seen(picture)))
    assert 600 <= began(covered, "covered") <= 640
    assert "most of it is covered" in covered[-1][1].why
    watching.every_s = 5
    assert began(watching.sees(60), "live") <= 30


def test_a_single_clear_look_does_not_uncover_what_is_covered_for_minutes(watching):
    watching.every_s = 20
    gap = iter([False] * 15 + [True] + [False] * 100)
    covered = watching.sees(
        700, lambda picture: seen(picture) if next(gap) else leaf(seen(picture))
    )
    assert began(covered, "covered") <= 640


def test_a_bag_from_the_start_is_covered_after_a_minute_and_the_view_is_learnt_after_it():
    camera = Watching(PictureHealth(AFTER_S))
    covered = camera.sees(90, lambda picture: np.full_like(picture, 70))
    assert 60 <= began(covered, "covered") <= 70
    assert began(camera.sees(120), "live") <= 20
    assert began(camera.sees(40, partial(seen, right=0.05)), "moved") <= 30


def test_a_bag_over_a_known_camera_at_night_is_covered(watching):
    watching.sees(120, lambda picture: infrared(seen(picture)), grey=True)
    covered = watching.sees(40, lambda picture: bag(picture, 120), grey=True)
    assert began(covered, "covered") <= 30


def test_a_camera_that_tours_its_presets_is_moved_and_told_so(watching):
    away = partial(seen, right=0.3)
    for _ in range(3):
        watching.sees(40, away)
        home = watching.sees(40)
    assert home[-1][1].state == "moved"
    assert not home[-1][1].telling
    assert "preset tour" in home[-1][1].why
    watching.every_s = 20
    assert states(watching.sees(800)) == {"moved"}
    assert began(watching.sees(180), "live") is not None


def test_a_tour_from_the_start_is_noticed_before_any_view_is_known():
    camera = Watching(PictureHealth(AFTER_S), every_s=2)
    verdicts = []
    for turn in range(8):
        verdicts += camera.sees(20, partial(seen, right=0.3 * (turn % 3 - 1)))
    assert verdicts[-1][1].state == "moved"
    assert "preset tour" in verdicts[-1][1].why


def test_a_camera_that_slowly_sags_is_moved_in_the_end():
    camera = Watching(PictureHealth(AFTER_S), every_s=60)
    assert states(camera.sees(2400)) == {"live"}
    sag = 0.0
    for _ in range(15):
        sag += 0.002
        found = states(camera.sees(900, partial(seen, down=sag)))
        if "moved" in found:
            break
    assert 0.014 < sag < 0.04


def test_an_outage_counts_for_nothing(watching):
    watching.sees(5, partial(seen, right=0.05))
    watching.at += 3600
    assert began(watching.sees(40, partial(seen, right=0.05)), "moved") >= 5
    watching.at -= 3800  # time that begins anew, as in a second recording
    assert began(watching.sees(60), "live") <= 30


# --- what is kept ---


def test_the_view_survives_a_restart_and_a_camera_turned_meanwhile_is_moved(tmp_path):
    Watching(PictureHealth(AFTER_S, tmp_path)).sees(90)
    again = Watching(PictureHealth(AFTER_S, tmp_path), at=90_000.0)
    assert began(again.sees(40, partial(seen, right=0.04)), "moved") <= 30


def test_nothing_is_suspected_of_a_camera_that_is_well(watching):
    watching.sees(60)
    assert watching.health.suspicion() is None


@pytest.mark.parametrize("lost_after", [1, 4, 12, 25])
def test_a_worker_lost_while_a_camera_is_turned_costs_no_time(tmp_path, lost_after):
    turned = partial(seen, right=0.05)
    one = Watching(PictureHealth(AFTER_S, tmp_path), every_s=5)
    one.sees(90)
    one.sees(lost_after * 1.0, turned)
    heir = PictureHealth(AFTER_S, tmp_path, one.health.suspicion())
    other = Watching(heir, at=one.at, every_s=5)
    assert lost_after + began(other.sees(40, turned), "moved") <= 30


def test_each_camera_keeps_its_own_view(tmp_path):
    Watching(PictureHealth(AFTER_S, tmp_path)).sees(90)
    other = Watching(PictureHealth(AFTER_S, tmp_path), camera_id="../c 2")
    assert states(other.sees(60, partial(seen, right=0.04))) == {"live"}
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*.npz"))
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_what_is_kept_holds_no_picture(tmp_path):
    Watching(PictureHealth(AFTER_S, tmp_path)).sees(90)
    [kept] = tmp_path.glob("*.npz")
    with np.load(kept, allow_pickle=False) as arrays:
        sizes = {name: array.size for name, array in arrays.items()}
        edges = arrays["bright_mean"]
    assert sizes == {
        "format": 1,
        "bright_mean": 160 * 90 * 2,
        "bright_energy": 32,
        "bright_numbers": 3,
    }
    brightness = seen(street()[0])[::4, ::4].astype(float).ravel()
    for plane in (edges[..., 0], edges[..., 1]):
        assert abs(np.corrcoef(plane.astype(float).ravel(), brightness)[0, 1]) < 0.2
    assert kept.stat().st_size < 100_000


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a file", b"x" * 5_000_000])
def test_a_broken_file_is_as_good_as_none(tmp_path, damage):
    Watching(PictureHealth(AFTER_S, tmp_path)).sees(90)
    [kept] = tmp_path.glob("*.npz")
    kept.write_bytes(damage)
    again = Watching(PictureHealth(AFTER_S, tmp_path), at=90_000.0)
    assert states(again.sees(90, partial(seen, right=0.04))) == {"live"}
    assert began(again.sees(40), "moved") is not None


def test_a_file_cut_anywhere_or_from_another_version_stops_nothing(tmp_path):
    Watching(PictureHealth(AFTER_S, tmp_path)).sees(90)
    [kept] = tmp_path.glob("*.npz")
    whole = kept.read_bytes()
    for end in range(0, len(whole), len(whole) // 25):
        kept.write_bytes(whole[:end])
        PictureHealth(AFTER_S, tmp_path).judge(look(5.0, seen(street()[0])))
    with np.load(io.BytesIO(whole)) as arrays:
        np.savez(kept, **(dict(arrays) | {"format": np.int64(99)}))
    PictureHealth(AFTER_S, tmp_path).judge(look(5.0, seen(street()[0])))


def test_a_folder_that_cant_be_written_costs_only_the_memory(tmp_path):
    in_the_way = tmp_path / "views"
    in_the_way.write_text("a file, no folder")
    camera = Watching(PictureHealth(AFTER_S, in_the_way))
    camera.sees(90)
    assert began(camera.sees(40, partial(seen, right=0.04)), "moved") <= 30


def test_an_accepted_view_is_learnt_anew_at_once(tmp_path):
    camera = Watching(PictureHealth(AFTER_S, tmp_path))
    camera.sees(90)
    turned = partial(seen, right=0.1)
    assert camera.sees(40, turned)[-1][1].state == "moved"
    accept_view(tmp_path, "c1")
    accepted = camera.sees(90, turned)
    assert began(accepted, "live") <= 10
    assert accepted[-1][1].telling
    assert camera.sees(40)[-1][1].state == "moved"
    assert not list(tmp_path.glob("*.accept"))


def test_a_view_accepted_while_nobody_watched_counts_at_the_next_start(tmp_path):
    Watching(PictureHealth(AFTER_S, tmp_path)).sees(90)
    accept_view(tmp_path, "c1")
    again = Watching(PictureHealth(AFTER_S, tmp_path), at=90_000.0)
    assert states(again.sees(90, partial(seen, right=0.1))) == {"live"}
