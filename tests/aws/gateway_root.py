"""What the module `gateway` is applied to: stand-ins for AWS, with what the module finds there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from tests.aws import service
from tests.aws.api_gateway import ApiGateway
from tests.aws.gateway_body import arguments, functions
from tests.aws.log_groups import LogGroups
from tests.aws.rest_api import REGION
from tests.stack import moto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = arguments(endpoint={"allowed_cidrs": ["192.0.2.0/24"]})
# Services whose resources belong to the module too, and those of what it finds.
_OTHER_SERVICES = ("iam", "lambda", "sts", "wafv2")
_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}


@dataclass(frozen=True)
class Aws:
    """API Gateway's stand-in, the provider's settings to reach it and moto, and a web ACL there."""

    api_gateway: ApiGateway
    provider: dict[str, Any]
    web_acl_arn: str


@contextmanager
def serve(folder: Path) -> Iterator[Aws]:
    """Run the stand-ins; what moto prints goes to the folder."""
    gateway = ApiGateway()
    with (
        moto.serve(folder / "moto.log") as others,
        service.serve(gateway.answer) as own,
        service.serve(LogGroups(others).answer) as logs,
    ):
        _make_functions(others)
        settings = {
            "region": REGION,
            "access_key": "test",
            "secret_key": "test",
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "endpoints": [
                {"apigateway": own, "logs": logs, **dict.fromkeys(_OTHER_SERVICES, others)}
            ],
        }
        yield Aws(gateway, settings, _make_web_acl(others))


def _make_functions(endpoint: str) -> None:
    client = boto3.client("iam", endpoint_url=endpoint, **_KEYS)
    role = client.create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client = boto3.client("lambda", endpoint_url=endpoint, **_KEYS)
    for deployment in ("one", "two"):
        for function in functions(deployment).values():
            client.create_function(
                FunctionName=function["name"],
                Role=role,
                Runtime="python3.13",
                Handler="handler.handle",
                Code={"ZipFile": b""},
            )


def _make_web_acl(endpoint: str) -> str:
    metrics = {
        "SampledRequestsEnabled": False,
        "CloudWatchMetricsEnabled": False,
        "MetricName": "fence",
    }
    made = boto3.client("wafv2", endpoint_url=endpoint, **_KEYS).create_web_acl(
        Name="fence", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=metrics
    )
    arn: str = made["Summary"]["ARN"]
    return arn


def relative(module: Path, root: Path) -> str:
    """The module's source in a root; Terraform would copy one that it finds by an absolute path."""
    return os.path.relpath(module, root)
