"""AWS resources on the emulator, and a client factory for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from tests.fakes import stored

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
        return stored.make_table(aws_client("dynamodb"), spec)

    return make
