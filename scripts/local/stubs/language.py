"""What the Bedrock stub "generates": deterministic sentences and deterministic token counts.

Tokens: a run of letters, digits and underscores is one token, and so is every other character
that is not white space. A request also costs `TOKENS_PER_MESSAGE` for each message. Every token
of text is at least one byte, and a message takes more than three bytes of JSON around its text,
so a request never has more tokens than its messages, system and tools have bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TOKENS_PER_MESSAGE = 3
MEDIA_TOKENS = 1_600
"""Most tokens that one image, document, video or audio block costs (fewer if it is tiny)."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])")
_MEDIA = ("image", "document", "video", "audio")
_DEFAULT_TOKENS = range(24, 72)

_OPENERS = (
    "In most cases",
    "As a rule",
    "At first sight",
    "For a small team",
    "Over a whole month",
    "Under heavy load",
    "After the first week",
    "In practice",
)
_SUBJECTS = (
    "the platform team",
    "a shared gateway",
    "one monthly budget",
    "the billing report",
    "each department",
    "a long conversation",
    "the cheaper model",
    "every request",
)
_VERBS = ("explains", "limits", "follows", "protects", "describes", "splits", "measures", "covers")
_OBJECTS = (
    "the cost of each answer",
    "what was agreed",
    "the number of tokens",
    "a fair share of the quota",
    "the work of the other teams",
    "several smaller tasks",
    "the time until the first word",
    "most of the questions",
)
_ENDINGS = (
    "without any surprise",
    "before the work begins",
    "in the same region",
    "as long as the numbers add up",
    "and nothing else",
    "even on a busy day",
    "with a margin to spare",
    "in plain words",
)


def count_tokens(text: str) -> int:
    """Return how many tokens the text has."""
    return sum(1 for _ in _TOKEN.finditer(text))


def request_tokens(request: Mapping[str, Any]) -> int:
    """Return the input tokens of a valid Converse request body (or of its `converse` member)."""
    messages: Sequence[Mapping[str, Any]] = request.get("messages", ())
    blocks = [block for message in messages for block in message["content"]]
    total = TOKENS_PER_MESSAGE * len(messages) + sum(_block_tokens(block) for block in blocks)
    total += sum(_block_tokens(block) for block in request.get("system", ()))
    if tools := request.get("toolConfig"):
        total += count_tokens(json.dumps(tools, ensure_ascii=False))
    return total


def last_user_text(request: Mapping[str, Any]) -> str:
    """Return the text blocks of the last message with the role `user`, joined by line ends."""
    for message in reversed(request.get("messages", ())):
        if message["role"] == "user":
            return "\n".join(block["text"] for block in message["content"] if "text" in block)
    return ""


def default_length(seed: str) -> int:
    """Return how many tokens the answer to `seed` has when nothing asks for a number."""
    return _DEFAULT_TOKENS[_digest(seed, 0)[0] % len(_DEFAULT_TOKENS)]


def generate(seed: str, tokens: int) -> list[str]:
    """Return `tokens` pieces of text, one token each, that join to English-looking sentences."""
    pieces: list[str] = []
    for sentence in _sentences(seed):
        if len(pieces) >= tokens:
            break
        start = " " if pieces else ""
        pieces.extend(pieces_of(start + sentence))
    return pieces[:tokens]


def pieces_of(text: str) -> list[str]:
    """Return a text in pieces of one token each."""
    return [match.group() for match in _PIECE.finditer(text)]


def _sentences(seed: str) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        choice = _digest(seed, number)
        parts = [
            words[byte % len(words)]
            for words, byte in zip(
                (_OPENERS, _SUBJECTS, _VERBS, _OBJECTS, _ENDINGS), choice, strict=False
            )
        ]
        yield f"{parts[0]}, {parts[1]} {parts[2]} {parts[3]} {parts[4]}."


def _digest(seed: str, number: int) -> bytes:
    return hashlib.sha256(f"{number}:{seed}".encode()).digest()


def _block_tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return count_tokens(block["text"])
    encoded = json.dumps(block, ensure_ascii=False)
    if any(kind in block for kind in _MEDIA):
        return min(MEDIA_TOKENS, len(encoded))
    if "cachePoint" in block:
        return 0
    return count_tokens(encoded)
