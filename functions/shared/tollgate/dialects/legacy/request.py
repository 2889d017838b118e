"""The first seed system's wire format: `POST /invoke_model` in all its modes.

Headers say what a request means: `messages_api` makes a chat of it, `type` an embedding or an
image. Every answer is a one-element array, under the keys that installed clients read.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_list,
    as_object,
    as_text,
    as_texts,
    base64_bytes,
    check_keys,
    wrong_choice,
    wrong_type,
)
from tollgate.domain import native
from tollgate.domain.converse import joined_text, json_blocks
from tollgate.domain.errors import InvalidRequestError, UpstreamFailedError
from tollgate.domain.families.registry import embedding_body, image_body
from tollgate.domain.prices import TokenUsage
from tollgate.entry.http import Request, type_name
from tollgate.services.jobs import usage_counts
from tollgate.services.shapes import Call, ChatCall, EndpointCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.domain.jobs import JobView
    from tollgate.services.calls import Answer

CHAT = "legacy.chat"
PROMPT = "legacy.prompt"
EMBEDDINGS = "legacy.embeddings"
IMAGES = "legacy.images"
ENDPOINT = "legacy.endpoint"

# The headers that decide about the answer.
HEADERS = ("messages_api", "streaming", "team_id", "type")
# Texts of one request that are embedded call by call, where a model takes one at a time.
MAX_TEXTS = 96

_KINDS = ("text", "embeddings", "embeddings-image", "image")
_CHAT_PARAMETERS = ("maxTokens", "stopSequences", "system", "temperature", "topP")
_MEDIA = ("image", "document", "video", "audio")
_TEXT_KEYS = ("additional_model_fields", "inputs", "parameters", "tool_config")
_EMBEDDING_KEYS = ("inputs", "parameters")
_IMAGE_KEYS = ("parameters", "textToImageParams", "text_prompts")
# What the first seed system asked Stability's models for unless told otherwise.
_STABILITY_DEFAULTS = {"height": 512, "width": 512, "steps": 50}
_COMPONENT = "InferenceComponentName"
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
        return _endpoint(target.name, kind, body, tags, is_chat=is_chat)
    make = _MODES[kind if kind != "text" or not is_chat else "chat"]
    return make(target.name, target.model_id, body, tags)


def started_body(job_id: str) -> list[dict[str, Any]]:
    """The body of a started job."""
    return [{"request_id": job_id}]


def job_body(view: JobView) -> list[dict[str, Any]]:
    """The body of a poll of a job that has not failed."""
    if view.job.status == "succeeded":
        result = view.job.result
        return [
            {
                "generated_text": view.text if view.content is None else view.content,
                "stop_reason": result["stop_reason"],
                "usage": result["usage"],
            }
        ]
    return [
        {
            "request_id": view.job.job_id,
            "status": view.job.status,
            "partial_text": view.text,
            "cursor": view.cursor,
        }
    ]


# --- Text -------------------------------------------------------------------------------------


def _chat(name: str, _model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _TEXT_KEYS, "the body")
    messages = body.get("inputs")
    if not isinstance(messages, list) or not messages:
        raise wrong_type("inputs with messages_api", messages, "a filled list of messages")
    parameters = _object(body, "parameters")
    check_keys(parameters, _CHAT_PARAMETERS, "parameters")
    converse: dict[str, Any] = {
        "messages": [_message(message, index) for index, message in enumerate(messages)]
    }
    if parameters.get("system"):
        converse["system"] = [{"text": as_text(parameters["system"], "parameters.system")}]
    for key, member in _CONVERSE_MEMBERS.items():
        if body.get(key) is not None:
            converse[member] = as_object(body[key], key)
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
    return Ask([call], partial(_text_body, read=lambda answer: _generated(answer.content)))


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
    document = native.prompt_body(model_id, prompt, _object(body, "parameters"))
    call = NativeCall(name, document, PROMPT, kind="text", tags=tags)
    return Ask([call], partial(_text_body, read=lambda answer: native.text_of(answer.document)))


def _check_settings(inference: Mapping[str, Any]) -> None:
    for name in ("temperature", "topP"):
        value = inference.get(name)
        if name in inference and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise wrong_type(name, value, "a number")
    if "stopSequences" in inference:
        as_texts(inference["stopSequences"], "stopSequences")


def _message(message: object, index: int) -> dict[str, Any]:
    place = f"inputs[{index}]"
    if not isinstance(message, dict):
        raise wrong_type(place, message, "a message object")
    check_keys(message, ("content", "role"), place)
    role = message.get("role")
    if role not in ("user", "assistant"):
        raise wrong_choice(f"{place}.role", role, ("user", "assistant"))
    content = as_filled_list(message.get("content"), f"{place}.content")
    blocks = [_block(block, f"{place}.content[{number}]") for number, block in enumerate(content)]
    return {"role": role, "content": blocks}


def _block(block: object, place: str) -> dict[str, Any]:
    if not isinstance(block, dict) or len(block) != 1:
        raise InvalidRequestError(f"{place} allows an object with one content block, like text")
    ((kind, value),) = block.items()
    if kind in _MEDIA:
        return {kind: _media(value, f"{place}.{kind}")}
    if kind == "toolResult" and isinstance(value, dict) and isinstance(value.get("content"), list):
        results = [
            _block(item, f"{place}.toolResult.content[{number}]")
            for number, item in enumerate(value["content"])
        ]
        return {kind: {**value, "content": results}}
    if kind == "reasoningContent" and isinstance(value, dict) and "redactedContent" in value:
        hidden = base64_bytes(value["redactedContent"], f"{place}.{kind}.redactedContent")
        return {kind: {**value, "redactedContent": hidden}}
    return block


def _media(media: object, place: str) -> dict[str, Any]:
    source = media.get("source") if isinstance(media, dict) else None
    # Only inline bytes: a location would be read with the gateway's own rights.
    if not isinstance(media, dict) or not isinstance(source, dict) or source.keys() != {"bytes"}:
        raise InvalidRequestError(f"{place}.source allows an object with base64 bytes only")
    return {**media, "source": {"bytes": base64_bytes(source["bytes"], f"{place}.source.bytes")}}


def _generated(content: Sequence[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """The text, or every block where tools are to be used: the next request has them again."""
    if any("toolUse" in block for block in content):
        return json_blocks(content)
    return joined_text(content)


def _text_body(
    answers: Sequence[Answer], read: Callable[[Answer], str | list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    (answer,) = answers
    return [
        {
            "generated_text": read(answer),
            "stop_reason": answer.stop_reason,
            "usage": usage_counts(answer.usage),
        }
    ]


# --- Embeddings and images --------------------------------------------------------------------


def _embeddings(name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _EMBEDDING_KEYS, "the body")
    given = body.get("inputs")
    texts = _texts(given)
    documents = embedding_body(model_id).write_texts(texts, _object(body, "parameters"))
    return _embedding_ask(name, documents, tags, is_batch=isinstance(given, list))


def _image_embeddings(
    name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]
) -> Ask:
    check_keys(body, _EMBEDDING_KEYS, "the body")
    image = as_text(body.get("inputs"), "inputs")
    parameters = _object(body, "parameters")
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
    return Ask(calls, partial(_vectors_body, is_batch=is_batch))


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


def _vectors_body(answers: Sequence[Answer], *, is_batch: bool) -> list[dict[str, Any]]:
    """One vector under the key that clients know; all of them beside it where a list was sent."""
    vectors = [vector for answer in answers for vector in native.vectors_of(answer.document)]
    if not vectors:
        raise _unreadable(answers[-1], "no embedding")
    body: dict[str, Any] = {"embedding": vectors[0]}
    if is_batch or len(vectors) > 1:
        body["embeddings"] = vectors
    used = TokenUsage(
        input=sum(answer.usage.total_input for answer in answers),
        output=sum(answer.usage.output for answer in answers),
    )
    return [{**body, "usage": usage_counts(used)}]


def _image(name: str, model_id: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Ask:
    check_keys(body, _IMAGE_KEYS, "the body")
    parameters = _object(body, "parameters")
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
    return Ask([call], _images_body if is_amazon else _artifacts_body)


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


def _images_body(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    (answer,) = answers
    return [{"images": answer.document.get("images", [])}]


def _artifacts_body(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Images as Stability's first models gave them, whatever form this one gives."""
    (answer,) = answers
    document = answer.document
    if "artifacts" in document:
        return [{"artifacts": document["artifacts"]}]
    images = document.get("images") or []
    seeds = document.get("seeds") or [None] * len(images)
    reasons = document.get("finish_reasons") or [None] * len(images)
    artifacts = [
        {"base64": image, "seed": seed, "finishReason": reason or "SUCCESS"}
        for image, seed, reason in zip(images, seeds, reasons, strict=False)
    ]
    return [{"artifacts": artifacts}]


_MODES: Mapping[str, Callable[[str, str, Mapping[str, Any], Mapping[str, str]], Ask]] = {
    "chat": _chat,
    "text": _prompt,
    "embeddings": _embeddings,
    "embeddings-image": _image_embeddings,
    "image": _image,
}


# --- SageMaker --------------------------------------------------------------------------------


def _endpoint(
    name: str, kind: str, body: Mapping[str, Any], tags: Mapping[str, str], *, is_chat: bool
) -> Ask:
    check_keys(body, _EMBEDDING_KEYS, "the body")
    parameters = _object(body, "parameters")
    component = parameters.pop(_COMPONENT, None)
    if component is not None:
        component = as_text(component, f"parameters.{_COMPONENT}")
    document, render = _endpoint_mode(kind, body.get("inputs"), parameters, is_chat=is_chat)
    call = EndpointCall(name, document, ENDPOINT, component, tags)
    return Ask([call], render)


def _endpoint_mode(
    kind: str, given: object, parameters: Mapping[str, Any], *, is_chat: bool
) -> tuple[Any, Callable[[Sequence[Answer]], list[dict[str, Any]]]]:
    """What a container is sent, and how its answer is read."""
    if kind == "embeddings":
        document = given if isinstance(given, dict) else {"text_inputs": given}
        if not isinstance(document.get("text_inputs"), str | list):
            raise wrong_type("inputs", given, "a text, a list, or an object with text_inputs")
        is_batch = isinstance(document["text_inputs"], list)
        # Some containers generate from the same input, unless told not to.
        document = {"mode": "embedding", **parameters, **document}
        return document, partial(_vectors_body, is_batch=is_batch)
    if kind != "text":
        raise wrong_choice("the header type", kind, ("text", "embeddings"))
    if is_chat:
        messages = as_list(as_filled_list(given, "inputs"), "inputs")
        return {**parameters, "messages": messages}, partial(_text_body, read=_message_text)
    if isinstance(given, dict):
        return {**given, **parameters}, partial(_text_body, read=_container_text)
    if not isinstance(given, str) or not given.strip():
        raise wrong_type("inputs", given, "a prompt or an object")
    document = {"inputs": given, "parameters": dict(parameters)}
    return document, partial(_text_body, read=_container_text)


def _container_text(answer: Answer) -> str:
    document = answer.document
    first = document[0] if isinstance(document, list) and document else document
    text = first.get("generated_text") if isinstance(first, dict) else None
    if not isinstance(text, str):
        raise _unreadable(answer, "no generated_text")
    return text


def _message_text(answer: Answer) -> str:
    try:
        content = answer.document["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise _unreadable(answer, "no message in choices") from error
    return content.strip() if isinstance(content, str) else ""


def _unreadable(answer: Answer, missing: str) -> UpstreamFailedError:
    """The failure of an answer that is not of the mode's form; it is charged all the same."""
    error = UpstreamFailedError(
        f"the model's answer has {missing}, so it is not of the mode that was asked for; "
        "the call is charged",
        code="upstream_unreadable",
        may_be_billed=True,
    )
    error.request_id = answer.request_id
    return error


# --- Shared -----------------------------------------------------------------------------------


def _is_true(request: Request, header: str) -> bool:
    given = request.headers.get(header, "false").lower()
    if given not in ("true", "false"):
        raise InvalidRequestError(
            f"the header {header} is {given[:32]!r}; allowed is 'true' or 'false'"
        )
    return given == "true"


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A copy of an object that may be left out."""
    value = body.get(key)
    return {} if value is None else dict(as_object(value, key))
