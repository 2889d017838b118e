"""Errors under the names that the AWS SDKs tell them by."""

from __future__ import annotations

import json

import pytest

from tests.fakes.exchanges import CALL_ID
from tollgate.dialects.bedrock.errors import refusal
from tollgate.domain.errors import UpstreamFailedError


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("ModelErrorException", (424, "ModelErrorException")),
        ("ModelNotReadyException", (429, "ModelNotReadyException")),
        ("ServiceQuotaExceededException", (400, "ServiceQuotaExceededException")),
        ("InternalServerException", (500, "InternalServerException")),
        (None, (500, "InternalServerException")),
    ],
)
def test_failures_of_the_service_keep_its_names(
    upstream: str | None, expected: tuple[int, str]
) -> None:
    error = UpstreamFailedError("the model failed")
    error.upstream_code = upstream

    response = refusal(error, CALL_ID)
    named = response["headers"]["x-amzn-errortype"]
    assert (response["statusCode"], named) == expected
    assert json.loads(response["body"])["__type"] == named
