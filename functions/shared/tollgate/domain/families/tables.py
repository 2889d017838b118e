"""Whether a body holds only what its family's table has.

A member that is not in the table is refused by name, and so is a value that a table lists and does
not have: what nobody knows can be billed beyond what was held. A tenant's policy can let more pass,
but never what the bound, the tenant's own text or the gateway's rights rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.forms import ANYTHING, DATA_URL

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tollgate.domain.families.forms import EmbeddingBody, ImageBody, TextBody

# How much of a name that is not known is shown.
_SHOWN_CHARACTERS = 64

_GUARDRAIL = "guardrails are set by the tenant's policy"
_LOCATION = "it would be read with the gateway's own rights; send the data itself"
_RUN = "what the provider runs by itself is billed beyond what can be held"
_SAID = "what is said to the model has one place, which the tenant's own text stands in as well"
_SPOKEN = "spoken answers are billed beyond what can be held"

# Why a member, or a value with such a beginning, is refused: more than that it is not known.
_UNBOUNDED: Mapping[str, str] = {
    "audio": _SPOKEN,
    "code_execution_": _RUN,
    "compact_": "each compaction is one more answer, billed beyond what can be held",
    "container": _RUN,
    "fast_mode_": "faster answers have a price of their own",
    "mcp_": _RUN,
    "mcp_servers": _RUN,
    "modalities": _SPOKEN,
    "prediction": "rejected tokens are billed beyond what can be held",
    "search_parameters": _RUN,
    "service_tier": "a tier has its own price; ask for it in Converse's serviceTier, or in the "
    "header X-Amzn-Bedrock-Service-Tier",
    "speed": "faster answers have a price of their own",
    "systemTool": _RUN,
    "tool_search_tool_": _RUN,
    "web_fetch_": _RUN,
    "web_search_": _RUN,
    "web_search_options": _RUN,
}
# What no policy lets pass.
_NEVER: Mapping[str, str] = {
    **{
        name: _SAID
        for body in registry.TEXTS
        for name in ("chat_history", "inputs", body.prompt, body.system)
    },
    "amazon-bedrock-guardrailConfig": _GUARDRAIL,
    "fileId": _LOCATION,
    "file_id": _LOCATION,
    "guardContent": _GUARDRAIL,
    "raw_prompting": "the model would not read the tenant's own text",
    "s3Location": _LOCATION,
    "s3Uri": _LOCATION,
}


def check_text(
    model_id: str, form: TextBody, body: Mapping[str, Any], allowed: Collection[str]
) -> None:
    """Raise InvalidRequestError where a native body has what its form does not.

    `allowed` is what the tenant's policy lets pass beyond the form's table.
    """
    if form.prompt != "messages" and not isinstance(body.get(form.prompt, ""), str):
        # Several prompts would be answered one by one, each up to the maximum.
        raise InvalidRequestError(f"{form.prompt} allows a string only", code="unbounded_request")
    maximum = ".".join(form.max_tokens.path)
    _Table(_whose(model_id), form.members, form.values, allowed, maximum).check(body)


def check_embedding(
    model_id: str, form: EmbeddingBody, body: Mapping[str, Any], allowed: Collection[str]
) -> None:
    """The same of a body that asks for vectors."""
    _Table(_whose(model_id), form.members, form.values, allowed).check(body)


def check_image(
    model_id: str, form: ImageBody, body: Mapping[str, Any], allowed: Collection[str]
) -> None:
    """The same of a body that asks for images."""
    _Table(_whose(model_id), form.members, {}, allowed).check(body)


def check_fields(model_id: str, fields: Mapping[str, Any], allowed: Collection[str]) -> None:
    """The same of the additional model fields of a Converse request."""
    form = registry.text_body(model_id)
    members, values = (frozenset[str](), {}) if form is None else (form.fields, form.values)
    place = "additionalModelRequestFields"
    _Table(_whose(model_id), members, values, allowed, "maxTokens", place).check(fields)


def _whose(model_id: str) -> str:
    return f"models of {registry.family_of(model_id).name}"


class _Table(NamedTuple):
    """What one object of a request may hold.

    `whose` says whose table it is, `allowed` what the tenant's policy lets pass beyond it,
    `maximum` where the request says how many tokens to generate (empty where it asks for none), and
    `place` where the object stands in the request (empty for the body itself).
    """

    whose: str
    members: frozenset[str]
    values: Mapping[str, Sequence[str]]
    allowed: Collection[str]
    maximum: str = ""
    place: str = ""

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise InvalidRequestError for the first member or value that is not in the table."""
        self._object(given, "", self.place)

    def _object(self, given: Mapping[str, Any], section: str, place: str) -> None:
        kind = given.get("type")
        named = f"{section}.type"
        if named in self.values and kind is not None:
            self._value(named, kind, f"{place}.type")
            # Its members are those of a type that the table does not know.
            if f"{section}:{kind}" in self.allowed:
                self._anything(given, place)
                return
        for name, item in given.items():
            member = f"{section}.{name}" if section else name
            where = _within(place, name)
            if member not in self.members:
                if member not in self.allowed:
                    raise self._unknown(section, name, where)
                self._anything({name: item}, place)
                continue
            if member in self.values and item is not None and member != named:
                self._value(member, item, where)
            self._inside(item, member, where)

    def _inside(self, item: object, member: str, place: str) -> None:
        """Check the objects that a member is, or is a list of; a member without names has none."""
        if f"{member}.{ANYTHING}" in self.members:
            return
        if isinstance(item, Mapping):
            self._object(item, member, place)
        elif isinstance(item, list):
            for index, entry in enumerate(item):
                here = f"{place}[{index}]"
                if isinstance(entry, list):
                    raise InvalidRequestError(f"{here} is an array; allowed is none in another")
                if isinstance(entry, Mapping):
                    self._object(entry, member, here)

    def _anything(self, value: object, place: str) -> None:
        """Check what the tenant's policy lets pass: of it the gateway knows but what it may not."""
        if isinstance(value, Mapping):
            for name, item in value.items():
                where = _within(place, name)
                if name in _NEVER or name in registry.MAX_TOKENS or name in registry.ANSWERS:
                    raise self._unknown("", name, where)
                self._anything(item, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._anything(item, f"{place}[{index}]")

    def _value(self, member: str, value: object, place: str) -> None:
        """Check a value, or each of a list, against those that the table has for a member."""
        known = self.values[member]
        policy = member.removesuffix(".type")
        for given in value if isinstance(value, list) else [value]:
            if isinstance(given, Mapping) and member in _sections(self.members):
                continue
            if not isinstance(given, str):
                raise InvalidRequestError(f"{place} allows a string only")
            if not (_is_among(given, known) or f"{policy}:{given}" in self.allowed):
                raise _wrong_value(place, given, known)

    def _unknown(self, section: str, name: str, place: str) -> InvalidRequestError:
        if self.maximum and name in registry.MAX_TOKENS:
            return InvalidRequestError(
                f"{place} would lift the bound on output; set {self.maximum} instead",
                code="unbounded_request",
            )
        if name in _NEVER:
            return InvalidRequestError(f"{place} is not allowed: {_NEVER[name]}")
        if name in _UNBOUNDED:
            return _unbounded(place, _UNBOUNDED[name])
        known = sorted(_sections(self.members).get(section, ()))
        return InvalidRequestError(
            f"{place} is not known for {self.whose}; {_listed(known)}",
            code="unknown_field",
            details={"field": place, "allowed": known},
        )


@cache
def _sections(members: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """The names within each object of a table that has names of its own; "" is the body."""
    found: dict[str, set[str]] = {"": set()}
    for member in members:
        section, _, name = member.rpartition(".")
        found.setdefault(section, set()).add(name)
    return {section: frozenset(names) for section, names in found.items()}


def _is_among(given: str, known: Sequence[str]) -> bool:
    """Whether a value is in a list, in which a star at the end stands for any end."""
    return any(
        given.startswith(value[:-1]) if value.endswith("*") else given == value for value in known
    )


def _wrong_value(place: str, given: str, known: Sequence[str]) -> InvalidRequestError:
    if tuple(known) == DATA_URL:
        return InvalidRequestError(
            f"{place} is not a data: URL; allowed is data:<media type>;base64,<data>, "
            "the gateway fetches nothing by itself"
        )
    reason = next((why for start, why in _UNBOUNDED.items() if _begins(given, start)), None)
    if reason is not None:
        return _unbounded(f"{place} {_shown(given)!r}", reason)
    return InvalidRequestError(
        f"{place} has {_shown(given)!r}; {_listed(known)}",
        code="unknown_field",
        details={"field": place, "allowed": list(known)},
    )


def _begins(given: str, start: str) -> bool:
    return start.endswith("_") and given.replace("-", "_").startswith(start)


def _unbounded(what: str, reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"{what} is not allowed: {reason}", code="unbounded_request")


def _listed(known: Sequence[str]) -> str:
    if not known:
        return "nothing is allowed here"
    return f"allowed are {', '.join(known)}"


def _within(place: str, name: str) -> str:
    return f"{place}.{_shown(name)}" if place else _shown(name)


def _shown(name: str) -> str:
    return name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}..."
