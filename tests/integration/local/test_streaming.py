"""Answers on their way while models make them: measured, left alone, cut off, repeated."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from scripts.build.package import WRAPPER, Target, build
from scripts.local.runtime_api import RuntimeApi
from scripts.local.stack import LocalStack
from tests.aws.processes import unpack
from tests.contract.hcl import ROOT
from tests.fakes.stored import items
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.domain.usage import UsageRow, from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.stack

MODEL = "amazon.nova-lite-v1:0"
TENANT, APP = "customer1", "websearch"
HALF_WAY = "[stub:tokens=160] [stub:gate=middle@mid-stream]"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        yield running


def chat(prompt: str) -> dict[str, Any]:
    message = {"role": "user", "content": prompt}
    return {"model": MODEL, "messages": [message], "max_tokens": 200, "stream": True}


def converse(prompt: str) -> dict[str, Any]:
    message = {"role": "user", "content": [{"text": prompt}]}
    return {"messages": [message], "inferenceConfig": {"maxTokens": 200}}


REQUESTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "/v1/chat/completions": chat,
    "/v1/messages": chat,
    f"/model/{MODEL}/converse-stream": converse,
    f"/model/{MODEL}/invoke-with-response-stream": converse,
}
every_stream = pytest.mark.parametrize("path", sorted(REQUESTS))


def headers(stack: LocalStack) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.keys[f'{TENANT}/{APP}/primary']}"}


def post(stack: LocalStack, path: str, prompt: str, **more: str) -> requests.Response:
    return requests.post(
        f"{stack.url}{path}",
        json=REQUESTS[path](prompt),
        headers={**headers(stack), **more},
        stream=True,
        timeout=PATIENCE_SECONDS,
    )


def rows(stack: LocalStack) -> dict[str, UsageRow]:
    found = map(from_item, items(stack.client("dynamodb"), "tollgate-local-usage"))
    return {row.request_id: row for row in found}


def open_holds(stack: LocalStack) -> list[str]:
    items = stack.client("dynamodb").scan(TableName="tollgate-local-accounts")["Items"]
    return [request_id for item in items for request_id in item["holds"]["M"]]


@every_stream
def test_the_first_byte_comes_long_before_the_last(stack: LocalStack, path: str) -> None:
    # Without what the first call of a kind composes.
    post(stack, path, "hello").content  # noqa: B018 - reads the body
    with stack.stub.gate("middle") as gate:
        response = post(stack, path, HALF_WAY)
        pieces = response.iter_content(None)
        first = next(pieces)
        until(lambda: gate.waiting == 1, "the model half way, and no further")
    rest = b"".join(pieces)

    assert response.status_code == 200
    assert 0 < len(first) < len(rest)


@every_stream
def test_a_client_that_goes_pays_for_what_the_provider_bills_and_once(
    stack: LocalStack, path: str
) -> None:
    before, billed = set(rows(stack)), len(stack.calls())
    with stack.stub.gate("middle"):
        response = post(stack, path, HALF_WAY)
        next(response.iter_content(None))
        request_id = response.headers["x-request-id"]
        response.close()

    until(lambda: request_id in rows(stack), "the call's row")
    until(lambda: request_id not in open_holds(stack), "the end of the hold")
    after = rows(stack)
    assert set(after) - before == {request_id}
    (call,) = stack.calls()[billed:]
    assert call["requestMetadata"]["request_id"] == request_id
    row = after[request_id]
    assert (row.status, row.usage_source) == ("ok", "provider")
    assert row.output_tokens == call["usage"]["outputTokens"] == 160


def test_a_client_that_does_not_read_slows_nothing_but_itself(stack: LocalStack) -> None:
    address = urlsplit(stack.url)
    body = json.dumps(chat("[stub:tokens=40] [stub:delta_ms=5]")).encode()
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: x",
        f"authorization: {headers(stack)['Authorization']}",
        f"content-length: {len(body)}",
    ]
    with socket.create_connection((str(address.hostname), address.port or 0)) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        assert post(stack, "/v1/chat/completions", "hello").status_code == 200
        received = b""
        while b"[DONE]" not in received:
            piece = connection.recv(1024)
            assert piece, received[-200:]
            received += piece
    assert received.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/chat/completions", b"upstream_stream_broken"),
        ("/v1/messages", b"event: error"),
        (f"/model/{MODEL}/converse-stream", b"modelStreamErrorException"),
        (f"/model/{MODEL}/invoke-with-response-stream", b"modelStreamErrorException"),
    ],
)
def test_a_stream_that_breaks_says_so_and_is_settled(
    stack: LocalStack, path: str, told: bytes
) -> None:
    response = post(stack, path, "[stub:tokens=40] [stub:cut=mid-stream]")

    assert response.status_code == 200
    assert told in response.content
    request_id = response.headers["x-request-id"]
    assert rows(stack)[request_id].status == "aborted"
    assert request_id not in open_holds(stack)


@every_stream
def test_a_refusal_before_the_first_byte_has_its_status(stack: LocalStack, path: str) -> None:
    response = post(stack, path, "[stub:error=ThrottlingException]")

    assert response.status_code == 429
    assert response.headers["retry-after"]
    assert response.json()


@every_stream
def test_what_was_streamed_is_repeated_byte_for_byte(stack: LocalStack, path: str) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    billed = len(stack.calls())
    first = post(stack, path, "hello", **key)
    body = first.content
    again = post(stack, path, "hello", **key)

    assert again.content == body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] == first.headers["x-request-id"]
    assert again.headers["x-tollgate-replayed"] == "true"
    assert len(stack.calls()) == billed + 1


def test_an_arn_in_the_path_reaches_the_model(stack: LocalStack) -> None:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
    encoded = arn.replace(":", "%3A").replace("/", "%2F")

    response = requests.post(
        f"{stack.url}/model/{encoded}/converse",
        json=converse("hello"),
        headers=headers(stack),
        timeout=PATIENCE_SECONDS,
    )

    assert response.status_code == 200
    assert rows(stack)[response.headers["x-request-id"]].requested_model == arn


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of this machine's own kind, as Lambda unpacks it."""
    folder = tmp_path_factory.mktemp("converse")
    machine = "arm64" if os.uname().machine == "aarch64" else "x86_64"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    built, _ = build("converse", ROOT, folder, Target(machine, version))
    return unpack(folder / built.file, folder / "task")


def test_the_zip_streams_as_lambda_starts_it(stack: LocalStack, unpacked: Path) -> None:
    event = {
        "httpMethod": "POST",
        "resource": "/v1/chat/completions",
        "requestContext": {
            "requestId": "gw-1",
            "authorizer": {
                "tenant_id": TENANT,
                "app_id": APP,
                "key_id": f"{APP}/primary",
                "tier": "pro",
            },
        },
        "headers": {},
        "body": json.dumps(chat(HALF_WAY)),
    }
    with RuntimeApi("converse", None) as runtime:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            **stack.deployment.functions["converse"].environment,
            "AWS_LAMBDA_FUNCTION_NAME": "tollgate-local-converse",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_RUNTIME_API": runtime.address,
            "LAMBDA_TASK_ROOT": str(unpacked),
            "PYTHONNOUSERSITE": "1",
        }
        # The wrapper gets the command of Lambda's own runtime, which it leaves out.
        process = subprocess.Popen(
            [str(unpacked / WRAPPER), sys.executable, "/var/runtime/bootstrap.py"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            with stack.stub.gate("middle") as gate:
                answer = runtime.invoke(event)
                pieces = answer.body()
                body = next(pieces)
                until(lambda: gate.waiting == 1, "the model half way, and no further")
            body += b"".join(pieces)
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert answer.status == 200
    assert body.endswith(b"data: [DONE]\n\n")
    request_id = answer.headers["x-request-id"]
    assert rows(stack)[request_id].output_tokens == 160
    # The metrics of a call are there when its body is, not before.
    (metrics,) = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    assert metrics["Calls"] == [1.0]
