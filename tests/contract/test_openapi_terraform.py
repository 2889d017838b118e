"""The REST API's definition, as Terraform renders it, is valid and complete."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from scripts.deploy import terraform
from scripts.local.apigateway import GatewayError
from scripts.local.rest_api import GatewayResponses
from tests.aws import gateway_body

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = ROOT / "modules" / "gateway"
FUNCTIONS = ("authorize", "invoke", "models", "stream")
# The response types that a caller without a fault of the gateway's can meet.
OWN_ANSWERS = {
    "ACCESS_DENIED": 403,
    "BAD_REQUEST_PARAMETERS": 400,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_API_KEY": 403,
    "MISSING_AUTHENTICATION_TOKEN": 405,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "UNAUTHORIZED": 403,
}


@pytest.fixture(scope="module")
def contract() -> Any:
    return yaml.safe_load((GATEWAY / "openapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Any:
    reason = terraform.executable() is None and terraform.unavailable()
    if reason:
        pytest.skip(f"NOT CHECKED: {reason}")
    given = {
        "prefix": "tollgate-test",
        "kms_key_arn": "arn:aws:kms:us-east-1:111122223333:key/k",
        "functions": {name: {"name": name, "invoke_arn": f"arn:uri:{name}"} for name in FUNCTIONS},
    }
    return gateway_body.render(tmp_path_factory.mktemp("gateway"), given)


def test_the_contract_is_valid_openapi(contract: Any) -> None:
    validate(contract)


def test_the_rendered_body_is_valid_openapi(rendered: Any) -> None:
    validate(rendered)


def test_every_operation_is_rendered_and_what_is_none_is_caught(
    contract: Any, rendered: Any
) -> None:
    rendered = copy.deepcopy(rendered)

    def operations(document: Any) -> dict[str, tuple[str, str]]:
        return {
            operation["operationId"]: (path, method)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }

    caught = {path: rendered["paths"].pop(path) for path in ("/", "/{proxy+}")}
    assert operations(rendered) == operations(contract)
    for methods in caught.values():
        (method,) = methods.values()
        assert list(methods) == ["x-amazon-apigateway-any-method"]
        assert method["security"] == [{"any_header": []}, {"usage_plan_key": []}]
        unrouted = contract["x-tollgate-unrouted-function"]
        assert method["x-amazon-apigateway-integration"]["uri"] == f"arn:uri:{unrouted}"


def test_every_status_of_the_contract_is_kept(contract: Any, rendered: Any) -> None:
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            assert set(rendered["paths"][path][method]["responses"]) == set(operation["responses"])


def test_the_gateways_own_answers_are_read_by_every_sdk(contract: Any, rendered: Any) -> None:
    schema = contract["components"]["schemas"]["GatewayError"]
    answers = rendered["x-amazon-apigateway-gateway-responses"]
    for kind, answer in answers.items():
        template = answer["responseTemplates"]["application/json"]
        filled = template.replace("$context.error.messageString", '"text"')
        body = json.loads(filled.replace("$context.authorizer.advice", "Do this."))
        OAS30Validator(schema).validate(body)
        assert (body["error"]["message"], body["error"]["code"]) == (body["message"], body["code"])
        error = GatewayError(kind, "text", authorizer={"advice": "Do this."})
        local = GatewayResponses(rendered).render(error, "$context.requestId")
        assert json.loads(local.body) == body, kind
        sent = {name.lower() for name, _ in local.headers} - {"content-type"}
        assert sent == {name.rpartition(".")[2].lower() for name in answer["responseParameters"]}, (
            kind
        )
    assert {kind: int(answers[kind]["statusCode"]) for kind in OWN_ANSWERS} == OWN_ANSWERS
