"""Documents of any shape."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.reading import at, count, part, side


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), {"a": [{"b": "x"}, 2], "c": "y"}),
        (("c",), "y"),
        (("a", 0, "b"), "x"),
        (("a", 1), 2),
        (("a", 2), None),
        (("a", 1, "b"), None),
        (("c", 0), None),
        (("a", "b"), None),
        (("z", 0, "b"), None),
    ],
)
def test_a_place_is_followed_as_far_as_it_goes(path: tuple[str | int, ...], found: object) -> None:
    assert at({"a": [{"b": "x"}, 2], "c": "y"}, path) == found


def test_a_part_is_an_object_or_nothing() -> None:
    assert part({"a": {"b": 1}}, "a") == {"b": 1}
    for value in (None, 1, "b", [{"b": 1}]):
        assert part({"a": value}, "a") == {}
    assert part({}, "a") == {}


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ({"a": 0}, 0),
        ({"a": 3, "b": 4}, 3),
        ({"b": 4}, 4),
        ({"a": -1, "b": 4}, 4),
        # As many as every table takes, and not one more.
        ({"a": 10**12}, 10**12),
        ({"a": 10**12 + 1, "b": 4}, 4),
        ({"a": True}, None),
        ({"a": 1.0, "b": "4"}, None),
        ({}, None),
    ],
)
def test_the_first_member_that_is_a_count(place: dict[str, Any], found: int | None) -> None:
    assert count(place, "a", "b") == found


def test_a_side_of_an_image_is_a_number_of_pixels() -> None:
    assert side({}, "width", 512) == 512
    assert side({"width": 1}, "width", 512) == 1
    for value in (0, True, 5.0, "5", None):
        with pytest.raises(InvalidRequestError, match="width allows a whole number of 1 or more"):
            side({"width": value}, "width", 512)
