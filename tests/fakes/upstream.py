"""Bedrock's and SageMaker's runtimes behind boto3 itself, without a server between them."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.runtimes import Runtimes
from tollgate.adapters.sagemaker import SageMakerRuntime
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Upstream:
    """Answers every call with the bytes that it was given, and counts the calls.

    `broken` raises where the connection broke, once those bytes are read.
    """

    def __init__(self) -> None:
        self.forget()
        self.runtime = Runtimes(
            models=BedrockRuntime(lambda _: self._bedrock),
            endpoints=SageMakerRuntime(lambda _: self._sagemaker),
        )
        self._bedrock = self._client("bedrock-runtime")
        self._sagemaker = self._client("sagemaker-runtime")

    def forget(self) -> None:
        """Be as new; clients of boto3 take a while to make."""
        self.calls = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.broken: Exception | None = None

    def says(self, document: object, **headers: str) -> None:
        """Answer with a JSON document."""
        self.body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.headers = {"content-type": "application/json"} | {
            f"x-amzn-bedrock-{name.replace('_', '-')}": value for name, value in headers.items()
        }

    def streams(self, events: Iterable[tuple[str, object]]) -> None:
        """Answer with the frames of events; one that is bytes is a payload as it stands."""
        self.body = b"".join(_frame(kind, payload) for kind, payload in events)
        self.headers = {"content-type": eventstream.CONTENT_TYPE}

    def _client(self, service: str) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1:9",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send", self._answer)
        return client

    def _answer(self, **_: Any) -> AWSResponse:
        self.calls += 1
        body = _Raw(self.body, self.broken)
        return AWSResponse("http://127.0.0.1:9", self.status, self.headers, body)


class _Raw(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def __init__(self, body: bytes, broken: Exception | None) -> None:
        super().__init__(body)
        self._broken = broken

    def stream(self, size: int = 1024, decode_content: bool = True) -> Any:  # noqa: FBT001, FBT002, ARG002
        while chunk := super().read(size):
            yield chunk
        self._break()

    def read(self, size: int | None = -1, **_: Any) -> bytes:
        data = super().read(size)
        if not data:
            self._break()
        return data

    def _break(self) -> None:
        if self._broken is not None:
            raise self._broken


def _frame(kind: str, payload: object) -> bytes:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    name = ":exception-type" if kind.endswith("Exception") else ":event-type"
    message = "exception" if kind.endswith("Exception") else "event"
    return eventstream.frame(
        {name: kind, ":content-type": "application/json", ":message-type": message}, data
    )


def chunk(document: Mapping[str, Any] | bytes) -> tuple[str, object]:
    """The event of a native stream with a document."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return "chunk", {"bytes": base64.b64encode(data).decode()}
