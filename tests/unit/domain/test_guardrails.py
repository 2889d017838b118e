"""What a guardrail charged, as the trace of an answer tells it."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.guardrails import check_choice, native_units_in, units_in


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


BAD_FORM = r"^a guardrail's trace is not of its form$"
NO_COUNT = r"^a guardrail's units are no count$"


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
    ],
)
def test_a_trace_that_cannot_be_read_is_no_trace_of_nothing(trace: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=BAD_FORM):
        units_in(trace)


@pytest.mark.parametrize("units", ["1", -1, 1.5, None, True])
def test_units_that_cannot_be_counted_are_not_none(units: object) -> None:
    with pytest.raises(ValueError, match=NO_COUNT):
        units_in(assessed({"topicPolicyUnits": units}))


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
    with pytest.raises(ValueError, match=BAD_FORM):
        native_units_in({"amazon-bedrock-trace": "guarded"})


TEXT = {"text": "hi"}
MARKED = {"guardContent": {"text": {"text": "hi"}}}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"system": [MARKED]}, "system[0]"),
        ({"system": [TEXT, MARKED]}, "system[1]"),
        ({"system": (TEXT, MARKED)}, "system[1]"),
        ({"system": ["odd", MARKED]}, "system[1]"),
        ({"messages": [{"content": [MARKED]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"content": [TEXT]}, {"content": [TEXT, MARKED]}]},
            "messages[1].content[1]",
        ),
        ({"messages": ["odd", {"content": None}, {"content": [MARKED]}]}, "messages[2].content[0]"),
    ],
)
def test_a_request_that_says_what_is_to_be_checked_is_refused_by_its_place(
    body: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_choice(body)

    assert refused.value.message == (
        f"{place}.guardContent is not allowed: the tenant's guardrail checks all that is said; "
        "send text or image blocks"
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"system": [TEXT], "messages": [{"content": [TEXT]}, {}]},
        # What is no list of blocks is refused for what it is, elsewhere.
        {"system": "guardContent", "messages": [{"content": "guardContent"}, "guardContent"]},
        {"system": ["guardContent"], "messages": [{"content": ["guardContent"]}]},
    ],
)
def test_a_request_that_leaves_the_choice_to_the_guardrail_passes(body: dict[str, Any]) -> None:
    check_choice(body)
