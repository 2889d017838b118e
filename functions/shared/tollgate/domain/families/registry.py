"""Finds a model's family, and what the families have between them.

An answer comes without its model's name and a caller may write what another family reads, so that
some rules take every family's words at once: those are here, made of the families' own tables.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from tollgate.domain.families import generic
from tollgate.domain.families.ai21 import AI21
from tollgate.domain.families.claude import CLAUDE
from tollgate.domain.families.cohere import COHERE
from tollgate.domain.families.deepseek import DEEPSEEK
from tollgate.domain.families.gemma import GEMMA
from tollgate.domain.families.glm import GLM
from tollgate.domain.families.gpt import GPT
from tollgate.domain.families.grok import GROK
from tollgate.domain.families.kimi import KIMI
from tollgate.domain.families.llama import LLAMA
from tollgate.domain.families.minimax import MINIMAX
from tollgate.domain.families.mistral import MISTRAL
from tollgate.domain.families.nemotron import NEMOTRON
from tollgate.domain.families.nova import NOVA
from tollgate.domain.families.palmyra import PALMYRA
from tollgate.domain.families.qwen import QWEN
from tollgate.domain.families.rerank import RERANK
from tollgate.domain.families.stability import STABILITY
from tollgate.domain.families.titan import TITAN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.domain.families.forms import (
        EmbeddingBody,
        Family,
        ImageBody,
        Path,
        TextBody,
    )
    from tollgate.domain.prices import TokenUsage

# Where a body or an answer has the words of two families, the earlier one's count.
FAMILIES: tuple[Family, ...] = (
    TITAN,
    GPT,
    NOVA,
    CLAUDE,
    LLAMA,
    MISTRAL,
    COHERE,
    AI21,
    DEEPSEEK,
    GEMMA,
    GLM,
    GROK,
    KIMI,
    MINIMAX,
    NEMOTRON,
    PALMYRA,
    QWEN,
    RERANK,
    STABILITY,
)


def family_of(model_id: str) -> Family:
    """The family of a base model id, `generic.GENERIC` for one that is not known."""
    found = (family for family in FAMILIES if model_id.startswith(family.models))
    return next(found, generic.GENERIC)


def framing_tokens(model_id: str) -> int | None:
    """The most tokens that a base model's template adds to a conversation; None if unpublished."""
    entries = family_of(model_id).framing
    return next((tokens for start, tokens in entries if model_id.startswith(start)), None)


def text_body(model_id: str, given: Mapping[str, Any] | None = None) -> TextBody | None:
    """The body by which a base model id is asked for text; None where it has none that is known.

    With a body that was given, the form that it is of.
    """
    family = family_of(model_id)
    forms = [body for body in family.texts if model_id.startswith(body.models)]
    if given is not None and family.read_as is not None and len(forms) > 1:
        return family.read_as(given)
    return next(iter(forms), None)


def embedding_body(model_id: str) -> EmbeddingBody:
    """The body by which a base model id is asked for vectors."""
    bodies = chain(family_of(model_id).embeddings, generic.GENERIC.embeddings)
    return next(body for body in bodies if model_id.startswith(body.models))


def image_body(model_id: str) -> ImageBody:
    """The body by which a base model id is asked for images."""
    bodies = chain(family_of(model_id).images, generic.GENERIC.images)
    return next(body for body in bodies if model_id.startswith(body.models))


# --- What the families have between them ------------------------------------------------------

TEXTS: tuple[TextBody, ...] = tuple(body for family in FAMILIES for body in family.texts)
EMBEDDINGS = tuple(body for family in FAMILIES for body in family.embeddings)
IMAGES = tuple(body for family in FAMILIES for body in family.images)

MAX_TOKENS = frozenset(name for body in TEXTS for name in body.max_tokens.names)
ANSWERS: Sequence[str] = sorted({*generic.ANSWERS, *(name for b in TEXTS for name in b.answers)})
THINKING = frozenset(name for body in TEXTS for name in body.thinking)
MEDIA = frozenset((*generic.MEDIA, *(name for body in TEXTS for name in body.media)))
EMBEDDED_IMAGES = frozenset(
    (*generic.EMBEDDED_IMAGES, *(name for body in EMBEDDINGS for name in body.images))
)
# A mark is a block of its own in Converse, and a member of a block in native bodies.
CACHE_MARKS = tuple(dict.fromkeys(mark for family in FAMILIES for mark in family.cache_marks))
# A setting that every family has, by each family's word for it.
SETTINGS: Mapping[str, str] = {
    **dict.fromkeys(MAX_TOKENS, "max_tokens"),
    **{word: setting for body in TEXTS for setting, word in body.settings.items()},
}

ANSWER_BLOCKS = tuple(dict.fromkeys(path for body in TEXTS for path in body.answer.blocks))
# What stands by itself at the top says least about whose answer it is: it is read last.
ANSWER_TEXTS: Sequence[Path] = sorted(
    dict.fromkeys(path for body in TEXTS for path in body.answer.texts),
    key=lambda path: len(path) == 1,
)
# Families change their word for the end more often than its place: each is read everywhere.
_STOPS = [path for body in TEXTS for path in body.answer.stops]
STOP_PLACES: Sequence[Path] = sorted(dict.fromkeys(path[:-1] for path in _STOPS), key=bool)
STOP_NAMES = tuple(dict.fromkeys(str(path[-1]) for path in _STOPS))

_READERS = [*(body.answer.usage for body in TEXTS), *(body.usage for body in EMBEDDINGS)]
USAGES: Sequence[Callable[[Mapping[str, Any]], TokenUsage | None]] = tuple(
    dict.fromkeys(read for read in _READERS if read is not None)
)
VECTORS = tuple(dict.fromkeys(name for body in EMBEDDINGS for name in body.vectors))
ANSWERED_IMAGES = tuple(dict.fromkeys(body.images for body in IMAGES))
