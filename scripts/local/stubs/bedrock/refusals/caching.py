"""Cache points: which models have them, where, for how long, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Blocks = Sequence[Mapping[str, Any]]

MAX_CACHE_POINTS = 4
_LONGEST_FIRST = {"1h": 0, "5m": 1}


class _Caching(NamedTuple):
    """Whether a family's models cache tools, and let a point say for how long."""

    tools: bool = False
    lifetimes: bool = False


# By beginnings of base model ids; the longest that fits decides. Others cache nothing at a point.
_MODELS: Mapping[str, _Caching | None] = {
    "amazon.nova-": _Caching(),
    "anthropic.claude-": _Caching(tools=True, lifetimes=True),
    "anthropic.claude-3-haiku": None,
    "anthropic.claude-3-opus": None,
    "anthropic.claude-3-sonnet": None,
    "anthropic.claude-instant": None,
    "anthropic.claude-v": None,
}


def check(request: Mapping[str, Any], model_id: str, *, lasts_an_hour: bool) -> None:
    """Check the cache points of a Converse request; Nova's native bodies have the same form.

    `lasts_an_hour` says that the model has a price for what is kept so long.
    """
    lists = list(_lists(request))
    points = [block["cachePoint"] for _, blocks in lists for block in blocks if _is_point(block)]
    if not points:
        return
    caching = _caching(model_id)
    for place, blocks in lists:
        _check_list(place, blocks)
        for index, block in enumerate(blocks):
            if not _is_point(block):
                continue
            here = f"#/{place.replace('.', '/')}/{index}"
            if place == "toolConfig.tools" and not caching.tools:
                raise invalid(_extraneous(here, "cachePoint"))
            ttl = block["cachePoint"].get("ttl")
            if ttl is not None and not (caching.lifetimes and (ttl == "5m" or lasts_an_hour)):
                raise invalid(_extraneous(f"{here}/cachePoint", "ttl"))
    check_lifetimes([point.get("ttl", "5m") for point in points])


def check_model(model_id: str) -> None:
    """Check that a model caches what is marked."""
    _caching(model_id)


def check_lifetimes(lifetimes: Sequence[str]) -> None:
    """Check how many marks there are, and that what is kept longest comes first."""
    if len(lifetimes) > MAX_CACHE_POINTS:
        raise invalid(
            f"A maximum of {MAX_CACHE_POINTS} blocks with cache_control may be provided. "
            f"Found {len(lifetimes)}."
        )
    order = [_LONGEST_FIRST[lifetime] for lifetime in lifetimes]
    if order != sorted(order):
        raise invalid("a ttl='1h' cache block must not come after a ttl='5m' cache block")


def _lists(request: Mapping[str, Any]) -> Iterator[tuple[str, Blocks]]:
    """The lists that may hold cache points, in the order in which a model reads them."""
    yield "toolConfig.tools", (request.get("toolConfig") or {}).get("tools") or ()
    yield "system", request.get("system") or ()
    for index, message in enumerate(request.get("messages") or ()):
        yield f"messages.{index}.content", message["content"]


def _check_list(place: str, blocks: Blocks) -> None:
    before: Mapping[str, Any] | None = None
    for index, block in enumerate(blocks):
        if _is_point(block):
            if before is None or _is_point(before):
                raise invalid(
                    f"The cachePoint at {place}.{index} follows no content. Put content before it "
                    "and try again."
                )
            if "reasoningContent" in before:
                raise invalid(
                    "Cache point cannot be inserted after reasoning block. Please remove the "
                    "invalid cache point and try again."
                )
        before = block


def _is_point(block: Mapping[str, Any]) -> bool:
    return "cachePoint" in block


def _caching(model_id: str) -> _Caching:
    fitting = [start for start in _MODELS if model_id.startswith(start)]
    caching = _MODELS[max(fitting, key=len)] if fitting else None
    if caching is None:
        raise invalid(
            "You invoked an unsupported model or your request did not allow prompt caching. "
            "Remove the cache points and try again."
        )
    return caching


def _extraneous(place: str, name: str) -> str:
    return (
        f"Malformed input request: {place}: extraneous key [{name}] is not permitted, please "
        "reformat your input and try again."
    )
