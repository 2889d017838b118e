"""API Gateway would import the body without a warning, and other implementations do import it."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import boto3
import moto
import pytest

from scripts.deploy import terraform
from tests.aws import api_import, gateway_body
from tests.aws.rest_api import REGION
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.local.ministack import MiniStack

PRIVATE = {
    "type": "PRIVATE",
    "allowed_cidrs": ["10.1.0.0/16"],
    "vpc_endpoint_ids": ["vpce-1", "vpce-2"],
}
ANY = "x-amazon-apigateway-any-method"


@pytest.fixture(scope="module", params=["REGIONAL", "PRIVATE"])
def body(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    reason = terraform.executable() is None and terraform.unavailable()
    if reason:
        pytest.skip(f"NOT CHECKED: {reason}")
    endpoint = PRIVATE if request.param == "PRIVATE" else {}
    folder = tmp_path_factory.mktemp("gateway")
    return gateway_body.render(folder, gateway_body.arguments(endpoint=endpoint))


def test_the_body_keeps_the_rules_of_the_import(body: Any) -> None:
    assert api_import.errors(body) == []
    assert api_import.warnings(body) == []


def small() -> Any:
    """A document with one of everything, which keeps all rules."""
    arn = f"arn:aws:lambda:{REGION}:111122223333:function:f"
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
    return {
        "openapi": "3.0.1",
        "info": {"title": "t", "description": "d"},
        "servers": [
            {"url": "/", "x-amazon-apigateway-endpoint-configuration": {"vpcEndpointIds": ["v"]}}
        ],
        "paths": {
            "/jobs/{id}": {
                "get": {
                    "operationId": "getJob",
                    "parameters": [
                        {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}
                    ],
                    "responses": {"200": {"description": "d"}},
                    "security": [{"bearer": []}, {"plan": []}],
                    "x-amazon-apigateway-request-validator": "parameters",
                    "x-amazon-apigateway-integration": {
                        "type": "aws_proxy",
                        "httpMethod": "POST",
                        "uri": uri,
                        "timeoutInMillis": 29000,
                        "passthroughBehavior": "when_no_match",
                        "responseTransferMode": "BUFFERED",
                    },
                }
            }
        },
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Unused",
                    "x-amazon-apigateway-authtype": "custom",
                    "x-amazon-apigateway-authorizer": {
                        "type": "request",
                        "authorizerUri": uri,
                        "authorizerResultTtlInSeconds": 60,
                        "identitySource": "method.request.header.Authorization",
                    },
                },
                "plan": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            }
        },
        "x-amazon-apigateway-request-validators": {"parameters": {}},
        "x-amazon-apigateway-gateway-responses": {
            "THROTTLED": {
                "statusCode": "429",
                "responseParameters": {"gatewayresponse.header.Retry-After": "'1'"},
            }
        },
        "x-amazon-apigateway-policy": {
            "Statement": [{"Action": "execute-api:Invoke", "Principal": "*"}]
        },
    }


def operation(document: Any) -> Any:
    return document["paths"]["/jobs/{id}"]["get"]


def integration(document: Any) -> Any:
    return operation(document)["x-amazon-apigateway-integration"]


def scheme(document: Any) -> Any:
    return document["components"]["securitySchemes"]["bearer"]


def authorizer(document: Any) -> Any:
    return scheme(document)["x-amazon-apigateway-authorizer"]


def gateway_response(document: Any) -> Any:
    return document["x-amazon-apigateway-gateway-responses"]["THROTTLED"]


def move(document: Any, path: str) -> None:
    document["paths"][path] = document["paths"].pop("/jobs/{id}")


def with_sibling(document: Any) -> None:
    other = copy.deepcopy(document["paths"]["/jobs/{id}"])
    other["get"].pop("operationId")
    other["get"]["parameters"][0]["name"] = "job"
    document["paths"]["/jobs/{job}"] = other


def twice(document: Any) -> None:
    document["paths"]["/jobs/{id}"]["post"] = operation(document)


def many_paths(document: Any) -> None:
    item = {"get": {**operation(document), "parameters": []}}
    item["get"].pop("operationId")
    document["paths"].update({f"/p{number}": item for number in range(300)})


def second_authorizer(document: Any) -> None:
    document["components"]["securitySchemes"]["other"] = scheme(document)
    operation(document)["security"].append({"other": []})


def many_authorizers(document: Any) -> None:
    for number in range(10):
        document["components"]["securitySchemes"][f"s{number}"] = scheme(document)


def streams_by_the_other_api(document: Any) -> None:
    integration(document)["responseTransferMode"] = "STREAM"


# What breaks each rule, and what is said of it.
BROKEN: dict[str, Callable[[Any], Any]] = {
    "unknown key x-tollgate-function": lambda d: d.update({"x-tollgate-function": "f"}),
    "allowed: 3.0.x": lambda d: d.update(openapi="3.1.0"),
    "info.title: missing": lambda d: d["info"].pop("title"),
    "bytes; allowed": lambda d: d["info"].update(description="d" * 7_000_000),
    "allowed: HEADER, AUTHORIZER": lambda d: d.update(
        {"x-amazon-apigateway-api-key-source": "COOKIE"}
    ),
    "endpoint configuration: unknown key": lambda d: d["servers"][0][
        "x-amazon-apigateway-endpoint-configuration"
    ].update(types=["PRIVATE"]),
    "a model's name": lambda d: d["components"].update(schemas={"A_Model": {}}),
    "segment 'jobs~'": lambda d: move(d, "/jobs~/{id}"),
    "segment 'job{id}'": lambda d: move(d, "/job{id}"),
    "{id+} stands before": lambda d: move(d, "/{id+}/jobs"),
    "beside its sibling": with_sibling,
    "unknown method trace": lambda d: d["paths"]["/jobs/{id}"].update(trace={}),
    "resources; allowed: 300": many_paths,
    "operationId 'get_job'": lambda d: operation(d).update(operationId="get_job"),
    "comes twice": twice,
    "unknown key requestBody": lambda d: operation(d).update(requestBody={}),
    "in cookie": lambda d: operation(d)["parameters"][0].update({"in": "cookie"}),
    "has no type": lambda d: operation(d)["parameters"][0].pop("schema"),
    "the path has ['id']": lambda d: operation(d).update(parameters=[]),
    "no integration": lambda d: operation(d).pop("x-amazon-apigateway-integration"),
    "as aws_proxy by POST": lambda d: integration(d).update(httpMethod="GET"),
    "is none of a function, STREAM": streams_by_the_other_api,
    "timeoutInMillis 29001": lambda d: integration(d).update(timeoutInMillis=29_001),
    "passthroughBehavior": lambda d: integration(d).update(passthroughBehavior="always"),
    "responseTransferMode CHUNKED": lambda d: integration(d).update(responseTransferMode="CHUNKED"),
    "no request validator": lambda d: d.pop("x-amazon-apigateway-request-validators"),
    "response 2XX": lambda d: operation(d)["responses"].update({"2XX": {}}),
    "is a reference": lambda d: operation(d)["responses"].update(
        {"500": {"$ref": "#/components/responses/Internal"}}
    ),
    "no security scheme": lambda d: operation(d)["security"].append({"none": []}),
    "authorizers bearer, other": second_authorizer,
    "11 authorizers": many_authorizers,
    "type apiKey in header": lambda d: scheme(d).update(type="http"),
    "the key of a usage plan": lambda d: d["components"]["securitySchemes"]["plan"].update(
        name="Authorization"
    ),
    "the name Unused": lambda d: scheme(d).update(name="Authorization"),
    "allowed: request": lambda d: authorizer(d).update(type="token"),
    "authorizerUri": lambda d: authorizer(d).update(authorizerUri="arn:uri:authorize"),
    "allowed: 0 to 3600": lambda d: authorizer(d).update(authorizerResultTtlInSeconds=3601),
    "cached by an identitySource": lambda d: authorizer(d).pop("identitySource"),
    "identitySource header.x": lambda d: authorizer(d).update(identitySource="header.x"),
    "no type of a gateway response": lambda d: d["x-amazon-apigateway-gateway-responses"].update(
        TEAPOT={}
    ),
    "statusCode 4xx": lambda d: gateway_response(d).update(statusCode="4xx"),
    "Retry-After = 1": lambda d: gateway_response(d)["responseParameters"].update(
        {"gatewayresponse.header.Retry-After": "1"}
    ),
    "characters; allowed: 8192": lambda d: d["x-amazon-apigateway-policy"].update(Id="i" * 8192),
    "has another action": lambda d: d["x-amazon-apigateway-policy"]["Statement"].append({}),
}
WARNED: dict[str, Callable[[Any], Any]] = {
    "example: not supported": lambda d: operation(d)["responses"]["200"].update(example={}),
    "oneOf: not supported": lambda d: d["components"].update(schemas={"A": {"oneOf": []}}),
    "a reference to another file": lambda d: d["components"].update(
        schemas={"A": {"$ref": "a.json"}}
    ),
    "maximum ignored": lambda d: operation(d)["parameters"][0]["schema"].update(maximum=1),
    "content of a proxy's response": lambda d: operation(d)["responses"]["200"].update(content={}),
    "tags of the API": lambda d: d.update(tags=[]),
}


def test_a_document_that_keeps_the_rules() -> None:
    assert (api_import.errors(small()), api_import.warnings(small())) == ([], [])


@pytest.mark.parametrize("said", BROKEN)
def test_a_document_that_breaks_a_rule(said: str) -> None:
    document = small()
    BROKEN[said](document)
    assert any(said in error for error in api_import.errors(document)), api_import.errors(document)


@pytest.mark.parametrize("said", WARNED)
def test_a_document_of_which_something_is_left_out(said: str) -> None:
    document = small()
    WARNED[said](document)
    found = api_import.warnings(document)
    assert any(said in warning for warning in found), found


def methods(body: Any) -> dict[tuple[str, str], Any]:
    """The operations by path and method, as API Gateway names it."""
    return {
        (path, "ANY" if method == ANY else method.upper()): found
        for path, item in body["paths"].items()
        for method, found in item.items()
    }


def resources_of(client: Any, api_id: str) -> dict[str, Any]:
    pages = client.get_paginator("get_resources").paginate(restApiId=api_id)
    return {item["path"]: item for page in pages for item in page["items"]}


def test_moto_imports_it_whole(body: Any) -> None:
    with moto.mock_aws():
        client = boto3.client("apigateway", region_name=REGION)
        api_id = client.create_rest_api(name="n")["id"]
        client.put_rest_api(
            restApiId=api_id, mode="overwrite", failOnWarnings=True, body=json.dumps(body)
        )
        found = {}
        for path, resource in resources_of(client, api_id).items():
            for method in resource.get("resourceMethods", {}):
                given = client.get_integration(
                    restApiId=api_id, resourceId=resource["id"], httpMethod=method
                )
                found[path, method] = (given["type"].lower(), given["uri"])
    # It takes the extension's name for that of a method.
    found = {(path, method.replace(ANY.upper(), "ANY")): to for (path, method), to in found.items()}
    assert found == {
        place: tuple(operation["x-amazon-apigateway-integration"][key] for key in ("type", "uri"))
        for place, operation in methods(body).items()
    }


@pytest.mark.stack
def test_ministack_imports_it_with_its_keys(body: Any, ministack: MiniStack) -> None:
    """Through CloudFormation; it reads authorizers and keys, which moto leaves out."""
    settings = {
        "endpoint_url": ministack.endpoint_url,
        "region_name": REGION,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    properties = {"Name": "imported", "Body": body}
    template = {
        "Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": properties}},
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }
    name = f"imported-{'servers' in body}"
    stacks = boto3.client("cloudformation", **settings)
    # Without spaces: a template in a request has 51,200 characters at most.
    text = json.dumps(template, separators=(",", ":"))
    stacks.create_stack(StackName=name, TemplateBody=text)

    def made() -> str | None:
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        assert not stack["StackStatus"].endswith("FAILED"), stack
        return stack["Outputs"][0]["OutputValue"] if "Outputs" in stack else None

    api_id = until(made, "the stack's output")
    client = boto3.client("apigateway", **settings)
    names = {item["id"]: item["name"] for item in client.get_authorizers(restApiId=api_id)["items"]}
    found = {}
    for path, resource in resources_of(client, api_id).items():
        for name in resource.get("resourceMethods", {}):
            method = client.get_method(restApiId=api_id, resourceId=resource["id"], httpMethod=name)
            found[path, name] = (
                names[method["authorizerId"]],
                method["apiKeyRequired"],
                method["methodIntegration"]["uri"],
            )
    assert found == {
        place: (
            next(iter(operation["security"][0])),
            True,
            operation["x-amazon-apigateway-integration"]["uri"],
        )
        for place, operation in methods(body).items()
        if place[1] != "ANY"  # an extension that it does not know
    }
