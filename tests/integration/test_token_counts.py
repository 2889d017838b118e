"""Token counters: one contract for the fake and CountTokens, and what the adapter does beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from scripts.local.stubs.bedrock.server import BedrockStub
from tests.fakes.token_counts import FakeTokenCounter
from tests.fakes.world import NOVA_LITE, FakeClock
from tollgate.adapters.token_counts import (
    MOST_REMEMBERED,
    UNCOUNTED_TIME,
    BedrockTokenCounter,
)
from tollgate.domain.sessions import Session, role_denied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tollgate.ports import TokenCounter

CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "how many tokens are these? " * 9}]}]
BODY = {"messages": MESSAGES, "inferenceConfig": {"maxTokens": 5}}


def client(url: str = "http://localhost:1") -> BedrockRuntimeClient:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(read_timeout=5, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def stub() -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0) as server:
        yield server


@pytest.fixture(params=["fake", "bedrock"])
def counter(request: pytest.FixtureRequest, stub: BedrockStub) -> TokenCounter:
    if request.param == "fake":
        return FakeTokenCounter(CLAUDE)
    return BedrockTokenCounter(lambda _: client(stub.url), FakeClock())


def test_text_has_fewer_tokens_than_bytes(counter: TokenCounter) -> None:
    tokens = counter.count(CLAUDE, BODY)

    assert tokens is not None
    assert 0 < tokens < len(MESSAGES[0]["content"][0]["text"])  # type: ignore[index]


@pytest.mark.parametrize("model_id", ["acme.unknown-v1:0", NOVA_LITE, f"us.{CLAUDE}"])
def test_what_cannot_be_counted_is_none(counter: TokenCounter, model_id: str) -> None:
    assert counter.count(model_id, BODY) is None


def test_the_count_is_what_the_call_reports(stub: BedrockStub) -> None:
    runtime = client(stub.url)
    system = [{"text": "be brief"}]
    tools = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}
    body: Any = {**BODY, "system": system, "toolConfig": tools}

    counted = BedrockTokenCounter(lambda _: runtime, FakeClock()).count(CLAUDE, body)

    assert counted == runtime.converse(modelId=f"us.{CLAUDE}", **body)["usage"]["inputTokens"]


class Scripted:
    """An adapter whose service answers from a script."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._client = client()
        self.service = Stubber(self._client)
        self.service.activate()
        self.sessions: list[Session | None] = []
        self.counter = BedrockTokenCounter(self._client_of, self.clock)

    def _client_of(self, session: Session | None) -> BedrockRuntimeClient:
        self.sessions.append(session)
        return self._client

    def fails(self, code: str, message: str = "") -> None:
        self.service.add_client_error("count_tokens", code, message)

    def answers(self, tokens: int) -> None:
        wanted = {"modelId": NOVA_LITE, "input": {"converse": {"messages": MESSAGES}}}
        self.service.add_response("count_tokens", {"inputTokens": tokens}, wanted)

    def count(self, session: Session | None = None) -> int | None:
        return self.counter.count(NOVA_LITE, BODY, session)


def test_only_what_is_input_is_sent_as_the_one_who_calls() -> None:
    scripted = Scripted()
    scripted.answers(7)
    scripted.answers(8)
    session = Session("arn:aws:iam::111122223333:role/tollgate/t/acme", "acme", "web", "x-1")

    assert (scripted.count(), scripted.count(session)) == (7, 8)
    assert scripted.sessions == [None, session]


def test_a_role_that_cannot_be_assumed_is_no_count() -> None:
    def refuse(_: Session | None) -> BedrockRuntimeClient:
        raise role_denied("acme")

    assert BedrockTokenCounter(refuse, FakeClock()).count(NOVA_LITE, BODY) is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "The provided model doesn't support counting tokens."),
        ("ResourceNotFoundException", ""),
        ("AccessDeniedException", ""),
    ],
)
def test_a_model_that_does_not_count_is_left_alone_for_a_while(code: str, message: str) -> None:
    scripted = Scripted()
    scripted.fails(code, message)
    assert scripted.count() is None

    # Nothing is scripted: another call would raise.
    scripted.clock.now += UNCOUNTED_TIME
    scripted.clock.advance(seconds=-1)
    assert scripted.count() is None
    scripted.clock.advance(seconds=1)
    scripted.answers(9)
    assert scripted.count() == 9
    scripted.service.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_model_that_one_role_may_not_count_with_is_counted_for_the_others(code: str) -> None:
    scripted = Scripted()
    acme = Session("arn:aws:iam::111122223333:role/tollgate/t/acme", "acme", "web", "x-1")
    scripted.fails(code)
    assert scripted.count(acme) is None
    scripted.answers(9)

    assert (scripted.count(), scripted.count(acme)) == (9, None)


# What a request has wrong may be repeated in the message, in the caller's own words.
_CALLERS_WORDS = (
    "messages.0: this model does not support images",
    "tool 'x': the model doesn't support counting tokens.",
    "The provided model doesn't support counting tokens. is no valid tool name",
    "The model doesn't support counting tokens.\n: not a role",
    "This model does not support the field you gave",
)


@pytest.mark.parametrize("message", _CALLERS_WORDS)
def test_a_bad_request_of_one_tenant_stops_no_count_of_another(message: str) -> None:
    scripted = Scripted()
    scripted.fails("ValidationException", message)
    scripted.answers(9)

    assert (scripted.count(), scripted.count()) == (None, 9)


def test_what_is_remembered_of_models_is_bounded() -> None:
    scripted = Scripted()
    for index in range(MOST_REMEMBERED + 1):
        scripted.fails("ResourceNotFoundException")
        assert scripted.counter.count(f"acme.unknown-{index}", BODY) is None

    # The last one alone is still known; nothing is scripted for it.
    assert scripted.counter.count(f"acme.unknown-{MOST_REMEMBERED}", BODY) is None
    scripted.fails("ResourceNotFoundException")
    assert scripted.counter.count("acme.unknown-0", BODY) is None
    scripted.service.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ThrottlingException", "slow down"),
        ("ValidationException", "messages.0: bad"),
        ("InternalServerException", ""),
        ("ServiceUnavailableException", ""),
    ],
)
def test_a_passing_failure_is_forgotten(code: str, message: str) -> None:
    scripted = Scripted()
    scripted.fails(code, message)
    scripted.answers(9)

    assert (scripted.count(), scripted.count()) == (None, 9)


def test_a_service_out_of_reach_is_no_count() -> None:
    assert BedrockTokenCounter(lambda _: client(), FakeClock()).count(NOVA_LITE, BODY) is None


def test_a_count_that_hangs_is_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = client()

    def hang(*_: object) -> None:
        raise ReadTimeoutError(endpoint_url="here")

    monkeypatch.setattr(hanging, "_make_api_call", hang)

    assert BedrockTokenCounter(lambda _: hanging, FakeClock()).count(NOVA_LITE, BODY) is None


def test_other_models_are_asked_although_one_does_not_count() -> None:
    scripted = Scripted()
    scripted.fails("ResourceNotFoundException")
    assert scripted.counter.count("acme.unknown-v1:0", BODY) is None
    scripted.answers(9)

    assert scripted.count() == 9
