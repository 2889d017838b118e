"""SageMaker endpoints that tenants call by a display name: where they are and what they cost.

Containers speak for themselves: some stream server-sent events, some JSON lines, some one document
in parts. `ContainerStream` reads the text and the counts out of whichever it is.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate.domain import native
from tollgate.domain.prices import Rates, TokenUsage, amount, per_token

REQUEST_UNIT = "request"
MACHINE_UNIT = "machine_ms"
_MS_PER_HOUR = 3_600_000
_FIELDS = frozenset(("endpoint", "price", "max_tokens"))
_PRICES = (
    frozenset(("per_1m_input", "per_1m_output")),
    frozenset(("per_request",)),
    frozenset(("instance_hour_usd",)),
    frozenset(("instance_hour_usd", "instances")),
)
_DATA = b"data:"
# How lines of server-sent events begin that have no data.
_UNSAID = (b":", b"event:", b"id:", b"retry:")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint. `price` is as its operator wrote it, empty for an endpoint without a price.

    `max_tokens` is the most that its container generates where a request does not say.
    """

    name: str
    endpoint_name: str
    price: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None


def parse_endpoints(text: str) -> dict[str, Endpoint]:
    """Endpoints by display name, from JSON or the Python literal of the first seed system.

    A value is an endpoint's name, or an object with `endpoint`, `price` and `max_tokens`. Raises
    ValueError saying what is wrong.
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
    most = value.get("max_tokens")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise ValueError(f"endpoint {name!r}: max_tokens is a whole number of 1 or more")
    price = value.get("price") or {}
    endpoint_rates(price)
    return Endpoint(name, value["endpoint"], price, most)


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


# --- What containers answer -------------------------------------------------------------------


def answer_usage(document: object) -> TokenUsage | None:
    """The token counts of a container's answer, or of one event of its stream; None without."""
    place = _answer(document)
    usage = native.usage_in(place) or _embedded(place) or _detailed(place)
    # An endpoint's price is one for all input, from a cache or not.
    return usage and TokenUsage(input=usage.total_input, output=usage.output)


def _embedded(place: Mapping[str, Any]) -> TokenUsage | None:
    """Counts of embeddings in OpenAI's shape, which have no output."""
    counted = place.get("usage")
    if not isinstance(counted, dict) or "completion_tokens" in counted:
        return None
    return native.usage_in({"usage": {**counted, "completion_tokens": 0}})


def _detailed(place: Mapping[str, Any]) -> TokenUsage | None:
    """Counts in the details that text containers give beside their text."""
    details = place.get("details")
    if not isinstance(details, dict):
        return None
    given, made = details.get("input_length"), details.get("generated_tokens")
    return native.usage_in({"usage": {"input_tokens": given, "output_tokens": made}})


def answer_stop_reason(document: object) -> str | None:
    """Why the container stopped, in its own words; None where it does not say."""
    place = _answer(document)
    details = place.get("details")
    return native.stop_reason_of(details if isinstance(details, Mapping) else place)


def answer_text(document: object) -> str:
    """The text that a container generated; empty where it generated none."""
    place = _answer(document)
    text = place.get("generated_text")
    return text if isinstance(text, str) else native.text_of(place)


def _answer(document: object) -> Mapping[str, Any]:
    """The answer's own object: several containers wrap it into a list."""
    if isinstance(document, list) and document:
        document = document[0]
    return document if isinstance(document, Mapping) else {}


class ContainerFailedError(Exception):
    """A container said in mid-stream that it failed."""


class ContainerStream:
    """Reads a container's stream, of which parts may end anywhere: within a line or a letter."""

    def __init__(self) -> None:
        self._pending = b""
        self._texts: list[str] = []
        self._is_plain = False
        self.usage: TokenUsage | None = None
        self.stop_reason: str | None = None

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._texts)

    def feed(self, data: bytes) -> str:
        """Take one part; returns the text of the lines that it completes.

        Raises ContainerFailedError where the container says that it failed.
        """
        *lines, self._pending = (self._pending + data).split(b"\n")
        return "".join(self._line(line + b"\n") for line in lines)

    def end(self) -> str:
        """Take the end; returns the text of the last line, which nothing ends."""
        rest, self._pending = self._pending, b""
        return self._line(rest)

    def _line(self, raw: bytes) -> str:
        line = raw.strip()
        is_event = line.startswith(_DATA)
        payload = line.removeprefix(_DATA).strip()
        document = _document(payload)
        if document is not None:
            text = self._text(document)
        elif is_event or (not self._is_plain and line.startswith(_UNSAID)) or not line:
            # Between events are blank lines, comments and names; the last one says that it is.
            text = raw.decode(errors="replace") if self._is_plain else ""
        else:
            self._is_plain = True
            text = raw.decode(errors="replace")
        self._texts.append(text)
        return text

    def _text(self, document: object) -> str:
        place = _answer(document)
        if place.get("error"):
            raise ContainerFailedError
        self.usage = answer_usage(document) or self.usage
        self.stop_reason = answer_stop_reason(document) or self.stop_reason
        token = place.get("token")
        if not isinstance(token, Mapping):
            return answer_text(document)
        # The last token of some containers comes with the whole text again; marks of the model's
        # own grammar are no text.
        return "" if token.get("special") else str(token.get("text", ""))


def _document(payload: bytes) -> object:
    """The JSON object or list of a line; None where it is neither."""
    try:
        document = json.loads(payload)
    except ValueError:
        return None
    return document if isinstance(document, dict | list) else None
