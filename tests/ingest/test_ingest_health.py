import numpy as np

from pipeline.ingest import Look
from pipeline.ingest.health import PictureHealth

RANDOM = np.random.default_rng(1)


def noise(mean, rows=192):
    return RANDOM.integers(mean - 3, mean + 4, (rows, 320), np.uint8)


def look(at, luma):
    """A look of a 320×180 camera: what is below row 180 is padding."""
    picture = np.full((288, 320), 128, np.uint8)
    picture[:192] = luma
    picture[180:192] = 114
    return Look("c", at, (0, 0, 320, 192), (320, 180), picture)


def states(after_s, lumas):
    health = PictureHealth(after_s)
    return [health.judge(look(float(at), luma)).state for at, luma in enumerate(lumas)]


def telling(lumas):
    health = PictureHealth(5)
    return [health.judge(look(float(at), luma)).telling for at, luma in enumerate(lumas)]


def test_a_changing_picture_is_live():
    assert set(states(5, [noise(90) for _ in range(20)])) == {"live"}


def test_a_picture_that_never_changes_is_frozen_after_its_time_and_live_at_once_when_it_moves():
    still = noise(90)
    found = states(5, [noise(90), *[still] * 10, noise(90)])
    assert found[:6] == ["live"] * 6
    assert found[6:11] == ["frozen"] * 5
    assert found[-1] == "live"


def taken_over(after_s, looks, *, at):
    """States of the same looks, judged by another from this one on."""
    first = PictureHealth(after_s)
    for one in looks[:at]:
        first.judge(one)
    second = PictureHealth(after_s, before=first.suspicion())
    return [second.judge(one).state for one in looks[at:]]


def test_a_fault_that_has_begun_to_show_goes_on_at_another_judge():
    still = noise(90)
    for pictures in ([still] * 9, [noise(19) for _ in range(9)]):
        looks = [look(float(at), luma) for at, luma in enumerate([noise(90), *pictures])]
        whole = PictureHealth(5)
        states = [whole.judge(one).state for one in looks]
        assert states[-1] in ("frozen", "dark")
        for at in range(3, 10):
            assert taken_over(5, looks, at=at) == states[at:]


def test_a_short_standstill_is_no_fault():
    still = noise(90)
    assert set(states(5, [noise(90), still, still, still, noise(90)] * 4)) == {"live"}


def test_two_looks_far_apart_prove_nothing():
    health = PictureHealth(5)
    still = noise(90)
    assert [health.judge(look(at, still)).state for at in (0.0, 60.0)] == ["live", "live"]


def test_a_black_picture_is_dark_although_its_padding_is_grey():
    found = states(5, [noise(19) for _ in range(10)])
    assert found[:5] == ["live"] * 5
    assert found[5:] == ["dark"] * 5


def test_dark_does_not_flicker_at_its_limit():
    found = states(3, [noise(19)] + [noise(mean) for mean in (20, 24, 20, 25, 20, 26)])
    assert found[-3:] == ["dark"] * 3


def test_light_ends_dark():
    assert states(2, [*[noise(19) for _ in range(6)], noise(60)])[-1] == "live"


def test_a_night_street_is_not_dark():
    assert set(states(2, [noise(34) for _ in range(8)])) == {"live"}


def test_pictures_of_a_street_where_nothing_moves_tell_something_as_long_as_they_differ():
    assert all(telling([noise(90) for _ in range(10)]))


def test_a_repeated_picture_tells_nothing_from_its_first_repetition_on():
    still = noise(90)
    assert telling([still, still, still, noise(90), still]) == [True, False, False, True, True]


def test_a_black_picture_tells_nothing_from_the_first_one_on():
    assert telling([noise(90), noise(19), noise(19), noise(90)]) == [True, False, False, True]
