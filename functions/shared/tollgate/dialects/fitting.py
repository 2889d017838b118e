"""What a model does not take of a chat, left out with a note where the answer means the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import base_model_of
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.registry import family_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tollgate.dialects.notes import Notes
    from tollgate.domain.families.forms import Family

_NAMES = {"temperature": "temperature", "topP": "top_p"}
# Below it, a model that thinks refuses top_p.
_LEAST_TOP_P = 0.95


def fit_sampling(converse: dict[str, Any], model: str, notes: Notes) -> None:
    """Leave out of a Converse body what its model refuses of temperature and top_p.

    Raises InvalidRequestError where both are given, both mean something, and the model takes one.
    """
    found = _family(model)
    if found is None:
        return
    family, base = found
    most = family.samplers(base)
    inference = converse.get("inferenceConfig", {})
    given = [name for name in _NAMES if name in inference]
    if most == 0:
        _leave_out(converse, given, "this model takes none", notes)
        _leave_out_top_k(converse, notes)
    elif len(given) > most:
        neutral = [name for name in given if inference[name] == 1][-1:]
        if not neutral:
            raise InvalidRequestError(
                "temperature and top_p are both given, and this model takes one of them; leave "
                "one out"
            )
        _leave_out(converse, neutral, "this model takes one of temperature and top_p", notes)


def _leave_out_top_k(converse: dict[str, Any], notes: Notes) -> None:
    fields = converse.get("additionalModelRequestFields", {})
    if "top_k" not in fields:
        return
    del fields["top_k"]
    notes.ignored("top_k", "this model takes none")
    if not fields:
        del converse["additionalModelRequestFields"]


def fit_sampling_to_thinking(converse: dict[str, Any], notes: Notes) -> None:
    """Leave out what Claude refuses while it thinks: temperatures but 1, and a low top_p."""
    inference = converse.get("inferenceConfig", {})
    refused = ["temperature"] if inference.get("temperature", 1) != 1 else []
    refused += ["topP"] if inference.get("topP", 1) < _LEAST_TOP_P else []
    _leave_out(converse, refused, "a model that thinks does not take it", notes)


def fit_caching(converse: dict[str, Any], model: str, notes: Notes) -> None:
    """Leave out of a Converse body the cache points that its model refuses."""
    found = _family(model)
    if found is None:
        return
    family, base = found
    places = family.caches_at(base)
    for place, blocks in _lists(converse):
        if place not in places and any("cachePoint" in block for block in blocks):
            blocks[:] = [block for block in blocks if "cachePoint" not in block]
            notes.ignored("cache_control", f"this model caches nothing there: {place}")
        for block in blocks:
            if "ttl" not in places and "ttl" in block.get("cachePoint", {}):
                del block["cachePoint"]["ttl"]
                notes.ignored("cache_control.ttl", "this model has one lifetime")


def _lists(converse: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield "tools", converse.get("toolConfig", {}).get("tools", [])
    yield "system", converse.get("system", [])
    for turn in converse["messages"]:
        yield "messages", turn["content"]


def _family(model: str) -> tuple[Family, str] | None:
    """The family of a model and its base id; None where only the account knows them."""
    base = base_model_of(model)
    return (family_of(base), base) if base else None


def _leave_out(converse: dict[str, Any], names: list[str], why: str, notes: Notes) -> None:
    for name in names:
        del converse["inferenceConfig"][name]
        notes.ignored(_NAMES[name], why)
    if "inferenceConfig" in converse and not converse["inferenceConfig"]:
        del converse["inferenceConfig"]
