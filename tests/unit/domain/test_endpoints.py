"""SageMaker endpoints as operators write them, and their prices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tollgate.domain.endpoints import (
    MACHINE_UNIT,
    REQUEST_UNIT,
    Endpoint,
    endpoint_rates,
    parse_endpoints,
)
from tollgate.domain.money import usd
from tollgate.domain.prices import Rates


@pytest.mark.parametrize("text", ['{"Llama": "llama-1"}', "{'Llama': 'llama-1'}"])
def test_json_and_the_seeds_literal_are_read_alike(text: str) -> None:
    assert parse_endpoints(text) == {"Llama": Endpoint("Llama", "llama-1")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the endpoints are neither JSON nor a Python literal"),
        ("llama-1", "the endpoints are neither JSON nor a Python literal"),
        ("[]", "the endpoints are not an object by display name"),
        ("'llama-1'", "the endpoints are not an object by display name"),
        ("{'a': 1}", "endpoint 'a': allowed is its name, or an object with `endpoint`"),
        (
            '{"a": {"price": {}}}',
            "endpoint 'a': allowed is its name, or an object with `endpoint`",
        ),
    ],
)
def test_what_is_no_map_of_endpoints_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        parse_endpoints(text)

    assert str(refused.value) == message


def parsed(**entry: Any) -> Endpoint:
    """An endpoint of this entry, written as JSON under the display name `a`."""
    return parse_endpoints(json.dumps({"a": {"endpoint": "e", **entry}}))["a"]


def test_what_an_entry_does_not_say_is_not_so() -> None:
    assert parsed() == Endpoint("a", "e", {}, None, None, text_only=False, components=())
    assert parsed(price=None) == parsed(price={}) == parsed()


def test_what_else_an_endpoint_is_read_from_its_entry() -> None:
    price = {"per_request": "0.001"}

    assert parsed(
        price=price, max_tokens=5, max_input_tokens=6, text_only=True, components=["part-1", "b"]
    ) == Endpoint("a", "e", price, 5, 6, text_only=True, components=("part-1", "b"))
    assert (parsed(max_tokens=1).max_tokens, parsed(max_input_tokens=1).max_input_tokens) == (1, 1)


PRICES = (
    "allowed are per_1m_input with per_1m_output, per_request, or instance_hour_usd with instances"
)
FIELDS = "components, endpoint, max_input_tokens, max_tokens, price, text_only"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"max_tokens": 0}, "endpoint 'a': max_tokens is a whole number of 1 or more"),
        ({"max_tokens": "5"}, "endpoint 'a': max_tokens is a whole number of 1 or more"),
        ({"max_input_tokens": 0}, "endpoint 'a': max_input_tokens is a whole number of 1 or more"),
        (
            {"max_input_tokens": True},
            "endpoint 'a': max_input_tokens is a whole number of 1 or more",
        ),
        ({"text_only": 1}, "endpoint 'a': text_only is true or false"),
        ({"components": "part-1"}, "endpoint 'a': components is a list of names"),
        ({"components": {"part-1": 1}}, "endpoint 'a': components is a list of names"),
        ({"components": ["part 1"]}, "endpoint 'a': components is a list of names"),
        ({"components": [5]}, "endpoint 'a': components is a list of names"),
        ({"components": None}, "endpoint 'a': components is a list of names"),
        ({"parts": [], "z": 1}, f"endpoint 'a' has 'parts'; allowed are {FIELDS}"),
        ({"price": "5"}, "endpoint 'a': price is an object"),
        ({"price": 0}, "endpoint 'a': price is an object"),
        ({"price": {"per_day": "1"}}, f"endpoint 'a': a price has per_day; {PRICES}"),
    ],
    ids=str,
)
def test_an_entry_that_says_something_else_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        parsed(**entry)

    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("price", "rates"),
    [
        ({}, None),
        (
            {"per_1m_input": "1", "per_1m_output": "2"},
            Rates(input=usd("0.000001"), output=usd("0.000002")),
        ),
        # Where a request or a machine is paid for, tokens cost nothing; they are not unpriced.
        (
            {"per_request": "0.001"},
            Rates(input=0, output=0, units={REQUEST_UNIT: usd("0.001")}),
        ),
        # An hour has 3.6 million milliseconds; one is rounded up to a whole picodollar.
        (
            {"instance_hour_usd": "3.6"},
            Rates(input=0, output=0, units={MACHINE_UNIT: usd("0.000001")}),
        ),
        (
            {"instance_hour_usd": "3.6", "instances": 1},
            Rates(input=0, output=0, units={MACHINE_UNIT: usd("0.000001")}),
        ),
        (
            {"instance_hour_usd": "1", "instances": 2},
            Rates(input=0, output=0, units={MACHINE_UNIT: 555_556}),
        ),
    ],
    ids=str,
)
def test_each_kind_of_price_has_its_rates(price: dict[str, Any], rates: Rates | None) -> None:
    assert endpoint_rates(price) == rates


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ({"per_day": "1"}, f"a price has per_day; {PRICES}"),
        ({"per_1m_input": "1"}, f"a price has per_1m_input; {PRICES}"),
        (
            {"per_request": "1", "instances": 2},
            f"a price has instances, per_request; {PRICES}",
        ),
        ({"per_request": "-1"}, "'-1' is below zero"),
        ({"per_request": 1}, "1 is not an amount in USD: use a string such as '12.50'"),
        *(
            (
                {"instance_hour_usd": "1", "instances": count},
                f"instances is {count!r}; allowed is a whole number of 1 or more",
            )
            for count in (0, -1, True, 1.5, "2", None)
        ),
    ],
    ids=str,
)
def test_any_other_price_is_refused(price: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        endpoint_rates(price)

    assert str(refused.value) == message
