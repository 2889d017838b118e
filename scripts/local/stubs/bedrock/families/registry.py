"""Which family's body a model takes, and what the body asks for.

Written from the providers' own documents and not from the gateway's code, which it is to test.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scripts.local.stubs.bedrock.families import (
    ai21,
    claude,
    cohere,
    deepseek,
    llama,
    mistral,
    nova,
    openai_format,
    stability,
    titan,
)
from scripts.local.stubs.errors import UnknownMemberError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.families.forms import Drawn, Embedded, Prompt, TextBody

_FAMILIES = (
    ai21.FAMILY,
    claude.FAMILY,
    cohere.FAMILY,
    deepseek.FAMILY,
    llama.FAMILY,
    mistral.FAMILY,
    nova.FAMILY,
    openai_format.FAMILY,
    stability.FAMILY,
    titan.FAMILY,
)
_TEXTS = tuple(chain.from_iterable(family.texts for family in _FAMILIES))
_EMBEDDINGS = tuple(chain.from_iterable(family.embeddings for family in _FAMILIES))
_IMAGES = tuple(chain.from_iterable(family.images for family in _FAMILIES))


# What the service itself reads of a native body that asks for text.
OF_THE_SERVICE = frozenset(("amazon-bedrock-guardrailConfig",))


# Every member of any body.
MEMBERS = OF_THE_SERVICE.union(
    *(body.members | body.dear for body in _TEXTS),
    *(body.members for body in _EMBEDDINGS),
    *(body.members for body in _IMAGES),
)


class _Body(Protocol):
    @property
    def models(self) -> Sequence[str]:
        """Beginnings of ids of models."""


_B = TypeVar("_B", bound=_Body)


def text_body(model_id: str) -> TextBody:
    """What asks a base model for text; raises ServiceError where it has no native body for it."""
    return _find(_TEXTS, model_id)


def read_prompt(model_id: str, body: Mapping[str, Any]) -> Prompt:
    """The prompt of a native body; raises ServiceError, as the service does, for a wrong one."""
    known = text_body(model_id)
    _check_members(body, known.members | known.dear | OF_THE_SERVICE)
    prompt = known.read(body)
    if not all(isinstance(stop, str) for stop in prompt.stop_sequences):
        raise invalid("Malformed input request: a stop sequence is no text")
    given: object = prompt.max_tokens
    if given is not None and (type(given) is not int or given < 1):
        raise invalid("Malformed input request: the maximum of tokens is not a number of 1 or more")
    return prompt


def embed(model_id: str, body: Mapping[str, Any]) -> Embedded:
    """Answer an embedding body; raises ServiceError for a wrong one."""
    known = _find(_EMBEDDINGS, model_id)
    _check_members(body, known.members)
    with refusing():
        return known.embed(body)


def draw(model_id: str, body: Mapping[str, Any]) -> Drawn:
    """Answer an image body; raises ServiceError for a wrong one."""
    known = _find(_IMAGES, model_id)
    _check_members(body, known.members)
    with refusing():
        return known.draw(body)


@contextmanager
def refusing() -> Iterator[None]:
    """Refuse a body that does not have the form that its reader takes for granted."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise invalid(f"Malformed input request: {error}") from error


def _check_members(body: Mapping[str, Any], known: frozenset[str]) -> None:
    if extra := sorted(set(body) - known):
        raise UnknownMemberError(extra[0])


def _find(bodies: Iterable[_B], model_id: str) -> _B:
    """Return the body that names the longest beginning of the id."""
    fitting = [
        (len(start), body) for body in bodies for start in body.models if model_id.startswith(start)
    ]
    if not fitting:
        raise invalid(f"{model_id} does not support this operation")
    return max(fitting, key=lambda found: found[0])[1]
