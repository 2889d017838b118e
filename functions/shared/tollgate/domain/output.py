"""What bounds the output of a call: the maximum of tokens, how many answers, how much thinking.

`own` is what a request says in the words of its model's family: a native body, or the additional
model fields of a Converse request. Tokens are counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry

if TYPE_CHECKING:
    from tollgate.domain.prices import ModelCard
    from tollgate.domain.tenants import Tenant

# Used when neither the request, the tenant nor the price book says anything.
DEFAULT_MAX_TOKENS = 4096

# The shortest answer that a call is lowered to: a sentence, or the name of a tool and an argument.
MIN_CLAMPED_TOKENS = 16

# The most answers that any provider documents for one call.
MOST_ANSWERS = 128


def max_tokens_of(requested: int | None, tenant: Tenant, card: ModelCard) -> int:
    """The `maxTokens` to send upstream: asked for, else the tenant's default, else the model's.

    Raises InvalidRequestError when the request asks for more than the model or the tenant's
    policy allows.
    """
    ceilings = {
        "the model's maximum": card.max_output_tokens,
        "the tenant's maximum": tenant.maximum_max_tokens,
    }
    known = {name: value for name, value in ceilings.items() if value is not None}
    if requested is None:
        wanted = tenant.default_max_tokens or card.max_output_tokens or DEFAULT_MAX_TOKENS
        return min([wanted, *known.values()])
    if requested < 1:
        raise InvalidRequestError(f"maxTokens is {requested}; allowed is 1 or more")
    for name, ceiling in known.items():
        if requested > ceiling:
            raise InvalidRequestError(
                f"maxTokens is {requested}; allowed is at most {ceiling}, {name}",
                details={"max_tokens": requested, "allowed": ceiling},
            )
    return requested


def answers_of(own: Mapping[str, Any]) -> int:
    """How many answers a request makes the model generate, each up to its maximum.

    Raises InvalidRequestError for a number that no provider documents.
    """
    answers = 1
    for name in registry.ANSWERS:
        value = own.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidRequestError(f"{name} allows a whole number of 1 to {MOST_ANSWERS} only")
        if not 1 <= value <= MOST_ANSWERS:
            raise InvalidRequestError(f"{name} is {value}; allowed is 1 to {MOST_ANSWERS}")
        # Two such fields may multiply, as several candidates for each of several answers do.
        answers *= value
    return answers


def least_max_tokens(own: Mapping[str, Any]) -> int:
    """The lowest maximum of tokens that is still worth a call.

    A shorter answer would be paid for and useless; and a model that thinks must have more tokens
    than its thinking may take, or it refuses the call.
    """
    budgets = _thinking_budgets(own)
    thinking = max((budget for budget in budgets.values() if isinstance(budget, int)), default=0)
    return MIN_CLAMPED_TOKENS + thinking


def check_thinking(own: Mapping[str, Any], max_tokens: int) -> None:
    """Raise InvalidRequestError where a request lets a model think beyond its maximum.

    A model that thinks between its tools may then fill its whole context with thoughts, which no
    maximum bounds.
    """
    for name, budget in _thinking_budgets(own).items():
        if isinstance(budget, bool) or not isinstance(budget, int):
            raise InvalidRequestError(f"{name}.budget_tokens allows a whole number only")
        if budget >= max_tokens:
            raise InvalidRequestError(
                f"{name}.budget_tokens is {budget}; allowed is less than the maximum of tokens, "
                f"which is {max_tokens}",
                code="unbounded_request",
                details={"budget_tokens": budget, "max_tokens": max_tokens},
            )


def _thinking_budgets(own: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: own.get(name) for name in sorted(registry.THINKING)}
    return {
        name: setting["budget_tokens"]
        for name, setting in settings.items()
        if isinstance(setting, Mapping) and setting.get("budget_tokens") is not None
    }
