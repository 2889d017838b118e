"""Requests of the first seed system, and the body that each mode's answers have.

Headers say what a request means: `messages_api` makes a chat of it, `type` an embedding or an
image.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tollgate.dialects.bedrock.members import CONVERSE, check_members
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_object,
    as_text,
    as_texts,
    base64_bytes,
    check_keys,
    optional_object,
    wrong_choice,
    wrong_type,
)
from tollgate.dialects.legacy.answer import (
    artifacts_body,
    chat_body,
    images_body,
    prompt_body,
    vectors_body,
)
from tollgate.dialects.legacy.endpoints import endpoint_call
from tollgate.dialects.legacy.messages import converse_turns
from tollgate.domain import native
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.registry import embedding_body, image_body
from tollgate.entry.http import Request, type_name
from tollgate.services.shapes import Call, ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.services.calls import Answer

CHAT = "legacy.chat"
PROMPT = "legacy.prompt"
EMBEDDINGS = "legacy.embeddings"
IMAGES = "legacy.images"

# The headers that decide about the answer.
HEADERS: Sequence[str] = ("messages_api", "streaming", "team_id", "type")
# Texts of one request that are embedded call by call, where a model takes one at a time.
MAX_TEXTS = 96

_KINDS = ("text", "embeddings", "embeddings-image", "image")
_CHAT_PARAMETERS = ("maxTokens", "stopSequences", "system", "temperature", "topP")
_TEXT_KEYS = ("additional_model_fields", "inputs", "parameters", "tool_config")
_EMBEDDING_KEYS = ("inputs", "parameters")
_IMAGE_KEYS = ("parameters", "textToImageParams", "text_prompts")
# What the first seed system asked Stability's models for unless told otherwise.
_STABILITY_DEFAULTS = {"height": 512, "width": 512, "steps": 50}
_IMAGE_TYPES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: a model's name or ARN with the base model behind it, or an endpoint.

    `model_id` is None for a SageMaker endpoint.
    """

    name: str
    model_id: str | None


@dataclass(frozen=True, slots=True)
class Ask:
    """The calls that a request asks for, one after the other, and the body of their answers."""

    calls: Sequence[Call]
    body: Callable[[Sequence[Answer]], list[dict[str, Any]]]


def team_of(request: Request) -> str:
    """What the `team_id` header names. Raises where it names nothing."""
    team = request.headers.get("team_id", "").strip()
    if not team:
        raise InvalidRequestError("Missing required request parameters: [team_id]")
    return team


def named_model(request: Request) -> tuple[str | None, str | None]:
    """What `model_id` and `model_arn` of the query name; at least one does."""
    model, arn = request.query.get("model_id"), request.query.get("model_arn")
    if not model and not arn:
        raise InvalidRequestError(
            "the query parameter model_id is missing; GET /list_foundation_models lists the models"
        )
    return model or None, arn or None


def is_streaming(request: Request) -> bool:
    """Whether the caller asks for a long-poll job."""
    return _is_true(request, "streaming")


def parse(request: Request, target: Target, tags: Mapping[str, str]) -> Ask:
    """What a request asks of a model. Raises InvalidRequestError naming what is wrong."""
    kind = request.headers.get("type", "text").lower()
    if kind not in _KINDS:
        raise wrong_choice("the header type", kind, _KINDS)
    is_chat, is_streamed = _is_true(request, "messages_api"), is_streaming(request)
    if kind != "text" and is_streamed:
        raise InvalidRequestError(f"the header streaming is for texts; type is {kind!r}")
    body = request.json_object()
    if target.model_id is None:
        call, render = endpoint_call(target.name, kind, body, tags, is_chat=is_chat)
        return Ask([call], render)
    make = _MODES[kind if kind != "text" or not is_chat else "chat"]
    return make(target.name, target.model_id, body, tags)


def _chat(name: str, _model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _TEXT_KEYS, "the body")
    messages = body.get("inputs")
    if not isinstance(messages, list) or not messages:
        raise wrong_type("inputs with messages_api", messages, "a filled list of messages")
    parameters = optional_object(body, "parameters")
    check_keys(parameters, _CHAT_PARAMETERS, "parameters")
    converse: dict[str, Any] = {"messages": converse_turns(messages)}
    if parameters.get("system"):
        converse["system"] = [{"text": as_text(parameters["system"], "parameters.system")}]
    for key, member in _CONVERSE_MEMBERS.items():
        if body.get(key) is not None:
            converse[member] = as_object(body[key], key)
            check_members(converse[member], CONVERSE[member], key)
    inference = {key: value for key, value in parameters.items() if key != "system"}
    asked = inference.pop("maxTokens", None)
    _check_settings(inference)
    if inference:
        converse["inferenceConfig"] = inference
    call = ChatCall(
        model=name,
        body=converse,
        max_tokens=None if asked is None else as_count(asked, "maxTokens"),
        dialect=CHAT,
        tags=tags,
    )
    return Ask([call], chat_body)


_CONVERSE_MEMBERS = {
    "tool_config": "toolConfig",
    "additional_model_fields": "additionalModelRequestFields",
}


def _prompt(name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _TEXT_KEYS, "the body")
    for key in _CONVERSE_MEMBERS:
        if body.get(key) is not None:
            raise InvalidRequestError(f"{key} needs the header messages_api: true")
    prompt = body.get("inputs")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequestError(
            f"inputs is {'empty' if isinstance(prompt, str) else type_name(prompt)}; allowed "
            "without the header messages_api is a prompt"
        )
    document = native.prompt_body(model_id, prompt, optional_object(body, "parameters"))
    call = NativeCall(name, document, PROMPT, kind="text", tags=tags)
    return Ask([call], prompt_body)


def _check_settings(inference: Mapping[str, Any]) -> None:
    for name in ("temperature", "topP"):
        value = inference.get(name)
        if name in inference and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise wrong_type(name, value, "a number")
    if "stopSequences" in inference:
        as_texts(inference["stopSequences"], "stopSequences")


# --- Embeddings and images --------------------------------------------------------------------


def _embeddings(name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _EMBEDDING_KEYS, "the body")
    given = body.get("inputs")
    texts = _texts(given)
    documents = embedding_body(model_id).write_texts(texts, optional_object(body, "parameters"))
    return _embedding_ask(name, documents, tags, is_batch=isinstance(given, list))


def _image_embeddings(
    name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]
) -> Ask:
    check_keys(body, _EMBEDDING_KEYS, "the body")
    image = as_text(body.get("inputs"), "inputs")
    parameters = optional_object(body, "parameters")
    form = embedding_body(model_id)
    if form.takes_data_url:
        image = _image_url(image)
    else:
        base64_bytes(image, "inputs")
    document = form.write_image(image, parameters)
    return _embedding_ask(name, [document], tags, is_batch=False)


def _embedding_ask(
    name: str,
    documents: Sequence[Mapping[str, Any]],
    tags: Mapping[str, str],
    *,
    is_batch: bool,
) -> Ask:
    calls = [
        NativeCall(name, document, EMBEDDINGS, kind="embeddings", tags=tags)
        for document in documents
    ]
    return Ask(calls, partial(vectors_body, is_batch=is_batch))


def _texts(given: object) -> list[str]:
    if isinstance(given, str):
        texts = [given]
    elif isinstance(given, list):
        texts = as_texts(as_filled_list(given, "inputs"), "inputs")
    else:
        raise wrong_type("inputs", given, "a text or a list of texts")
    if len(texts) > MAX_TEXTS:
        raise InvalidRequestError(f"inputs has {len(texts)} texts; allowed are 1 to {MAX_TEXTS}")
    empty = next((index for index, text in enumerate(texts) if not text.strip()), None)
    if empty is not None:
        raise InvalidRequestError(f"inputs[{empty}] is empty; allowed is a text")
    return texts


def _image_url(image: str) -> str:
    """An image as the URL with data that some models read."""
    if image.startswith("data:"):
        return image
    data = base64_bytes(image, "inputs")
    kind = next((kind for start, kind in _IMAGE_TYPES.items() if data.startswith(start)), None)
    if kind is None:
        allowed = ", ".join(sorted(_IMAGE_TYPES.values()))
        raise InvalidRequestError(f"inputs is an image of an unknown type; allowed are {allowed}")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _image(name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _IMAGE_KEYS, "the body")
    parameters = optional_object(body, "parameters")
    form = image_body(model_id)
    is_amazon = form.prompt == "textToImageParams"
    document = (
        {
            "taskType": "TEXT_IMAGE",
            **parameters,
            form.prompt: as_object(body.get(form.prompt), form.prompt),
        }
        if is_amazon
        else _stability(form.prompt, body, parameters)
    )
    call = NativeCall(name, document, IMAGES, kind="images", tags=tags)
    return Ask([call], images_body if is_amazon else artifacts_body)


def _stability(
    member: str, body: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """A body for Stability: weighted prompts for its first models, a plain one for the others."""
    prompts = [
        as_object(prompt, f"text_prompts[{index}]")
        for index, prompt in enumerate(as_filled_list(body.get("text_prompts"), "text_prompts"))
    ]
    texts = [
        as_text(prompt.get("text"), f"text_prompts[{index}].text")
        for index, prompt in enumerate(prompts)
    ]
    if member == "text_prompts":
        return {**_STABILITY_DEFAULTS, **parameters, member: prompts}
    unwanted = [_is_unwanted(prompt, index) for index, prompt in enumerate(prompts)]
    wanted = [text for text, no in zip(texts, unwanted, strict=True) if not no]
    against = [text for text, no in zip(texts, unwanted, strict=True) if no]
    document = {**parameters, member: ", ".join(wanted)}
    return {**document, "negative_prompt": ", ".join(against)} if against else document


def _is_unwanted(prompt: Mapping[str, Any], index: int) -> bool:
    weight = prompt.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise wrong_type(f"text_prompts[{index}].weight", weight, "a number")
    return weight < 0


_MODES: Mapping[str, Callable[[str, str, Mapping[str, Any], Mapping[str, str]], Ask]] = {
    "chat": _chat,
    "text": _prompt,
    "embeddings": _embeddings,
    "embeddings-image": _image_embeddings,
    "image": _image,
}


def _is_true(request: Request, header: str) -> bool:
    given = request.headers.get(header, "false").lower()
    if given not in ("true", "false"):
        raise InvalidRequestError(
            f"the header {header} is {given[:32]!r}; allowed is 'true' or 'false'"
        )
    return given == "true"
