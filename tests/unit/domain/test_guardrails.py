"""What a guardrail charged, as the trace of an answer tells it."""

from __future__ import annotations

from tollgate.domain.guardrails import units_in


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
