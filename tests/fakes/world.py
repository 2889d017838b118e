"""A clock, a scripted model service and sample tenants for service tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.fakes.replies import chat_reply, text_piece
from tollgate.domain.prices import TokenUsage
from tollgate.domain.tenants import App, Budget, Caller, Limits, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.ports import ModelReply, ModelRequest, StreamPiece

NOW = datetime(2026, 11, 22, 10, 30, 15, 123000, tzinfo=UTC)
NOVA_LITE = "amazon.nova-lite-v1:0"


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


class FakeRuntime:
    """`tollgate.ports.ModelRuntime` that answers from a script and keeps what it was sent."""

    def __init__(self, usage: TokenUsage | None = None) -> None:
        self.requests: list[ModelRequest] = []
        self.usage = usage or TokenUsage(input=10, output=5)
        self.content: Sequence[Mapping[str, Any]] = [{"text": "hello"}]
        self.events: Sequence[StreamPiece] = (text_piece("hel"), text_piece("lo"))
        self.service_tier = "default"
        self.error: TollgateError | None = None
        self.during_call: Callable[[], None] = lambda: None
        self.reply: ModelReply | None = None

    def prepare(self, request: ModelRequest) -> None:
        """Nothing has to be there before a call."""

    def call(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        self.during_call()
        if self.error is not None:
            raise self.error
        return self._reply()

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        self.requests.append(request)
        yield from self.events
        self.during_call()
        if self.error is not None:
            raise self.error
        yield self._reply()

    def _reply(self) -> ModelReply:
        return self.reply or chat_reply(self.content, self.usage, service_tier=self.service_tier)


def tenant(**changes: Any) -> Tenant:  # noqa: ANN401
    """Tenant acme with app web, unlimited unless changed."""
    base = Tenant(
        tenant_id="acme",
        name="Acme",
        kind="team",
        cost_center="CC-1",
        tier="pro",
        status="active",
        models=("amazon.nova-*", "anthropic.*"),
        budget=Budget(),
        limits=Limits(),
        default_max_tokens=None,
        maximum_max_tokens=None,
        tags={"owner": "search"},
        apps={"web": app()},
    )
    return replace(base, **changes)


def app(**changes: Any) -> App:  # noqa: ANN401
    """App web, without limits of its own unless changed."""
    base = App(app_id="web", status="active", budget=Budget(), limits=Limits(), tags={"env": "t"})
    return replace(base, **changes)


def caller(tenant_id: str = "acme", app_id: str = "web") -> Caller:
    """A caller of a tenant's app."""
    return Caller(tenant_id=tenant_id, app_id=app_id, key_id=f"{app_id}/primary", tier="pro")
