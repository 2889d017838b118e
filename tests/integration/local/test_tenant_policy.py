"""What a tenant's file decides, seen from outside: inference profiles, own keys, deletion."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.stack import LocalStack
from tests.fakes import stored
from tests.waiting import PATIENCE_SECONDS, until, until_job_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stack

MODEL = "amazon.nova-lite-v1:0"
SECRET = "the-quick-brown-fox"
APP = "websearch"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(delta_seconds=0.001) as running:
        yield running


def headers(stack: LocalStack, tenant: str, **more: str) -> dict[str, str]:
    key = stack.keys[f"{tenant}/{APP}/primary"]
    return {"x-api-key": key, "Authorization": f"Bearer {key}", "team_id": tenant, **more}


def chat(stack: LocalStack, tenant: str, model: str = MODEL, **more: str) -> requests.Response:
    return requests.post(
        f"{stack.url}/invoke_model?model_id={model}",
        json={"inputs": SECRET, "parameters": {"maxTokens": 60}},
        headers=headers(stack, tenant, **more),
        timeout=PATIENCE_SECONDS,
    )


def run_job(stack: LocalStack, tenant: str) -> tuple[str, str]:
    """The id and text of a finished job."""
    job_id = str(chat(stack, tenant, streaming="true").json()[0]["request_id"])
    poll = partial(
        requests.get,
        f"{stack.url}/v1/jobs/{job_id}?wait=5",
        headers=headers(stack, tenant),
        timeout=PATIENCE_SECONDS,
    )
    view = until_job_ends(poll)
    assert view["status"] == "succeeded", view
    return job_id, view["text"]


def policy(stack: LocalStack, tenant: str) -> dict[str, Any]:
    item = stack.client("dynamodb").get_item(
        TableName="tollgate-local-tenants", Key={"pk": {"S": f"TENANT#{tenant}"}}
    )["Item"]
    document: dict[str, Any] = json.loads(item["document"]["S"])
    return document


def items(stack: LocalStack, table: str) -> list[dict[str, Any]]:
    return stored.items(stack.client("dynamodb"), f"tollgate-local-{table}")


def payloads(stack: LocalStack) -> dict[str, Any]:
    """What the bucket says of each of its objects."""
    storage = stack.client("s3")
    bucket = stack.deployment.environment["PAYLOADS_BUCKET"]
    found = storage.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: storage.head_object(Bucket=bucket, Key=each["Key"]) for each in found}


def test_an_apps_own_inference_profile_is_what_bedrock_is_called_with(stack: LocalStack) -> None:
    (profile,) = policy(stack, "customer1")["apps"][APP]["inference_profiles"].values()
    arn = profile["arn"]

    by_id = chat(stack, "customer1")
    by_arn = chat(stack, "customer1", arn)
    job_id, _ = run_job(stack, "customer1")

    assert by_id.status_code == by_arn.status_code == 200
    ids = [by_id.headers["x-request-id"], by_arn.headers["x-request-id"], job_id]
    for call, request_id in zip(stack.calls()[-3:], ids, strict=True):
        assert call["modelId"] == arn
        expected = {"tenant": "customer1", "app": APP, "request_id": request_id}
        assert call["requestMetadata"] == expected
    rows = {row["request_id"]: row for row in items(stack, "usage") if "request_id" in row}
    for request_id in ids:
        row = rows[request_id]
        assert (row["inference_profile_arn"], row["model_id"]) == (arn, MODEL)
        assert row["tags"].items() >= profile["tags"].items()
        assert row["priced"]


def test_an_apps_own_profiles_are_in_its_list_of_models(stack: LocalStack) -> None:
    (profile,) = policy(stack, "customer1")["apps"][APP]["inference_profiles"].values()

    lists = {
        tenant: requests.get(
            f"{stack.url}/list_foundation_models",
            headers=headers(stack, tenant),
            timeout=PATIENCE_SECONDS,
        ).json()[0]["modelSummaries"]
        for tenant in ("customer1", "customer2")
    }

    assert profile["arn"] in [model["modelId"] for model in lists["customer1"]]
    assert profile["arn"] not in [model["modelId"] for model in lists["customer2"]]
    assert chat(stack, "customer2", profile["arn"]).status_code == 403


def test_texts_of_a_tenant_with_a_key_of_its_own_lie_under_it(stack: LocalStack) -> None:
    key_arn = policy(stack, "customer2")["kms_key_arn"]
    assert policy(stack, "customer1")["kms_key_arn"] is None

    sealed_job, text = run_job(stack, "customer2")
    plain_job, plain = run_job(stack, "customer1")

    assert text.strip()
    chunks = {
        job_id: [item for item in items(stack, "streams") if item["pk"].endswith(job_id)]
        for job_id in (sealed_job, plain_job)
    }
    assert plain in "".join(item.get("text", "") for item in chunks[plain_job])
    for item in chunks[sealed_job]:
        assert "text" not in item
        assert text.encode() not in repr(item).encode()
    key = {"Idempotency-Key": "a-key-of-customer2"}
    first, again = chat(stack, "customer2", **key), chat(stack, "customer2", **key)
    assert again.headers["x-tollgate-replayed"] == "true"
    assert first.json() == again.json()
    (stored,) = (head for name, head in payloads(stack).items() if name.startswith("idempotency/"))
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key_arn)


def test_a_request_is_gone_when_its_job_has_ended(stack: LocalStack) -> None:
    job_id, _ = run_job(stack, "customer1")

    until(lambda: all(job_id not in name for name in payloads(stack)), "the end of the request")
