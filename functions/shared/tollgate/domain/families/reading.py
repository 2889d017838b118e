"""Reading values out of documents of any shape. A count that is none is never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from tollgate.domain.families.forms import Path

# No call counts so many tokens, and no table takes numbers of any length.
MOST_COUNTED = 10**12


def at(document: object, path: Path) -> Any:  # noqa: ANN401 - JSON
    """What stands at a place, None where there is no such place."""
    place = document
    for step in path:
        if isinstance(step, int):
            place = place[step] if isinstance(place, list) and len(place) > step else None
        else:
            place = place.get(step) if isinstance(place, Mapping) else None
    return place


def part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; empty where it is none."""
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def count(place: Mapping[str, Any], *names: str) -> int | None:
    """The first of these members that is a count of tokens."""
    for name in names:
        value = counted(place.get(name))
        if value is not None:
            return value
    return None


def counted(value: object) -> int | None:
    """A count of tokens; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST_COUNTED else None


def side(section: Mapping[str, Any], name: str, default: int) -> int:
    """The width or height of an image in pixels, or the steps in which it is drawn.

    Raises InvalidRequestError for what is none.
    """
    value = section.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(f"{name} allows a whole number of 1 or more")
    return value
