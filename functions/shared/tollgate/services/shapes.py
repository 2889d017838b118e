"""The kinds of model calls: how each is bounded, and what it sends.

A dialect makes a `ChatCall`, a `NativeCall` or an `EndpointCall`. Once the model is known,
`shaped` gives the call its tenant's context and turns it into a `Shape`, which admission can hold
and send without knowing which API it is for.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from tollgate.domain import guardrails, native
from tollgate.domain.converse import COUNTED
from tollgate.domain.endpoints import MACHINE_UNIT, REQUEST_UNIT
from tollgate.domain.errors import ForbiddenError, InvalidRequestError
from tollgate.domain.families import containers, tables
from tollgate.domain.families.registry import embedding_body, image_body
from tollgate.domain.holds import (
    Bound,
    applicable_rates,
    chat_bound,
    chat_input_tokens,
    embedding_bound,
    flat_bound,
    guardrail_bound,
    has_media,
    image_units,
    native_input_tokens,
    text_tokens,
    uncounted_tokens,
    units_usd,
)
from tollgate.domain.output import answers_of, check_thinking, least_max_tokens, max_tokens_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.endpoints import Endpoint
    from tollgate.domain.families.forms import ImageBody
    from tollgate.domain.prices import ModelCard, Rates
    from tollgate.domain.tenants import Guardrail, Tenant
    from tollgate.ports import Operation

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_MODES = {"chat": "text", "embedding": "embeddings", "image_generation": "images"}
_TIERS = ("default", "flex", "priority")


class Shape(ABC):
    """A call whose model is known, with its tenant's context in the body."""

    operation: ClassVar[Operation]
    body: Any
    max_tokens: int
    input_tokens: int
    service_tier: str = "default"
    settings: Mapping[str, str] = _NOTHING
    component: str | None = None

    @property
    def units(self) -> Mapping[str, int]:
        """What it is billed for beyond tokens, as far as the request decides about that."""
        return _NOTHING

    @property
    def answers(self) -> int:
        """How many answers it makes the model generate, each up to `max_tokens`."""
        return answers_of(self.own)

    @property
    def least_max_tokens(self) -> int:
        """The lowest `max_tokens` that is still worth the call."""
        return least_max_tokens(self.own)

    @property
    def own(self) -> Mapping[str, Any]:
        """What it says in the words of its model's family."""
        return _NOTHING

    def check_output(self) -> None:
        """Raise InvalidRequestError where it lets the model go beyond `max_tokens`."""
        check_thinking(self.own, self.max_tokens)

    @property
    def countable(self) -> Mapping[str, Any] | None:
        """The Converse body whose tokens can be counted; None where it has more than text."""
        return None

    @property
    def uncounted_tokens(self) -> int:
        """The most tokens of what is input and not counted with `countable`."""
        return 0

    @property
    def counted(self) -> Mapping[str, Any]:
        """What CountTokens takes. Raises InvalidRequestError for what is not counted in tokens."""
        raise InvalidRequestError("tokens are counted for chat models only", code="wrong_operation")

    @abstractmethod
    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:
        """The most that it can use and cost with so many tokens at these rates."""

    @abstractmethod
    def sent(self, max_tokens: int) -> Any:  # noqa: ANN401 - the body of an API
        """The body to send."""


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A chat request: `body` is a Converse request without modelId, media as bytes.

    `max_tokens` is what the caller asked for; `tags` go into the usage row.
    """

    model: str
    body: Mapping[str, Any]
    max_tokens: int | None
    dialect: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def shaped(self, card: ModelCard, tenant: Tenant) -> Shape:
        """The call for a model. Raises InvalidRequestError for what cannot be bounded."""
        if card.mode != "chat":
            raise _wrong_operation(card, "chat")
        _refuse_unpriced(self.body)
        body = dict(self.body)
        fields = body.get("additionalModelRequestFields") or {}
        tables.check_fields(card.model_id, fields, tenant.allow_fields)
        if tenant.system_preamble is not None:
            body["system"] = [{"text": tenant.system_preamble}, *body.get("system", ())]
        guardrail = tenant.guardrail
        if guardrail is not None:
            guardrails.check_choice(body)
            body["guardrailConfig"] = {
                "guardrailIdentifier": guardrail.id,
                "guardrailVersion": guardrail.version,
                # The trace tells what the guardrail charged.
                "trace": "enabled",
            }
        return _Chat(card, body, max_tokens_of(self.max_tokens, tenant, card))


class _Chat(Shape):
    operation = "converse"

    def __init__(self, card: ModelCard, body: Mapping[str, Any], max_tokens: int) -> None:
        self._card = card
        self.body = body
        self.max_tokens = max_tokens
        self.input_tokens = chat_input_tokens(body, card)
        self.service_tier = _tier(body.get("serviceTier"))

    @property
    def own(self) -> Mapping[str, Any]:
        return self.body.get("additionalModelRequestFields") or {}

    @property
    def countable(self) -> Mapping[str, Any] | None:
        return None if has_media(self.body.get("messages", ())) else self.body

    @property
    def uncounted_tokens(self) -> int:
        return uncounted_tokens(self.body)

    @property
    def counted(self) -> Mapping[str, Any]:
        return {"converse": {name: self.body[name] for name in COUNTED if name in self.body}}

    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:
        rates = applicable_rates(rates, self._card.model_id, self.body)
        bound = chat_bound(input_tokens, max_tokens, rates, self.answers)
        if "guardrailConfig" not in self.body:
            return bound
        return guardrail_bound(bound, self.body, rates)

    def sent(self, max_tokens: int) -> dict[str, Any]:
        inference = {**self.body.get("inferenceConfig", {}), "maxTokens": max_tokens}
        return {**self.body, "inferenceConfig": inference}


@dataclass(frozen=True, slots=True)
class NativeCall:
    """An InvokeModel request: `body` is what the model's provider reads.

    `kind` is what the caller means to do (`text`, `embeddings` or `images`), None for whatever
    the model does. `service_tier` is the tier that it asks for.
    """

    model: str
    body: Mapping[str, Any]
    dialect: str
    kind: str | None = None
    service_tier: str = "default"
    tags: Mapping[str, str] = field(default_factory=dict)

    def shaped(self, card: ModelCard, tenant: Tenant) -> Shape:
        """The call for a model. Raises InvalidRequestError for what cannot be bounded."""
        kind = _MODES.get(card.mode)
        if kind is None or self.kind not in (None, kind):
            raise _wrong_operation(card, self.kind or "text, embeddings or images")
        settings = _guarded(tenant.guardrail)
        tier = _tier({"type": self.service_tier})
        if tier != "default":
            settings["serviceTier"] = tier
        if kind == "text":
            return _Text(card, self.body, tenant, settings, tier)
        if kind == "embeddings":
            tables.check_embedding(
                card.model_id, embedding_body(card.model_id), self.body, tenant.allow_fields
            )
            return _Embeddings(self.body, settings, tier)
        form = image_body(card.model_id)
        tables.check_image(card.model_id, form, self.body, tenant.allow_fields)
        return _Images(form, self.body, settings, tier)


class _Native(Shape):
    operation = "invoke_model"

    def __init__(self, body: Mapping[str, Any], settings: Mapping[str, str], tier: str) -> None:
        self.body = body
        self.max_tokens = 0
        self.input_tokens = 0
        self.settings = settings
        self.service_tier = tier

    def _with_guardrail(self, bound: Bound, rates: Rates) -> Bound:
        if "guardrailIdentifier" not in self.settings:
            return bound
        return guardrail_bound(bound, self.body, rates)

    def sent(self, max_tokens: int) -> Any:  # noqa: ANN401, ARG002 - nothing is generated
        return self.body


class _Text(_Native):
    def __init__(
        self,
        card: ModelCard,
        body: Mapping[str, Any],
        tenant: Tenant,
        settings: Mapping[str, str],
        tier: str,
    ) -> None:
        form = native.text_form(card.model_id, body)
        tables.check_text(card.model_id, form, body, tenant.allow_fields)
        if tenant.system_preamble is not None:
            body = native.with_preamble(form, body, tenant.system_preamble)
        super().__init__(body, settings, tier)
        self._card = card
        self._field = form.max_tokens
        self.max_tokens = max_tokens_of(self._field.read(body), tenant, card)
        self.input_tokens = native_input_tokens(body, card)

    @property
    def own(self) -> Mapping[str, Any]:
        own: Mapping[str, Any] = self.body
        return own

    @property
    def counted(self) -> Mapping[str, Any]:
        body = _json(self.sent(self.max_tokens)).encode(errors="surrogatepass")
        return {"invokeModel": {"body": body}}

    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:
        rates = applicable_rates(rates, self._card.model_id, self.body)
        bound = chat_bound(input_tokens, max_tokens, rates, self.answers)
        return self._with_guardrail(bound, rates)

    def sent(self, max_tokens: int) -> Mapping[str, Any]:
        return self._field.write(self.body, max_tokens)


class _Embeddings(_Native):
    @property
    def units(self) -> Mapping[str, int]:
        images = native.embedding_images(self.body)
        return {"image": images} if images else _NOTHING

    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:  # noqa: ARG002
        texts = native.embedding_texts(self.body)
        bound = embedding_bound(texts, rates, native.embedding_images(self.body))
        return self._with_guardrail(bound, rates)


class _Images(_Native):
    def __init__(
        self,
        form: ImageBody,
        body: Mapping[str, Any],
        settings: Mapping[str, str],
        tier: str,
    ) -> None:
        super().__init__(body, settings, tier)
        self._units = image_units(*form.asked(body))

    @property
    def units(self) -> Mapping[str, int]:
        return self._units

    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:  # noqa: ARG002
        return self._with_guardrail(flat_bound(units_usd(self._units, rates)), rates)


@dataclass(frozen=True, slots=True)
class EndpointCall:
    """A SageMaker request: `model` is the endpoint's display name, `body` what it is sent.

    `component` is the inference component that is to answer.
    """

    model: str
    body: Any
    dialect: str
    component: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def shaped(self, tenant: Tenant, endpoint: Endpoint, seconds: int) -> Shape:
        """The call. `seconds` is after what time it is cut.

        Raises ForbiddenError where the tenant's calls must pass a guardrail or stay in an account
        of its own: endpoints have neither.
        """
        if tenant.isolation == "silo":
            raise ForbiddenError(
                f"calls of tenant {tenant.tenant_id} stay in its own account, where the "
                "gateway's endpoints are not; use a Bedrock model",
                code="endpoint_not_in_account",
            )
        if tenant.guardrail is not None:
            raise ForbiddenError(
                f"calls of tenant {tenant.tenant_id} pass a guardrail, which endpoints do not "
                "have; use a Bedrock model",
                code="guardrail_required",
            )
        return _Endpoint(self, tenant, endpoint, seconds)


class _Endpoint(Shape):
    operation = "invoke_endpoint"

    def __init__(
        self, call: EndpointCall, tenant: Tenant, endpoint: Endpoint, seconds: int
    ) -> None:
        self.body = containers.with_preamble(call.body, tenant.system_preamble)
        self.component = call.component
        self.input_tokens = text_tokens(_json(self.body))
        self._units: Mapping[str, int] = {}
        if "per_request" in endpoint.price:
            self._units = {REQUEST_UNIT: 1}
        elif "instance_hour_usd" in endpoint.price:
            self._units = {MACHINE_UNIT: seconds * 1000}
        asked = containers.asked(self.body)
        ceiling = tenant.maximum_max_tokens
        if asked is not None and ceiling is not None and asked > ceiling:
            raise InvalidRequestError(
                f"the request asks for {asked} tokens; allowed is at most {ceiling}, "
                "the tenant's maximum"
            )
        if asked is None:
            asked = 0 if containers.is_embedding(self.body) else endpoint.max_tokens
        if asked is None and not self._units:
            raise InvalidRequestError(
                "this endpoint is priced by the token; say how many it may generate, "
                "as max_tokens or max_new_tokens in parameters",
                code="unbounded_request",
            )
        self.max_tokens = 0 if self._units else asked or 0

    @property
    def units(self) -> Mapping[str, int]:
        return self._units

    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:
        if self._units:
            return replace(flat_bound(units_usd(self._units, rates)), input_tokens=input_tokens)
        return chat_bound(input_tokens, max_tokens, rates)

    def sent(self, max_tokens: int) -> Any:  # noqa: ANN401 - what the container reads
        return (
            self.body
            if max_tokens == self.max_tokens
            else containers.lowered(self.body, max_tokens)
        )


Call = ChatCall | NativeCall | EndpointCall


def _wrong_operation(card: ModelCard, needed: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{card.model_id} is a model for {card.mode}; this call needs one for {needed}",
        code="wrong_operation",
    )


def _refuse_unpriced(body: Mapping[str, Any]) -> None:
    """Refuse what a caller may not choose, or what has no published price."""
    if "guardrailConfig" in body:
        raise InvalidRequestError(
            "guardrailConfig is not allowed: guardrails are set by the tenant's policy"
        )
    performance = body.get("performanceConfig") or {}
    if performance.get("latency", "standard") != "standard":
        raise InvalidRequestError(
            "performanceConfig.latency has no published price; allowed is 'standard'",
            code="unbounded_request",
        )


def _tier(service_tier: object) -> str:
    tier = service_tier.get("type") if isinstance(service_tier, dict) else None
    if service_tier is None:
        return "default"
    if tier not in _TIERS:
        raise InvalidRequestError(
            f"the service tier is {str(tier)[:32]!r}; allowed is {', '.join(_TIERS)}"
        )
    return str(tier)


def _guarded(guardrail: Guardrail | None) -> dict[str, str]:
    if guardrail is None:
        return {}
    return {
        "guardrailIdentifier": guardrail.id,
        "guardrailVersion": guardrail.version,
        "trace": "ENABLED",
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
