"""SageMaker endpoints as operators write them, and their prices."""

from __future__ import annotations

import pytest

from tollgate.domain.endpoints import MACHINE_UNIT, REQUEST_UNIT, endpoint_rates, parse_endpoints
from tollgate.domain.money import usd


@pytest.mark.parametrize("text", ['{"Llama": "llama-1"}', "{'Llama': 'llama-1'}"])
def test_json_and_the_seeds_literal_are_read_alike(text: str) -> None:
    endpoint = parse_endpoints(text)["Llama"]

    assert (endpoint.name, endpoint.endpoint_name, endpoint.price) == ("Llama", "llama-1", {})


@pytest.mark.parametrize("text", ["[]", "{", "{'a': 1}", '{"a": {"price": {}}}'])
def test_what_is_no_map_of_endpoints_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        parse_endpoints(text)


def test_what_else_an_endpoint_is_read_from_its_entry() -> None:
    (endpoint,) = parse_endpoints(
        '{"a": {"endpoint": "e", "max_tokens": 5, "max_input_tokens": 6, "text_only": true, '
        '"components": ["part-1"]}}'
    ).values()

    assert (endpoint.max_tokens, endpoint.max_input_tokens) == (5, 6)
    assert (endpoint.text_only, endpoint.components) == (True, ("part-1",))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('"max_input_tokens": 0', "max_input_tokens is a whole number of 1 or more"),
        ('"max_input_tokens": true', "max_input_tokens is a whole number of 1 or more"),
        ('"text_only": 1', "text_only is true or false"),
        ('"components": "part-1"', "components is a list of names"),
        ('"components": ["part 1"]', "components is a list of names"),
        ('"components": [5]', "components is a list of names"),
        ('"parts": []', "allowed are components, endpoint, max_input_tokens, max_tokens, price"),
    ],
)
def test_an_entry_that_says_something_else_is_refused(field: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_endpoints(f'{{"a": {{"endpoint": "e", {field}}}}}')


def test_each_kind_of_price_has_its_rates() -> None:
    by_token = endpoint_rates({"per_1m_input": "1", "per_1m_output": "2"})
    by_request = endpoint_rates({"per_request": "0.001"})
    by_hour = endpoint_rates({"instance_hour_usd": "1", "instances": 2})

    assert by_token is not None
    assert (by_token.input, by_token.output) == (usd("0.000001"), usd("0.000002"))
    assert by_request is not None
    assert by_request.units == {REQUEST_UNIT: usd("0.001")}
    assert by_hour is not None
    # Two dollars an hour, a millisecond of it rounded up to a whole picodollar.
    assert by_hour.units == {MACHINE_UNIT: -(-usd("2") // 3_600_000)}
    assert endpoint_rates({}) is None


@pytest.mark.parametrize(
    "price", [{"per_day": "1"}, {"per_request": "-1"}, {"per_1m_input": "1"}], ids=str
)
def test_any_other_price_is_refused(price: dict[str, str]) -> None:
    with pytest.raises((ValueError, KeyError)):
        endpoint_rates(price)
