"""OpenAI's chat completions, which many families read as well, and its older completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import Answer, MaxTokensField, TextBody, said_before
from tollgate.domain.families.reading import count, part
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_chat(prompt: str) -> dict[str, Any]:
    """A conversation of one message."""
    return {"messages": [{"role": "user", "content": prompt}]}


def write_prompt(prompt: str) -> dict[str, Any]:
    """A prompt to be continued."""
    return {"prompt": prompt}


def _with_system_message(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**body, "messages": [{"role": "system", "content": text}, *body["messages"]]}


def usage(document: Mapping[str, Any]) -> TokenUsage | None:
    """Counts of `usage`, whose prompt tokens include what came from the cache."""
    counts = part(document, "usage")
    given, made = count(counts, "prompt_tokens"), count(counts, "completion_tokens")
    if given is None or made is None:
        return None
    cached = min(count(part(counts, "prompt_tokens_details"), "cached_tokens") or 0, given)
    return TokenUsage(input=given - cached, output=made, cache_read=cached)


# Servers that say both have the word that ended the answer in stop_reason.
_STOPS = (("choices", 0, "stop_reason"), ("choices", 0, "finish_reason"))

# Not among them, as they are billed beyond what the request bounds: audio and modalities (spoken
# answers), prediction (rejected tokens), service_tier (the gateway's own setting) and
# web_search_options (a price for each search). Nor is store, by which the provider would keep
# what was said.
CHAT = TextBody(
    prompt="messages",
    members=frozenset(
        (
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "metadata",
            "model",
            "n",
            "parallel_tool_calls",
            "presence_penalty",
            "reasoning_effort",
            "response_format",
            "seed",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_logprobs",
            "top_p",
            "user",
        )
    ),
    max_tokens=MaxTokensField(("max_tokens",), aliases=("max_completion_tokens",)),
    write=write_chat,
    system="messages",
    with_system=_with_system_message,
    answer=Answer(
        texts=(("choices", 0, "message", "content"), ("choices", 0, "delta", "content")),
        stops=_STOPS,
        usage=usage,
    ),
    answers=("n",),
    tools=("tools",),
    media=("file", "image_url", "input_audio"),
)

COMPLETION = TextBody(
    prompt="prompt",
    members=frozenset(("max_tokens", "prompt", "stop", "temperature", "top_p")),
    max_tokens=MaxTokensField(("max_tokens",), aliases=("max_completion_tokens",)),
    write=write_prompt,
    system="prompt",
    with_system=said_before("prompt"),
    answer=Answer(texts=(("choices", 0, "text"),), stops=_STOPS, usage=usage),
)
