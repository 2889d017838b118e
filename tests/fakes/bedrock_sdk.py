"""boto3's own serializer and parser of Bedrock Runtime, without a server between them."""

from __future__ import annotations

import io
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

MESSAGES = [
    {
        "role": "user",
        "content": [
            {"text": "Look."},
            {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
            {"document": {"format": "pdf", "name": "d", "source": {"bytes": b"%PDF"}}},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"reasoningContent": {"redactedContent": b"\x00\x01"}},
            # Names that mean bytes elsewhere mean nothing inside a document of the caller's own.
            {"toolUse": {"toolUseId": "t", "name": "n", "input": {"bytes": "not base64!"}}},
        ],
    },
    {
        "role": "user",
        "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"bytes": "no!"}}]}}],
    },
]


class Sent(Exception):
    """What boto3 was about to send."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


def client() -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def sent(operation: str, **parameters: Any) -> Any:
    runtime = client()

    def stop(request: Any, **_: Any) -> None:
        raise Sent(request)

    runtime.meta.events.register("before-send.bedrock-runtime", stop)
    with pytest.raises(Sent) as caught:
        getattr(runtime, operation)(**parameters)
    return caught.value.request


def answered(operation: str, *, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    runtime = client()

    def answer(**_: Any) -> AWSResponse:
        return AWSResponse("http://127.0.0.1:9", 200, headers, _Raw(body))

    runtime.meta.events.register("before-send.bedrock-runtime", answer)
    parameters: dict[str, Any] = {"modelId": "m"}
    if operation.startswith("converse"):
        parameters["messages"] = MESSAGES[:1]
    response: dict[str, Any] = getattr(runtime, operation)(**parameters)
    return response


class _Raw(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, size: int = 1024, decode_content: bool = True) -> Any:  # noqa: FBT001, FBT002, ARG002
        while chunk := self.read(size):
            yield chunk
