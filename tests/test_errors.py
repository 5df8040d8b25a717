"""One tree of errors: everything raised on purpose can be caught, and says what to put right."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import errors
from pipeline.errors import GridwatchError, InputError, SourceError

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, BaseException)
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_one_of_gridwatch(error):
    assert issubclass(error, GridwatchError)
    assert error.__name__.endswith("Error")


@pytest.mark.parametrize("error", [one for one in CLASSES if one is not GridwatchError])
def test_every_error_stands_in_the_drawn_tree_under_its_parent(error):
    lines = errors.__doc__.splitlines()
    drawn = {
        match[2]: (len(match[1]), at)
        for at, line in enumerate(lines)
        if (match := re.match(r"([│├└─ ]*)(\w+Error)\b", line))
    }
    depth, at = drawn[error.__name__]
    parent, (parent_depth, parent_at) = next(
        (name, place) for name, place in drawn.items() if name == error.__bases__[0].__name__
    )
    assert parent_depth < depth
    assert parent_at < at
    above = [name for name, (other, row) in drawn.items() if parent_at < row < at and other < depth]
    assert above == [], f"{error.__name__} is not drawn under {parent}"


_text = st.text(min_size=1, max_size=30)


@given(_text, _text, _text, _text, _text)
def test_an_input_error_says_file_place_found_and_allowed(problem, file, where, found, allowed):
    error = InputError(problem, file=file, where=where, found=found, allowed=allowed)
    for part in (problem, file, where, found, allowed):
        assert part in str(error)
    assert (error.file, error.where, error.found, error.allowed) == (file, where, found, allowed)


@pytest.mark.parametrize(
    "parts, text",
    [
        ({}, "is wrong"),
        ({"file": "a.yaml"}, "a.yaml: is wrong"),
        ({"file": "a.yaml", "where": "line 3"}, "a.yaml, line 3: is wrong"),
        ({"found": 0}, "is wrong; found 0"),
        ({"allowed": "1 to 5"}, "is wrong; allowed: 1 to 5"),
        ({"where": "x", "found": "", "allowed": "y"}, "x: is wrong; found ; allowed: y"),
    ],
)
def test_what_is_not_known_is_left_out(parts, text):
    assert str(InputError("is wrong", **parts)) == text


def test_a_source_error_names_the_state_of_the_camera():
    error = SourceError("unreachable", "connection refused")
    assert (error.state, error.reason) == ("unreachable", "connection refused")
    assert str(error) == "unreachable: connection refused"
