"""One call in each dialect, made by the library people use for it: at the gateway, and at the stub.

Both sides use the same library, ask the same question of the same model and get an answer of the
same length. The stub speaks Bedrock alone. `anthropic` and `boto3` have clients for that, which
sign what they send; `openai` and `requests` send the Converse request as it is.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anthropic
import boto3
import openai
import requests
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

NOVA_LITE = "amazon.nova-lite-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
REGION = "us-east-1"
TENANT = "bench"
TOKENS = 60
MAX_TOKENS = 200
TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.25
"""How often a client of a legacy job looks for more."""
QUESTION = "What does a bushel weigh? " * 40 + f"[stub:tokens={TOKENS}]"
CONVERSE: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
    "inferenceConfig": {"maxTokens": MAX_TOKENS},
}
# What Claude's own format calls itself on Bedrock.
_CLAUDE_ON_BEDROCK = {"anthropic_version": "bedrock-2023-05-31"}
# Threads of one client share its connections.
_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where to call: a gateway with a key of it, or the stub, which takes anyone."""

    url: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """A call as one HTTP request, for a handler that is called without any HTTP."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    query: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect: its clients by place, and the same call on the wire.

    A buffered call returns the answer's text; a streamed one the seconds until its first piece.
    Clients raise on any failure. `streamed_wire` is None where a stream is more than one request.
    """

    name: str
    buffered: Callable[[Place], Callable[[], str]]
    streamed: Callable[[Place], Callable[[], float]]
    wire: Callable[[str], Wire]
    streamed_wire: Callable[[str], Wire] | None


class NoAnswerError(Exception):
    """A call ended without the answer that it should have had."""


def first_of(pieces: Iterable[object], begins: Callable[[Any], bool], started: float) -> float:
    """Read a stream to its end; the seconds from `started` to the first piece with text in it."""
    first: float | None = None
    for piece in pieces:
        if first is None and begins(piece):
            first = time.perf_counter() - started
    if first is None:
        raise NoAnswerError("the stream ended without any text")
    return first


def _converse_url(place: Place, operation: str) -> str:
    return f"{place.url}/model/{NOVA_LITE}/{operation}"


# --- legacy: requests -----------------------------------------------------------------------------


def _session(place: Place) -> requests.Session:
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
    session.mount("http://", adapter)
    # Nothing of this machine's own settings.
    session.trust_env = False
    if place.key is not None:
        session.headers.update(_legacy_headers(place.key))
    return session


def _legacy_headers(key: str) -> dict[str, str]:
    return {"x-api-key": key, "team_id": TENANT, "messages_api": "true"}


def _legacy_body() -> dict[str, Any]:
    return {"inputs": CONVERSE["messages"], "parameters": {"maxTokens": MAX_TOKENS}}


def _legacy_buffered(place: Place) -> Callable[[], str]:
    session = _session(place)
    if place.key is None:

        def direct() -> str:
            document = _document(session.post(_converse_url(place, "converse"), json=CONVERSE))
            return str(document["output"]["message"]["content"][0]["text"])

        return direct

    def call() -> str:
        (answer,) = _document(_invoke_model(session, place))
        return str(answer["generated_text"])

    return call


def _legacy_streamed(place: Place) -> Callable[[], float]:
    session = _session(place)
    if place.key is None:

        def direct() -> float:
            started = time.perf_counter()
            answer = session.post(
                _converse_url(place, "converse-stream"), json=CONVERSE, stream=True
            )
            answer.raise_for_status()
            return first_of(answer.iter_content(None), lambda b: b"contentBlockDelta" in b, started)

        return direct

    def call() -> float:
        started = time.perf_counter()
        (job,) = _document(_invoke_model(session, place, streaming="true"))
        query: dict[str, Any] = {"model_id": NOVA_LITE, "requestId": job["request_id"], "cursor": 0}
        first: float | None = None
        while True:
            (view,) = _document(
                session.post(f"{place.url}/invoke_model", params=query, timeout=TIMEOUT_SECONDS)
            )
            if first is None and (view.get("partial_text") or view.get("generated_text")):
                first = time.perf_counter() - started
            if "status" not in view:
                break
            query["cursor"] = view["cursor"]
            time.sleep(POLL_SECONDS)
        if first is None:
            raise NoAnswerError("the job ended without any text")
        return first

    return call


def _invoke_model(session: requests.Session, place: Place, **headers: str) -> requests.Response:
    return session.post(
        f"{place.url}/invoke_model",
        params={"model_id": NOVA_LITE},
        json=_legacy_body(),
        headers=headers,
        timeout=TIMEOUT_SECONDS,
    )


def _document(answer: requests.Response) -> Any:  # noqa: ANN401 - any JSON
    answer.raise_for_status()
    return answer.json()


def _legacy_wire(key: str) -> Wire:
    return Wire("/invoke_model", _legacy_body(), _legacy_headers(key), f"model_id={NOVA_LITE}")


# --- OpenAI ---------------------------------------------------------------------------------------


def _openai(place: Place) -> openai.OpenAI:
    base = place.url if place.key is None else f"{place.url}/v1"
    return openai.OpenAI(
        base_url=base, api_key=place.key or "none", max_retries=0, timeout=TIMEOUT_SECONDS
    )


def _openai_body() -> dict[str, Any]:
    return {
        "model": NOVA_LITE,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": MAX_TOKENS,
    }


def _openai_buffered(place: Place) -> Callable[[], str]:
    client = _openai(place)
    if place.key is None:

        def direct() -> str:
            path = f"/model/{NOVA_LITE}/converse"
            document: Any = client.post(path, body=CONVERSE, cast_to=dict)
            return str(document["output"]["message"]["content"][0]["text"])

        return direct

    def call() -> str:
        answer = client.chat.completions.create(**_openai_body())
        return str(answer.choices[0].message.content)

    return call


def _openai_streamed(place: Place) -> Callable[[], float]:
    client = _openai(place)
    if place.key is None:

        def direct() -> float:
            started = time.perf_counter()
            with client._client.stream(  # noqa: SLF001 - the library has no call for raw bytes
                "POST", _converse_url(place, "converse-stream"), json=CONVERSE
            ) as answer:
                answer.raise_for_status()
                return first_of(
                    answer.iter_bytes(), lambda piece: b"contentBlockDelta" in piece, started
                )

        return direct

    def call() -> float:
        started = time.perf_counter()
        pieces = client.chat.completions.create(**_openai_body(), stream=True)
        return first_of(pieces, lambda c: bool(c.choices and c.choices[0].delta.content), started)

    return call


def _openai_wire(key: str, **more: object) -> Wire:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return Wire("/v1/chat/completions", {**_openai_body(), **more}, headers)


# --- Anthropic ------------------------------------------------------------------------------------


def _anthropic(place: Place) -> tuple[Any, dict[str, Any]]:
    """A client, and a request of it."""
    body = {
        "model": HAIKU,
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": QUESTION}],
    }
    if place.key is None:
        client = anthropic.AnthropicBedrock(
            base_url=place.url,
            aws_access_key="test",
            aws_secret_key="test",  # noqa: S106 - the stub takes any
            aws_region=REGION,
            max_retries=0,
            timeout=TIMEOUT_SECONDS,
        )
        return client, {**body, "extra_body": _CLAUDE_ON_BEDROCK}
    return (
        anthropic.Anthropic(
            base_url=place.url, api_key=place.key, max_retries=0, timeout=TIMEOUT_SECONDS
        ),
        body,
    )


def _anthropic_buffered(place: Place) -> Callable[[], str]:
    client, body = _anthropic(place)
    return lambda: str(client.messages.create(**body).content[0].text)


def _anthropic_streamed(place: Place) -> Callable[[], float]:
    client, body = _anthropic(place)

    def call() -> float:
        started = time.perf_counter()
        with client.messages.create(**body, stream=True) as pieces:
            return first_of(pieces, lambda p: p.type == "content_block_delta", started)

    return call


def _anthropic_wire(key: str, **more: object) -> Wire:
    _, body = _anthropic(Place("http://127.0.0.1", key))
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return Wire("/v1/messages", {**body, **more}, headers)


# --- Bedrock: boto3 -------------------------------------------------------------------------------


def _boto3(place: Place) -> BedrockRuntimeClient:
    client = boto3.session.Session().client(
        "bedrock-runtime",
        endpoint_url=place.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the stub takes any
        config=Config(max_pool_connections=_CONNECTIONS, retries={"total_max_attempts": 1}),
    )
    if place.key is not None:
        key = place.key

        # What AWS_BEARER_TOKEN_BEDROCK does, which is the whole process's.
        def bear(request: Any, **_: object) -> None:  # noqa: ANN401 - an AWSRequest
            request.headers["Authorization"] = f"Bearer {key}"

        client.meta.events.register("before-send.bedrock-runtime", bear)
    return client


def _bedrock_buffered(place: Place) -> Callable[[], str]:
    client = _boto3(place)

    def call() -> str:
        answer = client.converse(modelId=NOVA_LITE, **CONVERSE)
        return str(answer["output"]["message"]["content"][0]["text"])

    return call


def _bedrock_streamed(place: Place) -> Callable[[], float]:
    client = _boto3(place)

    def call() -> float:
        started = time.perf_counter()
        answer = client.converse_stream(modelId=NOVA_LITE, **CONVERSE)
        return first_of(answer["stream"], lambda event: "contentBlockDelta" in event, started)

    return call


def _bedrock_wire(key: str, operation: str = "converse") -> Wire:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return Wire(f"/model/{NOVA_LITE}/{operation}", CONVERSE, headers)


DIALECTS = (
    Dialect("legacy", _legacy_buffered, _legacy_streamed, _legacy_wire, None),
    Dialect(
        "openai",
        _openai_buffered,
        _openai_streamed,
        _openai_wire,
        lambda key: _openai_wire(key, stream=True),
    ),
    Dialect(
        "anthropic",
        _anthropic_buffered,
        _anthropic_streamed,
        _anthropic_wire,
        lambda key: _anthropic_wire(key, stream=True),
    ),
    Dialect(
        "bedrock",
        _bedrock_buffered,
        _bedrock_streamed,
        _bedrock_wire,
        lambda key: _bedrock_wire(key, "converse-stream"),
    ),
)


def command(wire: Wire, count: int) -> dict[str, Any]:
    """The command with which `scripts.bench.gateway` times this request in its handler."""
    return {
        "do": "handler",
        "method": wire.method,
        "path": wire.path,
        "query": wire.query,
        "headers": dict(wire.headers),
        "body": json.dumps(wire.body),
        "count": count,
    }
