"""The chat of OpenAI, which many providers took over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, Prompt, TextBody
from scripts.local.stubs.bedrock.families.reading import last_user_text, message_tokens, messages_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said

STOP_WORDS = {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"}


def _read_chat(body: Mapping[str, Any]) -> Prompt:
    messages = messages_of(body)
    stop = body.get("stop") or ()
    return Prompt(
        last_user_text(messages),
        message_tokens(messages, body.get("tools")),
        body.get("max_completion_tokens", body.get("max_tokens")),
        (stop,) if isinstance(stop, str) else tuple(stop),
    )


def _choice(said: Said) -> dict[str, Any]:
    return {
        "id": "stub",
        "object": "chat.completion",
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": said.text},
                "finish_reason": STOP_WORDS[said.stop_reason],
            }
            for index in range(said.answers)
        ],
        "usage": {
            "prompt_tokens": said.input_tokens,
            "completion_tokens": said.output_tokens,
            "total_tokens": said.input_tokens + said.output_tokens,
        },
    }


def _choice_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    end = {"index": 0, "delta": {}, "finish_reason": STOP_WORDS[said.stop_reason]}
    yield {"choices": [end], "usage": _choice(said)["usage"]}


CHAT = TextBody(
    models=("xai.",),
    members=frozenset(
        ("messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "n")
        + ("tools", "tool_choice", "response_format", "reasoning_effort", "seed", "stream")
        + ("frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs")
        + ("metadata", "model", "parallel_tool_calls", "stream_options", "user")
    ),
    dear=frozenset(
        ("audio", "best_of", "modalities", "prediction", "service_tier", "web_search_options")
    ),
    maxima=(("max_tokens",), ("max_completion_tokens",)),
    answers=(("n",), ("best_of",)),
    read=_read_chat,
    answer=_choice,
    chunks=_choice_chunks,
)

# What providers that have no other body have besides.
_OWN: Mapping[str, Sequence[str]] = {
    "google.": ("top_k",),
    "minimax.": ("reasoning_split", "top_k"),
    "moonshot": ("prompt_cache_key", "thinking"),
    "nvidia.": ("chat_template_kwargs", "top_k"),
    "openai.": ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "verbosity"),
    "qwen.": ("chat_template_kwargs", "enable_thinking", "min_p", "repetition_penalty", "top_k")
    + ("thinking_budget",),
    "writer.": ("min_tokens", "top_k"),
    "zai.": ("do_sample", "thinking", "tool_stream", "user_id"),
}

FAMILY = Family(
    texts=(
        CHAT,
        *(
            replace(CHAT, models=(start,), members=CHAT.members.union(own))
            for start, own in _OWN.items()
        ),
    )
)
