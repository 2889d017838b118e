"""Handlers are called with JSON, and their failures have one shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.local import deployment
from scripts.local.lambda_runtime import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    Functions,
    LambdaContext,
    PayloadTooLargeError,
)

DEPLOYED = deployment.described().functions


def test_event_and_response_are_json() -> None:
    seen: list[object] = []

    def handler(event: dict[str, object], _context: object) -> object:
        seen.append(event)
        return {"pair": (1, 2), "text": "é"}

    functions = Functions({"invoke": handler}, DEPLOYED)
    event = {"list": (1, 2)}
    assert functions.invoke("invoke", event) == {"pair": [1, 2], "text": "é"}
    assert seen == [{"list": [1, 2]}]
    assert "invoke" in functions
    assert "stream" not in functions


def test_context() -> None:
    contexts: list[LambdaContext] = []

    def handler(_event: dict[str, object], context: LambdaContext) -> None:
        contexts.append(context)

    arn = "arn:aws:lambda:us-east-1:123456789012:function:acme-sweep"
    told = replace(DEPLOYED["sweep"], arn=arn, timeout_seconds=300, memory_mb=1769)
    Functions({"sweep": handler}, {"sweep": told}).invoke("sweep", {})
    [context] = contexts
    assert context.function_name == "acme-sweep"
    assert context.log_group_name == "/aws/lambda/acme-sweep"
    assert context.memory_limit_in_mb == 1769
    assert 299_000 < context.get_remaining_time_in_millis() <= 300_000


def test_a_handlers_error_keeps_its_cause() -> None:
    functions = Functions({"invoke": lambda *_: 1 / 0}, DEPLOYED)
    with pytest.raises(FunctionError, match="invoke: ZeroDivisionError") as raised:
        functions.invoke("invoke", {})
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_payload_sizes_are_counted_in_utf_8() -> None:
    functions = Functions({"invoke": lambda event, _: event["body"]}, DEPLOYED)
    text = "é" * (MAX_PAYLOAD_BYTES // 2 - 20)
    assert functions.invoke("invoke", {"body": text}) == text
    with pytest.raises(PayloadTooLargeError):
        functions.invoke("invoke", {"body": text + "é" * 20})
    echo = Functions({"invoke": lambda *_: "é" * (MAX_PAYLOAD_BYTES // 2)}, DEPLOYED)
    with pytest.raises(FunctionError, match="the response has more than"):
        echo.invoke("invoke", {})
