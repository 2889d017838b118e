"""What a model service answered, made fit to hand on.

A call is paid for by the time its answer is read, so that nothing here may fail for what a service
says. Text with half of a character gets U+FFFD in its place, once and for all that lies behind; a
count that is none is not counted; what cannot be read is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tollgate.domain.families.reading import MOST_COUNTED, counted
from tollgate.domain.prices import TokenUsage

# Deeper than any request may be. How deep Python can read and write differs by its versions.
MAX_DEPTH = 128
# Stop reasons and names of tiers are words; a usage row has room for no more.
MAX_WORD = 64


class UnreadableAnswerError(Exception):
    """What of an answer cannot be read; the text quotes nothing of it."""


def whole_text(text: str) -> str:
    """The text with U+FFFD in the place of half of a surrogate pair, which no encoding takes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def readable(value: Any, levels: int = MAX_DEPTH) -> Any:  # noqa: ANN401 - JSON
    """The value with whole text everywhere. Raises UnreadableAnswerError where it is too deep."""
    kind = type(value)
    if kind is str:
        return whole_text(value)
    if kind is not dict and kind is not list:
        return value
    if levels == 0:
        raise UnreadableAnswerError(f"is nested more than {MAX_DEPTH} levels deep")
    if kind is dict:
        return {whole_text(name): readable(item, levels - 1) for name, item in value.items()}
    # Vectors are long, and numbers need no care.
    return [item if type(item) is float else readable(item, levels - 1) for item in value]


def read_json(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """What JSON of a service says. Raises UnreadableAnswerError."""
    try:
        return readable(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswerError("is not JSON") from error


def word(value: object) -> str | None:
    """A word of a service's own; None for anything else."""
    return whole_text(value)[:MAX_WORD] if isinstance(value, str) else None


# --- Counts -----------------------------------------------------------------------------------


def header_count(text: str | None) -> object:
    """What a header of HTTP counts; the text itself where that is no count."""
    if text is None or not (text.isascii() and text.isdigit()):
        return text
    return int(text[: len(str(MOST_COUNTED)) + 1])


def token_usage(
    given: object, made: object, cache_read: object, cache_write: object, hour: object
) -> TokenUsage | None:
    """Token counts of a call, `hour` those of its cache writes that are kept for an hour.

    Tokens of the cache are none where nothing is said of them. None where a count is no count:
    then nobody knows what was used.
    """
    counts = [counted(given), counted(made)]
    counts += [0 if value is None else counted(value) for value in (cache_read, cache_write, hour)]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts) or known[4] > known[3]:
        return None
    return TokenUsage(
        input=known[0],
        output=known[1],
        cache_read=known[2],
        cache_write_5m=known[3] - known[4],
        cache_write_1h=known[4],
    )


def converse_usage(usage: object, *, includes_cached: bool = False) -> TokenUsage | None:
    """The `usage` of Converse; None where a count is missing or none.

    `includes_cached` is for a family of which some paths count the cache's tokens in `inputTokens`
    too; there the sum of all tells which of both it is.
    """
    if not isinstance(usage, Mapping):
        return None
    counts = token_usage(
        usage.get("inputTokens"),
        usage.get("outputTokens"),
        usage.get("cacheReadInputTokens"),
        usage.get("cacheWriteInputTokens"),
        _hour(usage.get("cacheDetails")),
    )
    if counts is None or not includes_cached:
        return counts
    cached = counts.total_input - counts.input
    is_included = counted(usage.get("totalTokens")) == counts.input + counts.output
    if not (is_included and cached <= counts.input):
        return counts
    return TokenUsage(
        input=counts.input - cached,
        output=counts.output,
        cache_read=counts.cache_read,
        cache_write_5m=counts.cache_write_5m,
        cache_write_1h=counts.cache_write_1h,
    )


def _hour(details: object) -> object:
    """The cache writes that are kept for an hour; something that is no count where that is odd."""
    if details is None:
        return 0
    if not isinstance(details, list) or not all(isinstance(part, Mapping) for part in details):
        return details
    hours = [counted(part.get("inputTokens")) for part in details if part.get("ttl") == "1h"]
    known = [count for count in hours if count is not None]
    return sum(known) if len(known) == len(hours) else details
