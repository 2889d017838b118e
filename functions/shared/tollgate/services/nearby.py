"""Says which models may have been meant by one that cannot be called."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tollgate.domain.models import geographies, is_allowed, is_tenant_arn
from tollgate.domain.nearby import nearest
from tollgate.domain.prices import unlisted_card
from tollgate.services.pricing import PriceTerms, Pricing, bounds, model_ref

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tollgate.domain.errors import TollgateError
    from tollgate.domain.models import ModelRef
    from tollgate.domain.prices import ModelCard, PriceBook
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

        Its details have the ids as `nearest`, unless there are none. Whoever sends what is no
        model id at all, as another provider's, knows none yet and gets some of its kind. An ARN of
        the account's own says nothing of a model, so that its error stays as it is.
        """
        if is_tenant_arn(requested):
            return error
        found = self._callable(party, at)
        models = list(islice(nearest(requested, found), MOST))
        told = advice(models, error.code)
        if not models and error.code == "unsupported_model_id":
            mode = unlisted_card(requested.lower()).mode
            of_mode = [model for model, card in found.items() if card.mode == mode]
            models = list(islice(nearest(requested, of_mode, alike=0), MOST))
            told = examples(models)
        details = {**error.details, "nearest": models} if models else error.details
        return type(error)(f"{error.message}; {told}", code=error.code, details=details)

    def _callable(self, party: Party, at: datetime) -> dict[str, ModelCard]:
        """The models that the app may call, by id.

        The end of life that the book tells is the earliest that a provider named, so that a model
        beyond it may still be served; GET /v1/models lists it, too.
        """
        terms = PriceTerms.of(party.tenant, party.app)
        book = self._book.with_overrides(terms.prices)
        found = {}
        for model in book.profile_ids():
            ref = model_ref(model, {})
            card = book.card(ref.model_id)
            if card is None or not is_allowed(ref, party.tenant) or not self._is_here(ref):
                continue
            rates = self._pricing.rates(model, at, terms)
            if rates is not None and bounds(card.mode, rates):
                found[model] = card
        return found

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
    return f"did you mean {_alternatives(models)}?"


def examples(models: Sequence[str]) -> str:
    """What to call in place of an id that no model's is like; `models` may be none."""
    if not models:
        return _LIST
    return f"this key may call {_alternatives(models)}, for example; GET /v1/models lists all"


def _alternatives(models: Sequence[str]) -> str:
    *others, last = models
    return f"{', '.join(others)} or {last}" if others else last
