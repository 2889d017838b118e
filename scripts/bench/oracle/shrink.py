"""Makes a request that fails as small as it can be while it fails in the same way."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.bench.oracle.gateway import Asked

MOST_TRIES = 400
_SHORT_TEXT = 8


def shrunk(asked: Asked, fails: Callable[[Asked], bool]) -> Asked:
    """The smallest request found that still fails, in at most MOST_TRIES tries."""
    tries = MOST_TRIES
    smaller: Asked | None = asked
    while smaller is not None:
        asked, smaller = smaller, None
        for candidate in _smaller(asked):
            if tries == 0:
                return asked
            tries -= 1
            if fails(candidate):
                smaller = candidate
                break
    return asked


def _smaller(asked: Asked) -> Iterator[Asked]:
    for body in _without_parts(asked.body):
        yield replace(asked, body=body)
    for name in asked.headers:
        kept = {key: value for key, value in asked.headers.items() if key != name}
        yield replace(asked, headers=kept)
    if asked.tenant != "open":
        yield replace(asked, tenant="open")


def _without_parts(body: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """The body without each of its parts, the largest first, and with each text cut."""
    for path in _paths(body):
        yield _edited(body, path, delete=True)
    for path in _paths(body):
        value = _at(body, path)
        if isinstance(value, str) and len(value) > _SHORT_TEXT:
            yield _edited(body, path, value[: len(value) // 2])


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    items = value.items() if isinstance(value, dict) else enumerate(value)
    if isinstance(value, dict | list):
        listed = list(items)
        yield from ((*path, key) for key, _ in listed)
        for key, item in listed:
            if isinstance(item, dict | list):
                yield from _paths(item, (*path, key))


def _at(body: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        body = body[key]
    return body


def _edited(
    body: Any,  # noqa: ANN401 - JSON
    path: tuple[Any, ...],
    value: object = None,
    *,
    delete: bool = False,
) -> Any:  # noqa: ANN401 - JSON
    changed = copy.deepcopy(body)
    place = _at(changed, path[:-1])
    if delete:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed
