"""What of a request is read, what is left out with a note, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tollgate.dialects.fields import as_object, check_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tollgate.entry.http import Request

_BODY = "the body"
_INDEX = re.compile(r"\[[0-9]+\]")


class Notes:
    """What of one request was ignored, each kind of thing once however often it was there."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def add(self, text: str) -> None:
        """Say something about the request."""
        self._texts.setdefault(text)

    def ignored(self, place: str, why: str = "") -> None:
        """Say that the member at a place was left out; entries of one list count as one place."""
        reason = f": {why}" if why else ""
        self.add(f"{_INDEX.sub('[]', place)} is ignored{reason}")

    def members(
        self, value: object, place: str, read: Sequence[str], hints: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The members of an object that are read; to these APIs null is the same as nothing.

        `hints` are known and change nothing about what the answer means: they are left out, and
        noted. Raises InvalidRequestError for any other member, naming it and what is allowed.
        """
        given = {name: item for name, item in as_object(value, place).items() if item is not None}
        check_keys(given, (*read, *hints), place)
        path = "" if place == _BODY else f"{place}."
        for name in hints:
            if name in given:
                self.ignored(f"{path}{name}")
        return {name: item for name, item in given.items() if name not in hints}

    def body(
        self, request: Request, read: Sequence[str], hints: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The same of a request's body."""
        return self.members(request.json_object(), _BODY, read, hints)
