"""boto3 clients, DynamoDB value conversion and the mapping of AWS failures."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tollgate.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Data-plane calls answer in milliseconds. One that hangs is given up after at most 12 seconds
# (three tries, pauses of up to one and two seconds between them), so that a failed admission and
# its withdrawal end before the 29 seconds that API Gateway waits.
_DATA_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=50,
)
# What comes after a model call must leave time for its answer, which API Gateway cuts off.
_BRIEF_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=50,
)

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def dynamodb(*, brief: bool = False) -> DynamoDBClient:
    """DynamoDB client; a brief one gives up within seconds."""
    return boto3.client("dynamodb", config=_BRIEF_CONFIG if brief else _DATA_CONFIG)


def s3(*, brief: bool = False) -> S3Client:
    """S3 client; a brief one gives up within seconds."""
    return boto3.client("s3", config=_BRIEF_CONFIG if brief else _DATA_CONFIG)


def sqs() -> SQSClient:
    """SQS client."""
    return boto3.client("sqs", config=_DATA_CONFIG)


def bedrock() -> BedrockClient:
    """Bedrock control-plane client."""
    return boto3.client("bedrock", config=_DATA_CONFIG)


def bedrock_runtime(*, silence_seconds: int) -> BedrockRuntimeClient:
    """Bedrock data-plane client; a model that sends nothing for so long is given up.

    A model may think for minutes, and a call that timed out may have been billed: no retries.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=silence_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=50,
    )
    return boto3.client("bedrock-runtime", config=config)


def to_values(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values to DynamoDB attribute values."""
    return {name: _serialize(value) for name, value in item.items()}


def from_values(item: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB attribute values to plain values; every number of ours is an integer."""
    return {name: _integers(_deserialize(value)) for name, value in item.items()}


def _integers(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {key: _integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integers(item) for item in value]
    return value


@contextmanager
def reaching(dependency: str) -> Iterator[None]:
    """Turns an AWS failure inside the block into UnavailableError naming the dependency."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(
            f"the gateway cannot reach its {dependency}; try again",
            details={"dependency": dependency},
            retry_after=5,
        ) from error


@contextmanager
def conditionally_reaching(dependency: str) -> Iterator[None]:
    """Like `reaching`, but a false condition passes through as the ClientError it is."""
    with reaching(dependency):
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            condition_failure = error
        else:
            return
    raise condition_failure
