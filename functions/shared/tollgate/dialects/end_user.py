"""Whom a client calls for, in whichever member its API has for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.dialects.fields import as_text
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from tollgate.entry.http import Request

MOST_CHARACTERS = 256
_KEY_HEADERS = ("authorization", "x-api-key")


def end_user(request: Request, given: object, place: str) -> str | None:
    """The end user that a member names, None where it is not given or empty.

    It goes into the usage row as it is, so that it must be bounded and no key. Raises
    InvalidRequestError naming the place, and quoting nothing.
    """
    if given is None or given == "":
        return None
    text = as_text(given, place)
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequestError(
            f"{place} has {len(text)} characters; allowed are {MOST_CHARACTERS}"
        )
    keys = (request.headers.get(name, "").rpartition(" ")[2] for name in _KEY_HEADERS)
    if any(key and key in text for key in keys):
        raise InvalidRequestError(
            f"{place} has the key of this request; allowed is what names the end user"
        )
    return text
