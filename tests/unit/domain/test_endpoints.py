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
