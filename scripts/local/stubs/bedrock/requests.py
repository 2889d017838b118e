"""What the Bedrock stub refuses, as the service does, beyond what its service model forbids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.conversation import request_tokens
from scripts.local.stubs.bedrock.errors import service_error
from scripts.local.stubs.bedrock.refusals import (
    caching,
    claude,
    conversation,
    counting,
    media,
    native,
    tools,
)
from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.local.stubs.bedrock.catalogue import Catalogue, Target


def resolve(catalogue: Catalogue, model_id: str, *, on_demand: bool = True) -> Target:
    """Find the model that an id names.

    Args:
        catalogue: the models there are.
        model_id: id or ARN, already URL-decoded.
        on_demand: refuse a model that only profiles can call.

    Raises:
        ServiceError: there is no such model, or it cannot be called this way.
    """
    target = catalogue.find(model_id, on_demand=on_demand)
    if target is not None:
        return target
    if model_id.startswith("arn:"):
        raise service_error("ResourceNotFoundException", f"Could not find the model {model_id}")
    if catalogue.has_model(model_id):
        raise invalid(
            f"Invocation of model ID {model_id} with on-demand throughput isn't supported; "
            "use an inference profile that contains this model"
        )
    raise invalid("The provided model identifier is invalid.")


def validate(request: Mapping[str, Any], target: Target) -> None:
    """Check the body of a Converse or ConverseStream request.

    Raises:
        ServiceError: a ValidationException that says what is wrong.
    """
    if target.model.mode != "chat":
        raise invalid(f"{target.model.model_id} does not support this operation")
    _check_said(request, target)
    schema_of(request)
    _check_most(request.get("inferenceConfig", {}).get("maxTokens"), target)
    _check_tier(request.get("serviceTier"), target)
    limit = target.model.max_input_tokens
    if limit is not None and request_tokens(request) > limit:
        raise invalid("Input is too long for requested model.")


def validate_count(given: Mapping[str, Any], model_id: str, target: Target) -> None:
    """Check what CountTokens is to count: a Converse body, or that it can count at all.

    Raises:
        ServiceError: a ValidationException that says what is wrong.
    """
    counting.check(model_id, target.model.model_id)
    if "converse" in given:
        _check_said(given["converse"], target)


def validate_native(body: Mapping[str, Any], target: Target) -> None:
    """Check a native text body, whose members are known.

    Raises:
        ServiceError: a ValidationException that says what is wrong.
    """
    try:
        native.check(body, target.model.model_id, lasts_an_hour=target.model.caches_an_hour)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        # The rules read what has the right form; anything else ends in one of these.
        raise invalid(f"Malformed input request: {error}") from error


def schema_of(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the JSON schema that the answer must fit; None where the request has none.

    Raises:
        ServiceError: it is not a schema of an object.
    """
    text_format = request.get("outputConfig", {}).get("textFormat")
    if text_format is None:
        return None
    try:
        schema = json.loads(text_format["structure"]["jsonSchema"]["schema"])
    except ValueError as error:
        raise invalid("outputConfig.textFormat: the schema is not JSON") from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid("outputConfig.textFormat: the schema must be of an object")
    return schema


def _check_said(request: Mapping[str, Any], target: Target) -> None:
    """Check what is counted as input as well as sent."""
    model_id = target.model.model_id
    messages = request.get("messages", ())
    conversation.check(messages, request.get("system", ()))
    tools.check(messages, request.get("toolConfig"))
    media.check(messages, model_id)
    caching.check(request, model_id, lasts_an_hour=target.model.caches_an_hour)
    if model_id.startswith("anthropic."):
        claude.check(claude.Settings.of_converse(request), model_id)


def _check_most(tokens: int | None, target: Target) -> None:
    limit = target.model.max_output_tokens
    if tokens is not None and limit is not None and tokens > limit:
        raise invalid(
            f"The maximum tokens you requested ({tokens}) exceeds the model limit of {limit}"
        )


def _check_tier(tier: Mapping[str, Any] | None, target: Target) -> None:
    if tier is not None and tier["type"] not in target.model.tiers[target.routing]:
        raise invalid(f"{target.model.model_id} does not offer the service tier {tier['type']}")
