"""What a model service says of a call that it denied reaches the log, and no caller."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.sagemaker import SageMakerRuntime
from tollgate.domain.errors import TollgateError
from tollgate.ports import ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "111122223333"
MARKETPLACE = (
    f"Model access is denied due to IAM user or service role arn:aws:iam::{ACCOUNT}:role/x is not "
    "authorized to perform the required AWS Marketplace actions (aws-marketplace:Subscribe)."
)
FORM = (
    f"Model use case details have not been submitted for account {ACCOUNT}. Fill out the "
    "Anthropic use case details form before using the model."
)
METADATA = {"tenant": "acme", "app": "web", "request_id": "r-1"}
NO_ENDPOINT = f"Endpoint granite of account {ACCOUNT} not found."


class _Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _answering(service: str, code: str, message: str) -> Any:  # noqa: ANN401
    """A client whose calls are sent, and refused."""
    client = boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def refuse(request: Any, **_: Any) -> AWSResponse:  # noqa: ANN401
        body = _Raw(json.dumps({"message": message}).encode())
        return AWSResponse(request.url, 403, {"x-amzn-ErrorType": code}, body)

    client.meta.events.register_last("before-send", refuse)
    return client


def _converse(code: str, message: str) -> TollgateError:
    body = {"messages": [{"role": "user", "content": [{"text": "a secret prompt"}]}]}
    request = ModelRequest("converse", "m", body, METADATA, base_model_id="m")
    client = _answering("bedrock-runtime", code, message)
    with pytest.raises(TollgateError) as raised:
        BedrockRuntime(lambda _: client).call(request)
    return raised.value


def _invoke_endpoint(code: str, message: str) -> TollgateError:
    request = ModelRequest("invoke_endpoint", "granite", {"inputs": "a secret prompt"}, METADATA)
    client = _answering("sagemaker-runtime", code, message)
    with pytest.raises(TollgateError) as raised:
        SageMakerRuntime(lambda _: client).call(request)
    return raised.value


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (_converse, "AccessDeniedException", MARKETPLACE),
        (_converse, "ResourceNotFoundException", FORM),
        (_invoke_endpoint, "AccessDeniedException", MARKETPLACE),
        (_invoke_endpoint, "ValidationError", NO_ENDPOINT),
    ],
)
def test_a_denial_keeps_what_the_service_said_apart_from_what_the_caller_is_told(
    call: Callable[[str, str], TollgateError], code: str, message: str
) -> None:
    error = call(code, message)

    assert error.upstream_message == message
    assert ACCOUNT not in error.message


@pytest.mark.parametrize("call", [_converse, _invoke_endpoint])
@pytest.mark.parametrize("code", ["ThrottlingException", "ValidationException"])
def test_other_failures_keep_nothing_that_may_quote_a_request(
    call: Callable[[str, str], TollgateError], code: str
) -> None:
    assert call(code, "the value 'a secret prompt' is too long").upstream_message is None


def test_an_endless_message_is_cut() -> None:
    assert len(_converse("AccessDeniedException", "x" * 100_000).upstream_message or "") == 1000
