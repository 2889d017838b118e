"""What the modules of families are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """What the model said: pieces of one token each, and why it stopped, in Converse's words.

    It said it in each of its `answers`. `billed` are the output tokens of all of them where they
    are not the pieces'. `passes` are rounds before the answer, each with its usage. `cache_read`
    and `cache_written` (by how long) are those of the input tokens that a cache had or got.
    """

    pieces: Sequence[str]
    stop_reason: str
    input_tokens: int
    answers: int = 1
    billed: int | None = None
    passes: Sequence[Mapping[str, int]] = ()
    cache_read: int = 0
    cache_written: Mapping[str, int] = field(default_factory=dict)

    @property
    def uncached_tokens(self) -> int:
        """The input tokens that no cache had or got."""
        return self.input_tokens - self.cache_read - sum(self.cache_written.values())

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)

    @property
    def output_tokens(self) -> int:
        """The output tokens of all answers."""
        return len(self.pieces) * self.answers if self.billed is None else self.billed


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
    chunks come before the first with text. `dear` are members that the provider knows besides,
    which make it do, and bill, more than an answer of its maximum. `maxima` lead to everything
    that is taken for the maximum, `answers` to how many answers there shall be.
    """

    models: Sequence[str]
    members: frozenset[str]
    read: Callable[[Mapping[str, Any]], Prompt]
    answer: Callable[[Said], dict[str, Any]]
    chunks: Callable[[Said, Sequence[str]], Iterator[dict[str, Any]]]
    lead: int = 0
    dear: frozenset[str] = frozenset()
    maxima: Sequence[Sequence[str]] = (("max_tokens",),)
    answers: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class EmbeddingBody:
    """A body that asks for vectors: what may be in it, and how it is answered."""

    models: Sequence[str]
    members: frozenset[str]
    embed: Callable[[Mapping[str, Any]], Embedded]


@dataclass(frozen=True)
class ImageBody:
    """A body that asks for pictures: what may be in it, and how it is answered."""

    models: Sequence[str]
    members: frozenset[str]
    draw: Callable[[Mapping[str, Any]], Drawn]


@dataclass(frozen=True)
class Family:
    """All bodies of one family of models."""

    texts: Sequence[TextBody] = ()
    embeddings: Sequence[EmbeddingBody] = ()
    images: Sequence[ImageBody] = ()
