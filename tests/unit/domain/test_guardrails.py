"""What a guardrail charged, as the trace of an answer tells it."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.guardrails import native_units_in, units_in


def test_units_of_input_and_output_are_summed_under_the_price_books_names() -> None:
    def charged(**usage: int) -> dict[str, object]:
        return {"invocationMetrics": {"usage": usage}}

    trace = {
        "guardrail": {
            "inputAssessment": {"g": charged(topicPolicyUnits=1, contentPolicyUnits=2)},
            "outputAssessments": {"g": [charged(topicPolicyUnits=3, wordPolicyUnits=0)]},
        }
    }

    assert units_in(trace) == {"guardrail_topic": 4, "guardrail_content": 2}
    assert units_in({}) == {}


def test_a_policy_that_nobody_knows_has_a_name_without_a_price() -> None:
    usage = {"invocationMetrics": {"usage": {"newPolicyUnits": 1}}}

    assert units_in({"guardrail": {"inputAssessment": {"g": usage}}}) == {
        "guardrail_newPolicyUnits": 1
    }


def assessed(usage: object) -> dict[str, Any]:
    return {"guardrail": {"inputAssessment": {"g": {"invocationMetrics": {"usage": usage}}}}}


@pytest.mark.parametrize(
    "trace",
    [
        {"guardrail": []},
        {"guardrail": {"inputAssessment": "g"}},
        {"guardrail": {"inputAssessment": {"g": 1}}},
        {"guardrail": {"input": {"g": []}}},
        {"guardrail": {"outputAssessments": {"g": {}}}},
        {"guardrail": {"outputs": {"g": {}}}},
        {"guardrail": {"outputs": ["g"]}},
        {"guardrail": {"inputAssessment": {"g": {"invocationMetrics": 1}}}},
        assessed([1]),
        assessed({"topicPolicyUnits": "1"}),
        assessed({"topicPolicyUnits": -1}),
        assessed({"topicPolicyUnits": 1.5}),
        assessed({"topicPolicyUnits": None}),
    ],
)
def test_a_trace_that_cannot_be_read_is_no_trace_of_nothing(trace: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a guardrail's"):
        units_in(trace)


@pytest.mark.parametrize(
    "trace",
    [
        {},
        {"guardrail": None},
        {"guardrail": {"inputAssessment": None, "outputAssessments": {"g": None}}},
        {"guardrail": {"outputs": None, "actionReason": "No action."}},
        assessed(None),
        assessed({}),
    ],
)
def test_a_trace_without_usage_is_of_nothing(trace: dict[str, Any]) -> None:
    assert units_in(trace) == {}


def test_native_traces_have_names_of_their_own() -> None:
    usage = {"invocationMetrics": {"usage": {"topicPolicyUnits": 2}}}
    trace = {"guardrail": {"input": {"g": usage}, "outputs": [{"g": usage}, {"g": usage}]}}

    assert native_units_in({"amazon-bedrock-trace": trace}) == {"guardrail_topic": 6}
    assert native_units_in({}) == {}
    with pytest.raises(ValueError, match="a guardrail's"):
        native_units_in({"amazon-bedrock-trace": "guarded"})
