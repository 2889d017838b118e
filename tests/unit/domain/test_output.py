"""What bounds the output of a call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.world import tenant
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.output import (
    DEFAULT_MAX_TOKENS,
    MIN_CLAMPED_TOKENS,
    answers_of,
    check_thinking,
    least_max_tokens,
    max_tokens_of,
)
from tollgate.domain.prices import ModelCard

CARD = ModelCard("m.x", "chat", max_input_tokens=8000, max_output_tokens=1000, end_of_life=None)
BARE = ModelCard("m.x", "chat", max_input_tokens=None, max_output_tokens=None, end_of_life=None)


@pytest.mark.parametrize(
    ("requested", "default", "maximum", "expected"),
    [
        (None, None, None, 1000),
        (None, 300, None, 300),
        (None, 5000, None, 1000),
        (None, 300, 200, 200),
        (700, 300, None, 700),
        (1000, None, 1000, 1000),
    ],
)
def test_max_tokens(
    requested: int | None, default: int | None, maximum: int | None, expected: int
) -> None:
    policy = tenant(default_max_tokens=default, maximum_max_tokens=maximum)

    assert max_tokens_of(requested, policy, CARD) == expected


def test_max_tokens_without_any_figure_is_the_gateways() -> None:
    assert max_tokens_of(None, tenant(), BARE) == DEFAULT_MAX_TOKENS


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        (0, "maxTokens is 0; allowed is 1 or more"),
        (1001, "maxTokens is 1001; allowed is at most 1000, the model's maximum"),
        (501, "maxTokens is 501; allowed is at most 500, the tenant's maximum"),
    ],
)
def test_max_tokens_outside_its_range_is_refused(requested: int, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        max_tokens_of(requested, tenant(maximum_max_tokens=500 if requested == 501 else None), CARD)


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({}, 1),
        ({"n": 1}, 1),
        ({"n": 3}, 3),
        ({"n": 128}, 128),
        ({"num_generations": 5, "top_k": 1}, 5),
        ({"n": 2, "best_of": 3}, 6),
    ],
)
def test_every_answer_of_a_request_counts(fields: dict[str, Any], answers: int) -> None:
    assert answers_of(fields) == answers
    assert answers_of({}) == 1


@pytest.mark.parametrize("value", [-1, 0, 129, 10**40, True, 2.0, "3"])
def test_a_number_of_answers_is_a_whole_number(value: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"n (allows|is) .* 1 to 128"):
        answers_of({"n": value})


@pytest.mark.parametrize(
    ("fields", "least"),
    [
        ({}, 16),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, 2016),
        ({"reasoning_config": {"budget_tokens": 1024}, "thinking": {}}, 1040),
        ({"thinking": "strange"}, 16),
        ({"thinking": {"budget_tokens": "many"}}, 16),
    ],
)
def test_an_answer_is_not_cut_below_its_thinking(fields: dict[str, Any], least: int) -> None:
    assert least_max_tokens(fields) == least
    assert least_max_tokens({}) == MIN_CLAMPED_TOKENS == 16


@pytest.mark.parametrize("name", ["thinking", "reasoning_config"])
def test_a_model_thinks_within_its_maximum(name: str) -> None:
    def think(budget: object) -> None:
        check_thinking({name: {"type": "enabled", "budget_tokens": budget}}, 2000)

    think(1999)
    for budget in (2000, 10**9):
        with pytest.raises(
            InvalidRequestError, match="allowed is less than the maximum"
        ) as refused:
            think(budget)
        assert refused.value.code == "unbounded_request"
        assert refused.value.details == {"budget_tokens": budget, "max_tokens": 2000}
    for strange in (True, "2000", 1024.5, [1]):
        with pytest.raises(InvalidRequestError, match="allows a whole number only"):
            think(strange)
    check_thinking({name: {"type": "adaptive"}, "top_k": 1}, 16)
