"""Guardrails: what they charge, under the names that the price book has for their policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The price book's entry with the prices per unit of text.
MODEL_ID = "amazon.bedrock-guardrails"

_UNIT_BY_MEMBER = {
    "automatedReasoningPolicyUnits": "guardrail_automated_reasoning",
    "contentPolicyImageUnits": "guardrail_content_image",
    "contentPolicyUnits": "guardrail_content",
    "contextualGroundingPolicyUnits": "guardrail_contextual_grounding",
    "sensitiveInformationPolicyFreeUnits": "guardrail_sensitive_information_free",
    "sensitiveInformationPolicyUnits": "guardrail_sensitive_information",
    "topicPolicyUnits": "guardrail_topic",
    "wordPolicyUnits": "guardrail_word",
}


def units_in(trace: Mapping[str, Any]) -> dict[str, int]:
    """The units that the trace of a Converse response says were charged, by the book's names.

    A policy that the book has no name for keeps the trace's own: it then has no price, and the
    call is booked as unpriced rather than as free.
    """
    units: dict[str, int] = {}
    for usage in _usages(trace.get("guardrail", {})):
        for member, count in usage.items():
            if count:
                name = _UNIT_BY_MEMBER.get(member, f"guardrail_{member}")
                units[name] = units.get(name, 0) + count
    return units


def _usages(guardrail: Mapping[str, Any]) -> Iterator[Mapping[str, int]]:
    given = list(guardrail.get("inputAssessment", {}).values())
    for made in guardrail.get("outputAssessments", {}).values():
        given.extend(made)
    for assessment in given:
        yield assessment.get("invocationMetrics", {}).get("usage", {})
