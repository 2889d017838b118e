"""What every kind of call is to admission: something to hold and to send."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.output import answers_of, check_thinking, least_max_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.holds import Bound
    from tollgate.domain.prices import Rates
    from tollgate.ports import Operation

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Shape(ABC):
    """A call whose model is known, with its tenant's context in the body."""

    operation: ClassVar[Operation]
    body: Any
    max_tokens: int
    input_tokens: int
    service_tier: str = "default"
    settings: Mapping[str, str] = NOTHING
    component: str | None = None

    @property
    def units(self) -> Mapping[str, int]:
        """What it is billed for beyond tokens, as far as the request decides about that."""
        return NOTHING

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
        return NOTHING

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


def as_json(value: object) -> str:
    """A body as the text that is counted."""
    return json.dumps(value, ensure_ascii=False)
