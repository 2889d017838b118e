"""Requests as they come to the Bedrock stub: operations by path, bodies as JSON, the service model.

What the model allows goes on to `requests`, which refuses the rest of what the service refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.errors import invalid
from scripts.local.stubs.service_model.requests import (
    Request,
    check,
    check_member,
    json_object,
    operation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from scripts.local.stubs.calls import Call

OPERATIONS = {
    "converse": "Converse",
    "converse-stream": "ConverseStream",
    "count-tokens": "CountTokens",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}
"""Operations of the runtime by the last part of their paths."""
LISTINGS = {
    "/foundation-models": "ListFoundationModels",
    "/inference-profiles": "ListInferenceProfiles",
}
"""Operations of the control plane by their paths."""
_RUNTIME = "bedrock-runtime"


def read(call: Call, headers: Message, body: bytes) -> Mapping[str, Any]:
    """The body of a call as JSON; what it says of the call is noted on it.

    Raises:
        ServiceError: a ValidationException, where the service model does not allow the request.
    """
    document = parsed(body)
    call.request = document
    if call.operation.startswith("invoke"):
        call.request = {"requestMetadata": _metadata(headers)}
    request = Request({"modelId": call.model_id}, headers=dict(headers.items()), body=body)
    _check(_RUNTIME, OPERATIONS[call.operation], request, document)
    return document


def check_listing(path: str, query: Mapping[str, str]) -> None:
    """Check what a listing is asked; raises ServiceError."""
    _check("bedrock", LISTINGS[path], Request(query=query), {})
    if not query.get("nextToken", "0").isdecimal():
        raise invalid("The provided nextToken is invalid.")


def parsed(body: bytes) -> Mapping[str, Any]:
    """A body that is a JSON object; raises ServiceError for another."""
    try:
        return json_object(body)
    except ValueError as error:
        raise invalid(f"the request body is not JSON: {error}") from error


def _metadata(headers: Message) -> Mapping[str, Any]:
    """What the header with `requestMetadata` says; raises ServiceError for what it may not."""
    given = headers.get("X-Amzn-Bedrock-Request-Metadata")
    if given is None:
        return {}
    try:
        metadata = json_object(given.encode())
        # The header is text to the service model; Converse's member says what may be in it.
        check_member(operation(_RUNTIME, "Converse"), "requestMetadata", metadata)
    except ValueError as error:
        raise invalid(f"requestMetadata: {error}") from error
    return metadata


def _check(service: str, name: str, request: Request, document: Mapping[str, Any]) -> None:
    try:
        check(operation(service, name), request, document)
    except ValueError as error:
        raise invalid(str(error)) from error
