"""Says which models may have been meant by one that cannot be called."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tollgate.domain.models import geographies, is_allowed, is_tenant_arn
from tollgate.domain.nearby import nearest
from tollgate.services.pricing import PriceTerms, Pricing, bounds, model_ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tollgate.domain.errors import TollgateError
    from tollgate.domain.models import ModelRef
    from tollgate.domain.prices import PriceBook
    from tollgate.services.policy import Party

# Models that an error names.
MOST = 3
_LIST = "GET /v1/models lists the models that this key may call"


class Nearby:
    """Looks among the models of the price book that an app may call."""

    def __init__(self, book: PriceBook, region: str) -> None:
        self._book = book
        self._pricing = Pricing(book, region)
        self._geographies = geographies(region)

    def advised(
        self, error: TollgateError, party: Party, requested: str, at: datetime
    ) -> TollgateError:
        """The error of a model that cannot be called, with what to call instead.

        Its details have the ids as `nearest`, unless there are none. An ARN of the account's own
        says nothing of a model, so that its error stays as it is.
        """
        if is_tenant_arn(requested):
            return error
        models = list(islice(self._callable(party, requested, at), MOST))
        details = {**error.details, "nearest": models} if models else error.details
        message = f"{error.message}; {advice(models, error.code)}"
        return type(error)(message, code=error.code, details=details)

    def _callable(self, party: Party, requested: str, at: datetime) -> Iterator[str]:
        terms = PriceTerms.of(party.tenant, party.app)
        book = self._book.with_overrides(terms.prices)
        refs = {model: model_ref(model, {}) for model in book.profile_ids()}
        allowed = [
            model
            for model, ref in refs.items()
            if is_allowed(ref, party.tenant) and self._is_here(ref)
        ]
        for model in nearest(requested, allowed):
            card = book.card(refs[model].model_id)
            rates = self._pricing.rates(model, at, terms)
            if card is None or rates is None or not bounds(card.mode, rates):
                continue
            if card.end_of_life is None or at.date() < card.end_of_life:
                yield model

    def _is_here(self, ref: ModelRef) -> bool:
        return ref.geo is None or ref.geo in self._geographies


def advice(models: Sequence[str], code: str) -> str:
    """What an error of this code tells its reader to call; `models` are the nearest, if any."""
    if not models and code == "model_not_priced":
        return "use a model of GET /v1/models or ask the platform team to price it"
    if not models:
        return _LIST
    if code == "model_not_allowed":
        return f"the nearest that may be called: {', '.join(models)}"
    *others, last = models
    named = f"{', '.join(others)} or {last}" if others else last
    return f"did you mean {named}?"
