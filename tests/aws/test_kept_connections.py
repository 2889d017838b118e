"""Calls that must not be made twice, over connections that died while nobody looked."""

from __future__ import annotations

import errno
import gc
import http.client
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from scripts.local.stubs.bedrock.server import BedrockStub
from scripts.local.stubs.sagemaker.server import SageMakerStub
from tests.fakes.line import Line
from tests.fakes.world import NOVA_LITE, FakeClock
from tests.unit.services.test_calls import World
from tests.waiting import PATIENCE_SECONDS
from tollgate.adapters import aws
from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.sagemaker import SageMakerRuntime
from tollgate.domain.errors import UnavailableError, UpstreamFailedError
from tollgate.ports import ModelReply, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tollgate.ports import ModelRuntime

KEY = aws.Credentials("test", "test", "test")
METADATA = {"tenant": "acme", "app": "web", "request_id": "r-1"}
A_MOMENT = {"seconds": 1}
FROZEN = {"minutes": 7}


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(scope="module")
def bedrock() -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0) as server:
        yield server


@pytest.fixture(scope="module")
def sagemaker() -> Iterator[SageMakerStub]:
    with SageMakerStub({"mistral-7b": None}, delta_seconds=0) as server:
        yield server


@pytest.fixture
def line(bedrock: BedrockStub) -> Iterator[Line]:
    with Line(port_of(bedrock.url)) as made:
        yield made


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def bedrock_at(url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> BedrockRuntime:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    client = aws.bedrock_runtime(KEY, silence_seconds=PATIENCE_SECONDS, clock=clock)
    return BedrockRuntime(lambda _: client)


def sagemaker_at(url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> SageMakerRuntime:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
    client = aws.sagemaker_runtime(KEY, silence_seconds=PATIENCE_SECONDS, clock=clock)
    return SageMakerRuntime(lambda _: client)


def converse() -> ModelRequest:
    message = {"role": "user", "content": [{"text": "hello"}]}
    body = {"messages": [message], "inferenceConfig": {"maxTokens": 20}}
    return ModelRequest("converse", NOVA_LITE, body, METADATA, base_model_id=NOVA_LITE)


def native() -> ModelRequest:
    return ModelRequest(
        "invoke_model", "amazon.titan-text-express-v1", {"inputText": "hi"}, METADATA
    )


def endpoint() -> ModelRequest:
    body = {"inputs": "hello", "parameters": {"max_new_tokens": 9}}
    return ModelRequest("invoke_endpoint", "mistral-7b", body, METADATA)


def call(runtime: ModelRuntime, request: ModelRequest) -> ModelReply:
    return runtime.call(request)


def stream(runtime: ModelRuntime, request: ModelRequest) -> ModelReply:
    *_, end = runtime.stream(request)
    assert isinstance(end, ModelReply)
    return end


@pytest.mark.parametrize("is_silent", [False, True], ids=["reset", "silent"])
@pytest.mark.parametrize("ask", [call, stream])
@pytest.mark.parametrize("request_of", [converse, native, endpoint])
def test_a_connection_that_died_while_frozen_is_not_called_on(
    bedrock: BedrockStub,
    sagemaker: SageMakerStub,
    monkeypatch: pytest.MonkeyPatch,
    request_of: Callable[[], ModelRequest],
    ask: Callable[[ModelRuntime, ModelRequest], ModelReply],
    *,
    is_silent: bool,
) -> None:
    is_endpoint = request_of is endpoint
    clock = FakeClock()
    with Line(port_of((sagemaker if is_endpoint else bedrock).url), is_silent=is_silent) as line:
        runtime = (sagemaker_at if is_endpoint else bedrock_at)(line.url, clock, monkeypatch)
        ask(runtime, request_of())
        line.forget()
        clock.advance(**FROZEN)

        assert ask(runtime, request_of()).document

        assert line.connections == 2


def test_such_a_call_costs_what_was_answered(
    line: Line, bedrock: BedrockStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.runtime = bedrock_at(line.url, world.clock, monkeypatch)
    world.calls = world.calls_over(world.usage)
    world.calls.run(world.admit())
    world.usage.rows.clear()
    line.forget()
    world.clock.advance(**FROZEN)

    world.calls.run(world.admit())

    counted = bedrock.calls()[-1]["usage"]
    assert world.row.status == "ok"
    assert world.row.input_tokens == counted["inputTokens"]
    assert world.row.output_tokens == counted["outputTokens"]
    assert world.open_holds == 0


@pytest.mark.parametrize("span", [A_MOMENT, {"seconds": 0}])
def test_a_connection_that_is_in_use_is_kept(
    line: Line, monkeypatch: pytest.MonkeyPatch, span: dict[str, int]
) -> None:
    clock = FakeClock()
    runtime = bedrock_at(line.url, clock, monkeypatch)
    for _ in range(3):
        runtime.call(converse())
        clock.advance(**span)

    assert line.connections == 1


def test_a_clock_that_was_set_back_keeps_no_connection(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    runtime = bedrock_at(line.url, clock, monkeypatch)
    runtime.call(converse())
    clock.advance(seconds=-1)
    runtime.call(converse())

    assert line.connections == 2


def test_a_call_whose_connection_breaks_is_made_once_and_may_be_billed(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = bedrock_at(line.url, FakeClock(), monkeypatch)
    runtime.call(converse())
    line.forget()

    with pytest.raises(UpstreamFailedError) as failed:
        runtime.call(converse())

    assert failed.value.may_be_billed
    assert line.connections == 1


@pytest.mark.parametrize("is_silent", [False, True], ids=["reset", "silent"])
def test_a_call_whose_connection_is_never_there_costs_nothing(
    bedrock: BedrockStub, monkeypatch: pytest.MonkeyPatch, *, is_silent: bool
) -> None:
    monkeypatch.setattr(aws, "CONNECT_SECONDS", 0.2)
    with Line(port_of(bedrock.url), is_lost=True, is_silent=is_silent) as line:
        runtime = bedrock_at(line.url.replace("http", "https"), FakeClock(), monkeypatch)

        with pytest.raises(UnavailableError) as failed:
            runtime.call(converse())

    assert (failed.value.code, failed.value.may_be_billed) == ("upstream_unavailable", False)


def test_tcp_watches_over_the_line(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = bedrock_at(line.url, FakeClock(), monkeypatch)
    runtime.call(converse())

    (ours,) = (
        found
        for found in gc.get_objects()
        if isinstance(found, socket.socket) and is_to(found, line.address)
    )
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    probes = [
        ours.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    ]
    assert probes == [15, 5, 3]
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def is_to(found: socket.socket, address: tuple[str, int]) -> bool:
    try:
        return bool(found.getpeername() == address)
    except OSError:
        return False


def test_a_line_that_was_cut_is_no_model_that_thinks(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_: object) -> None:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    runtime = bedrock_at(line.url, FakeClock(), monkeypatch)
    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", cut)

    with pytest.raises(UpstreamFailedError, match="the connection .* broke") as failed:
        runtime.call(converse())

    assert failed.value.may_be_billed
