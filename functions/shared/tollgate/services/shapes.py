"""The kinds of model calls: how each is bounded, and what it sends.

A dialect makes a `ChatCall`, a `NativeCall` or an `EndpointCall`. Once the model is known,
`shaped` gives the call its tenant's context and turns it into a `Shape`, which admission can hold
and send without knowing which API it is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tollgate.domain import guardrails, native
from tollgate.domain.cache_scope import scope_text, with_scoped_tools
from tollgate.domain.converse import COUNTED
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import tables
from tollgate.domain.families.registry import embedding_body, image_body
from tollgate.domain.holds import (
    Bound,
    applicable_rates,
    chat_bound,
    chat_has_media,
    chat_input_tokens,
    embedding_bound,
    flat_bound,
    guardrail_bound,
    image_units,
    native_input_tokens,
    uncounted_tokens,
    units_usd,
)
from tollgate.domain.output import max_tokens_of
from tollgate.services.endpoint_calls import EndpointCall
from tollgate.services.shape import NOTHING, Shape, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.families.forms import ImageBody
    from tollgate.domain.prices import ModelCard, Rates
    from tollgate.domain.tenants import Guardrail, Tenant

_MODES = {"chat": "text", "embedding": "embeddings", "image_generation": "images"}
_TIERS = ("default", "flex", "priority")


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A chat request: `body` is a Converse request without modelId, media as bytes.

    `max_tokens` is what the caller asked for; `tags` and `end_user` go into the usage row.
    """

    model: str
    body: Mapping[str, Any]
    max_tokens: int | None
    dialect: str
    tags: Mapping[str, str] = field(default_factory=dict)
    end_user: str | None = None

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
        scope = scope_text(tenant, body)
        if scope is not None:
            body = with_scoped_tools(body, scope)
            body["system"] = [{"text": scope}, *body.get("system", ())]
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
        return None if chat_has_media(self.body) else self.body

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
    end_user: str | None = None

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
        scope = scope_text(tenant, body)
        if scope is not None:
            body = native.with_preamble(form, with_scoped_tools(body, scope), scope)
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
        body = as_json(self.sent(self.max_tokens)).encode(errors="surrogatepass")
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
        return {"image": images} if images else NOTHING

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
