"""How much a model is to think, in the words of its family."""

from __future__ import annotations

import re
from typing import Any

from tollgate.dialects.chat import base_model_of
from tollgate.dialects.fields import wrong_choice
from tollgate.domain.errors import InvalidRequestError

_EFFORTS = ("low", "medium", "high")
# Tokens that a model which thinks within a budget may think, by effort; no budget may be smaller
# than the first.
_THINKING_TOKENS = {"low": 1024, "medium": 4096, "high": 16384}
# What a model that thinks within a budget may say at least, and says at most unless asked.
_LEAST_ANSWER_TOKENS = 16
_ANSWER_TOKENS = 4096
_CLAUDE_VERSION = re.compile(r"anthropic\.claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2})(?!\d))?")
_FIRST_THINKING = (3, 7)
_FIRST_ADAPTIVE = (4, 6)


def reasoning_fields(
    model: str, effort: object, max_tokens: int | None, notes: list[str], *, has_history: bool
) -> tuple[dict[str, Any], int | None]:
    """The family's own field for how much to think, and the maximum of tokens with it.

    Raises InvalidRequestError where the family has none.
    """
    if effort not in _EFFORTS:
        raise wrong_choice("reasoning_effort", effort, ("none", *_EFFORTS))
    base = base_model_of(model)
    if base is None:
        return {}, max_tokens
    if base.startswith("openai."):
        return {"reasoning_effort": effort}, max_tokens
    if base.startswith("amazon.nova-2"):
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}, max_tokens
    version = _claude_version(base)
    if version >= _FIRST_ADAPTIVE:
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}, max_tokens
    if version < _FIRST_THINKING:
        raise InvalidRequestError(
            "reasoning_effort is not supported by this model; allowed are models of openai and "
            "amazon.nova-2, and anthropic's from Claude 3.7 on, or leave it out"
        )
    if has_history:
        # It wants its thoughts back, signed, and chat completions have no place for them.
        notes.append("reasoning_effort is ignored: the conversation has used tools")
        return {}, max_tokens
    return _budgeted(_THINKING_TOKENS[str(effort)], max_tokens)


def _budgeted(budget: int, max_tokens: int | None) -> tuple[dict[str, Any], int]:
    """A budget of thinking that leaves room for an answer."""
    if max_tokens is None:
        max_tokens = budget + _ANSWER_TOKENS
    least = _THINKING_TOKENS["low"]
    if max_tokens < least + _LEAST_ANSWER_TOKENS:
        raise InvalidRequestError(
            f"reasoning_effort with max_completion_tokens {max_tokens} leaves no room to think; "
            f"allowed is {least + _LEAST_ANSWER_TOKENS} or more with this model"
        )
    budget = min(budget, max_tokens - _LEAST_ANSWER_TOKENS)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}, max_tokens


def _claude_version(base: str) -> tuple[int, int]:
    """Major and minor version of a Claude model; (0, 0) for every other."""
    match = _CLAUDE_VERSION.match(base)
    if match is not None:
        return int(match[1]), int(match[2] or 0)
    return _FIRST_ADAPTIVE if base.startswith("anthropic.claude-mythos") else (0, 0)
