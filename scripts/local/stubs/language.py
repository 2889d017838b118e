"""What the stubs "generate": deterministic sentences, token counts and vectors.

Tokens: a run of letters, digits and underscores is one token, and so is every other character
that is not white space. A request also costs `TOKENS_PER_MESSAGE` for each message. Every token
of text is at least one byte, and a message takes more than three bytes of JSON around its text,
so a request never has more tokens than its messages, system and tools have bytes.
"""

from __future__ import annotations

import hashlib
import re
import struct
import unicodedata
from typing import TYPE_CHECKING

from scripts.local.stubs.directions import without_directions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.local.stubs.directions import Directions

TOKENS_PER_MESSAGE = 3
MEDIA_TOKENS = 1_600
"""Most tokens that one image, document, video or audio block costs (fewer if it is tiny)."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])")
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


def most_tokens(text: str) -> int:
    """Return the most tokens that any tokenizer makes of a text: of what it reads, one for a byte.

    Some read compatibility forms for what was written, in bytes or in characters.
    """
    composed = unicodedata.normalize("NFKC", text).encode(errors="surrogatepass")
    decomposed = unicodedata.normalize("NFKD", text)
    return max(len(text.encode(errors="surrogatepass")), len(composed), len(decomposed))


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


def answer_to(
    text: str, directions: Directions, limit: int | None, stop_sequences: Sequence[str]
) -> tuple[list[str], str]:
    """Generate an answer to `text`, as long as it is directed to be or as its words would have it.

    Returns:
        The answer in pieces of one token each, within the limit and up to a stop sequence; and why
        it ends: `end_turn`, `max_tokens` or `stop_sequence`.
    """
    seed = without_directions(text)
    wanted = directions.number("tokens")
    if wanted is None:
        wanted = _default_length(seed)
    limit = limit or wanted
    pieces = generate(seed, min(wanted, limit))
    if stopped := _up_to_stop_sequence(pieces, stop_sequences):
        return stopped, "stop_sequence"
    return pieces, "max_tokens" if wanted > limit else "end_turn"


def vector(seed: str, dimensions: int) -> list[float]:
    """A deterministic vector of a text or image, each number between -1 and 1."""
    numbers: list[float] = []
    block = 0
    while len(numbers) < dimensions:
        digest = hashlib.sha256(f"{block}:{seed}".encode()).digest()
        numbers.extend(round(value / 2**31, 8) for value in struct.unpack("!8i", digest))
        block += 1
    return numbers[:dimensions]


def _default_length(seed: str) -> int:
    return _DEFAULT_TOKENS[_digest(seed, 0)[0] % len(_DEFAULT_TOKENS)]


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


def _up_to_stop_sequence(pieces: Sequence[str], sequences: Sequence[str]) -> list[str] | None:
    text = ""
    for index, piece in enumerate(pieces):
        text += piece
        for sequence in sequences:
            if sequence in text:
                return list(pieces[: index + 1])
    return None
