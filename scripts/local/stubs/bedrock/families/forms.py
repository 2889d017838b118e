"""What the modules of families are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


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


class Embedded(NamedTuple):
    """What answers an embedding body, and the input tokens and the images that are billed."""

    document: dict[str, Any]
    tokens: int
    images: int


class Drawn(NamedTuple):
    """What answers an image body, and the images that are billed by `<size>/<quality>`."""

    document: dict[str, Any]
    units: dict[str, int]


@dataclass(frozen=True)
class TextBody:
    """A body that asks for text: what may be in it, how it is read and answered.

    `models` are beginnings of base model ids; the longest that fits decides. `lead` is how many
    chunks come before the first with text.
    """

    models: Sequence[str]
    members: frozenset[str]
    read: Callable[[Mapping[str, Any]], Prompt]
    answer: Callable[[Said], dict[str, Any]]
    chunks: Callable[[Said, Sequence[str]], Iterator[dict[str, Any]]]
    lead: int = 0


@dataclass(frozen=True)
class EmbeddingBody:
    """A body that asks for vectors, and how it is answered."""

    models: Sequence[str]
    embed: Callable[[Mapping[str, Any]], Embedded]


@dataclass(frozen=True)
class ImageBody:
    """A body that asks for pictures, and how it is answered."""

    models: Sequence[str]
    draw: Callable[[Mapping[str, Any]], Drawn]


@dataclass(frozen=True)
class Family:
    """All bodies of one family of models."""

    texts: Sequence[TextBody] = ()
    embeddings: Sequence[EmbeddingBody] = ()
    images: Sequence[ImageBody] = ()
