"""What a call is charged once it has ended: as counted, or as estimated; never above its hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tollgate.domain.endpoints import MACHINE_UNIT
from tollgate.domain.holds import applicable_rates
from tollgate.domain.native import image_count
from tollgate.domain.prices import Rates
from tollgate.services.metering import NO_USAGE, held_cost
from tollgate.services.pricing import dearest_usage, model_ref

if TYPE_CHECKING:
    from tollgate.domain.prices import Cost, TokenUsage
    from tollgate.domain.usage import UsageSource
    from tollgate.ports import ModelReply
    from tollgate.services.calls import AdmittedCall
    from tollgate.services.pricing import Pricing


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call used and costs. `source` says who knows, see `tollgate.domain.usage`."""

    usage: TokenUsage
    units: Mapping[str, int]
    source: UsageSource
    cost: Cost


class Charging:
    """Charges calls under the terms that they were admitted under."""

    def __init__(self, pricing: Pricing) -> None:
        self._pricing = pricing

    def of_reply(self, call: AdmittedCall, reply: ModelReply, took: timedelta) -> Charge:
        """The charge of an answer that `took` so long.

        What the provider does not count is bounded by what it sent. What it counts beyond all
        that the request can use is booked at that bound.
        """
        units = {**_served_units(call, reply, took), **reply.units}
        tier = reply.service_tier
        if call.units:
            # Billed by the image, the request or the machine's time: no token costs anything.
            usage = reply.usage or NO_USAGE
        elif reply.usage is None:
            return self.of_bytes(call, _size(reply.document), tier)
        else:
            usage = self._bounded(call, reply.usage)
        charged = self._cost(call, usage, tier, units)
        is_bound = usage != (reply.usage or NO_USAGE)
        if charged.total > call.hold.usd:
            is_bound, charged = True, held_cost(call.hold, priced=charged.priced)
        return Charge(usage, units, "bound" if is_bound else "provider", charged)

    def of_bytes(self, call: AdmittedCall, received: int, tier: str) -> Charge:
        """The charge of a call that nobody counted: its input's bound, a token a byte of output."""
        usage = self._most_used(call, received)
        charged = self._cost(call, usage, tier, call.units)
        # What a guardrail read is charged as well, and nobody said how much that was.
        if call.terms.is_guarded or charged.total > call.hold.usd:
            charged = held_cost(call.hold)
        return Charge(usage, call.units, "estimated", charged)

    def _bounded(self, call: AdmittedCall, usage: TokenUsage) -> TokenUsage:
        """The usage, and of what is more than the request can use, the bound."""
        output = min(usage.output, call.most_output)
        if usage.total_input <= call.hold.input_tokens:
            return replace(usage, output=output)
        return self._most_used(call, output)

    def _most_used(self, call: AdmittedCall, received: int) -> TokenUsage:
        """The bound of the input, and a token for every byte of output that came."""
        hold, body = call.hold, call.request.body
        held_at = self._pricing.rates(hold.model, call.started_at, call.terms) or Rates()
        model_id = model_ref(hold.model, call.terms.model_arns).model_id
        if isinstance(body, Mapping):
            held_at = applicable_rates(held_at, model_id, body)
        return dearest_usage(held_at, hold.input_tokens, min(received, call.most_output))

    def _cost(
        self, call: AdmittedCall, usage: TokenUsage, tier: str, units: Mapping[str, int]
    ) -> Cost:
        charged = self._pricing.charge(
            call.hold.model, call.started_at, call.terms, usage, tier, units
        )
        # A job may run under a later price book than the one it was held under.
        return held_cost(call.hold, priced=False) if charged is None else charged


def _served_units(call: AdmittedCall, reply: ModelReply, took: timedelta) -> Mapping[str, int]:
    """The units of the request, as far as they came: images made, milliseconds taken."""
    elapsed = -(-took // timedelta(milliseconds=1))
    served = {}
    for unit, count in call.units.items():
        if unit == MACHINE_UNIT:
            served[unit] = min(count, elapsed)
        elif unit.startswith("image/") and reply.fault is None:
            served[unit] = min(count, image_count(reply.document))
        else:
            served[unit] = count
    return served


def _size(document: object) -> int:
    """Bytes of an answer, of which each is a token at most; hidden thoughts are bytes already."""
    return len(json.dumps(document, ensure_ascii=False, default=bytes.hex).encode())
