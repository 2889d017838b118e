"""Placing a call's hold: counted where its bytes do not fit, with a lower maximum where asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tollgate.domain.errors import ForbiddenError, InvalidRequestError, TollgateError
from tollgate.domain.money import PICO_PER_USD
from tollgate.domain.usage import MAX_INTEGER
from tollgate.observability import logger
from tollgate.services.ledger import Lease, Ledger, RefusedError, refusal_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tollgate.domain.holds import Bound
    from tollgate.domain.ledger import Hold, Refusal, Scope
    from tollgate.domain.models import ModelRef
    from tollgate.domain.prices import Rates
    from tollgate.domain.sessions import Session
    from tollgate.ports import TokenCounter
    from tollgate.services.policy import Party
    from tollgate.services.shape import Shape

# Above this size input is counted before the first try. A model takes seconds to read so much, the
# count a fraction of one, and by its bytes such a call takes the room of several others.
LARGE_INPUT_BYTES = 32_768

# After a tenant's bytes did not fit once, its input is counted before the first try for this long.
CROWDED_SECONDS = 300

# The most picodollars (nine million dollars) and tokens of a hold: what a usage row has room for.
MOST_HELD = MAX_INTEGER

# A clamped call may meet another limit, or another call that took the room since: each try is
# lower than the one before, and a caller waits for all of them.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Placeable:
    """What stands about a call before its hold is placed.

    `rates` are those of every service tier that may serve it.
    """

    shape: Shape
    party: Party
    ref: ModelRef
    rates: Sequence[Rates]
    hold: Hold
    scopes: Sequence[Scope]
    session: Session | None

    @property
    def is_countable(self) -> bool:
        """Whether the tenant wants counts and the input is all text."""
        return self.party.tenant.count_tokens != "bytes" and self.shape.countable is not None

    @property
    def is_exact(self) -> bool:
        """Whether the tenant wants its calls held at their counts also where more would fit."""
        return self.party.tenant.count_tokens == "exact"

    def bound(self, input_tokens: int, max_tokens: int) -> Bound:
        """The bound with this many input tokens, on whichever tier costs most."""
        bounds = [self.shape.bound(input_tokens, max_tokens, rates) for rates in self.rates]
        return max(bounds, key=lambda bound: bound.usd)


class Placement:
    """Finds the hold that a call can have, and places it."""

    def __init__(self, ledger: Ledger, counter: TokenCounter | None) -> None:
        """Without a `counter` input is bounded by its bytes, whatever the policy says."""
        self._ledger = ledger
        self._counter = counter
        self._crowded_until: dict[str, datetime] = {}

    def place(self, call: Placeable, bound: Bound, now: datetime) -> tuple[Lease, Bound]:
        """Hold the call, at an exact count or with a lower maximum where that is what fits.

        Bytes come first and a count only when they do not fit: the count is another round trip in
        front of the model's own, while most calls fit either way. What an observed scope would
        refuse is placed all the same, and the lease tells.
        """
        is_uncounted = call.is_countable
        if is_uncounted and (
            self._is_counted_first(call, bound, now) or _input_error(call, bound) is not None
        ):
            is_uncounted, bound = False, self._counted(call, bound) or bound
        error = _input_error(call, bound) or _size_error(bound)
        if error is not None:
            raise error
        tries = _TRIES
        would_refuse: str | None = None
        while True:
            placed = self._try(call, bound, now)
            if isinstance(placed, Lease):
                return replace(placed, would_refuse=would_refuse), bound
            tries -= 1
            smaller = None
            if is_uncounted and _depends_on_count(call, bound, placed):
                until = now + timedelta(seconds=CROWDED_SECONDS)
                self._crowded_until[call.party.tenant.tenant_id] = until
                is_uncounted, smaller = False, self._counted(call, bound)
            smaller = smaller or _clamped(call, bound, placed)
            if smaller is not None and tries > 0:
                bound = smaller
            elif placed.is_observed:
                would_refuse = placed.name
                call = replace(call, scopes=[scope.lifted() for scope in call.scopes])
            else:
                raise refusal_error(placed, _fitting(bound, placed), now)

    def _is_counted_first(self, call: Placeable, bound: Bound, now: datetime) -> bool:
        """Whether a call is counted although its bytes may fit.

        A hold of four times the need takes room from the calls beside it. So where the tenant wants
        exact holds large calls are counted at once, and once bytes have not fitted, all of its
        calls are for a while.
        """
        is_crowded = self._crowded_until.get(call.party.tenant.tenant_id, now) > now
        return call.is_exact and (is_crowded or bound.input_tokens > LARGE_INPUT_BYTES)

    def _try(self, call: Placeable, bound: Bound, now: datetime) -> Lease | Refusal:
        hold = replace(
            call.hold, usd=bound.usd, tokens=bound.tokens, output_tokens=bound.output_tokens
        )
        try:
            return self._ledger.admit(hold, call.scopes, now)
        except RefusedError as error:
            return error.refusal

    def _counted(self, call: Placeable, bound: Bound) -> Bound | None:
        """The bound with an exact input; None where nobody can count it, or that gains nothing."""
        if self._counter is None:
            return None
        body = call.shape.countable or {}
        counted = self._counter.count(call.ref.model_id, body, call.session)
        if counted is None:
            return None
        tokens = counted + call.shape.uncounted_tokens
        if tokens >= bound.input_tokens:
            return None
        return call.bound(tokens, bound.max_tokens)


def _depends_on_count(call: Placeable, bound: Bound, refused: Refusal) -> bool:
    """Whether a count can change what becomes of a call that a limit has refused.

    It cannot where the output alone is too much. An exact hold is counted all the same, for the
    figures that its caller is told.
    """
    least = call.bound(call.shape.uncounted_tokens, bound.max_tokens)
    if refused.is_budget:
        if call.party.tenant.clamp_max_tokens:
            least = least.with_max_tokens(min(call.shape.least_max_tokens, bound.max_tokens))
        return call.is_exact or least.usd <= refused.room
    return refused.limit_name == "tokens_per_minute" and (
        call.is_exact or least.tokens <= refused.room
    )


def _fitting(bound: Bound, refused: Refusal) -> int | None:
    """The `maxTokens` that the refusing limit would have taken; None where it counts no tokens."""
    if refused.is_budget:
        return min(bound.affordable_max_tokens(refused.room), bound.max_tokens)
    if refused.limit_name == "tokens_per_minute":
        return min(bound.fitting_max_tokens(refused.room), bound.max_tokens)
    return None


def _clamped(call: Placeable, bound: Bound, refused: Refusal) -> Bound | None:
    """The bound with the highest `maxTokens` that fits, None where the call is to be refused.

    Only for budgets: a full minute is over soon, and waiting costs no part of the answer. What is
    observed changes no answer.
    """
    may_lower = call.party.tenant.clamp_max_tokens and refused.is_budget
    if refused.is_observed or not may_lower:
        return None
    affordable = bound.affordable_max_tokens(refused.room)
    if not call.shape.least_max_tokens <= affordable < bound.max_tokens:
        return None
    logger.info(
        "maxTokens lowered",
        extra={
            "request_id": call.hold.request_id,
            "limit_name": refused.limit_name,
            "asked": bound.max_tokens,
            "lowered_to": affordable,
        },
    )
    return bound.with_max_tokens(affordable)


def _input_error(call: Placeable, bound: Bound) -> TollgateError | None:
    limits = [
        rates.input_limit
        for rates in call.rates
        if rates.input_limit is not None and rates.long_context is None
    ]
    if not limits or bound.input_tokens <= min(limits):
        return None
    return ForbiddenError(
        f"{call.ref.profile_id} is priced up to {min(limits)} input tokens; this request "
        f"may have {bound.input_tokens}; shorten it",
        code="model_not_priced",
        details={"max_input_tokens": min(limits)},
    )


def _size_error(bound: Bound) -> InvalidRequestError | None:
    if max(bound.usd, bound.tokens) <= MOST_HELD:
        return None
    return InvalidRequestError(
        f"this call can cost more than ${MOST_HELD // PICO_PER_USD} or use more than {MOST_HELD} "
        "tokens; ask for a lower maximum of tokens, or for fewer answers or images",
        code="unbounded_request",
    )
