"""Answers requests of no route: 404 with the nearest one, or 405 with the methods of the path."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tollgate.domain.errors import MethodNotAllowedError, UnknownRouteError
from tollgate.entry.routes import ROUTES, is_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.routes import Route

# Headers by which a client's SDK is known, and the API that it speaks.
_SDKS = {
    "anthropic-version": "Anthropic",
    "amz-sdk-request": "Bedrock",
    "x-stainless-lang": "OpenAI",
}
# Whose errors are written where a path's beginning is shared, and where it tells nothing.
_COMMON, _OWN = "OpenAI", "Tollgate"

# How alike a word must be to one of a route to be taken for a slip of it, from 0 to 1.
_ALIKE = 0.75
# What two paths differ by for a segment too many or too few, another word, and any value.
_GAP, _OTHER_WORD, _ANY_VALUE = 1.0, 2.0, 0.1
# A route has fewer segments and shorter words; what stands before them tells nothing.
_MAX_SEGMENTS, _MAX_WORD = 8, 64


def refusal_of(method: str, path: str, headers: Mapping[str, str]) -> tuple[str, TollgateError]:
    """The API that a request is taken to be of, and why it has no route.

    Header names are lower case. Nothing of the path is repeated: it may hold anything.
    """
    given = tuple(unquote(part) for part in path.split("/") if part)[-_MAX_SEGMENTS:]
    here = [route for route in ROUTES if _fits(given, route.segments)]
    allowed = [route.method for route in here]
    if here and method not in allowed:
        return here[0].api, MethodNotAllowedError(
            f"{here[0].path} takes {' or '.join(allowed)}, not {method}",
            details={"allowed_methods": allowed},
        )
    nearest = _nearest(given, method)
    spoken = next((api for name, api in _SDKS.items() if name in headers), None)
    if nearest is None:
        apis = _apis_of_beginning(given) or {_OWN}
        api = spoken or (_COMMON if len(apis) > 1 else apis.pop())
        known = [str(route) for route in ROUTES if api in (route.api, _OWN)]
        return api, UnknownRouteError(f"there is no such route; there are {', '.join(known)}")
    return spoken or nearest.api, UnknownRouteError(
        "there is no such route; the nearest, after the gateway's base URL, is "
        f"{nearest}{_slip(given, nearest.segments)}",
        details={"nearest": str(nearest)},
    )


def _fits(given: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(given) == len(wanted) and all(
        is_parameter(word) or word == part for part, word in zip(given, wanted, strict=True)
    )


def _apis_of_beginning(given: Sequence[str]) -> set[str]:
    """The APIs of the routes that begin as the path does."""
    return {route.api for route in ROUTES if route.segments[:1] == tuple(given[:1])}


def _nearest(given: Sequence[str], method: str) -> Route | None:
    """The route that a path differs least from, of those whose last word is in it or nearly so.

    A path that begins as the routes of one API alone do is taken to be meant for it.
    """
    apis = _apis_of_beginning(given)
    meant = [
        route
        for route in ROUTES
        if (len(apis) != 1 or route.api in apis)
        and any(_likeness(part, _last_word(route)) >= _ALIKE for part in given)
    ]
    return min(
        meant,
        key=lambda route: (_distance(given, route.segments), route.method != method),
        default=None,
    )


def _last_word(route: Route) -> str:
    return [word for word in route.segments if not is_parameter(word)][-1]


def _distance(given: Sequence[str], wanted: Sequence[str]) -> float:
    """What it takes to make one path of the other, segment by segment (Levenshtein)."""
    row = [_GAP * index for index in range(len(wanted) + 1)]
    for part in given:
        above, row = row, [row[0] + _GAP]
        for index, word in enumerate(wanted):
            row.append(
                min(
                    above[index] + _difference(part, word),
                    above[index + 1] + _GAP,
                    row[index] + _GAP,
                )
            )
    return row[-1]


def _difference(part: str, word: str) -> float:
    if is_parameter(word):
        return _ANY_VALUE
    likeness = _likeness(part, word)
    return 1 - likeness if likeness >= _ALIKE else _OTHER_WORD


def _likeness(part: str, word: str) -> float:
    if len(part) > _MAX_WORD:
        return 0.0
    return SequenceMatcher(None, part.casefold(), word, autojunk=False).ratio()


def _slip(given: Sequence[str], wanted: Sequence[str]) -> str:
    """What went wrong, where it is one of the things that often do."""
    first = wanted[0]
    parameters = [word for word in wanted if is_parameter(word)]
    if given[0] != first:
        return f": /{first} is missing" if _fits(given, wanted[1:]) else ""
    if _fits(given[1:], wanted):
        return f": /{first} stands twice"
    if parameters and given == tuple(word for word in wanted if not is_parameter(word)):
        return f": {parameters[0]} is empty"
    if parameters and len(given) > len(wanted):
        return f": a slash within {parameters[0]} is written %2F"
    return ""
