"""Token counters: one contract for the fake and CountTokens, and what the adapter does beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from scripts.local.bedrock_stub import BedrockStub
from tests.fakes.token_counts import FakeTokenCounter
from tests.fakes.world import NOVA_LITE, FakeClock
from tollgate.adapters.token_counts import UNCOUNTED_TIME, BedrockTokenCounter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tollgate.ports import TokenCounter

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
        return FakeTokenCounter(NOVA_LITE)
    return BedrockTokenCounter(lambda: client(stub.url), FakeClock())


def test_text_has_fewer_tokens_than_bytes(counter: TokenCounter) -> None:
    tokens = counter.count(NOVA_LITE, BODY)

    assert tokens is not None
    assert 0 < tokens < len(MESSAGES[0]["content"][0]["text"])  # type: ignore[index]


def test_what_cannot_be_counted_is_none(counter: TokenCounter) -> None:
    assert counter.count("acme.unknown-v1:0", BODY) is None


def test_the_count_is_what_the_call_reports(stub: BedrockStub) -> None:
    runtime = client(stub.url)
    system = [{"text": "be brief"}]
    tools = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {}}}}]}
    body: Any = {**BODY, "system": system, "toolConfig": tools}

    counted = BedrockTokenCounter(lambda: runtime, FakeClock()).count(NOVA_LITE, body)

    assert counted == runtime.converse(modelId=NOVA_LITE, **body)["usage"]["inputTokens"]


class Scripted:
    """An adapter whose service answers from a script."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._client = client()
        self.service = Stubber(self._client)
        self.connections = 0
        self.counter = BedrockTokenCounter(self._connect, self.clock)

    def _connect(self) -> BedrockRuntimeClient:
        self.connections += 1
        self.service.activate()
        return self._client

    def fails(self, code: str, message: str = "") -> None:
        self.service.add_client_error("count_tokens", code, message)

    def answers(self, tokens: int) -> None:
        wanted = {"modelId": NOVA_LITE, "input": {"converse": {"messages": MESSAGES}}}
        self.service.add_response("count_tokens", {"inputTokens": tokens}, wanted)

    def count(self) -> int | None:
        return self.counter.count(NOVA_LITE, BODY)


def test_only_what_is_input_is_sent_and_the_client_is_made_once() -> None:
    scripted = Scripted()
    assert scripted.connections == 0
    scripted.answers(7)
    scripted.answers(8)

    assert (scripted.count(), scripted.count()) == (7, 8)
    assert scripted.connections == 1


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
    assert BedrockTokenCounter(client, FakeClock()).count(NOVA_LITE, BODY) is None


def test_a_count_that_hangs_is_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = client()

    def hang(*_: object) -> None:
        raise ReadTimeoutError(endpoint_url="here")

    monkeypatch.setattr(hanging, "_make_api_call", hang)

    assert BedrockTokenCounter(lambda: hanging, FakeClock()).count(NOVA_LITE, BODY) is None


def test_other_models_are_asked_although_one_does_not_count() -> None:
    scripted = Scripted()
    scripted.fails("ResourceNotFoundException")
    assert scripted.counter.count("acme.unknown-v1:0", BODY) is None
    scripted.answers(9)

    assert scripted.count() == 9
