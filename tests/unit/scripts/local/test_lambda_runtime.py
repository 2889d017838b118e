"""Handlers are called with JSON, and their failures have one shape."""

from __future__ import annotations

import pytest

from scripts.local.lambda_runtime import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    Functions,
    PayloadTooLargeError,
)


def test_event_and_response_are_json() -> None:
    seen: list[object] = []

    def handler(event: dict[str, object], _context: object) -> object:
        seen.append(event)
        return {"pair": (1, 2), "text": "é"}

    functions = Functions({"invoke": handler})
    event = {"list": (1, 2)}
    assert functions.invoke("invoke", event) == {"pair": [1, 2], "text": "é"}
    assert seen == [{"list": [1, 2]}]
    assert "invoke" in functions
    assert "stream" not in functions


def test_context() -> None:
    contexts = []
    Functions({"sweep": lambda _, context: contexts.append(context)}, "acme").invoke("sweep", {})
    [context] = contexts
    assert context.function_name == "acme-sweep"
    assert context.log_group_name == "/aws/lambda/acme-sweep"
    assert 299_000 < context.get_remaining_time_in_millis() <= 300_000


def test_a_handlers_error_keeps_its_cause() -> None:
    functions = Functions({"invoke": lambda *_: 1 / 0})
    with pytest.raises(FunctionError, match="invoke: ZeroDivisionError") as raised:
        functions.invoke("invoke", {})
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_payload_sizes_are_counted_in_utf_8() -> None:
    functions = Functions({"invoke": lambda event, _: event["body"]})
    text = "é" * (MAX_PAYLOAD_BYTES // 2 - 20)
    assert functions.invoke("invoke", {"body": text}) == text
    with pytest.raises(PayloadTooLargeError):
        functions.invoke("invoke", {"body": text + "é" * 20})
    echo = Functions({"invoke": lambda *_: "é" * (MAX_PAYLOAD_BYTES // 2)})
    with pytest.raises(FunctionError, match="the response has more than"):
        echo.invoke("invoke", {})
