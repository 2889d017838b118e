"""A service's address can be overridden for exactly the services that functions call."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract import hcl
from tests.fakes.world import FakeClock
from tollgate.adapters import aws

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS: dict[str, Callable[[], Any]] = {
    "bedrock": aws.bedrock,
    "bedrock-runtime": partial(aws.bedrock_runtime, silence_seconds=60, clock=FakeClock()),
    "dynamodb": aws.dynamodb,
    "kms": aws.kms,
    "s3": aws.s3,
    "sagemaker-runtime": partial(aws.sagemaker_runtime, silence_seconds=60, clock=FakeClock()),
    "sqs": aws.sqs,
    "sts": aws.sts,
}


def allowed_services() -> set[str]:
    (variable,) = (
        block["endpoint_urls"]
        for block in hcl.load("terraform")["variable"]
        if "endpoint_urls" in block
    )
    listed = re.search(r"contains\(\[([^\]]+)\]", variable["validation"][0]["condition"])
    assert listed is not None
    return set(re.findall(r"[a-z0-9-]+", listed[1]))


def test_terraform_allows_the_services_that_functions_have_clients_of() -> None:
    assert allowed_services() == set(CLIENTS)


@pytest.mark.parametrize("service", sorted(CLIENTS))
def test_a_client_calls_the_address_that_terraform_sets(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    # The name as terraform/functions.tf makes it.
    name = f"AWS_ENDPOINT_URL_{service.replace('-', '_').upper()}"
    monkeypatch.setenv(name, "https://endpoint.example.com")

    assert CLIENTS[service]().meta.endpoint_url == "https://endpoint.example.com"
