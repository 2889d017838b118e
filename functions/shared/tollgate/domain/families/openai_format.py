"""OpenAI's chat completions, which many families read as well, and its older completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import (
    DATA_URL,
    Answer,
    MaxTokensField,
    TextBody,
    anything,
    said_before,
    within,
)
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

# What Converse has no place of its own for.
_FIELDS = (
    frozenset(
        (
            "frequency_penalty",
            "logprobs",
            "n",
            "parallel_tool_calls",
            "presence_penalty",
            "reasoning_effort",
            "seed",
            "top_logprobs",
            "user",
        )
    )
    | within("response_format", "json_schema", "type")
    | within("response_format.json_schema", "description", "name", "schema", "strict")
    | anything("logit_bias", "metadata", "response_format.json_schema.schema")
)
_MESSAGES = (
    within(
        "messages",
        "content",
        "name",
        "prefix",
        "reasoning",
        "reasoning_content",
        "refusal",
        "role",
        "tool_call_id",
        "tool_calls",
    )
    | within(
        "messages.content",
        "file",
        "image_url",
        "input_audio",
        "refusal",
        "text",
        "thinking",
        "type",
    )
    | within("messages.content.file", "file_data", "filename")
    | within("messages.content.image_url", "detail", "url")
    | within("messages.content.input_audio", "data", "format")
    | within("messages.content.thinking", "text", "type")
    | within("messages.tool_calls", "function", "id", "index", "type")
    | within("messages.tool_calls.function", "arguments", "name")
)
_TOOLS = (
    within("tools", "function", "type")
    | within("tools.function", "description", "name", "parameters", "strict")
    | anything("tools.function.parameters")
    | within("tool_choice", "function", "type")
    | within("tool_choice.function", "name")
)

# Not among them, as they are billed beyond what the request bounds: audio and modalities (spoken
# answers), prediction (rejected tokens), service_tier (the gateway's own setting) and
# web_search_options (a price for each search). Nor is store, by which the provider would keep
# what was said, nor a file_id, which it would read.
CHAT = TextBody(
    prompt="messages",
    members=_FIELDS
    | _MESSAGES
    | _TOOLS
    | within("stream_options", "include_obfuscation", "include_usage")
    | {"max_completion_tokens", "max_tokens", "model", "stop", "stream", "temperature", "top_p"},
    fields=_FIELDS,
    values={
        "messages.content.image_url": DATA_URL,
        "messages.content.image_url.url": DATA_URL,
        "messages.content.type": (
            "file",
            "image_url",
            "input_audio",
            "refusal",
            "text",
            "thinking",
        ),
        "messages.tool_calls.type": ("function",),
        "response_format.type": ("json_object", "json_schema", "text"),
        "tool_choice.type": ("function",),
        "tools.type": ("function",),
    },
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
    media=("file", "image_url", "input_audio"),
)


def chat(*own: str, said: frozenset[str] = frozenset(), **changes: Any) -> TextBody:  # noqa: ANN401
    """The chat of a family that has members of its own beside OpenAI's.

    `said` are those within what is said. Of the words for the maximum, it has those that it reads.
    """
    body = CHAT._replace(fields=CHAT.fields.union(own), **changes)
    unread = {*CHAT.max_tokens.names} - {*body.max_tokens.names}
    return body._replace(members=CHAT.members.union(own, said) - unread)


COMPLETION = TextBody(
    prompt="prompt",
    members=frozenset(("max_tokens", "prompt", "stop", "temperature", "top_p")),
    max_tokens=MaxTokensField(("max_tokens",)),
    write=write_prompt,
    system="prompt",
    with_system=said_before("prompt"),
    answer=Answer(texts=(("choices", 0, "text"),), stops=_STOPS, usage=usage),
)
