"""Faults where the SDK sends a request, so that its own timeouts, retries and parsing take part."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest


@dataclass
class Fault:
    """Requests to a service that hold all of `words` fail as `how` says, the first `times`."""

    service: str
    words: tuple[str, ...]
    how: Callable[[AWSPreparedRequest, Callable[[], AWSResponse]], AWSResponse]
    times: int | None = None
    hits: int = field(default=0, init=False)

    def strikes(self, service: str, text: str) -> bool:
        if service != self.service or not all(word in text for word in self.words):
            return False
        self.hits += 1
        return self.times is None or self.hits <= self.times


def refused(code: str, status: int = 400) -> Any:
    """An error answer of the service."""

    def how(request: AWSPreparedRequest, _: Callable[[], AWSResponse]) -> AWSResponse:
        document = json.dumps({"__type": code, "message": "injected"}).encode()
        is_json = "X-Amz-Target" in request.headers or "/endpoints/" in request.url
        if not is_json:  # S3 and STS speak XML
            error = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
            if "Action=" in str(request.body):
                error = f"<ErrorResponse>{error}</ErrorResponse>"
            document = error.encode()
        raw = SimpleNamespace(stream=lambda: iter([document]), read=lambda: document)
        return AWSResponse(request.url, status, {"x-amzn-errortype": code}, raw)

    return how


def unreachable(request: AWSPreparedRequest, _: Callable[[], AWSResponse]) -> AWSResponse:
    """Nobody listens."""
    raise EndpointConnectionError(endpoint_url=request.url)


def silent(request: AWSPreparedRequest, _: Callable[[], AWSResponse]) -> AWSResponse:
    """The request never arrives, and no answer comes before the read timeout."""
    raise ReadTimeoutError(endpoint_url=request.url)


def answer_lost(request: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
    """The request takes effect, but its answer comes after the read timeout."""
    send()
    raise ReadTimeoutError(endpoint_url=request.url)


def answer_cut(request: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
    """The request takes effect, and the connection breaks before the answer."""
    send()
    raise ConnectionClosedError(endpoint_url=request.url)


def answer_changed(change: Callable[[dict[str, Any]], object]) -> Any:
    """The request takes effect, and the JSON of its answer is another than it should be."""

    def how(request: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
        answer = send()
        document = json.loads(answer.content)
        change(document)
        body = json.dumps(document).encode()
        raw = SimpleNamespace(stream=lambda: iter([body]), read=lambda: body)
        return AWSResponse(request.url, answer.status_code, answer.headers, raw)

    return how


@contextmanager
def faults(*injected: Fault, unmet: bool = False) -> Iterator[None]:
    """The SDK's requests meet these faults; pauses between its tries are not waited for.

    `unmet` says that no request is to meet them, because none is made.
    """
    send = botocore.endpoint.Endpoint._send  # noqa: SLF001 - the last step before the network

    def meet(endpoint: Any, request: AWSPreparedRequest) -> AWSResponse:
        text = description(request)
        for fault in injected:
            if fault.strikes(endpoint._endpoint_prefix, text):  # noqa: SLF001
                return fault.how(request, lambda: send(endpoint, request))
        return send(endpoint, request)

    with (
        patch.object(botocore.endpoint.Endpoint, "_send", meet),
        patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None)),
    ):
        yield
    for fault in injected:
        assert bool(fault.hits) != unmet, f"{fault.hits} requests met {fault.words}"


def description(request: AWSPreparedRequest) -> str:
    """What a fault's words are looked for in: operation or method, URL and body."""
    target = request.headers.get("X-Amz-Target", b"")
    operation = target.decode() if isinstance(target, bytes) else target
    body = request.body if isinstance(request.body, bytes | str) else ""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    return f"{operation} {request.method} {request.url} {text}"


def in_table(table: str, how: Any, *words: str, times: int | None = None) -> Fault:
    return Fault("dynamodb", (f"tollgate-local-{table}", *words), how, times)


def at_bucket(bucket: str, how: Any, *words: str, times: int | None = None) -> Fault:
    return Fault("s3", (f"tollgate-local-{bucket}", *words), how, times)
