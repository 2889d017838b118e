"""Native request and response bodies of InvokeModel, by provider family.

A plain prompt becomes the body that its model reads, and the text, the end and the token counts
come out of what it answers. A count that a body does not hold is None: it is never guessed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ANTHROPIC_VERSION = "bedrock-2023-05-31"

# What callers of any family may write for the settings that all of them have.
_SPELLINGS = {
    "max_tokens": (
        "maxTokens",
        "max_tokens",
        "maxTokenCount",
        "max_tokens_to_sample",
        "max_gen_len",
        "max_new_tokens",
        "max_completion_tokens",
    ),
    "temperature": ("temperature",),
    "top_p": ("topP", "top_p", "p"),
    "stop": ("stopSequences", "stop_sequences", "stop"),
}
_SETTING_BY_SPELLING = {
    spelling: setting for setting, spellings in _SPELLINGS.items() for spelling in spellings
}


@dataclass(frozen=True, slots=True)
class _Family:
    """How a family writes a prompt and its settings.

    `names` are its own words for max_tokens, temperature, top_p and stop; `section` is the object
    that holds the settings, None where they stand at the top.
    """

    write: Callable[[str], dict[str, Any]]
    names: Mapping[str, str]
    section: str | None = None


def _names(max_tokens: str, top_p: str, stop: str) -> dict[str, str]:
    return {"max_tokens": max_tokens, "temperature": "temperature", "top_p": top_p, "stop": stop}


def _prompt(prompt: str) -> dict[str, Any]:
    return {"prompt": prompt}


def _chat(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}]}


def _claude_completion(prompt: str) -> dict[str, Any]:
    # These models answer only to this form; a caller may have written it already.
    if "\n\nHuman:" in prompt and "\n\nAssistant:" in prompt:
        return {"prompt": prompt}
    return {"prompt": f"\n\nHuman: {prompt}\n\nAssistant:"}


_PROMPT_STYLE = _Family(_prompt, _names("max_tokens", "top_p", "stop"))
_CHAT_STYLE = _Family(_chat, _names("max_tokens", "top_p", "stop"))
_CLAUDE_COMPLETION = _Family(
    _claude_completion, _names("max_tokens_to_sample", "top_p", "stop_sequences")
)
# By the longest prefix of the base model id.
_FAMILIES = {
    "ai21.": _CHAT_STYLE,
    "ai21.j2-": _Family(_prompt, _names("maxTokens", "topP", "stopSequences")),
    "amazon.nova-": _Family(
        lambda prompt: {"messages": [{"role": "user", "content": [{"text": prompt}]}]},
        _names("maxTokens", "topP", "stopSequences"),
        section="inferenceConfig",
    ),
    "amazon.titan-text-": _Family(
        lambda prompt: {"inputText": prompt},
        _names("maxTokenCount", "topP", "stopSequences"),
        section="textGenerationConfig",
    ),
    "anthropic.": _Family(
        lambda prompt: {"anthropic_version": ANTHROPIC_VERSION, **_chat(prompt)},
        _names("max_tokens", "top_p", "stop_sequences"),
    ),
    "anthropic.claude-instant": _CLAUDE_COMPLETION,
    "anthropic.claude-v": _CLAUDE_COMPLETION,
    "cohere.command": _Family(_prompt, _names("max_tokens", "p", "stop_sequences")),
    "cohere.command-r": _Family(
        lambda prompt: {"message": prompt}, _names("max_tokens", "p", "stop_sequences")
    ),
    "deepseek.": _CHAT_STYLE,
    "deepseek.r1": _PROMPT_STYLE,
    "google.gemma": _CHAT_STYLE,
    "meta.llama": _Family(_prompt, _names("max_gen_len", "top_p", "stop")),
    "minimax.": _CHAT_STYLE,
    "mistral.": _CHAT_STYLE,
    "mistral.mistral-7b": _PROMPT_STYLE,
    "mistral.mistral-large-2402": _PROMPT_STYLE,
    "mistral.mistral-small-2402": _PROMPT_STYLE,
    "mistral.mixtral": _PROMPT_STYLE,
    "moonshot.": _CHAT_STYLE,
    "moonshotai.": _CHAT_STYLE,
    "nvidia.": _CHAT_STYLE,
    "openai.": _Family(_chat, _names("max_completion_tokens", "top_p", "stop")),
    "qwen.": _CHAT_STYLE,
    "writer.": _CHAT_STYLE,
    "xai.": _CHAT_STYLE,
    "zai.": _CHAT_STYLE,
}


def prompt_body(model_id: str, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The native body that asks a base model id for a continuation of a prompt.

    A setting may have the name of any family and gets the model's own; one that no family shares
    passes as it is. Raises InvalidRequestError for a model whose bodies are not known, and for a
    setting that is given twice.
    """
    prefix = max((key for key in _FAMILIES if model_id.startswith(key)), key=len, default=None)
    if prefix is None:
        raise InvalidRequestError(
            f"{model_id} has no known form for a plain prompt; send Converse messages with the "
            "header messages_api: true",
            code="wrong_operation",
        )
    family = _FAMILIES[prefix]
    shared: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in settings.items():
        setting = _SETTING_BY_SPELLING.get(name)
        if setting is None:
            own[name] = value
        elif family.names[setting] in shared:
            raise InvalidRequestError(
                f"parameters.{name} sets {family.names[setting]} a second time; send one of them"
            )
        else:
            shared[family.names[setting]] = value
    if family.section is None:
        return {**family.write(prompt), **shared, **own}
    section = own.pop(family.section, {})
    if not isinstance(section, dict):
        raise InvalidRequestError(f"parameters.{family.section} allows an object only")
    body = {**family.write(prompt), **own}
    inner = {**section, **shared}
    return {**body, family.section: inner} if inner else body


# --- Answers ----------------------------------------------------------------------------------


def text_of(document: Mapping[str, Any]) -> str:
    """The text of a native answer, or of one chunk of a stream; empty where it has none."""
    for read in _TEXTS:
        text = read(document)
        if text is not None:
            return text
    return ""


def stop_reason_of(document: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the provider's words; None where the document does not say."""
    firsts = ("results", "outputs", "choices", "generations", "completions")
    places = [document, *(_first(document, name) for name in firsts)]
    places += [_object(document, "messageStop"), _object(document, "delta")]
    names = ("stop_reason", "stopReason", "finish_reason", "finishReason", "completionReason")
    for place in places:
        for name in names:
            value = place.get(name)
            # AI21 wraps its word into an object.
            word = value.get("reason") if isinstance(value, dict) else value
            if isinstance(word, str):
                return word
    return None


def usage_in(document: Mapping[str, Any]) -> TokenUsage | None:
    """Token counts that a native answer holds itself; None where it holds none."""
    for read in _USAGES:
        usage = read(document)
        if usage is not None:
            return usage
    return None


def _first(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    items = document.get(name)
    first = items[0] if isinstance(items, list) and items else None
    return first if isinstance(first, dict) else {}


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(place: Mapping[str, Any], *names: str) -> str | None:
    return next((place[name] for name in names if isinstance(place.get(name), str)), None)


def _joined(blocks: object) -> str | None:
    """The texts of a list of content blocks."""
    if not isinstance(blocks, list):
        return None
    texts = [block["text"] for block in blocks if isinstance(block, dict) and "text" in block]
    return "".join(texts)


def _nova_text(document: Mapping[str, Any]) -> str | None:
    return _joined(_object(_object(document, "output"), "message").get("content"))


def _nova_chunk(document: Mapping[str, Any]) -> str | None:
    return _text(_object(_object(document, "contentBlockDelta"), "delta"), "text")


def _claude_chunk(document: Mapping[str, Any]) -> str | None:
    return _text(_object(document, "delta"), "text")


def _choice_text(document: Mapping[str, Any]) -> str | None:
    choice = _first(document, "choices")
    for name in ("message", "delta"):
        text = _text(_object(choice, name), "content")
        if text is not None:
            return text
    return _text(choice, "text")


def _completion_text(document: Mapping[str, Any]) -> str | None:
    return _text(_object(_first(document, "completions"), "data"), "text")


_TEXTS: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (
    _nova_text,
    _nova_chunk,
    lambda document: _joined(document.get("content")),
    _claude_chunk,
    lambda document: _text(_first(document, "results"), "outputText"),
    lambda document: _text(_first(document, "outputs"), "text"),
    lambda document: _text(_first(document, "generations"), "text"),
    _choice_text,
    _completion_text,
    lambda document: _text(document, "outputText", "completion", "generation", "text"),
)


def _count(place: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = place.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _usage_object(document: Mapping[str, Any]) -> TokenUsage | None:
    """`usage` of Nova, Claude and those that answer in OpenAI's shape."""
    usage = _object(document, "usage")
    # OpenAI's prompt tokens include what came from the cache; the others' input tokens do not.
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if prompt is not None and completion is not None:
        cached = _count(_object(usage, "prompt_tokens_details"), "cached_tokens") or 0
        cached = min(cached, prompt)
        return TokenUsage(input=prompt - cached, output=completion, cache_read=cached)
    given = _count(usage, "input_tokens", "inputTokens")
    made = _count(usage, "output_tokens", "outputTokens")
    if given is None or made is None:
        return None
    written = _count(
        usage,
        "cache_creation_input_tokens",
        "cacheWriteInputTokens",
        "cacheWriteInputTokenCount",
    )
    hour = _count(_object(usage, "cache_creation"), "ephemeral_1h_input_tokens") or 0
    hour = min(hour, written or 0)
    return TokenUsage(
        input=given,
        output=made,
        cache_read=_count(
            usage, "cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount"
        )
        or 0,
        cache_write_5m=(written or 0) - hour,
        cache_write_1h=hour,
    )


def _titan_usage(document: Mapping[str, Any]) -> TokenUsage | None:
    given = _count(document, "inputTextTokenCount")
    if given is None:
        return None
    results = document.get("results")
    if isinstance(results, list):
        counts = [_count(result, "tokenCount") for result in results if isinstance(result, dict)]
        return (
            None if None in counts else TokenUsage(input=given, output=sum(c or 0 for c in counts))
        )
    made = _count(document, "totalOutputTextTokenCount")
    # An embedding has no output.
    if made is None and "embedding" not in document and "embeddingsByType" not in document:
        return None
    return TokenUsage(input=given, output=made or 0)


def _llama_usage(document: Mapping[str, Any]) -> TokenUsage | None:
    given, made = _count(document, "prompt_token_count"), _count(document, "generation_token_count")
    return None if given is None or made is None else TokenUsage(input=given, output=made)


def _cohere_usage(document: Mapping[str, Any]) -> TokenUsage | None:
    billed = _object(_object(document, "meta"), "billed_units")
    given, made = _count(billed, "input_tokens"), _count(billed, "output_tokens")
    return None if given is None else TokenUsage(input=given, output=made or 0)


def _jurassic_usage(document: Mapping[str, Any]) -> TokenUsage | None:
    given = _object(document, "prompt").get("tokens")
    completions = document.get("completions")
    if not isinstance(given, list) or not isinstance(completions, list):
        return None
    made = [_object(c, "data").get("tokens") for c in completions if isinstance(c, dict)]
    if not all(isinstance(tokens, list) for tokens in made):
        return None
    return TokenUsage(input=len(given), output=sum(len(tokens) for tokens in made if tokens))


_USAGES: tuple[Callable[[Mapping[str, Any]], TokenUsage | None], ...] = (
    _usage_object,
    _titan_usage,
    _llama_usage,
    _cohere_usage,
    _jurassic_usage,
)


# --- Preamble, images -------------------------------------------------------------------------


def with_preamble(model_id: str, body: Mapping[str, Any], preamble: str) -> dict[str, Any]:
    """A native text body that says `preamble` before everything that the caller says.

    Raises InvalidRequestError where the body has no place for it: no call may go without.
    """
    for place in ("inputText", "prompt"):
        if isinstance(body.get(place), str):
            return {**body, place: f"{preamble}\n\n{body[place].lstrip()}"}
    if isinstance(body.get("message"), str):
        own = body.get("preamble")
        return {**body, "preamble": f"{preamble}\n\n{own}" if own else preamble}
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise InvalidRequestError(
            f"the body for {model_id} has no place for the tenant's preamble; send messages",
            code="wrong_operation",
        )
    if model_id.startswith(("anthropic.", "amazon.nova-")):
        own = body.get("system") or []
        said = [_system_block(model_id, own)] if isinstance(own, str) else list(own)
        return {**body, "system": [_system_block(model_id, preamble), *said]}
    return {**body, "messages": [{"role": "system", "content": preamble}, *messages]}


def _system_block(model_id: str, text: str) -> dict[str, Any]:
    return {"type": "text", "text": text} if model_id.startswith("anthropic.") else {"text": text}


_IMAGE_MEMBERS = ("image", "image_url", "images", "inputImage")


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
            if name not in _IMAGE_MEMBERS:
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _images(value: object) -> int:
    if isinstance(value, dict):
        return sum(
            _images(item) if name not in _IMAGE_MEMBERS else _count_of(item)
            for name, item in value.items()
        )
    return sum(map(_images, value)) if isinstance(value, list) else 0


def _count_of(images: object) -> int:
    if isinstance(images, list):
        return len(images)
    return int(images is not None)


def image_request(model_id: str, body: Mapping[str, Any]) -> tuple[int, str, str]:
    """How many images a body asks for, of which size and quality.

    Raises InvalidRequestError where a figure that decides about the price is not usable.
    """
    if model_id.startswith("stability."):
        size = f"{_side(body, 'width', 512)}x{_side(body, 'height', 512)}"
        return 1, size if "text_prompts" in body else "1024x1024", "standard"
    section = body.get("imageGenerationConfig") or {}
    if not isinstance(section, dict):
        raise InvalidRequestError("imageGenerationConfig allows an object only")
    count = section.get("numberOfImages", 1)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidRequestError("numberOfImages allows a whole number of 1 or more")
    quality = section.get("quality", "standard")
    if quality not in ("standard", "premium"):
        raise InvalidRequestError("quality allows 'standard' or 'premium'")
    size = f"{_side(section, 'width', 1024)}x{_side(section, 'height', 1024)}"
    return count, size, quality


def _side(section: Mapping[str, Any], name: str, default: int) -> int:
    value = section.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(f"{name} allows a whole number of 1 or more")
    return value


def image_count(document: Mapping[str, Any]) -> int:
    """How many images an answer holds; those that a filter took out are not billed."""
    for name in ("images", "artifacts"):
        images = document.get(name)
        if isinstance(images, list):
            return len(images)
    return 0
