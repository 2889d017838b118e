"""The tables that a family's module fills in: what a native body may hold, and where.

A native body is the JSON object that InvokeModel hands to a model as it is. Its members, and what
each of them makes the provider do and bill, are known by family and nowhere else. Members are
named; `a.b` is the member b of the object a, and of each object in it where a is a list. A member
with `ANYTHING` in it is the caller's own: a tool's schema, a map of labels. No table has the member
`amazon-bedrock-guardrailConfig`, by which a caller would say what the tenant's guardrail checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tollgate.domain.prices import TokenUsage

# The way to a value: names of members, and places in lists.
Path = tuple[str | int, ...]
# A prefix that every model id has.
ANY_MODEL = ("",)
ANYTHING = "*"
# Media that stand in the body itself. A provider fetches what is a location.
DATA_URL = ("data:*",)


class MaxTokensField(NamedTuple):
    """Where a provider's native body says how many tokens to generate at most.

    `path` leads to the field that is set when the body has none: its name, after that of the object
    that it is in, if any. `aliases` are other spellings that the provider reads at the same place.
    """

    path: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All spellings, the provider's first choice before the others."""
        return (self.path[-1], *self.aliases)

    def read(self, body: Mapping[str, Any]) -> int | None:
        """What the body asks for, None where it says nothing.

        Raises InvalidRequestError when it is no whole number, or said twice: nobody could tell
        which one the provider takes.
        """
        place = self._place(body)
        given = [name for name in self.names if place.get(name) is not None]
        if not given:
            return None
        if len(given) > 1:
            raise InvalidRequestError(f"{given[1]} sets {given[0]} a second time; send one of them")
        value = place[given[0]]
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidRequestError(f"{given[0]} allows a whole number only")
        return value

    def write(self, body: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
        """A copy of the body that asks for `max_tokens`, under the spelling that it uses."""
        place = self._place(body)
        name = next((alias for alias in self.aliases if place.get(alias) is not None), None)
        changed: dict[str, Any] = {**place, name or self.path[-1]: max_tokens}
        return {**body, self.path[0]: changed} if len(self.path) > 1 else changed

    def _place(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(self.path) == 1:
            return body
        section = self.path[0]
        place = body.get(section)
        if place is None:
            return {}
        if not isinstance(place, Mapping):
            raise InvalidRequestError(f"{section} allows an object only")
        return place


class Answer(NamedTuple):
    """Where an answer, or one chunk of a streamed one, has its text, its end and its counts.

    `blocks` lead to lists of content blocks, `texts` to strings, `stops` to why the model stopped.
    `usage` reads the token counts, None where the document has none; a family that counts in the
    service's headers alone has no `usage`.
    """

    texts: tuple[Path, ...]
    stops: tuple[Path, ...]
    blocks: tuple[Path, ...] = ()
    usage: Callable[[Mapping[str, Any]], TokenUsage | None] | None = None


class TextBody(NamedTuple):
    """A body that asks for text.

    `members` are all that the provider documents and the gateway can bound; `fields` are those of
    them that a Converse request may have beside its own, as additional model fields. `values` are
    all that a member may say, where it says what kind of thing it is; a star stands for any end.
    `prompt` is the member that holds what is asked, `write` makes a body of a plain prompt;
    temperature, `top_p` and `stop` stand beside the maximum of tokens. `system` is the member with
    the system text, `with_system` puts a text before it. `answers` ask for several answers, all of
    them billed; `media` are the keys and types under which something else than text stands;
    `thinking` have a `budget_tokens` that the maximum must exceed. `models` are prefixes of the ids
    in the family that read this body.
    """

    prompt: str
    members: frozenset[str]
    max_tokens: MaxTokensField
    write: Callable[[str], dict[str, Any]]
    system: str
    with_system: Callable[[Mapping[str, Any], str], dict[str, Any]]
    answer: Answer
    models: tuple[str, ...] = ANY_MODEL
    fields: frozenset[str] = frozenset()
    values: Mapping[str, Sequence[str]] = MappingProxyType({})
    top_p: str = "top_p"
    stop: str = "stop"
    answers: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    thinking: tuple[str, ...] = ()

    @property
    def settings(self) -> Mapping[str, str]:
        """The family's own words for the settings that every family has."""
        return {
            "max_tokens": self.max_tokens.path[-1],
            "temperature": "temperature",
            "top_p": self.top_p,
            "stop": self.stop,
        }


class EmbeddingBody(NamedTuple):
    """A body that asks for vectors.

    `texts` is the member with what is embedded; under `images`, each image has a price of its own.
    `write_texts` makes the bodies that together embed some texts in order, `write_image` one of an
    image in base64, or of its data URL where `takes_data_url`; both take the caller's settings.
    `sized` are the settings for vectors of a length, None where the model's have but one;
    `input_types` say what vectors are for, the usual one first, where the model wants to know.
    `values` are as a text's. An answer has its vectors in one of `vectors`.
    """

    members: frozenset[str]
    texts: str
    write_texts: Callable[[Sequence[str], Mapping[str, Any]], list[dict[str, Any]]]
    write_image: Callable[[str, Mapping[str, Any]], dict[str, Any]]
    vectors: tuple[str, ...]
    models: tuple[str, ...] = ANY_MODEL
    images: tuple[str, ...] = ()
    takes_data_url: bool = False
    sized: Callable[[int], dict[str, Any]] | None = None
    input_types: tuple[str, ...] = ()
    usage: Callable[[Mapping[str, Any]], TokenUsage | None] | None = None
    values: Mapping[str, Sequence[str]] = MappingProxyType({})


class ImageBody(NamedTuple):
    """A body that asks for images.

    `prompt` is the member that holds what is asked. `asked` reads how many images of which size
    and quality are billed, and raises InvalidRequestError where a figure that decides about the
    price is not usable. An answer has its images in the list `images`.
    """

    members: frozenset[str]
    prompt: str
    asked: Callable[[Mapping[str, Any]], tuple[int, str, str]]
    images: str
    models: tuple[str, ...] = ANY_MODEL


def _not_told(_model_id: str, _effort: str) -> dict[str, Any] | None:
    return None


def _nowhere(_model_id: str) -> tuple[str, ...]:
    return ()


def _both(_model_id: str) -> int:
    return 2


class Family(NamedTuple):
    """One family: `models` are the prefixes of its base ids.

    Of the bodies of a kind, the first whose own `models` match is the model's. Where a model reads
    several forms of text, `read_as` says which one a body is of. A family that caches only what a
    request marks names the marks in `cache_marks`; one without caches of its own accord. `effort`
    are the members by which a model is told to think little or much (low, medium or high), None
    for a model that is not told. `counts_cached_input` tells that some paths of the service count
    what the cache took or gave as input as well: there the sum of all tokens tells which.
    `caches_at` says where in a Converse request a model caches at a mark: in which of `messages`,
    `system` and `tools`, and with a `ttl` where it may say for how long. `samplers` are how many
    of temperature and top_p a model takes in one request.
    `framing` is, by the start of an id, the most tokens that the published template of such models
    adds to a conversation, beside its messages; without an entry nothing is published.
    """

    name: str
    models: tuple[str, ...]
    texts: tuple[TextBody, ...] = ()
    embeddings: tuple[EmbeddingBody, ...] = ()
    images: tuple[ImageBody, ...] = ()
    read_as: Callable[[Mapping[str, Any]], TextBody] | None = None
    cache_marks: tuple[str, ...] = ()
    effort: Callable[[str, str], dict[str, Any] | None] = _not_told
    counts_cached_input: bool = False
    caches_at: Callable[[str], tuple[str, ...]] = _nowhere
    samplers: Callable[[str], int] = _both
    framing: tuple[tuple[str, int], ...] = ()


def within(section: str, *names: str) -> frozenset[str]:
    """The members of an object in a body, and the object itself."""
    return frozenset((section, *(f"{section}.{name}" for name in names)))


def anything(*members: str) -> frozenset[str]:
    """Members in which a caller may say anything."""
    return frozenset((*members, *(f"{member}.{ANYTHING}" for member in members)))


def said_before(member: str) -> Callable[[Mapping[str, Any], str], dict[str, Any]]:
    """For bodies without a place for a system text: it is said at the head of the prompt."""

    def with_system(body: Mapping[str, Any], text: str) -> dict[str, Any]:
        return {**body, member: f"{text}\n\n{body[member].lstrip()}"}

    return with_system


def said_in_blocks(**also: str) -> Callable[[Mapping[str, Any], str], dict[str, Any]]:
    """For bodies whose member `system` is a list of blocks: it is the first of them.

    `also` is what a block has besides its text.
    """

    def with_system(body: Mapping[str, Any], text: str) -> dict[str, Any]:
        own = body.get("system") or []
        said = [{**also, "text": own}] if isinstance(own, str) else own
        if not isinstance(said, list):
            raise InvalidRequestError("system allows a string or a list of blocks")
        return {**body, "system": [{**also, "text": text}, *said]}

    return with_system
