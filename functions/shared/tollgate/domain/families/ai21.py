"""AI21 Labs: Jurassic-2 and Jamba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import (
    Answer,
    Family,
    MaxTokensField,
    TextBody,
    anything,
    said_before,
    within,
)
from tollgate.domain.families.openai_format import chat, write_prompt
from tollgate.domain.families.reading import part
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    given = part(document, "prompt").get("tokens")
    completions = document.get("completions")
    if not isinstance(given, list) or not isinstance(completions, list):
        return None
    made = [part(c, "data").get("tokens") for c in completions if isinstance(c, dict)]
    if not all(isinstance(tokens, list) for tokens in made):
        return None
    return TokenUsage(input=len(given), output=sum(len(tokens) for tokens in made if tokens))


_PENALTY = (
    "applyToEmojis",
    "applyToNumbers",
    "applyToPunctuations",
    "applyToStopwords",
    "applyToWhitespaces",
    "scale",
)

_FIELDS = (
    frozenset(("minTokens", "numResults", "topKReturn"))
    | within("countPenalty", *_PENALTY)
    | within("frequencyPenalty", *_PENALTY)
    | within("presencePenalty", *_PENALTY)
)

JURASSIC = TextBody(
    models=("ai21.j2-",),
    prompt="prompt",
    members=_FIELDS | {"maxTokens", "prompt", "stopSequences", "temperature", "topP"},
    fields=_FIELDS,
    max_tokens=MaxTokensField(("maxTokens",)),
    top_p="topP",
    stop="stopSequences",
    write=write_prompt,
    system="prompt",
    with_system=said_before("prompt"),
    answer=Answer(
        texts=(("completions", 0, "data", "text"),),
        # The word stands in an object of its own.
        stops=(("completions", 0, "finishReason"),),
        usage=_usage,
    ),
    answers=("numResults",),
)

JAMBA = chat(*anything("documents"), max_tokens=MaxTokensField(("max_tokens",)))

AI21 = Family(name="AI21", models=("ai21.",), texts=(JURASSIC, JAMBA))
