"""The stub's invocation logs say what its own log says, in a form that the gateway reads."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from scripts.local.ministack import ACCOUNT_ID, REGION
from scripts.local.stubs.bedrock.invocation_logs import InvocationLogs
from scripts.local.stubs.bedrock.server import BedrockStub
from tollgate.adapters.invocation_logs import S3InvocationLogs
from tollgate.domain.ids import new_request_id
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tollgate.domain.invocation_logs import LoggedCall

NOVA = "amazon.nova-lite-v1:0"


class Account:
    """A stub whose logs are on, and what the gateway reads of them."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.bucket = f"logs-{uuid4().hex[:8]}"
        s3.create_bucket(Bucket=self.bucket)
        logs = InvocationLogs(s3, self.bucket, ACCOUNT_ID, REGION, "bedrock")
        logs.start()
        self.stub = BedrockStub(delta_seconds=0, publish=logs.write)
        self.logs = S3InvocationLogs(s3, self.bucket, logs.root, REGION)

    def call(self, operation: str, text: str) -> LoggedCall | None:
        """Make a call, whatever becomes of it; returns its record."""
        client = boto3.client(
            "bedrock-runtime",
            region_name=REGION,
            endpoint_url=self.stub.url,
            aws_access_key_id="x",
            aws_secret_access_key="y",
            config=Config(retries={"total_max_attempts": 1}),
        )
        now = datetime.now(UTC)
        request_id = new_request_id(now)
        message = {"role": "user", "content": [{"text": text}]}
        parameters = {"messages": [message], "requestMetadata": {"request_id": request_id}}
        try:
            answer = getattr(client, operation)(modelId=NOVA, **parameters)
            for _ in answer.get("stream", ()):
                pass
        except (ClientError, BotoCoreError, HTTPError):
            pass
        assert self.stub.under_way.wait_for_none(5)
        return self.logs.find({request_id: now + timedelta(minutes=5)}).found.get(request_id)

    @property
    def billed(self) -> TokenUsage:
        """What the stub's own log says of its last call."""
        usage = self.stub.calls()[-1]["usage"]
        by_ttl = {item["ttl"]: item["inputTokens"] for item in usage.get("cacheDetails", ())}
        return TokenUsage(
            input=usage["inputTokens"],
            output=usage["outputTokens"],
            cache_read=usage.get("cacheReadInputTokens", 0),
            cache_write_5m=by_ttl.get("5m", 0),
            cache_write_1h=by_ttl.get("1h", 0),
        )


@pytest.fixture
def account(aws_client: Callable[[str], Any]) -> Iterator[Account]:
    made = Account(aws_client("s3"))
    with made.stub:
        yield made


@pytest.mark.parametrize(
    ("operation", "text", "stop_reason"),
    [
        ("converse", "hello", "end_turn"),
        ("converse_stream", "hello", "end_turn"),
        ("converse", "[stub:cut=mid-stream] hello", "end_turn"),
        ("converse_stream", "[stub:cut=mid-stream] [stub:tokens=40]", None),
        ("converse_stream", "[stub:cut=before-metadata] [stub:tokens=40]", None),
        (
            "converse",
            "[stub:cache_read=3] [stub:cache_write_5m=4] [stub:cache_write_1h=5] a b c d e f g",
            "end_turn",
        ),
    ],
)
def test_a_billed_call_is_logged_with_its_figures(
    account: Account, operation: str, text: str, stop_reason: str | None
) -> None:
    logged = account.call(operation, text)

    assert logged is not None
    assert logged.usage == account.billed != TokenUsage()
    assert (logged.stop_reason, logged.error_code) == (stop_reason, None)
    assert logged.split_known


def test_the_served_tier_is_logged(account: Account) -> None:
    logged = account.call("converse", "[stub:tier=priority] hello")

    assert logged is not None
    assert logged.service_tier == "priority"


@pytest.mark.parametrize("place", ["", "@mid-stream"])
def test_a_failed_call_is_logged_with_its_error_at_nothing(account: Account, place: str) -> None:
    text = f"[stub:error=ThrottlingException{place}]"
    logged = account.call("converse_stream", text)

    assert logged is not None
    assert (logged.error_code, logged.usage) == ("ThrottlingException", TokenUsage())


def test_records_have_the_real_shape_and_no_text(account: Account) -> None:
    account.call("converse", "a secret question")

    contents = account.s3.list_objects_v2(Bucket=account.bucket)["Contents"]
    (key,) = (item["Key"] for item in contents if item["Key"].endswith(".json.gz"))
    now = datetime.now(UTC)
    root = f"bedrock/AWSLogs/{ACCOUNT_ID}/BedrockModelInvocationLogs"
    assert key.startswith(f"{root}/{REGION}/{now:%Y/%m/%d}/")
    assert f"{root}/amazon-bedrock-logs-permission-check" in {item["Key"] for item in contents}
    body = gzip.decompress(account.s3.get_object(Bucket=account.bucket, Key=key)["Body"].read())
    assert b"secret" not in body
    (line,) = body.splitlines()
    record = json.loads(line)
    assert (record["schemaType"], record["schemaVersion"]) == ("ModelInvocationLog", "1.0")
    assert (record["operation"], record["modelId"]) == ("Converse", NOVA)
    assert (record["accountId"], record["region"]) == (ACCOUNT_ID, REGION)
