"""Calls of SageMaker endpoints: how each is bounded, and what it sends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tollgate.domain.endpoints import MACHINE_UNIT, REQUEST_UNIT
from tollgate.domain.errors import ForbiddenError, InvalidRequestError
from tollgate.domain.families import container_bodies
from tollgate.domain.framing import (
    FRAMING_TOKENS,
    MESSAGE_FRAMING_TOKENS,
    TOOL_FRAMING_TOKENS,
    text_tokens,
)
from tollgate.domain.holds import Bound, chat_bound, flat_bound, units_usd
from tollgate.services.shape import Shape, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.endpoints import Endpoint
    from tollgate.domain.prices import Rates
    from tollgate.domain.tenants import Tenant


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
    end_user: str | None = None

    def shaped(self, tenant: Tenant, endpoint: Endpoint, seconds: int) -> Shape:
        """The call. `seconds` is after what time it is cut.

        Raises ForbiddenError where the tenant's calls must pass a guardrail or stay in an account
        of its own, as endpoints have neither, and for a component that the endpoint does not let
        be named; InvalidRequestError for what cannot be bounded.
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
        if self.component is not None and self.component not in endpoint.components:
            raise ForbiddenError(
                f"parameters.InferenceComponentName is {self.component[:64]!r}; allowed with this "
                f"endpoint are {', '.join(endpoint.components) or 'none'}",
                code="model_not_allowed",
                details={"allowed": list(endpoint.components)},
            )
        return _Endpoint(self, tenant, endpoint, seconds)


class _Endpoint(Shape):
    """A call of a container, which is held and told what its price says.

    By the token, all that a body may have is known. By the request or the machine's time no member
    makes a call dearer, so that what a container reads is left to it; but nothing is fetched for a
    caller, and what is asked for is said once.
    """

    operation = "invoke_endpoint"

    def __init__(
        self, call: EndpointCall, tenant: Tenant, endpoint: Endpoint, seconds: int
    ) -> None:
        self._units: Mapping[str, int] = {}
        if "per_request" in endpoint.price:
            self._units = {REQUEST_UNIT: 1}
        elif "instance_hour_usd" in endpoint.price:
            self._units = {MACHINE_UNIT: seconds * 1000}
        self._asked = container_bodies.asked(call.body)
        ceiling = tenant.maximum_max_tokens
        if self._asked is not None and ceiling is not None and self._asked > ceiling:
            raise InvalidRequestError(
                f"the request asks for {self._asked} tokens; allowed is at most {ceiling}, "
                "the tenant's maximum"
            )
        container_bodies.form_of(call.body)
        media = container_bodies.has_media(call.body, reads_markdown=endpoint.text_only)
        self.body = container_bodies.with_preamble(call.body, tenant.system_preamble)
        self.component = call.component
        self.input_tokens = text_tokens(as_json(self.body))
        self.max_tokens = 0
        self._answers = 1
        if not self._units:
            container_bodies.check_members(self.body)
            self.input_tokens = _container_tokens(self.body, endpoint, has_media=media)
            self._answers = container_bodies.answers(self.body)
            self.max_tokens = self._most(endpoint)

    @property
    def answers(self) -> int:
        return self._answers

    @property
    def units(self) -> Mapping[str, int]:
        return self._units

    def bound(self, input_tokens: int, max_tokens: int, rates: Rates) -> Bound:
        if self._units:
            return replace(flat_bound(units_usd(self._units, rates)), input_tokens=input_tokens)
        return chat_bound(input_tokens, max_tokens, rates, self._answers)

    def sent(self, max_tokens: int) -> Any:  # noqa: ANN401 - what the container reads
        # One that nobody named is the container's own, which the endpoint's entry states.
        is_own = self._asked is None and max_tokens == self.max_tokens
        if self._units or is_own or container_bodies.is_embedding(self.body):
            return self.body
        return container_bodies.with_maximum(self.body, max_tokens)

    def _most(self, endpoint: Endpoint) -> int:
        """The most tokens of an answer."""
        if container_bodies.is_embedding(self.body):
            return 0
        most = self._asked or endpoint.max_tokens
        if most is None:
            raise InvalidRequestError(
                "this endpoint is priced by the token; say how many it may generate, "
                "as max_tokens or max_new_tokens in parameters",
                code="unbounded_request",
            )
        return most


def _container_tokens(body: Any, endpoint: Endpoint, *, has_media: bool) -> int:  # noqa: ANN401
    """The most input tokens of a container's body, with what its chat template says around it."""
    messages, tools = body.get("messages", ()), body.get("tools") or ()
    tokens = text_tokens(as_json(body)) + FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS * len(messages)
    if tools:
        tokens += TOOL_FRAMING_TOKENS * (1 + len(tools))
    if not has_media:
        return tokens
    if endpoint.text_only or endpoint.max_input_tokens is None:
        raise InvalidRequestError(
            "images, sounds and films cannot be bounded in cost with this endpoint, whose entry "
            "does not say its context size; send text only",
            code="unbounded_request",
        )
    return max(tokens, endpoint.max_input_tokens)
