"""Typed reading of a caller's JSON; every error names the place, what is there and what may be.

A value itself is quoted only where it is a name or a number: text may be a prompt.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.entry.http import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SHOWN_CHARACTERS = 64
_DATA_URL = re.compile(r"data:(?P<type>[a-z0-9.+-]+/[a-z0-9.+-]+);base64,(?P<data>.*)", re.DOTALL)


def wrong_type(place: str, value: object, allowed: str) -> InvalidRequestError:
    """The error of a value that is not what its place allows."""
    return InvalidRequestError(f"{place} is {type_name(value)}; allowed is {allowed}")


def wrong_choice(place: str, value: object, allowed: Iterable[str]) -> InvalidRequestError:
    """The error of a word that its place does not know."""
    given = repr(value[:_SHOWN_CHARACTERS]) if isinstance(value, str) else type_name(value)
    return InvalidRequestError(f"{place} is {given}; allowed is {', '.join(allowed)}")


def as_object(value: object, place: str) -> dict[str, Any]:
    """The value as an object."""
    if not isinstance(value, dict):
        raise wrong_type(place, value, "an object")
    return value


def optional_object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A copy of an object that may be left out."""
    value = body.get(key)
    return {} if value is None else dict(as_object(value, key))


def as_list(value: object, place: str) -> list[Any]:
    """The value as an array."""
    if not isinstance(value, list):
        raise wrong_type(place, value, "an array")
    return value


def as_filled_list(value: object, place: str) -> list[Any]:
    """The value as an array with at least one entry."""
    if not isinstance(value, list) or not value:
        given = "empty" if value == [] else type_name(value)
        raise InvalidRequestError(f"{place} is {given}; allowed is an array with entries")
    return value


def as_text(value: object, place: str) -> str:
    """The value as a string."""
    if not isinstance(value, str):
        raise wrong_type(place, value, "a string")
    return value


def as_count(value: object, place: str) -> int:
    """The value as a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(place, value, "a whole number")
    if value < 1:
        raise InvalidRequestError(f"{place} is {_shown(value)}; allowed is 1 or more")
    return value


def as_number(value: object, place: str, *, low: float, high: float) -> float:
    """The value as a number between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(place, value, "a number")
    # A comparison that fails for what is not a number at all.
    if not low <= value <= high:
        raise InvalidRequestError(f"{place} is {_shown(value)}; allowed is {low:g} to {high:g}")
    return value


def as_flag(value: object, place: str) -> bool:
    """The value as a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(place, value, "true or false")
    return value


def as_texts(value: object, place: str) -> list[str]:
    """The value as an array of strings."""
    return [as_text(item, f"{place}[{index}]") for index, item in enumerate(as_list(value, place))]


def base64_bytes(value: object, place: str) -> bytes:
    """The bytes that a base64 string stands for."""
    try:
        return base64.b64decode(as_text(value, place), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"{place} is not base64") from error


def data_url(value: object, place: str) -> tuple[str, bytes]:
    """Media type and bytes of a data: URL.

    Nothing is fetched for a caller: the gateway would do so with its own network and rights.
    """
    match = _DATA_URL.fullmatch(as_text(value, place))
    if match is None:
        raise InvalidRequestError(
            f"{place} is not a data: URL; allowed is data:<media type>;base64,<data>, "
            "the gateway fetches nothing by itself"
        )
    return match["type"], base64_bytes(match["data"], place)


def check_keys(value: Mapping[str, Any], allowed: Sequence[str], place: str) -> None:
    """Raise for the first key that its place does not know."""
    unknown = sorted(value.keys() - set(allowed))
    if unknown:
        raise InvalidRequestError(
            f"{place} has the unknown key {unknown[0][:_SHOWN_CHARACTERS]!r}; "
            f"allowed are {', '.join(allowed) or 'none'}",
            code="unknown_field",
        )


def _shown(number: float) -> str:
    return repr(number)[:_SHOWN_CHARACTERS]
