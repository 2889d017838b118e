"""What containers of SageMaker endpoints are asked, whoever's model runs in them.

A server of text generation reads a prompt as `inputs` with `parameters` (TGI, DJL), one that speaks
OpenAI's API `messages` or `prompt` (vLLM, TGI, DJL), and the first models of JumpStart
`text_inputs`. Where an endpoint is priced by the token, a body has one such question, one maximum
where its server reads it, and members that are known: those that multiply what is generated are
counted, those that lengthen it or run a program of the caller's (`chat_template`, beams,
`max_length`) are not among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What servers call the maximum of tokens that they generate, and the number of answers.
_MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_new_tokens")
_ANSWERS = ("n", "best_of", "num_return_sequences")
# What asks for a stream.
STREAMING = ("stream", "stream_options")
_SAMPLING = frozenset(
    (
        "do_sample",
        "frequency_penalty",
        "min_new_tokens",
        "min_p",
        "min_tokens",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "stop",
        "stop_token_ids",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
        *_MAX_TOKENS,
        *_ANSWERS,
    )
)
_OPENAI = _SAMPLING | {
    "logit_bias",
    "logprobs",
    "model",
    "response_format",
    "user",
    *STREAMING,
}
_PARAMETERS = _SAMPLING | {
    "decoder_input_details",
    "details",
    "grammar",
    "return_full_text",
    "stop_sequences",
    "top_n_tokens",
    "truncate",
    "watermark",
}
_MEDIUM = ("data", "detail", "format", "url")
_MESSAGE = ("content", "name", "reasoning_content", "refusal", "role", "tool_call_id", "tool_calls")
# Documents of the caller's own, where a name says nothing about what stands under it.
_OWN = ("grammar", "response_format", "tools")
# Names and types under which something else than text stands.
_MEDIA = frozenset(
    (
        *("audio", "audio_url", "file", "file_url", "image", "image_url", "images"),
        *("input_audio", "input_image", "video", "video_url"),
    )
)
_REMOTE = re.compile(r"\s*(?!data:)[A-Za-z][A-Za-z0-9+.-]*:", re.IGNORECASE)
_INLINE = re.compile(r"\s*data:", re.IGNORECASE)
_SHOWN = 64


class Form(NamedTuple):
    """A body by the member that holds its question: what else it has, and its maximum's name.

    The maximum stands among the parameters, where the form has any.
    """

    question: str
    maximum: str
    members: frozenset[str]
    parameters: frozenset[str] = frozenset()


_FORMS = (
    Form(
        "messages",
        "max_tokens",
        _OPENAI | {"messages", "parallel_tool_calls", "tool_choice", "tools", "top_logprobs"},
    ),
    Form("prompt", "max_tokens", _OPENAI | {"prompt"}),
    Form(
        "inputs",
        "max_new_tokens",
        frozenset(("inputs", "parameters", *_MAX_TOKENS, *STREAMING)),
        _PARAMETERS,
    ),
    Form(
        "text_inputs",
        "max_new_tokens",
        _SAMPLING | {"dimensions", "mode", "normalize", "text_inputs", "truncate", *STREAMING},
    ),
)


def form_of(body: object) -> Form | None:
    """The form of a body, None where it has no question that is known.

    Raises InvalidRequestError for several: nobody could tell which one the container reads.
    """
    if not isinstance(body, Mapping):
        return None
    found = [form for form in _FORMS if form.question in body]
    if len(found) > 1:
        raise InvalidRequestError(
            f"{found[1].question} asks a second time beside {found[0].question}; send one of them"
        )
    return found[0] if found else None


def asked(body: object) -> int | None:
    """The maximum of tokens that a container's body asks for; None where it says nothing.

    Raises InvalidRequestError where it is no number of tokens, or said twice.
    """
    given = list(_given(body, _MAX_TOKENS))
    if len(given) > 1:
        raise InvalidRequestError(
            f"{given[1][0]} sets {given[0][0]} a second time; send one of them"
        )
    return _count(*given[0]) if given else None


def answers(body: object) -> int:
    """How many answers a body makes its container generate, each up to the maximum.

    Numbers of answers multiply at worst, and each of several prompts is answered.
    """
    number = 1
    for name, value in _given(body, _ANSWERS):
        number *= _count(name, value)
    form = form_of(body)
    if form is None or form.question == "messages" or not isinstance(body, Mapping):
        return number
    question = body[form.question]
    return number * max(len(question), 1) if isinstance(question, list) else number


def with_maximum(body: object, max_tokens: int) -> object:
    """A body with known members that asks for at most `max_tokens`, once and where it is read."""
    form = form_of(body)
    if form is None or not isinstance(body, Mapping):
        return body
    changed = _without(body, _MAX_TOKENS)
    if not form.parameters:
        return {**changed, form.maximum: max_tokens}
    parameters = _without(body.get("parameters") or {}, _MAX_TOKENS)
    return {**changed, "parameters": {**parameters, form.maximum: max_tokens}}


def check_members(body: object) -> None:
    """Raise InvalidRequestError for a body that has no known question, or an unknown member."""
    form = form_of(body)
    if form is None or not isinstance(body, Mapping):
        raise InvalidRequestError(
            "this endpoint is priced by the token, and a body without "
            f"{', '.join(form.question for form in _FORMS[:-1])} or {_FORMS[-1].question} is not "
            "known to be bounded",
            code="unbounded_request",
        )
    _check(body, form.members, "the body")
    if form.parameters:
        parameters = body.get("parameters")
        if parameters is not None and not isinstance(parameters, Mapping):
            raise InvalidRequestError("parameters allows an object only")
        _check(parameters or {}, form.parameters, "parameters")
    question = body[form.question]
    if form.question == "messages":
        _check_messages(question)
    elif not isinstance(question, str) and not (
        isinstance(question, list) and all(isinstance(item, str) for item in question)
    ):
        raise InvalidRequestError(f"{form.question} allows a text or a list of texts")


def is_embedding(body: object) -> bool:
    """Whether a container's body asks for embeddings: without the mode it asks for text."""
    if not isinstance(body, Mapping) or body.keys() & {"inputs", "messages", "prompt"}:
        return False
    return "text_inputs" in body and body.get("mode") == "embedding"


def has_media(body: object, *, reads_markdown: bool) -> bool:
    """Whether a body holds more than text.

    Servers of models that see take an image in Markdown, `![](...)`, for an image: it counts as
    one unless the container `reads_markdown` as text. Raises InvalidRequestError for what would
    have to be fetched: the container would do so from inside the network.
    """
    found = False
    for path, value, is_media in _strings(body, "", is_media=False):
        targets = [value] if is_media else []
        if not reads_markdown:
            targets += list(_markdown_images(value))
        for target in targets:
            if _REMOTE.match(target):
                raise InvalidRequestError(
                    f"{path} has an image, a sound or a film by URL; allowed is "
                    "data:<media type>;base64,<data>, the gateway lets nothing be fetched"
                )
        found = found or is_media or any(_INLINE.match(target) for target in targets)
    return found


def with_preamble(body: object, preamble: str | None) -> object:
    """A container's body that says `preamble` first. Raises where it has no place for it."""
    if preamble is None:
        return body
    form = form_of(body)
    if form is None or not isinstance(body, Mapping):
        raise _no_place()
    question = body[form.question]
    if form.question == "messages" and isinstance(question, list):
        return {**body, "messages": [{"role": "system", "content": preamble}, *question]}
    # Nothing is generated from what is embedded.
    if is_embedding(body):
        return body
    if isinstance(question, str):
        return {**body, form.question: f"{preamble}\n\n{question}"}
    raise _no_place()


def _no_place() -> InvalidRequestError:
    return InvalidRequestError(
        "the request has no place for the tenant's preamble; send inputs as a string or messages",
        code="wrong_operation",
    )


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list):
        raise InvalidRequestError("messages allows a list only")
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if not isinstance(message, Mapping):
            raise InvalidRequestError(f"{place} allows an object only")
        _check(message, _MESSAGE, place)
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            here = f"{place}.content[{number}]"
            kind = part.get("type") if isinstance(part, Mapping) else None
            if not isinstance(kind, str) or (kind != "text" and kind not in _MEDIA):
                known = ", ".join(sorted(_MEDIA))
                raise InvalidRequestError(
                    f"{here} has no type that is known; allowed are text, {known}"
                )
            _check(part, (kind, "type"), here)
            if isinstance(part.get(kind), Mapping):
                _check(part[kind], _MEDIUM, f"{here}.{kind}")


def _check(value: Mapping[str, Any], allowed: Sequence[str] | frozenset[str], place: str) -> None:
    unknown = sorted(value.keys() - set(allowed))
    if unknown:
        raise InvalidRequestError(
            f"{place} has the unknown key {unknown[0][:_SHOWN]!r}, by which an endpoint that is "
            f"priced by the token may cost more; allowed are {', '.join(sorted(allowed))}",
            code="unknown_field",
        )


def _given(body: object, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Members of these names with their path, wherever a container may look for them."""
    if not isinstance(body, Mapping):
        return
    parameters = body.get("parameters")
    places = {"": body, "parameters.": parameters if isinstance(parameters, Mapping) else {}}
    for prefix, place in places.items():
        for name in names:
            if name in place:
                yield f"{prefix}{name}", place[name]


def _count(path: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(f"{path} allows a whole number of 1 or more")
    return value


def _without(value: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


def _strings(value: object, path: str, *, is_media: bool) -> Iterator[tuple[str, str, bool]]:
    """All strings of a body with their paths, and whether they stand for something else than text.

    A part of a message is told by its type as well as by its members' names.
    """
    if isinstance(value, str):
        yield path, value, is_media
    elif isinstance(value, Mapping):
        kind = value.get("type")
        named = is_media or (isinstance(kind, str) and kind in _MEDIA)
        for name, item in value.items():
            if name not in _OWN and name != "type":
                here = f"{path}.{name[:_SHOWN]}" if path else name[:_SHOWN]
                yield from _strings(item, here, is_media=named or name in _MEDIA)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]", is_media=is_media)


def _markdown_images(text: str) -> Iterator[str]:
    """What the images of a text in Markdown point at, as far as it says whether that is remote."""
    last = 0
    for found in re.finditer(r"\]\(", text):
        start = text.rfind("![", last, found.start())
        # The name of an image ends with the first bracket.
        if start >= 0 and "]" not in text[start : found.start()]:
            yield text[found.end() : found.end() + _SHOWN]
        last = found.end()
