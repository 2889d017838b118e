"""AWS resources on the emulator, and a client factory for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.local.ministack import MiniStack
    from tollgate.adapters import tables


@pytest.fixture
def aws_client(ministack: MiniStack) -> Callable[[str], Any]:
    """Makes clients of the emulator."""

    def make(service: str) -> Any:  # noqa: ANN401 - a client of any service
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name="us-east-1",
            endpoint_url=ministack.endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=64, retries={"total_max_attempts": 2}),
        )

    return make


@pytest.fixture
def make_table(aws_client: Callable[[str], Any]) -> Callable[[tables.TableSpec], str]:
    """Creates a table of its own for a test; returns its name."""

    def make(spec: tables.TableSpec) -> str:
        name = f"{spec.name}-{uuid4().hex[:8]}"
        keys = [(spec.hash_key, "HASH")] + ([(spec.range_key, "RANGE")] if spec.range_key else [])
        aws_client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            KeySchema=[{"AttributeName": key, "KeyType": role} for key, role in keys],
        )
        return name

    return make
