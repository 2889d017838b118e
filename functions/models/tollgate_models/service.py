"""Lists the models that a tenant may call: offered here, allowed and priced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tollgate.domain.models import UnsupportedModelId, is_allowed, resolve_model
from tollgate.http import Request, Response, json_response

if TYPE_CHECKING:
    from tollgate.domain.prices import PriceBook
    from tollgate.domain.tenants import InferenceProfile, Tenant
    from tollgate.policy import Policies
    from tollgate.ports import Clock, ModelCatalogue

# The catalogue changes a few times a month; a tenant's view of it stays as fresh as its policy.
CATALOGUE_SECONDS = 300
# Lifecycle and other objects of the summaries are Bedrock's own and pass through.
Summary = Mapping[str, Any]


class ModelsService:
    """The catalogue through the eyes of one tenant."""

    def __init__(
        self,
        *,
        policies: Policies,
        catalogue: ModelCatalogue,
        prices: PriceBook,
        region: str,
        clock: Clock,
    ) -> None:
        self._policies = policies
        self._catalogue = catalogue
        self._prices = prices
        self._region = region
        self._clock = clock
        self._cache: tuple[datetime, Sequence[Summary]] | None = None

    def list(self, request: Request) -> Response:
        """The models in the shape of the first seed system."""
        party = self._policies.party(request.caller)
        allowed = {
            summary["modelId"]: dict(summary)
            for summary in self._summaries()
            if self._is_callable(party.tenant, summary["modelId"])
        }
        own = _own_summaries(party.app.inference_profiles.values(), allowed)
        return json_response(request, [{"modelSummaries": [*allowed.values(), *own]}])

    def _summaries(self) -> Sequence[Summary]:
        now = self._clock()
        if self._cache is None or now - self._cache[0] >= timedelta(seconds=CATALOGUE_SECONDS):
            models = {
                summary["modelId"]: summary for summary in self._catalogue.foundation_models()
            }
            profiles = _profile_summaries(self._catalogue.inference_profiles(), models)
            self._cache = (now, [*models.values(), *profiles])
        return self._cache[1]

    def _is_callable(self, tenant: Tenant, model_id: str) -> bool:
        try:
            ref = resolve_model(model_id)
        except UnsupportedModelId:
            return False
        if not is_allowed(ref, tenant):
            return False
        rates = self._prices.rates(ref, region=self._region, at=self._clock())
        return rates is not None and rates.input is not None


def _own_summaries(
    profiles: Iterable[InferenceProfile], allowed: Mapping[str, Summary]
) -> Iterator[Summary]:
    """The app's own inference profiles as summaries of what they were made from."""
    for profile in profiles:
        base = allowed.get(profile.model)
        if base is not None:
            yield {
                **base,
                "modelId": profile.arn,
                "modelArn": profile.arn,
                "modelName": profile.name,
            }


def _profile_summaries(
    profiles: Sequence[Summary], models: Mapping[str, Summary]
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
