"""Native bodies of the Bedrock stub: what InvokeModel reads and answers, by provider family.

Written from the providers' own documents and not from the gateway's code, which it is to test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.local.stubs import language
from scripts.local.stubs.bedrock.requests import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_IMAGES = 5
DIMENSIONS = 1024
SIZES = (256, 384, 512, 1024, 1536)
_IMAGE_SIDE = 512


@dataclass(frozen=True)
class Prompt:
    """What a native body asks for."""

    text: str
    input_tokens: int
    max_tokens: int | None
    stop_sequences: Sequence[str] = ()


@dataclass(frozen=True)
class Said:
    """What the model said: pieces of one token each, and why it stopped, in Converse's words."""

    pieces: Sequence[str]
    stop_reason: str
    input_tokens: int

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Family:
    """How one family reads a body, answers it at once and in chunks.

    `lead` is how many chunks come before the first with text.
    """

    read: Callable[[Mapping[str, Any]], Prompt]
    answer: Callable[[Said], dict[str, Any]]
    chunks: Callable[[Said, Sequence[str]], Iterator[dict[str, Any]]]
    fields: frozenset[str]
    lead: int = 0


def family_of(model_id: str) -> Family:
    """The family of a base model id; raises ServiceError where it has no native bodies."""
    prefix = max((key for key in _FAMILIES if model_id.startswith(key)), key=len, default=None)
    if prefix is None:
        raise invalid(f"{model_id} does not support this operation")
    return _FAMILIES[prefix]


def read_prompt(model_id: str, body: Mapping[str, Any]) -> Prompt:
    """The prompt of a native body; raises ServiceError, as the service does, for a wrong one."""
    family = family_of(model_id)
    extra = sorted(set(body) - family.fields)
    if extra:
        raise invalid(f"Malformed input request: extraneous key [{extra[0]}] is not permitted")
    prompt = family.read(body)
    given: object = prompt.max_tokens
    if given is not None and (type(given) is not int or given < 1):
        raise invalid("Malformed input request: the maximum of tokens is not a number of 1 or more")
    return prompt


# --- Reading ----------------------------------------------------------------------------------


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"Malformed input request: #: required key [{name}] not found")
    return value


def _prompt_reader(
    name: str, max_tokens: str, stop: str, section: str | None = None
) -> Callable[[Mapping[str, Any]], Prompt]:
    def read(body: Mapping[str, Any]) -> Prompt:
        text = _text(body, name)
        settings = body if section is None else body.get(section, {})
        return Prompt(
            text,
            language.count_tokens(text),
            settings.get(max_tokens),
            tuple(settings.get(stop) or ()),
        )

    return read


def _messages(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Malformed input request: messages: at least one message is required")
    return messages


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid("Malformed input request: content: a string or a list is required")
    return "\n".join(block["text"] for block in content if "text" in block)


def _message_tokens(messages: Sequence[Mapping[str, Any]], system: object) -> int:
    total = language.TOKENS_PER_MESSAGE * len(messages)
    for message in messages:
        content = message.get("content")
        blocks = content if isinstance(content, list) else [{"text": content}]
        total += sum(_block_tokens(block) for block in blocks)
    if system:
        total += language.count_tokens(json.dumps(system, ensure_ascii=False))
    return total


def _block_tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return language.count_tokens(str(block["text"]))
    encoded = json.dumps(block, ensure_ascii=False)
    if block.get("type") in ("image", "document") or "image" in block:
        return min(language.MEDIA_TOKENS, len(encoded))
    return language.count_tokens(encoded)


def _last_user(messages: Sequence[Mapping[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return _content_text(message.get("content"))
    raise invalid("Malformed input request: messages: a user message is required")


def _read_claude(body: Mapping[str, Any]) -> Prompt:
    if body.get("anthropic_version") != "bedrock-2023-05-31":
        raise invalid("anthropic_version: Field required")
    if body.get("max_tokens") is None:
        raise invalid("max_tokens: Field required")
    messages = _messages(body)
    return Prompt(
        _last_user(messages),
        _message_tokens(messages, [body.get("system"), body.get("tools")]),
        body["max_tokens"],
        tuple(body.get("stop_sequences") or ()),
    )


def _read_claude_completion(body: Mapping[str, Any]) -> Prompt:
    text = _text(body, "prompt")
    # What stands before the first turn is the system text.
    if "\n\nHuman:" not in text or "\n\nAssistant:" not in text:
        raise invalid(
            'prompt must start with "\n\nHuman:" turn after an optional system prompt and end with '
            '"\n\nAssistant:" turn'
        )
    if body.get("max_tokens_to_sample") is None:
        raise invalid("max_tokens_to_sample: Field required")
    return Prompt(
        text,
        language.count_tokens(text),
        body["max_tokens_to_sample"],
        tuple(body.get("stop_sequences") or ()),
    )


def _read_nova(body: Mapping[str, Any]) -> Prompt:
    messages = _messages(body)
    if any(not isinstance(message.get("content"), list) for message in messages):
        raise invalid("Malformed input request: content: a list is required")
    settings = body.get("inferenceConfig", {})
    return Prompt(
        _last_user(messages),
        _message_tokens(messages, body.get("system")),
        settings.get("maxTokens", settings.get("max_new_tokens")),
        tuple(settings.get("stopSequences") or ()),
    )


def _read_chat(body: Mapping[str, Any]) -> Prompt:
    messages = _messages(body)
    stop = body.get("stop") or ()
    return Prompt(
        _last_user(messages),
        _message_tokens(messages, body.get("tools")),
        body.get("max_completion_tokens", body.get("max_tokens")),
        (stop,) if isinstance(stop, str) else tuple(stop),
    )


# --- Answering --------------------------------------------------------------------------------


def _word(said: Said, words: Mapping[str, str]) -> str:
    return words[said.stop_reason]


_TITAN_WORDS = {"end_turn": "FINISH", "max_tokens": "LENGTH", "stop_sequence": "STOP_CRITERIA_MET"}
_STOP_WORDS = {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"}
_COHERE_WORDS = {"end_turn": "COMPLETE", "max_tokens": "MAX_TOKENS", "stop_sequence": "COMPLETE"}
_AI21_WORDS = {"end_turn": "endoftext", "max_tokens": "length", "stop_sequence": "stop"}


def _titan(said: Said) -> dict[str, Any]:
    result = {
        "tokenCount": len(said.pieces),
        "outputText": said.text,
        "completionReason": _word(said, _TITAN_WORDS),
    }
    return {"inputTextTokenCount": said.input_tokens, "results": [result]}


def _titan_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(groups, start=1):
        is_last = number == len(groups)
        yield {
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": len(said.pieces) if is_last else None,
            "completionReason": _word(said, _TITAN_WORDS) if is_last else None,
            "inputTextTokenCount": said.input_tokens if number == 1 else None,
        }


def _nova(said: Said) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": said.text}]}},
        "stopReason": said.stop_reason,
        "usage": {
            "inputTokens": said.input_tokens,
            "outputTokens": len(said.pieces),
            "totalTokens": said.input_tokens + len(said.pieces),
        },
    }


def _nova_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"messageStart": {"role": "assistant"}}
    for text in groups:
        yield {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}
    yield {"contentBlockStop": {"contentBlockIndex": 0}}
    yield {"messageStop": {"stopReason": said.stop_reason}}
    yield {"metadata": {"usage": _nova(said)["usage"], "metrics": {}}}


def _claude(said: Said) -> dict[str, Any]:
    return {
        "id": "msg_bdrk_stub",
        "type": "message",
        "role": "assistant",
        "model": "stub",
        "content": [{"type": "text", "text": said.text}],
        "stop_reason": said.stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": said.input_tokens, "output_tokens": len(said.pieces)},
    }


def _claude_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    usage = {"input_tokens": said.input_tokens, "output_tokens": 1}
    start = {**_claude(said), "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": start}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for text in groups:
        delta = {"type": "text_delta", "text": text}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": said.stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": len(said.pieces)},
    }
    yield {"type": "message_stop"}


def _completion(said: Said) -> dict[str, Any]:
    reason = "max_tokens" if said.stop_reason == "max_tokens" else "stop_sequence"
    return {"type": "completion", "completion": said.text, "stop_reason": reason, "stop": None}


def _completion_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"type": "completion", "completion": text, "stop_reason": None}
    yield {**_completion(said), "completion": ""}


def _mistral(said: Said) -> dict[str, Any]:
    return {"outputs": [{"text": said.text, "stop_reason": _word(said, _STOP_WORDS)}]}


def _mistral_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"outputs": [{"text": text, "stop_reason": None}]}
    yield {"outputs": [{"text": "", "stop_reason": _word(said, _STOP_WORDS)}]}


def _llama(said: Said) -> dict[str, Any]:
    return {
        "generation": said.text,
        "prompt_token_count": said.input_tokens,
        "generation_token_count": len(said.pieces),
        "stop_reason": _word(said, _STOP_WORDS),
    }


def _llama_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {
            "generation": text,
            "prompt_token_count": None,
            "generation_token_count": None,
            "stop_reason": None,
        }
    yield {**_llama(said), "generation": ""}


def _command(said: Said) -> dict[str, Any]:
    reason = _word(said, _COHERE_WORDS)
    return {
        "id": "stub",
        "generations": [{"id": "stub", "text": said.text, "finish_reason": reason}],
    }


def _command_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"text": text, "is_finished": False}
    yield {"is_finished": True, "finish_reason": _word(said, _COHERE_WORDS)}


def _command_r(said: Said) -> dict[str, Any]:
    return {"text": said.text, "finish_reason": _word(said, _COHERE_WORDS), "generation_id": "stub"}


def _command_r_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"event_type": "text-generation", "text": text, "is_finished": False}
    end = {"event_type": "stream-end", "is_finished": True}
    yield {**end, "finish_reason": _word(said, _COHERE_WORDS)}


def _jurassic(said: Said) -> dict[str, Any]:
    tokens = [{"generatedToken": {"token": piece}} for piece in said.pieces]
    completion = {
        "data": {"text": said.text, "tokens": tokens},
        "finishReason": {"reason": _word(said, _AI21_WORDS)},
    }
    prompt: dict[str, Any] = {"tokens": [{}] * said.input_tokens}
    return {"id": 1, "prompt": prompt, "completions": [completion]}


def _no_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    raise invalid("The model is unsupported for streaming")


def _choice(said: Said) -> dict[str, Any]:
    return {
        "id": "stub",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said.text},
                "finish_reason": _word(said, _STOP_WORDS),
            }
        ],
        "usage": {
            "prompt_tokens": said.input_tokens,
            "completion_tokens": len(said.pieces),
            "total_tokens": said.input_tokens + len(said.pieces),
        },
    }


def _choice_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    end = {"index": 0, "delta": {}, "finish_reason": _word(said, _STOP_WORDS)}
    yield {"choices": [end], "usage": _choice(said)["usage"]}


def _text_choice(said: Said) -> dict[str, Any]:
    return {"choices": [{"text": said.text, "stop_reason": _word(said, _STOP_WORDS)}]}


def _text_choice_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"choices": [{"text": text, "stop_reason": None}]}
    yield {"choices": [{"text": "", "stop_reason": _word(said, _STOP_WORDS)}]}


_CHAT_FIELDS = frozenset(
    ("messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "n")
    + ("tools", "tool_choice", "response_format", "reasoning_effort", "seed", "stream")
)
_CHAT = Family(_read_chat, _choice, _choice_chunks, _CHAT_FIELDS)
_MISTRAL = Family(
    _prompt_reader("prompt", "max_tokens", "stop"),
    _mistral,
    _mistral_chunks,
    frozenset(("prompt", "max_tokens", "temperature", "top_p", "top_k", "stop")),
)
_COMPLETION = Family(
    _read_claude_completion,
    _completion,
    _completion_chunks,
    frozenset(
        ("prompt", "max_tokens_to_sample", "temperature", "top_p", "top_k", "stop_sequences")
        + ("anthropic_version",)
    ),
)
_FAMILIES: Mapping[str, Family] = {
    "ai21.jamba": _CHAT,
    "ai21.j2-": Family(
        _prompt_reader("prompt", "maxTokens", "stopSequences"),
        _jurassic,
        _no_chunks,
        frozenset(("prompt", "maxTokens", "temperature", "topP", "stopSequences", "numResults")),
    ),
    "amazon.nova-": Family(
        _read_nova,
        _nova,
        _nova_chunks,
        frozenset(("schemaVersion", "messages", "system", "inferenceConfig", "toolConfig")),
        lead=1,
    ),
    "amazon.titan-text-": Family(
        _prompt_reader("inputText", "maxTokenCount", "stopSequences", "textGenerationConfig"),
        _titan,
        _titan_chunks,
        frozenset(("inputText", "textGenerationConfig")),
    ),
    "anthropic.": Family(
        _read_claude,
        _claude,
        _claude_chunks,
        frozenset(
            ("anthropic_version", "anthropic_beta", "max_tokens", "messages", "system", "tools")
            + ("tool_choice", "temperature", "top_p", "top_k", "stop_sequences", "thinking")
        ),
        lead=2,
    ),
    "anthropic.claude-instant": _COMPLETION,
    "anthropic.claude-v": _COMPLETION,
    "cohere.command-": Family(
        _prompt_reader("prompt", "max_tokens", "stop_sequences"),
        _command,
        _command_chunks,
        frozenset(("prompt", "max_tokens", "temperature", "p", "k", "stop_sequences"))
        | {"num_generations", "return_likelihoods", "truncate"},
    ),
    "cohere.command-r": Family(
        _prompt_reader("message", "max_tokens", "stop_sequences"),
        _command_r,
        _command_r_chunks,
        frozenset(("message", "chat_history", "max_tokens", "temperature", "p", "k"))
        | {"stop_sequences", "preamble", "tools"},
    ),
    "deepseek.": _CHAT,
    "deepseek.r1": Family(
        _prompt_reader("prompt", "max_tokens", "stop"),
        _text_choice,
        _text_choice_chunks,
        frozenset(("prompt", "max_tokens", "temperature", "top_p", "stop")),
    ),
    "google.": _CHAT,
    "meta.llama": Family(
        _prompt_reader("prompt", "max_gen_len", "stop"),
        _llama,
        _llama_chunks,
        frozenset(("prompt", "max_gen_len", "temperature", "top_p", "images")),
    ),
    "minimax.": _CHAT,
    "mistral.": _CHAT,
    "mistral.mistral-7b": _MISTRAL,
    "mistral.mistral-large-2402": _MISTRAL,
    "mistral.mistral-small-2402": _MISTRAL,
    "mistral.mixtral": _MISTRAL,
    "moonshot": _CHAT,
    "nvidia.": _CHAT,
    "openai.": _CHAT,
    "qwen.": _CHAT,
    "writer.": _CHAT,
    "xai.": _CHAT,
    "zai.": _CHAT,
}


# --- Embeddings and images --------------------------------------------------------------------


def vector(seed: str, dimensions: int) -> list[float]:
    """A deterministic vector of a text or image, each number between -1 and 1."""
    numbers: list[float] = []
    block = 0
    while len(numbers) < dimensions:
        digest = hashlib.sha256(f"{block}:{seed}".encode()).digest()
        numbers.extend(round(value / 2**31, 8) for value in struct.unpack("!8i", digest))
        block += 1
    return numbers[:dimensions]


def _size(given: object) -> int:
    """How long the vectors shall be; each family has its own among these lengths."""
    if given is None:
        return DIMENSIONS
    if not isinstance(given, int) or given not in SIZES:
        raise invalid(f"Malformed input request: the dimensions must be one of {SIZES}")
    return given


def embed(model_id: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    """Answer an embedding body: the document, the input tokens and the images that are billed."""
    if model_id.startswith("cohere."):
        return _embed_cohere(body)
    if body.get("inputText") is None and body.get("inputImage") is None:
        raise invalid("Malformed input request: inputText or inputImage is required")
    seed = str(body.get("inputText") or "") + str(body.get("inputImage") or "")
    settings = body.get("embeddingConfig", {})
    size = _size(body.get("dimensions") or settings.get("outputEmbeddingLength"))
    tokens = language.count_tokens(str(body.get("inputText") or ""))
    numbers = vector(seed, size)
    document = {"embedding": numbers, "inputTextTokenCount": tokens}
    if "embeddingTypes" in body:
        document["embeddingsByType"] = {"float": numbers}
    return document, tokens, int(body.get("inputImage") is not None)


def _embed_cohere(body: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    if body.get("input_type") is None:
        raise invalid("Malformed input request: input_type is required")
    texts: Sequence[str] = body.get("texts") or ()
    images: Sequence[str] = body.get("images") or ()
    if bool(texts) == bool(images):
        raise invalid("Malformed input request: exactly one of texts and images is required")
    size = _size(body.get("output_dimension"))
    vectors = [vector(text, size) for text in (*texts, *images)]
    document: dict[str, Any] = {
        "id": "stub",
        "texts": list(texts),
        "embeddings": vectors,
        "response_type": "embeddings_floats",
    }
    if body.get("embedding_types"):
        document |= {"embeddings": {"float": vectors}, "response_type": "embeddings_by_type"}
    return document, sum(map(language.count_tokens, texts)), len(images)


def draw(model_id: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Answer an image body: the document, and what is billed by `<size>/<quality>`."""
    if model_id.startswith("stability."):
        return _draw_stability(body)
    text = body.get("textToImageParams", {}).get("text")
    if body.get("taskType") not in (None, "TEXT_IMAGE") or not text:
        raise invalid("Malformed input request: textToImageParams.text is required")
    settings = body.get("imageGenerationConfig", {})
    count = settings.get("numberOfImages", 1)
    if not isinstance(count, int) or not 1 <= count <= MAX_IMAGES:
        raise invalid(f"numberOfImages must be between 1 and {MAX_IMAGES}")
    size = f"{settings.get('width', 1024)}x{settings.get('height', 1024)}"
    images = [_picture(f"{text}:{number}") for number in range(count)]
    return {"images": images}, {f"{size}/{settings.get('quality', 'standard')}": count}


def _draw_stability(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    if "text_prompts" in body:
        text = " ".join(prompt["text"] for prompt in body["text_prompts"])
        size = f"{body.get('width', _IMAGE_SIDE)}x{body.get('height', _IMAGE_SIDE)}"
        artifact = {"base64": _picture(text), "finishReason": "SUCCESS", "seed": 0}
        return {"result": "success", "artifacts": [artifact]}, {f"{size}/standard": 1}
    text = _text(body, "prompt")
    answer = {"images": [_picture(text)], "seeds": [0], "finish_reasons": [None]}
    return answer, {"1024x1024/standard": 1}


def _picture(seed: str) -> str:
    """A PNG of one pixel whose colour says what it was drawn from, in base64."""
    colour = hashlib.sha256(seed.encode()).digest()[:3]

    def part(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack("!I", len(data)) + checked + struct.pack("!I", zlib.crc32(checked))

    header = struct.pack("!IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00" + colour)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", data) + part(b"IEND", b"")
    return base64.b64encode(png).decode()
