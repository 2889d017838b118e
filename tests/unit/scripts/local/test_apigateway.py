"""The gateway's rules that need no server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.local import deployment
from scripts.local.apigateway import Authorization, GatewayError, HttpRequest
from scripts.local.rest_api import Contract

if TYPE_CHECKING:
    from scripts.local.deployment import Deployment

ARN = "arn:aws:execute-api:us-east-1:000000000000:local/v1/GET/v1/jobs/a"


def response(*statements: tuple[str, object], **changed: object) -> dict[str, object]:
    return {
        "principalId": "p",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
                for effect, resource in statements
            ],
        },
        **changed,
    }


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([("Allow", ARN)], True),
        ([("Allow", "*")], True),
        ([("Allow", "arn:aws:execute-api:*:*:local/v?/*")], True),
        ([("Allow", ["arn:other", ARN])], True),
        ([("Allow", ARN[:-1])], False),
        ([("Allow", ARN.replace("/", "."))], False),
        ([("Allow", "*"), ("Deny", ARN)], False),
        ([("Deny", "*")], False),
        ([], False),
    ],
)
def test_policy(statements: list[tuple[str, object]], allowed: bool) -> None:
    assert Authorization.parse(response(*statements)).allows(ARN) is allowed


def test_a_policy_on_another_action_allows_nothing() -> None:
    document = response(("Allow", "*"))
    policy = document["policyDocument"]
    assert isinstance(policy, dict)
    policy["Statement"][0]["Action"] = "s3:GetObject"
    assert not Authorization.parse(document).allows(ARN)


def test_context_values_reach_the_function_as_text() -> None:
    parsed = Authorization.parse(response(context={"number": 1, "flag": True, "text": "a"}))
    assert dict(parsed.context) == {
        "number": "1",
        "flag": "true",
        "text": "a",
        "principalId": "p",
        "integrationLatency": 0,
    }


@pytest.mark.parametrize(
    "document",
    [
        None,
        "Allow",
        {},
        response(principalId=None),
        response(policyDocument={}),
        response(context={"nested": {}}),
        response(context=["a"]),
    ],
)
def test_what_is_not_an_authorizers_answer(document: object) -> None:
    with pytest.raises(GatewayError) as raised:
        Authorization.parse(document)
    assert raised.value.response_type == "AUTHORIZER_CONFIGURATION_ERROR"


def integration(function: str) -> dict[str, object]:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
    return {
        "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        "timeoutInMillis": 29000,
        "responseTransferMode": "BUFFERED",
    }


def deployed(*paths: str, function: str = "tollgate-local-invoke") -> Deployment:
    operation = {
        "parameters": [],
        "security": [{"key": []}],
        "x-amazon-apigateway-integration": integration(function),
    }
    described = deployment.described()
    invoke = replace(
        described.functions["invoke"],
        arn="arn:aws:lambda:us-east-1:123456789012:function:tollgate-local-invoke",
    )
    authorizer = {
        "authorizerUri": integration("tollgate-local-invoke")["uri"],
        "authorizerResultTtlInSeconds": 60,
        "identitySource": "method.request.header.X-Key",
    }
    api = {
        "components": {"securitySchemes": {"key": {"x-amazon-apigateway-authorizer": authorizer}}},
        "x-amazon-apigateway-request-validators": {},
        "paths": {
            **{path: {"get": operation} for path in paths},
            "/": {"x-amazon-apigateway-any-method": operation},
            "/{proxy+}": {"x-amazon-apigateway-any-method": operation},
        },
    }
    return replace(described, functions={"invoke": invoke}, api=api)


def test_an_integration_with_another_deployments_function_is_refused() -> None:
    with pytest.raises(ValueError, match="got .*function:tollgate-other/invocations; allowed: arn"):
        Contract(deployed("/jobs", function="tollgate-other"))


def test_a_literal_segment_goes_before_a_parameter() -> None:
    contract = Contract(deployed("/jobs/{id}", "/jobs/latest", "/model/{modelId}/converse"))

    def route(path: str) -> tuple[str, dict[str, str]]:
        found, parameters = contract.route(HttpRequest("GET", path))
        return found.resource, parameters

    assert route("/jobs/latest") == ("/jobs/latest", {})
    assert route("/jobs/a%2Fb") == ("/jobs/{id}", {"id": "a%2Fb"})
    assert route("/model/a.b:0/converse") == (
        "/model/{modelId}/converse",
        {"modelId": "a.b:0"},
    )
    # What none takes is caught, and a slash at the end is no segment.
    assert route("/jobs/latest/") == ("/jobs/latest", {})
    assert route("/jobs/") == ("/{proxy+}", {"proxy": "jobs"})
    assert route("/") == ("/", {})
