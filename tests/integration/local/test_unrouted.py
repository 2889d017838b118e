"""Wrong paths, methods and headers, as clients send them that were set up almost right."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import anthropic
import boto3
import openai
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from scripts.local import contract
from scripts.local.ministack import REGION
from scripts.local.stack import LocalStack
from tests.integration.local.clients import CLAUDE, NOVA, bedrock_client, key_of
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.stack

PATHS: dict[str, dict[str, Any]] = contract.read()["paths"]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]
CONVERSATION: Any = [{"role": "user", "content": [{"text": "Hi"}]}]
NOBODYS = "k" * 40


@pytest.fixture(scope="module")
def stack(environment: Path) -> Iterator[LocalStack]:
    # As on AWS, a verdict is remembered for a minute.
    with LocalStack(
        environment, delta_seconds=0.0, tls=True, authorizer_cache_seconds=60
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_recorded(stack: LocalStack) -> Iterator[None]:
    """No such request calls a model, holds anything or leaves a row."""
    before = records(stack)
    yield
    assert records(stack) == before


def records(stack: LocalStack) -> tuple[int, list[Any], list[Any]]:
    database = stack.client("dynamodb")
    accounts, rows = (
        database.scan(TableName=f"tollgate-local-{name}", ConsistentRead=True)["Items"]
        for name in ("accounts", "usage")
    )
    return len(stack.calls()), accounts, rows


def ask(stack: LocalStack, method: str, path: str, **headers: str) -> requests.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(
        method,
        f"{stack.url}{path}",
        headers=names,
        verify=str(stack.ca_file),
        timeout=PATIENCE_SECONDS,
    )


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def trusted(stack: LocalStack) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(stack.ca_file))


def openai_client(stack: LocalStack, path: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{stack.url}{path}",
        api_key=key_of(stack),
        http_client=openai.DefaultHttpxClient(verify=trusted(stack)),
    )


# --- Paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("base", "slip"), [("", "/v1 is missing"), ("/v1/v1", "/v1 stands twice")])
def test_openai_with_another_base_url(stack: LocalStack, base: str, slip: str) -> None:
    client = openai_client(stack, base)
    calls: dict[str, Callable[[], object]] = {
        "POST /v1/chat/completions": lambda: client.chat.completions.create(
            model=NOVA, messages=MESSAGES
        ),
        "POST /v1/embeddings": lambda: client.embeddings.create(model=NOVA, input="Hi"),
        "GET /v1/models": client.models.list,
        "GET /v1/models/{model}": lambda: client.models.retrieve(NOVA),
    }
    for route, call in calls.items():
        with pytest.raises(openai.NotFoundError) as refused:
            call()
        assert refused.value.code == "unknown_route"
        assert f"is {route}: {slip}" in str(refused.value)
        assert refused.value.response.headers["x-tenant-id"] == "acme"


def test_openai_asks_for_what_is_not_served(stack: LocalStack) -> None:
    client = openai_client(stack, "/v1")
    with pytest.raises(openai.NotFoundError, match="there are GET /v1/models, ") as refused:
        client.files.list()
    assert refused.value.code == "unknown_route"


def test_anthropic_with_another_base_url(stack: LocalStack) -> None:
    client = anthropic.Anthropic(
        base_url=f"{stack.url}/v1",
        api_key=key_of(stack),
        http_client=anthropic.DefaultHttpxClient(verify=trusted(stack)),
    )
    calls: dict[str, Callable[[], object]] = {
        "POST /v1/messages": lambda: client.messages.create(
            model=CLAUDE, max_tokens=5, messages=MESSAGES
        ),
        "POST /v1/messages/count_tokens": lambda: client.messages.count_tokens(
            model=CLAUDE, messages=MESSAGES
        ),
    }
    for route, call in calls.items():
        with pytest.raises(anthropic.NotFoundError) as refused:
            call()
        body: Any = refused.value.body
        assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")
        assert f"is {route}: /v1 stands twice" in body["error"]["message"]


def test_boto3_with_another_endpoint(stack: LocalStack) -> None:
    client = bedrock_client(stack, path="/v1")

    with pytest.raises(ClientError) as refused:
        client.converse(modelId=NOVA, messages=CONVERSATION)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert "is POST /model/{modelId}/converse" in refused.value.response["Error"]["Message"]


# --- Methods ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_told_those_of_the_path(stack: LocalStack, path: str) -> None:
    key = key_of(stack)
    allowed = [method.upper() for method in PATHS[path]]
    filled = path.replace("{", "").replace("}", "")
    for method in METHODS:
        if method in allowed:
            continue
        for credential in ({"x_api_key": key}, bearer(key)):
            answer = ask(stack, method, filled, **credential)
            assert answer.status_code == 405, (method, answer.text)
            assert answer.headers["Allow"] == ", ".join(allowed)
            if method != "HEAD":
                text = f"{path} takes {' or '.join(allowed)}, not {method}"
                assert text in json.dumps(answer.json())


# --- Keys -------------------------------------------------------------------------------------


def test_no_route_is_told_without_a_key(stack: LocalStack) -> None:
    for method, path in (("GET", "/nothing"), ("GET", "/v1/chat/completions"), ("POST", "/")):
        answers = [
            ask(stack, method, path),
            ask(stack, method, path, x_api_key=NOBODYS),
            ask(stack, method, path, **bearer(NOBODYS)),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid_api_key")
            assert "chat/completions" not in answer.text
            assert "as x-api-key: <key> or Authorization: Bearer <key>." in answer.text


PLACES: list[tuple[str, dict[str, str], str]] = [
    # The route, what is sent with KEY for the key, and what is said.
    ("/v1/usage", {"x-api-key": "KEY"}, "as Authorization: Bearer <key> on all others"),
    ("/v1/usage", {"api-key": "KEY"}, "as Authorization: Bearer <key> on all others"),
    ("/v1/usage", {"Authorization": "KEY"}, "Authorization has no Bearer before the key."),
    ("/v1/usage", {"Authorization": "Basic KEY"}, "Authorization has no Bearer before the key."),
    ("/v1/usage", {"Authorization": "Bearer Bearer KEY"}, "Authorization has Bearer twice."),
    (
        "/v1/usage",
        {"Authorization": "Bearer other", "x-api-key": "KEY"},
        "This route takes its key as Authorization: Bearer <key>.",
    ),
    ("/list_foundation_models", {"Authorization": "Bearer KEY"}, "as x-api-key: <key> on /list"),
    ("/list_foundation_models", {"x-api-key": "Bearer KEY"}, "takes the key alone"),
    ("/v1/messages", {"api-key": "KEY"}, "A key in api-key is not read."),
    ("/v1/messages", {"x-goog-api-key": "KEY"}, "A key in x-goog-api-key is not read."),
    ("/v1/messages?key=KEY", {}, "A key in the query, as key, is not read"),
    (
        "/v1/messages",
        {"x-api-key": "other", "Authorization": "Bearer KEY"},
        "x-api-key is read where it is there, and Authorization is not.",
    ),
    ("/openai/deployments/gpt/chat/completions", {"api-key": "KEY"}, "A key in api-key is not"),
]


@pytest.mark.parametrize(("path", "headers", "said"), PLACES)
def test_a_key_in_another_place_is_told_the_right_one(
    stack: LocalStack, path: str, headers: dict[str, str], said: str
) -> None:
    method = "POST" if "messages" in path or "openai" in path else "GET"
    texts = set()
    # Whether the key is one does not matter.
    for key in (key_of(stack), NOBODYS):
        filled = {name: value.replace("KEY", key) for name, value in headers.items()}
        answer = ask(stack, method, path.replace("KEY", key), **filled)
        assert (answer.status_code, answer.json()["code"]) == (403, "invalid_api_key")
        assert said in answer.json()["message"]
        assert key not in answer.text
        texts.add(answer.text.replace(answer.headers["x-request-id"], ""))
    assert len(texts) == 1


def test_boto3_without_a_bearer_token_is_told_of_it(stack: LocalStack) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    with patch.dict(os.environ, keys):
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=stack.url,
            region_name=REGION,
            verify=str(stack.ca_file),
            config=Config(retries={"total_max_attempts": 1}),
        )
    with pytest.raises(ClientError) as refused:
        client.converse(modelId=NOVA, messages=CONVERSATION)
    message = refused.value.response["Error"]["Message"]
    assert "AWS_BEARER_TOKEN_BEDROCK" in message
    assert "AKIDEXAMPLE" not in message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/list_foundation_models"),
        ("GET", "/v1/usage"),
        ("POST", "/v1/messages"),
        ("GET", "/x"),
    ],
)
def test_expired_suspended_and_unknown_keys_are_answered_alike(
    stack: LocalStack, method: str, path: str
) -> None:
    changes = {"poor": ("expires", "2026-01-31"), "slow": ("status", "suspended")}
    keys = [NOBODYS, "z" * 128, "short"]
    for tenant, (name, value) in changes.items():
        key = key_of(stack, tenant)
        stack.client("dynamodb").update_item(
            TableName="tollgate-local-tenants",
            Key={"pk": {"S": f"KEY#{hashlib.sha256(key.encode()).hexdigest()}"}},
            UpdateExpression="SET #name = :value",
            ConditionExpression="attribute_exists(#name)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": {"S": value}},
        )
        keys.append(key)
    answers = set()
    for key in keys:
        for headers in ({"x-api-key": key}, bearer(key)):
            answer = ask(stack, method, path, **headers)
            assert answer.status_code == 403
            text = answer.text.replace(answer.headers["x-request-id"], "")
            answers.add((next(iter(headers)), text))
    assert len(answers) == 2
