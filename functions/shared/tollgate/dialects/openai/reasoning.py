"""How much a model is to think, in the words of its family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import base_model_of
from tollgate.dialects.fields import wrong_choice
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.claude import LEAST_THINKING_TOKENS
from tollgate.domain.families.registry import family_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.dialects.notes import Notes

_EFFORTS = ("low", "medium", "high")
# What a model that thinks within a budget may say at least, and says at most unless asked.
_LEAST_ANSWER_TOKENS = 16
_ANSWER_TOKENS = 4096


def reasoning_fields(
    model: str,
    effort: object,
    max_tokens: int | None,
    notes: Notes,
    *,
    has_history: bool,
    forces_tool: bool,
) -> tuple[dict[str, Any], int | None]:
    """The family's own field for how much to think, and the maximum of tokens with it.

    Raises InvalidRequestError where the family has none.
    """
    if effort not in _EFFORTS:
        raise wrong_choice("reasoning_effort", effort, ("none", *_EFFORTS))
    base = base_model_of(model)
    if base is None:
        return {}, max_tokens
    fields = family_of(base).effort(base, str(effort))
    if fields is None:
        raise InvalidRequestError(
            "reasoning_effort is not supported by this model; allowed are models of openai and "
            "amazon.nova-2, and anthropic's from Claude 3.7 on, or leave it out"
        )
    thinking = fields.get("thinking", {})
    if thinking and forces_tool:
        notes.ignored("reasoning_effort", "a model that thinks is not made to use a tool")
        return {}, max_tokens
    if "budget_tokens" not in thinking:
        return fields, max_tokens
    if has_history:
        # It wants its thoughts back, signed, and chat completions have no place for them.
        notes.ignored("reasoning_effort", "the conversation has used tools")
        return {}, max_tokens
    return _budgeted(thinking, max_tokens)


def _budgeted(thinking: Mapping[str, Any], max_tokens: int | None) -> tuple[dict[str, Any], int]:
    """A budget of thinking that leaves room for an answer."""
    budget: int = thinking["budget_tokens"]
    if max_tokens is None:
        max_tokens = budget + _ANSWER_TOKENS
    least = LEAST_THINKING_TOKENS + _LEAST_ANSWER_TOKENS
    if max_tokens < least:
        raise InvalidRequestError(
            f"reasoning_effort with max_completion_tokens {max_tokens} leaves no room to think; "
            f"allowed is {least} or more with this model"
        )
    budget = min(budget, max_tokens - _LEAST_ANSWER_TOKENS)
    return {"thinking": {**thinking, "budget_tokens": budget}}, max_tokens
