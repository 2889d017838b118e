"""Native request and response bodies of InvokeModel, whichever family they are of.

A plain prompt becomes the body that its model reads, and the text, the end and the token counts
come out of what it answers. A count that a body does not hold is None: it is never guessed here.
What the bodies of a family hold is in `tollgate.domain.families`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.reading import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tollgate.domain.families.forms import TextBody
    from tollgate.domain.prices import TokenUsage


def prompt_body(model_id: str, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The native body that asks a base model id for a continuation of a prompt.

    A setting may have the name of any family and gets the model's own; one that no family shares
    passes as it is. Raises InvalidRequestError for a model whose bodies are not known, and for a
    setting that is given twice.
    """
    body = registry.text_body(model_id)
    if body is None:
        raise InvalidRequestError(
            f"{model_id} has no known form for a plain prompt; send Converse messages with the "
            "header messages_api: true",
            code="wrong_operation",
        )
    if body.prompt in settings:
        raise InvalidRequestError(f"parameters.{body.prompt} says a second time what inputs says")
    names = body.settings
    shared: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in settings.items():
        setting = registry.SETTINGS.get(name)
        if setting is None:
            own[name] = value
        elif names[setting] in shared:
            raise InvalidRequestError(
                f"parameters.{name} sets {names[setting]} a second time; send one of them"
            )
        else:
            shared[names[setting]] = value
    *sections, _ = body.max_tokens.path
    if not sections:
        return {**body.write(prompt), **shared, **own}
    (section,) = sections
    given = own.pop(section, {})
    if not isinstance(given, dict):
        raise InvalidRequestError(f"parameters.{section} allows an object only")
    inner = {**given, **shared}
    written = body.write(prompt)
    for name, value in own.items():
        is_inner = name not in body.members and f"{section}.{name}" in body.members
        (inner if is_inner else written)[name] = value
    return {**written, section: inner} if inner else written


def text_form(model_id: str, body: Mapping[str, Any]) -> TextBody:
    """The form of a native body that asks a base model id for text.

    Raises InvalidRequestError for a model whose native bodies are not known: without a place for
    the maximum of tokens the output has no bound.
    """
    known = registry.text_body(model_id, body)
    if known is None:
        raise InvalidRequestError(
            f"the native request body of {model_id} has no known field for the maximum of tokens, "
            "so its cost cannot be bounded; call it with a chat request",
            code="unbounded_request",
        )
    return known


def with_preamble(form: TextBody, body: Mapping[str, Any], preamble: str) -> dict[str, Any]:
    """A native body of a form that says `preamble` before everything that the caller says.

    Raises InvalidRequestError where the body has no place for it: no call may go without.
    """
    kind, name = (list, "an array") if form.prompt == "messages" else (str, "a string")
    if not isinstance(body.get(form.prompt), kind):
        raise InvalidRequestError(
            f"the body has no place for the tenant's preamble; send {form.prompt} as {name}",
            code="wrong_operation",
        )
    return form.with_system(body, preamble)


# --- Answers ----------------------------------------------------------------------------------


def text_of(document: Mapping[str, Any]) -> str:
    """The text of a native answer, or of one chunk of a stream; empty where it has none."""
    for path in registry.ANSWER_BLOCKS:
        blocks = at(document, path)
        if isinstance(blocks, list):
            found = [block.get("text") for block in blocks if isinstance(block, dict)]
            return "".join(text for text in found if isinstance(text, str))
    texts = (at(document, path) for path in registry.ANSWER_TEXTS)
    return next((text for text in texts if isinstance(text, str)), "")


def stop_reason_of(document: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the provider's words; None where the document does not say."""
    for path in registry.STOP_PLACES:
        place = at(document, path)
        for name in registry.STOP_NAMES if isinstance(place, Mapping) else ():
            value = place.get(name)
            # AI21 wraps its word into an object.
            word = value.get("reason") if isinstance(value, dict) else value
            if isinstance(word, str):
                return word
    return None


def usage_in(document: Mapping[str, Any]) -> TokenUsage | None:
    """Token counts that a native answer holds itself; None where it holds none."""
    for read in registry.USAGES:
        usage = read(document)
        if usage is not None:
            return usage
    return None


def vectors_of(document: object) -> list[Any]:
    """The vectors of an answer: one, several, or several by type, of which numbers come first."""
    found = document
    if isinstance(found, dict):
        found = next((found[name] for name in registry.VECTORS if name in found), None)
    if isinstance(found, dict):
        found = found.get("float") or next(iter(found.values()), None)
    if not isinstance(found, list) or not found:
        return []
    return found if isinstance(found[0], list) else [found]


def image_count(document: Mapping[str, Any]) -> int:
    """How many images an answer holds; those that a filter took out are not billed."""
    for name in registry.ANSWERED_IMAGES:
        images = document.get(name)
        if isinstance(images, list):
            return len(images)
    return 0


# --- Embeddings -------------------------------------------------------------------------------


def embedding_texts(body: Mapping[str, Any]) -> list[str]:
    """The texts that an embedding body can ask to embed: all that is no image.

    Models read texts at places of their own, also between images, and a bound must not miss one.
    """
    return list(_strings(body))


def embedding_images(body: Mapping[str, Any]) -> int:
    """How many images an embedding body asks to embed."""
    return _images(body)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in registry.EMBEDDED_IMAGES:
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _images(value: object) -> int:
    if isinstance(value, dict):
        return sum(
            _images(item) if name not in registry.EMBEDDED_IMAGES else _count_of(item)
            for name, item in value.items()
        )
    return sum(map(_images, value)) if isinstance(value, list) else 0


def _count_of(images: object) -> int:
    if isinstance(images, list):
        return len(images)
    return int(images is not None)
