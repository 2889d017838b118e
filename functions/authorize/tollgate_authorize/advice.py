"""What a caller can do whose credential gives no access.

The words say where the route takes its key and what is wrong with how it came. They repeat nothing
of what was sent, and are the same for every key that is not let in: expired, suspended or never
issued. They have no quote and no backslash, because API Gateway puts them into JSON as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.entry.routes import AUTHORIZATION, key_headers
from tollgate_authorize.service import lower_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMS = {"x-api-key": "x-api-key: <key>", AUTHORIZATION: "Authorization: Bearer <key>"}

# Where other services take a key.
_OTHER_HEADERS = ("api-key", "x-goog-api-key")
_OTHER_PARAMETERS = ("key", "api_key", "api-key", "x-api-key")


def advice(headers: Mapping[str, str], query: Mapping[str, str], resource: str) -> str:
    """The words for a refused request.

    API Gateway remembers a verdict, and these words with it, by the one header of a route with
    one. For such a route they rest on that header alone.
    """
    given, places = lower_names(headers), key_headers(resource)
    found = [name for name in places if name.lower() in given]
    if found:
        finding = _of_what_is_there(found, given[found[0].lower()].strip())
    else:
        finding = _of_what_is_elsewhere(given, query)
    return f"{finding} This route takes its key as {' or '.join(FORMS[name] for name in places)}."


def _of_what_is_there(found: Sequence[str], value: str) -> str:
    """What is the matter with the first header, which is the one that is read."""
    name = found[0]
    fault = _fault_of_bearer(value) if name == AUTHORIZATION else _fault_of_key(name, value)
    finding = fault or f"The key in {name} is not valid, or no longer."
    if len(found) > 1:
        return f"{finding} {name} is read where it is there, and {found[1]} is not."
    return finding


def _fault_of_bearer(value: str) -> str | None:
    scheme, _, token = value.partition(" ")
    if scheme.startswith("AWS4-"):
        return (
            "Authorization has an AWS signature; SDKs of AWS send the key instead where the "
            "environment variable AWS_BEARER_TOKEN_BEDROCK is set to it."
        )
    if scheme.lower() != "bearer":
        return "Authorization has no Bearer before the key."
    if not token.strip():
        return "Authorization has no key after Bearer."
    return "Authorization has Bearer twice." if _is_bearer(token.strip()) else None


def _fault_of_key(name: str, value: str) -> str | None:
    if not value:
        return f"{name} is blank."
    return f"{name} takes the key alone, without Bearer." if _is_bearer(value) else None


def _is_bearer(value: str) -> bool:
    return value.lower().startswith("bearer ")


def _of_what_is_elsewhere(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    for name in _OTHER_HEADERS:
        if name in headers:
            return f"A key in {name} is not read."
    for name in _OTHER_PARAMETERS:
        if name in query:
            return f"A key in the query, as {name}, is not read, and does not belong there."
    return "There is no key."
