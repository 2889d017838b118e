"""SageMaker endpoints that tenants call by a display name: where they are and what they cost."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tollgate.domain.prices import Rates, amount, per_token

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_UNIT = "request"
MACHINE_UNIT = "machine_ms"
_MS_PER_HOUR = 3_600_000
_FIELDS = frozenset(
    ("endpoint", "price", "max_tokens", "max_input_tokens", "text_only", "components")
)
# An inference component's name, as SageMaker allows it.
_COMPONENT = re.compile(r"[A-Za-z0-9](?:-*[A-Za-z0-9]){0,62}")
_PRICES = (
    frozenset(("per_1m_input", "per_1m_output")),
    frozenset(("per_request",)),
    frozenset(("instance_hour_usd",)),
    frozenset(("instance_hour_usd", "instances")),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint. `price` is as its operator wrote it, empty for an endpoint without a price.

    `max_tokens` is the most that its container generates where a request does not say, and
    `max_input_tokens` the most that it reads of images and of all else. One that is `text_only`
    reads an image in Markdown as text. `components` are the inference components that may be named.
    """

    name: str
    endpoint_name: str
    price: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    max_input_tokens: int | None = None
    text_only: bool = False
    components: tuple[str, ...] = ()


def parse_endpoints(text: str) -> dict[str, Endpoint]:
    """Endpoints by display name, from JSON or the Python literal of the first seed system.

    A value is an endpoint's name, or an object with the fields of `Endpoint`. Raises ValueError
    saying what is wrong.
    """
    try:
        document = json.loads(text)
    except ValueError:
        try:
            document = ast.literal_eval(text)
        except (SyntaxError, ValueError) as error:
            raise ValueError("the endpoints are neither JSON nor a Python literal") from error
    if not isinstance(document, dict):
        raise ValueError("the endpoints are not an object by display name")
    return {name: _endpoint(name, value) for name, value in document.items()}


def _endpoint(name: str, value: object) -> Endpoint:
    if isinstance(value, str):
        return Endpoint(name, value)
    if not isinstance(value, dict) or not isinstance(value.get("endpoint"), str):
        raise ValueError(f"endpoint {name!r}: allowed is its name, or an object with `endpoint`")
    unknown = sorted(value.keys() - _FIELDS)
    if unknown:
        raise ValueError(
            f"endpoint {name!r} has {unknown[0]!r}; allowed are {', '.join(sorted(_FIELDS))}"
        )
    text_only = value.get("text_only", False)
    if not isinstance(text_only, bool):
        raise ValueError(f"endpoint {name!r}: text_only is true or false")
    return Endpoint(
        name,
        value["endpoint"],
        _price(name, value.get("price")),
        max_tokens=_tokens(name, value, "max_tokens"),
        max_input_tokens=_tokens(name, value, "max_input_tokens"),
        text_only=text_only,
        components=_components(name, value.get("components", [])),
    )


def _price(name: str, value: object) -> Mapping[str, Any]:
    price = {} if value is None else value
    if not isinstance(price, dict):
        raise ValueError(f"endpoint {name!r}: price is an object")
    try:
        endpoint_rates(price)
    except ValueError as error:
        raise ValueError(f"endpoint {name!r}: {error}") from error
    return price


def _tokens(name: str, value: Mapping[str, Any], field_name: str) -> int | None:
    most = value.get(field_name)
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise ValueError(f"endpoint {name!r}: {field_name} is a whole number of 1 or more")
    return most


def _components(name: str, value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [None]
    if not all(isinstance(item, str) and _COMPONENT.fullmatch(item) for item in listed):
        raise ValueError(f"endpoint {name!r}: components is a list of names")
    return tuple(listed)


def endpoint_rates(price: Mapping[str, Any]) -> Rates | None:
    """The rates that a price stands for; None without one.

    Tokens have prices per million, a request has one price, and a machine's hour is booked by the
    millisecond, rounded up to a whole picodollar. Raises ValueError for any other price.
    """
    if not price:
        return None
    if frozenset(price) not in _PRICES:
        raise ValueError(
            f"a price has {', '.join(sorted(price))}; allowed are per_1m_input with "
            "per_1m_output, per_request, or instance_hour_usd with instances"
        )
    if "per_request" in price:
        return Rates(input=0, output=0, units={REQUEST_UNIT: amount(_usd(price["per_request"]))})
    if "instance_hour_usd" in price:
        hour = amount(_usd(price["instance_hour_usd"])) * _machines(price.get("instances", 1))
        return Rates(input=0, output=0, units={MACHINE_UNIT: -(-hour // _MS_PER_HOUR)})
    return Rates(
        input=per_token(_usd(price["per_1m_input"])),
        output=per_token(_usd(price["per_1m_output"])),
    )


def _machines(count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"instances is {count!r}; allowed is a whole number of 1 or more")
    return count


def _usd(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not an amount in USD: use a string such as '12.50'")
    return text
