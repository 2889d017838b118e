"""What the Bedrock stub refuses, as the service does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.conversation import request_tokens
from scripts.local.stubs.bedrock.errors import service_error
from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.local.stubs.bedrock.catalogue import Catalogue, Target

_ROLES = ("user", "assistant")
MAX_IMAGES = 20
MAX_DOCUMENTS = 5
LEAST_THINKING_TOKENS = 1024
_DOCUMENT_NAME = re.compile(r"(?:[a-zA-Z0-9()\[\]-]| (?! )){1,200}")


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
    messages = check_messages(request.get("messages") or ())
    _check_tools(messages, request.get("toolConfig"))
    _check_media(messages)
    _check_thinking(request)
    schema_of(request)
    _check_inference(request.get("inferenceConfig", {}), target)
    _check_tier(request.get("serviceTier"), target)
    limit = target.model.max_input_tokens
    if limit is not None and request_tokens(request) > limit:
        raise invalid("Input is too long for requested model.")


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
    except (KeyError, TypeError, ValueError) as error:
        raise invalid("outputConfig.textFormat: the schema is not JSON") from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid("outputConfig.textFormat: the schema must be of an object")
    return schema


def check_messages(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Check the messages of a conversation and return them; raises ServiceError."""
    if not messages:
        raise invalid("messages must hold at least one message")
    for index, message in enumerate(messages):
        if message["role"] != _ROLES[index % 2]:
            raise invalid(
                "A conversation must start with a user message and alternate between user and "
                f"assistant; messages.{index} does not"
            )
        _check_content(message["content"], index)
    return messages


def _check_tools(messages: Sequence[Mapping[str, Any]], config: object) -> None:
    """Every tool call is answered in the next turn, and the tools are known."""
    asked: set[str] = set()
    for index, message in enumerate(messages):
        content = message["content"]
        answered = {block["toolResult"]["toolUseId"] for block in content if "toolResult" in block}
        if answered != asked:
            raise invalid(
                f"Expected toolResult blocks at messages.{index}.content for the following Ids: "
                f"{', '.join(sorted(asked)) or 'none'}"
            )
        asked = {block["toolUse"]["toolUseId"] for block in content if "toolUse" in block}
        if (asked or answered) and not config:
            raise invalid(
                "The toolConfig field must be defined when using toolUse and toolResult content "
                "blocks."
            )
    if asked:
        raise invalid(f"Expected toolResult blocks for the following Ids: {', '.join(asked)}")


def _check_media(messages: Sequence[Mapping[str, Any]]) -> None:
    images, documents = 0, []
    for index, message in enumerate(messages):
        blocks = message["content"]
        found = [block["image"] for block in blocks if "image" in block]
        files = [block["document"] for block in blocks if "document" in block]
        if (found or files) and message["role"] != "user":
            raise invalid(f"messages.{index}: images and documents belong to user messages")
        if files and not any("text" in block for block in blocks):
            raise invalid(f"messages.{index}: a message with a document needs a text block")
        for document in files:
            if not _DOCUMENT_NAME.fullmatch(document.get("name", "")):
                raise invalid(f"messages.{index}: the name of a document is not allowed")
        images += len(found)
        documents += [document["name"] for document in files]
    if images > MAX_IMAGES or len(documents) > MAX_DOCUMENTS:
        raise invalid(f"at most {MAX_IMAGES} images and {MAX_DOCUMENTS} documents are allowed")
    if len(set(documents)) < len(documents):
        raise invalid("Messages can not contain multiple documents with the same name")


def _check_thinking(request: Mapping[str, Any]) -> None:
    thinking = (request.get("additionalModelRequestFields") or {}).get("thinking") or {}
    if thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < LEAST_THINKING_TOKENS:
        raise invalid(f"thinking.enabled.budget_tokens: must be at least {LEAST_THINKING_TOKENS}")
    if budget >= request.get("inferenceConfig", {}).get("maxTokens", budget + 1):
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")
    if {"any", "tool"} & (request.get("toolConfig") or {}).get("toolChoice", {}).keys():
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_content(content: Sequence[Mapping[str, Any]], index: int) -> None:
    if not content:
        raise invalid(f"messages.{index}.content must hold at least one block")
    for block in content:
        if "text" in block and not block["text"].strip():
            raise invalid(f"messages.{index}.content: text must not be blank")


def _check_inference(inference: Mapping[str, Any], target: Target) -> None:
    tokens = inference.get("maxTokens")
    limit = target.model.max_output_tokens
    if tokens is not None and limit is not None and tokens > limit:
        raise invalid(
            f"The maximum tokens you requested ({tokens}) exceeds the model limit of {limit}"
        )


def _check_tier(tier: Mapping[str, Any] | None, target: Target) -> None:
    if tier is None:
        return
    kind = tier["type"]
    if kind not in target.model.tiers[target.routing]:
        raise invalid(f"{target.model.model_id} does not offer the service tier {kind}")
