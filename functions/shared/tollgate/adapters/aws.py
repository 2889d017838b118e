"""boto3 clients, DynamoDB value conversion and the mapping of AWS failures."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tollgate.adapters.connections import keep_with_care
from tollgate.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

    from tollgate.ports import Clock

_DATA_TRIES, _BRIEF_TRIES = 3, 2
# Data-plane calls answer in milliseconds. One that hangs is given up after at most 12 seconds
# (three tries, pauses of up to one and two seconds between them), so that a failed admission and
# its withdrawal end before the 29 seconds that API Gateway waits.
_DATA_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": _DATA_TRIES},
    max_pool_connections=50,
)
# What comes after a model call must leave time for its answer, which API Gateway cuts off.
_BRIEF_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": _BRIEF_TRIES},
    max_pool_connections=50,
)

# A model may think for minutes; a connection to it is there at once, TLS and all, or never.
CONNECT_SECONDS = 5

# Longer than a transaction takes.
_CONFLICT_PAUSE = 0.1

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials of a role that a function has assumed."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


class _Keys(TypedDict):
    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    aws_session_token: str | None


# Clients of sessions are made while calls run, and making clients is not thread-safe in boto3.
_making = threading.Lock()


def dynamodb(credentials: Credentials | None = None, *, brief: bool = False) -> DynamoDBClient:
    """DynamoDB client; a brief one gives up within seconds."""
    config = _BRIEF_CONFIG if brief else _DATA_CONFIG
    with _making:
        client = boto3.client("dynamodb", config=config, **_keys(credentials))
    tries = _BRIEF_TRIES if brief else _DATA_TRIES
    pause: Callable[..., Any] = partial(_pause_after_conflict, tries)
    client.meta.events.register("needs-retry.dynamodb", pause)
    return client


def _pause_after_conflict(
    tries: int,
    *,
    attempts: int,
    response: tuple[object, Mapping[str, Any]] | None,
    **_: object,
) -> float | None:
    """Seconds until a write is sent again that met somebody's transaction; None for no other.

    We make no transactions; a person or a restore may. The SDK's standard mode gives such a write
    up, though DynamoDB has written nothing and the transaction is over in milliseconds.
    """
    error = {} if response is None else response[1].get("Error", {})
    is_conflict = error.get("Code") == "TransactionConflictException"
    return _CONFLICT_PAUSE if is_conflict and attempts < tries else None


def s3(credentials: Credentials | None = None, *, brief: bool = False) -> S3Client:
    """S3 client; a brief one gives up within seconds."""
    config = _BRIEF_CONFIG if brief else _DATA_CONFIG
    with _making:
        return boto3.client("s3", config=config, **_keys(credentials))


def kms(credentials: Credentials | None = None) -> KMSClient:
    """KMS client."""
    with _making:
        return boto3.client("kms", config=_DATA_CONFIG, **_keys(credentials))


def sqs() -> SQSClient:
    """SQS client."""
    with _making:
        return boto3.client("sqs", config=_DATA_CONFIG)


def bedrock() -> BedrockClient:
    """Bedrock control-plane client."""
    return boto3.client("bedrock", config=_DATA_CONFIG)


def sts() -> STSClient:
    """STS client; a call waits for it, so it gives up within seconds."""
    with _making:
        return boto3.client("sts", config=_BRIEF_CONFIG)


def bedrock_runtime(
    credentials: Credentials | None = None, *, silence_seconds: int, clock: Clock
) -> BedrockRuntimeClient:
    """Bedrock data-plane client; a model that sends nothing for so long is given up.

    `clock` is as `connections.keep_with_care` wants it.
    """
    config = _model_config(silence_seconds)
    with _making:
        client = boto3.client("bedrock-runtime", config=config, **_keys(credentials))
    keep_with_care(client, clock)
    return client


def sagemaker_runtime(
    credentials: Credentials | None = None, *, silence_seconds: int, clock: Clock
) -> SageMakerRuntimeClient:
    """Client of SageMaker's endpoints; one that sends nothing for so long is given up.

    `clock` is as `connections.keep_with_care` wants it.
    """
    config = _model_config(silence_seconds)
    with _making:
        client = boto3.client("sagemaker-runtime", config=config, **_keys(credentials))
    keep_with_care(client, clock)
    return client


def _model_config(silence_seconds: int) -> Config:
    """A model may think for minutes, and a call that timed out may have been billed: no retries."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=silence_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=50,
        # A bearer token in the environment would make calls in its owner's name.
        signature_version="v4",
    )


def _keys(credentials: Credentials | None) -> _Keys:
    """None leaves the choice to boto3, which finds the function's own."""
    if credentials is None:
        return _Keys(aws_access_key_id=None, aws_secret_access_key=None, aws_session_token=None)
    return _Keys(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
    )


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
