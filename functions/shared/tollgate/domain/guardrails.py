"""Guardrails: what they charge, under the names that the price book has for their policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.reading import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

# The price book's entry with the prices per unit of text.
MODEL_ID = "amazon.bedrock-guardrails"

_NATIVE_TRACE = "amazon-bedrock-trace"
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


def check_choice(body: Mapping[str, Any]) -> None:
    """Raise for a Converse request that says itself what of it a guardrail is to check.

    Where a request marks some of its text, a guardrail passes over the rest.
    """
    places = [("system", body.get("system"))]
    for index, message in enumerate(body.get("messages", ())):
        if isinstance(message, dict):
            places.append((f"messages[{index}].content", message.get("content")))
    for place, blocks in places:
        for index, block in enumerate(blocks if isinstance(blocks, list | tuple) else ()):
            if isinstance(block, dict) and "guardContent" in block:
                raise InvalidRequestError(
                    f"{place}[{index}].guardContent is not allowed: the tenant's guardrail checks "
                    "all that is said; send text or image blocks"
                )


def units_in(trace: Mapping[str, Any]) -> dict[str, int]:
    """The units that the trace of an answer says were charged, by the book's names.

    A Converse response and a native body have other names for the same parts.

    A policy that the book has no name for keeps the trace's own: it then has no price, and the
    call is booked as unpriced rather than as free. Raises ValueError where the trace cannot be
    read: then nobody knows what was charged.
    """
    units: dict[str, int] = {}
    for usage in _usages(_object(trace, "guardrail")):
        for member, given in usage.items():
            units_of = counted(given)
            if units_of is None:
                raise ValueError("a guardrail's units are no count")
            if units_of:
                name = _UNIT_BY_MEMBER.get(member, f"guardrail_{member}")
                units[name] = units.get(name, 0) + units_of
    return units


def native_units_in(document: Mapping[str, Any]) -> dict[str, int]:
    """The same of a native body, or of one chunk of a native stream."""
    return units_in(_object(document, _NATIVE_TRACE))


def _usages(guardrail: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    given: list[object] = [
        *_object(guardrail, "inputAssessment").values(),
        *_object(guardrail, "input").values(),
    ]
    for made in _object(guardrail, "outputAssessments").values():
        given += _list(made)
    for output in _list(guardrail.get("outputs")):
        given += _object({"output": output}, "output").values()
    for assessment in given:
        metrics = _object(_object({"assessment": assessment}, "assessment"), "invocationMetrics")
        yield _object(metrics, "usage")


def _object(place: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; empty where there is none."""
    value = place.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("a guardrail's trace is not of its form")
    return value


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("a guardrail's trace is not of its form")
    return value
