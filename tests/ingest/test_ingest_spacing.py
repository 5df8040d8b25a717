from itertools import accumulate

import pytest

from pipeline.ingest.spacing import Spacing


def gaps(times):
    spacing = Spacing()
    return [at for at, pts in enumerate(times) if spacing.gap(pts)]


def test_a_lost_picture_leaves_a_gap():
    steps = [3600] * 20 + [7200] + [3600] * 20 + [36_000] + [3600] * 5
    assert gaps(accumulate(steps)) == [20, 41]


@pytest.mark.parametrize(
    "steps",
    [
        [3600, 3700, 3500] * 20,  # it jitters
        [3600] * 30 + [5000] * 8 + [6500] * 30,  # slower as it grows dark
        [7200, -3600, -1800, 5400] * 20,  # reordered pictures
        [0] * 20,  # a camera without times
    ],
)
def test_what_is_usual_is_no_gap(steps):
    assert gaps(accumulate(steps)) == []


def test_times_that_are_missing_or_begin_anew_are_no_gap():
    assert gaps([*range(0, 36_000, 3600), None, *range(36_000, 72_000, 3600)]) == []
    assert gaps([*range(0, 36_000, 3600), 0, 3600, 7200]) == []
