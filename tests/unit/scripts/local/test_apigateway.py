"""The gateway's rules that need no server."""

from __future__ import annotations

import pytest

from scripts.local.apigateway import Authorization, Contract, GatewayError, HttpRequest

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


def test_a_literal_segment_goes_before_a_parameter() -> None:
    operation = {
        "security": [{"key": []}],
        "x-tollgate-function": "any",
    }
    contract = Contract(
        {
            "x-tollgate-unrouted-function": "any",
            "components": {"securitySchemes": {"key": {"name": "X-Key"}}},
            "paths": {
                "/jobs/{id}": {"get": operation},
                "/jobs/latest": {"get": operation},
                "/model/{modelId}/converse": {"get": operation},
            },
        }
    )

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
