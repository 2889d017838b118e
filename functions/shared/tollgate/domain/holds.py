"""Upper bounds of what a model call can cost, known before the call is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.prices import ModelCard, Rates, dearest_input

if TYPE_CHECKING:
    from tollgate.domain.tenants import Tenant

# What a chat template adds around the caller's text: role markers per message, begin and end of
# the conversation, and the instructions that providers put before tool definitions. Published
# figures lie between 4 and about 700 tokens; these stay above them.
FRAMING_TOKENS = 64
MESSAGE_FRAMING_TOKENS = 16
TOOL_FRAMING_TOKENS = 1024

# Used when neither the request, the tenant nor the price book says anything.
DEFAULT_MAX_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Bound:
    """The most a call can use and cost: token counts, and money in picodollars."""

    input_tokens: int
    max_tokens: int
    input_usd: int
    output_rate: int

    @property
    def tokens(self) -> int:
        """All tokens the call can use."""
        return self.input_tokens + self.max_tokens

    @property
    def usd(self) -> int:
        """What to hold."""
        return self.input_usd + self.max_tokens * self.output_rate

    def affordable_max_tokens(self, room: int) -> int:
        """The largest `max_tokens` with which the same input fits into `room` picodollars."""
        if self.output_rate == 0:
            return self.max_tokens if room >= self.input_usd else 0
        return max((room - self.input_usd) // self.output_rate, 0)


def max_tokens_of(requested: int | None, tenant: Tenant, card: ModelCard) -> int:
    """The `maxTokens` to send upstream: asked for, else the tenant's default, else the model's.

    Raises InvalidRequestError when the request asks for more than the model or the tenant's
    policy allows.
    """
    ceilings = {
        "the model's maximum": card.max_output_tokens,
        "the tenant's maximum": tenant.maximum_max_tokens,
    }
    known = {name: value for name, value in ceilings.items() if value is not None}
    if requested is None:
        wanted = tenant.default_max_tokens or card.max_output_tokens or DEFAULT_MAX_TOKENS
        return min([wanted, *known.values()])
    if requested < 1:
        raise InvalidRequestError(f"maxTokens is {requested}; allowed is 1 or more")
    for name, ceiling in known.items():
        if requested > ceiling:
            raise InvalidRequestError(
                f"maxTokens is {requested}; allowed is at most {ceiling}, {name}",
                details={"max_tokens": requested, "allowed": ceiling},
            )
    return requested


def chat_input_tokens(request: Mapping[str, Any], card: ModelCard) -> int:
    """The most input tokens that a Converse request can count.

    A token stands for at least one byte of text, so the bytes of the request are a bound. How
    many tokens an image or a document makes differs by model: such a call is bounded by the
    model's context size.
    """
    if _has_media(request.get("messages", ())):
        if card.max_input_tokens is None:
            raise InvalidRequestError(
                f"{card.model_id} does not publish its context size, so images and documents "
                "cannot be bounded in cost; send text only"
            )
        return card.max_input_tokens
    text = json.dumps(request, ensure_ascii=False)
    framing = FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS * len(request.get("messages", ()))
    if "toolConfig" in request:
        framing += TOOL_FRAMING_TOKENS
    # A lone surrogate is no text, but JSON can carry it.
    return len(text.encode(errors="surrogatepass")) + framing


def chat_bound(input_tokens: int, max_tokens: int, rates: Rates) -> Bound:
    """Bound of a chat call at these rates: every input token at the dearest input rate."""
    return Bound(
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        input_usd=input_tokens * dearest_input(rates),
        output_rate=rates.output or 0,
    )


def _has_media(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(
            key in ("image", "document", "video", "audio") or _has_media(item)
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return any(_has_media(item) for item in value)
    return False
