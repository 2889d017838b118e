"""Requests for SageMaker endpoints, as their containers read them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tollgate.dialects.fields import (
    as_filled_list,
    as_list,
    as_text,
    check_keys,
    optional_object,
    wrong_choice,
    wrong_type,
)
from tollgate.dialects.legacy.answer import container_body, container_chat_body, vectors_body
from tollgate.services.endpoint_calls import EndpointCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.dialects.legacy.answer import Body
    from tollgate.services.calls import Answer

ENDPOINT = "legacy.endpoint"
_KEYS = ("inputs", "parameters")
_COMPONENT = "InferenceComponentName"


def endpoint_call(
    name: str, kind: str, body: Mapping[str, Any], tags: Mapping[str, str], *, is_chat: bool
) -> tuple[EndpointCall, Callable[[Sequence[Answer]], Body]]:
    """The call of a SageMaker endpoint, and the body of its answer; `kind` is the header type.

    Raises InvalidRequestError naming what is wrong.
    """
    check_keys(body, _KEYS, "the body")
    parameters = optional_object(body, "parameters")
    component = parameters.pop(_COMPONENT, None)
    if component is not None:
        component = as_text(component, f"parameters.{_COMPONENT}")
    document, render = _endpoint_mode(kind, body.get("inputs"), parameters, is_chat=is_chat)
    return EndpointCall(name, document, ENDPOINT, component, tags), render


def _endpoint_mode(
    kind: str, given: object, parameters: Mapping[str, Any], *, is_chat: bool
) -> tuple[Any, Callable[[Sequence[Answer]], Body]]:
    """What a container is sent, and how its answer is read."""
    if kind == "embeddings":
        document = given if isinstance(given, dict) else {"text_inputs": given}
        if not isinstance(document.get("text_inputs"), str | list):
            raise wrong_type("inputs", given, "a text, a list, or an object with text_inputs")
        is_batch = isinstance(document["text_inputs"], list)
        # Some containers generate from the same input, unless told not to.
        document = {"mode": "embedding", **parameters, **document}
        return document, partial(vectors_body, is_batch=is_batch)
    if kind != "text":
        raise wrong_choice("the header type", kind, ("text", "embeddings"))
    if is_chat:
        messages = as_list(as_filled_list(given, "inputs"), "inputs")
        return {**parameters, "messages": messages}, container_chat_body
    if isinstance(given, dict):
        return {**given, **parameters}, container_body
    if not isinstance(given, str) or not given.strip():
        raise wrong_type("inputs", given, "a prompt or an object")
    document = {"inputs": given, "parameters": dict(parameters)}
    return document, container_body
