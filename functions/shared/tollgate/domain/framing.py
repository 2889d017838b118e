"""How many tokens text can count, and what a chat template can add around it.

A token stands for at least one byte of text, so that bytes bound it. What else a model reads are
the markers of its template and what its provider tells it beside the caller's words. Where a family
publishes its template, that is known, and the text of a conversation is bounded by itself; else the
whole request as JSON is, whose names and brackets leave room for a template that nobody knows.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.families import registry

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a chat template adds around the caller's text: role markers per message, begin and end of
# the conversation, and the instructions that providers put before tool definitions. Published
# figures lie between 4 and about 700 tokens; these stay above them.
FRAMING_TOKENS = 64
MESSAGE_FRAMING_TOKENS = 16
TOOL_FRAMING_TOKENS = 1024
# What a published template puts between two blocks of a message: a blank line at most.
BLOCK_FRAMING_TOKENS = 4

# Members by which a provider tells the model something of its own: how to use documents, what an
# answer must look like, how to behave.
_TOLD = ("documents", "output_format", "prompt_mode", "response_format", "safe_prompt")
# Members of a Converse request that say how a call is made, and that no model reads.
_UNREAD = frozenset(
    (
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "inferenceConfig",
        "performanceConfig",
        "requestMetadata",
        "serviceTier",
    )
)


def text_tokens(text: str) -> int:
    """The most tokens that a text can count, under any tokenizer.

    A token stands for at least one byte of what the tokenizer reads. Some tokenizers first
    normalize: composed compatibility forms read as bytes, or decomposed forms read character by
    character. A single character can grow to eighteen that way, so all three are counted.
    """
    # A lone surrogate is no text, but JSON can carry it.
    size = len(text.encode(errors="surrogatepass"))
    if text.isascii():
        return size
    composed = len(unicodedata.normalize("NFKC", text).encode(errors="surrogatepass"))
    return max(size, composed, len(unicodedata.normalize("NFKD", text)))


def json_tokens(value: object) -> int:
    """The most tokens of a value as JSON, without its media."""
    return text_tokens(json.dumps(_without_media(value), ensure_ascii=False))


def conversation_tokens(request: Mapping[str, Any], model_id: str) -> int:
    """The most tokens of a Converse request's text and of what its model's template adds to it.

    What tools and a provider's own members bring is beside it, see `told_tokens`.
    """
    messages, system = request.get("messages", ()), request.get("system", ())
    framing = registry.framing_tokens(model_id)
    if framing is None:
        return json_tokens(request) + FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS * len(messages)
    # The system's text is a message of its own where there is one.
    framing += MESSAGE_FRAMING_TOKENS * (len(messages) + bool(system))
    talk = [*_blocks(system), *(block for message in messages for block in _blocks(message))]
    apart = {"messages", "system", *_UNREAD}
    beside = {name: value for name, value in request.items() if name not in apart}
    return framing + _block_tokens(talk) + json_tokens(beside)


def _blocks(value: object) -> Iterable[object]:
    """The blocks of a message or a system text; what has another form is a block by itself."""
    content = value.get("content", ()) if isinstance(value, Mapping) else value
    return content if isinstance(content, list | tuple) else (content,)


def _block_tokens(blocks: Iterable[object]) -> int:
    total = 0
    for block in blocks:
        text = None
        if isinstance(block, Mapping) and block.keys() == {"text"}:
            text = block["text"]
        total += BLOCK_FRAMING_TOKENS
        total += text_tokens(text) if isinstance(text, str) else json_tokens(block)
    return total


def told_tokens(tool_config: object, fields: Mapping[str, Any]) -> int:
    """What a model is told of tools and of a provider's own members beside their text.

    Tools of a provider's own bring definitions of its own, one each.
    """
    things = int(tool_config is not None or "toolConfig" in fields)
    if "tools" in fields:
        native = fields["tools"]
        things += 1 + (len(native) if isinstance(native, list | tuple) else 1)
    things += sum(1 for name in _TOLD if fields.get(name))
    output = fields.get("output_config")
    if isinstance(output, Mapping) and output.get("format"):
        things += 1
    return TOOL_FRAMING_TOKENS * things


def referenced_tokens(body: Mapping[str, Any]) -> int:
    """The most tokens of the tools that a body's results refer to: each is told of once more."""
    tools = body.get("tools")
    given = tools if isinstance(tools, list | tuple) else ()
    references = _references(body.get("messages"))
    if not references or not given:
        return 0
    longest = max(text_tokens(json.dumps(tool, ensure_ascii=False)) for tool in given)
    return references * (longest + TOOL_FRAMING_TOKENS)


def _references(value: object) -> int:
    if isinstance(value, Mapping):
        is_one = value.get("type") == "tool_reference"
        return is_one + sum(map(_references, value.values()))
    return sum(map(_references, value)) if isinstance(value, list | tuple) else 0


def _without_media(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_media(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_media(item) for item in value]
    return "" if isinstance(value, bytes) else value
