"""Lists what a tenant may call: offered here, allowed and priced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tollgate.domain.errors import ForbiddenError, NotFoundError
from tollgate.domain.models import UnsupportedModelId, app_model_arns, is_allowed, resolve_model
from tollgate.domain.nearby import nearest
from tollgate.entry.http import Request, Response, json_response
from tollgate.observability import logger
from tollgate.services.nearby import MOST, advice
from tollgate.services.policy import allowed_endpoint
from tollgate.services.pricing import PriceTerms, Pricing, bounds

if TYPE_CHECKING:
    from tollgate.domain.endpoints import Endpoint
    from tollgate.domain.prices import PriceBook
    from tollgate.domain.tenants import App
    from tollgate.ports import Clock, ModelCatalogue
    from tollgate.services.policy import Party, Policies

# The catalogue changes a few times a month; a tenant's view of it stays as fresh as its policy.
CATALOGUE_SECONDS = 300
# What the lists are made of.
_MODEL_MEMBERS = ("modelId", "modelName")
_PROFILE_MEMBERS = ("inferenceProfileArn", "inferenceProfileId", "inferenceProfileName")
# Lifecycle and other objects of the summaries are Bedrock's own and pass through.
Summary = Mapping[str, Any]


class ModelsService:
    """The catalogue through the eyes of one tenant."""

    def __init__(  # noqa: PLR0913 - what a list rests on
        self,
        *,
        policies: Policies,
        catalogue: ModelCatalogue,
        prices: PriceBook,
        region: str,
        clock: Clock,
        endpoints: Mapping[str, Endpoint],
    ) -> None:
        self._policies = policies
        self._catalogue = catalogue
        self._prices = prices
        self._pricing = Pricing(prices, region)
        self._clock = clock
        self._endpoints = endpoints
        self._cache: tuple[datetime, Sequence[Summary]] | None = None

    def list(self, request: Request) -> Response:
        """The models in the shape of the first seed system."""
        return json_response(request, [{"modelSummaries": self._callable(request)}])

    def list_models(self, request: Request) -> Response:
        """The models in OpenAI's shape."""
        models = [_model(summary) for summary in self._callable(request)]
        return json_response(request, {"object": "list", "data": models})

    def model(self, request: Request) -> Response:
        """One model in OpenAI's shape.

        Raises NotFoundError, which says the same of what there is not and of what is not allowed.
        """
        # An id may be an ARN, which clients encode; no id has a percent sign.
        model_id = unquote(request.path["model"])
        summaries = {summary["modelId"]: summary for summary in self._callable(request)}
        if model_id in summaries:
            return json_response(request, _model(summaries[model_id]))
        near = list(islice(nearest(model_id, summaries), MOST))
        raise NotFoundError(
            f"there is no such model for this key; {advice(near, 'model_not_found')}",
            code="model_not_found",
            details={"nearest": near} if near else None,
        )

    def _callable(self, request: Request) -> Sequence[Summary]:
        party = self._policies.party(request.caller)
        terms = PriceTerms.of(party.tenant, party.app)
        allowed = {
            summary["modelId"]: summary
            for summary in self._summaries()
            if self._is_callable(party, summary["modelId"], terms)
        }
        own = _own_summaries(party, allowed)
        return [*allowed.values(), *own, *self._endpoint_summaries(party)]

    def _summaries(self) -> Sequence[Summary]:
        now = self._clock()
        if self._cache is None or now - self._cache[0] >= timedelta(seconds=CATALOGUE_SECONDS):
            offered = _readable(self._catalogue.foundation_models(), _MODEL_MEMBERS)
            models = {summary["modelId"]: summary for summary in offered}
            routed = _readable(self._catalogue.inference_profiles(), _PROFILE_MEMBERS)
            profiles = _profile_summaries(routed, models)
            self._cache = (now, [*models.values(), *profiles])
        return self._cache[1]

    def _is_callable(self, party: Party, model_id: str, terms: PriceTerms) -> bool:
        try:
            ref = resolve_model(model_id)
        except UnsupportedModelId:
            return False
        if not is_allowed(ref, party.tenant):
            return False
        card = self._prices.with_overrides(terms.prices).card(ref.model_id)
        rates = self._pricing.rates(model_id, self._clock(), terms)
        return rates is not None and bounds("chat" if card is None else card.mode, rates)

    def _endpoint_summaries(self, party: Party) -> Iterator[Summary]:
        for endpoint in self._endpoints.values():
            if not endpoint.price and party.tenant.unpriced is None:
                continue
            try:
                allowed_endpoint(party, endpoint)
            except ForbiddenError:
                continue
            yield {
                "modelId": endpoint.name,
                "modelName": endpoint.name,
                "providerName": "SageMaker",
                "inputModalities": ["TEXT"],
                "outputModalities": ["TEXT"],
            }


def _readable(summaries: Iterable[Summary], members: Sequence[str]) -> Iterator[Summary]:
    """The entries with these members; one without would keep all others from every tenant."""
    for summary in summaries:
        missing = [name for name in members if not isinstance(summary.get(name), str)]
        if missing:
            logger.error("catalogue entry not readable", extra={"missing": missing})
        else:
            yield summary


def _model(summary: Summary) -> dict[str, Any]:
    lifecycle = summary.get("modelLifecycle")
    started = lifecycle.get("startOfLifeTime") if isinstance(lifecycle, Mapping) else None
    return {
        "id": summary["modelId"],
        "object": "model",
        "created": int(started.timestamp()) if isinstance(started, datetime) else 0,
        "owned_by": summary.get("providerName", "unknown"),
    }


def _own_summaries(party: Party, allowed: Mapping[str, Summary]) -> Iterator[Summary]:
    """The ARNs that the app may call, as summaries of the models behind them."""
    names = _profile_names(party.app)
    for arn, model_id in app_model_arns(party.tenant, party.app).items():
        base = allowed.get(model_id)
        if base is not None:
            name = names.get(arn, base["modelName"])
            yield {**base, "modelId": arn, "modelArn": arn, "modelName": name}


def _profile_names(app: App) -> Mapping[str, str]:
    profiles: Iterable[Any] = app.inference_profiles.values()
    return {profile.arn: profile.name for profile in profiles}


def _profile_summaries(
    profiles: Iterable[Summary], models: Mapping[str, Summary]
) -> Iterator[Summary]:
    """Cross-region profiles as summaries of the model they route to."""
    for profile in profiles:
        profile_id = profile["inferenceProfileId"]
        try:
            base = models.get(resolve_model(profile_id).model_id)
        except UnsupportedModelId:
            continue
        if base is not None:
            yield {
                **base,
                "modelId": profile_id,
                "modelArn": profile["inferenceProfileArn"],
                "modelName": profile["inferenceProfileName"],
            }
