"""Upper bounds of what a model call can cost, known before the call is made.

Every function here answers with a figure that the provider's bill cannot exceed, and its text says
why. Where no such figure exists the call is refused: a hold that is too small would overspend.
Money is picodollars, text is Python text, sizes are bytes, and tokens are counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tollgate.domain.cache_scope import marks_in
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import claude, registry
from tollgate.domain.framing import (
    FRAMING_TOKENS,
    MESSAGE_FRAMING_TOKENS,
    TOOL_FRAMING_TOKENS,
    conversation_tokens,
    json_tokens,
    referenced_tokens,
    text_tokens,
    told_tokens,
)
from tollgate.domain.prices import ModelCard, Rates, worst_case

# A provider's members with schemas, in which a property may be called image.
_SCHEMAS = ("output_config", "output_format", "response_format", "toolConfig", "tools")
# A guardrail charges text in units of this many characters, rounded up.
GUARDRAIL_UNIT_CHARACTERS = 1000
# The longest entry of the vocabularies that providers have published: a run of spaces.
CHARACTERS_PER_TOKEN = 128
# A reranker charges a search for this many chunks; a chunk has this many tokens, query included.
RERANK_CHUNKS_PER_SEARCH = 100
RERANK_CHUNK_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Bound:
    """The most a call can use and cost: token counts, and money in picodollars.

    A call generates at most `max_tokens` for each of its `answers`; `other_usd` is what it costs
    beyond tokens (images, searches, guardrail units, machine time).
    """

    input_tokens: int
    max_tokens: int
    input_usd: int
    output_rate: int
    answers: int = 1
    other_usd: int = 0

    @property
    def tokens(self) -> int:
        """All tokens the call can use."""
        return self.input_tokens + self.output_tokens

    @property
    def output_tokens(self) -> int:
        """Those of them that all answers together can have."""
        return self.max_tokens * self.answers

    @property
    def usd(self) -> int:
        """What to hold."""
        return self.fixed_usd + self.output_tokens * self.output_rate

    @property
    def fixed_usd(self) -> int:
        """The part that no choice of `max_tokens` lowers."""
        return self.input_usd + self.other_usd

    def affordable_max_tokens(self, room: int) -> int:
        """The largest `max_tokens` with which the same input fits into `room` picodollars."""
        if self.output_rate == 0:
            return self.max_tokens if room >= self.fixed_usd else 0
        return max((room - self.fixed_usd) // (self.output_rate * self.answers), 0)

    def fitting_max_tokens(self, room: int) -> int:
        """The largest `max_tokens` with which the same input fits into `room` tokens."""
        return max((room - self.input_tokens) // self.answers, 0)

    def with_max_tokens(self, max_tokens: int) -> Bound:
        """The same call asking for shorter answers."""
        return replace(self, max_tokens=max_tokens)


# --- Chat -------------------------------------------------------------------------------------


def chat_input_tokens(request: Mapping[str, Any], card: ModelCard) -> int:
    """The most input tokens that a Converse request can count.

    Its text bounds it, and what a template can add to that. How many tokens an image or a document
    makes differs by model and changes with its version, and a file of a few bytes can be a large
    picture: such a call is bounded by the model's context size. Text is not, although it too must
    fit the context: bytes hold even where a card is wrong.

    Raises InvalidRequestError where nothing bounds the input.
    """
    fields = request.get("additionalModelRequestFields") or {}
    _check_tools(request)
    text = conversation_tokens(request, card.model_id)
    text += told_tokens(request.get("toolConfig"), fields)
    if "outputConfig" in request:
        text += TOOL_FRAMING_TOKENS
    if chat_has_media(request):
        return max(_context_tokens(card, fields), text)
    return text


def chat_has_media(request: Mapping[str, Any]) -> bool:
    """Whether a Converse request holds anything but text, in its own words or the provider's."""
    fields = request.get("additionalModelRequestFields") or {}
    own = {name: value for name, value in fields.items() if name not in _SCHEMAS}
    return has_media([request.get("messages"), request.get("system"), own])


def uncounted_tokens(request: Mapping[str, Any]) -> int:
    """The most input tokens of what CountTokens does not take of a Converse request.

    That is the form which the answer must have, and what the model is told about it.
    """
    if "outputConfig" not in request:
        return 0
    form = json.dumps(request["outputConfig"], ensure_ascii=False)
    return text_tokens(form) + TOOL_FRAMING_TOKENS


def chat_bound(input_tokens: int, max_tokens: int, rates: Rates, answers: int = 1) -> Bound:
    """Bound of a chat call at these rates: every input token at the dearest input rate.

    Which tokens a provider reads from a cache or writes to it is known only afterwards, and so is
    on which side of a long-context threshold the call falls: both are taken at their worst.
    """
    input_rate, output_rate = worst_case(rates, input_tokens)
    return Bound(
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        input_usd=input_tokens * input_rate,
        output_rate=output_rate,
        answers=answers,
    )


def applicable_rates(rates: Rates, model_id: str, request: Mapping[str, Any]) -> Rates:
    """The rates without those that this Converse request cannot be charged.

    Some families write to their cache only where a request marks what to cache, and for an hour
    only where the mark says so. The others cache of their own accord: they keep all their rates.
    """
    names = registry.family_of(model_id).cache_marks
    if not names:
        return rates
    marks = list(marks_in(request, names))
    unused: dict[str, Any] = {}
    if not marks:
        unused["cache_write_5m"] = None
    if not any(mark.get("ttl") == "1h" for mark in marks):
        unused["cache_write_1h"] = None
    longer = rates.long_context
    return replace(
        rates, **unused, long_context=None if longer is None else replace(longer, **unused)
    )


# --- Native request bodies --------------------------------------------------------------------


def native_input_tokens(body: Mapping[str, Any], card: ModelCard) -> int:
    """The most input tokens that a native body can count.

    Its text is part of its bytes, so they bound it; with media, the model's context size does.
    """
    _check_tools(body)
    messages = body.get("messages", ())
    count = len(messages) if isinstance(messages, list | tuple) else 1
    text = json_tokens(body) + FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS * count
    text += told_tokens(None, body) + referenced_tokens(body)
    if has_media({name: value for name, value in body.items() if name not in _SCHEMAS}):
        return max(_context_tokens(card, body), text)
    return text


# --- Embeddings, images, searches, guardrails, machines ---------------------------------------


def embedding_bound(texts: Iterable[str], rates: Rates, images: int = 0) -> Bound:
    """Bound of embedding `texts`, and `images` at the price of one image each.

    A text counts at most its bytes and the markers around it. An embedding has no output tokens.
    Raises InvalidRequestError when there are images and the model has no price for one.
    """
    tokens = sum(text_tokens(text) + MESSAGE_FRAMING_TOKENS for text in texts)
    return Bound(
        input_tokens=tokens,
        max_tokens=0,
        input_usd=tokens * worst_case(rates, tokens)[0] if tokens else 0,
        output_rate=0,
        other_usd=units_usd({"image": images}, rates),
    )


def image_units(count: int, size: str, quality: str) -> dict[str, int]:
    """The units of generating `count` images: exact, as the request says all three."""
    return {f"image/{size}/{quality}": count}


def units_usd(units: Mapping[str, int], rates: Rates) -> int:
    """What units of what is not billed by the token cost, in picodollars.

    Exact, as their number is known before the call. Raises InvalidRequestError naming a unit
    that has no price: it may cost more than any other.
    """
    total = 0
    for unit, count in units.items():
        if not count:
            continue
        price = rates.unit_price(unit)
        if price is None:
            raise InvalidRequestError(
                f"{unit} has no price, so the cost of this call cannot be bounded",
                code="unbounded_request",
                details={"priced": sorted(rates.units)},
            )
        total += count * price
    return total


def flat_bound(usd: int) -> Bound:
    """Bound of a call that costs no tokens: images, searches, a request, a machine's time."""
    return Bound(input_tokens=0, max_tokens=0, input_usd=0, output_rate=0, other_usd=usd)


def rerank_searches(query: str, documents: Iterable[str]) -> int:
    """The most searches that reranking `documents` can count.

    A search covers a hundred chunks. A document is cut so that a chunk and the query have at most
    512 tokens together; with a query that may fill the chunk, each token may stand alone.
    """
    room = max(RERANK_CHUNK_TOKENS - text_tokens(query), 1)
    chunks = sum(max(_rounded_up(text_tokens(text), room), 1) for text in documents)
    return max(_rounded_up(chunks, RERANK_CHUNKS_PER_SEARCH), 1)


def guardrail_units(texts: Iterable[str]) -> int:
    """The most text units that one guardrail policy can charge for checking `texts`.

    Each text is rounded up by itself, which is never less than rounding their sum. Characters are
    UTF-16 units: no way of counting characters finds more.
    """
    return sum(
        _rounded_up(len(text.encode("utf-16-le", "surrogatepass")) // 2, GUARDRAIL_UNIT_CHARACTERS)
        for text in texts
    )


def guardrail_bound(bound: Bound, body: Mapping[str, Any], rates: Rates) -> Bound:
    """The bound of a call whose input and answers a guardrail checks as well.

    Which policies a guardrail has is not known here, so that every one that has a price is taken
    to charge each of its units. Each text of the body is a unit begun at most, and so is the whole
    of an answer, whose tokens have at most `CHARACTERS_PER_TOKEN` characters.
    """
    per_unit = sum(
        price
        for unit, price in rates.units.items()
        if unit.startswith("guardrail_") and not unit.endswith("_free")
    )
    texts = list(_texts(body))
    media = sum(1 for _ in _media(body))
    given = (guardrail_units(texts) + media + bound.answers) * per_unit
    per_token = _rounded_up(CHARACTERS_PER_TOKEN * per_unit, GUARDRAIL_UNIT_CHARACTERS)
    return replace(
        bound,
        other_usd=bound.other_usd + given,
        output_rate=bound.output_rate + per_token,
    )


# --- Shared -----------------------------------------------------------------------------------


def has_media(value: object) -> bool:
    """Whether a request holds anything but text, in Converse's or a provider's own shape.

    What a tool was called with and answered in JSON is text, whatever its keys are called.
    """
    if isinstance(value, Mapping):
        is_tool_use = "toolUseId" in value or value.get("type") == "tool_use"
        plain = {"json", "input"} if is_tool_use else {"json"}
        kind = value.get("type")
        return (isinstance(kind, str) and kind in registry.MEDIA) or any(
            key in registry.MEDIA or has_media(item)
            for key, item in value.items()
            if key not in plain
        )
    if isinstance(value, list | tuple):
        return any(has_media(item) for item in value)
    return isinstance(value, bytes)


def _texts(value: object) -> Iterator[str]:
    """All strings of a request."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _media(value: object) -> Iterator[object]:
    """All images and documents of a request."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in registry.MEDIA:
                yield item
            else:
                yield from _media(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _media(item)


def _check_tools(request: Mapping[str, Any]) -> None:
    config = request.get("toolConfig")
    tools = config.get("tools") if isinstance(config, Mapping) else None
    given = tools if isinstance(tools, list | tuple) else ()
    if any(isinstance(tool, Mapping) and "systemTool" in tool for tool in given):
        raise InvalidRequestError(
            "toolConfig has a system tool; what it reads is billed as input and cannot be bounded "
            "in cost, so only tools with a toolSpec are allowed",
            code="unbounded_request",
        )


def _context_tokens(card: ModelCard, fields: Mapping[str, Any]) -> int:
    if card.max_input_tokens is None:
        raise InvalidRequestError(
            f"{card.model_id} does not publish its context size, so images and documents "
            "cannot be bounded in cost; send text only"
        )
    return max(card.max_input_tokens, claude.long_context_tokens(fields))


def _rounded_up(amount: int, unit: int) -> int:
    return -(-amount // unit)
