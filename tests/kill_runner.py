"""The processes that the kill matrix kills.

A warm process forks a child for every run, so that each costs milliseconds and begins alike. It
reads one JSON list of runs per line and answers with the list of what became of them; the first
line it does itself, to be warm. In a child
every await point is numbered: each call of the AWS SDK and each event of a model's stream. A run
that is to be killed at one of them kills itself there with SIGKILL, so that no cleanup of Python's,
of boto3's or of ours can run.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.client import BaseClient
from botocore.eventstream import EventStream

from scripts.local.lambda_runtime import LambdaContext
from tollgate.domain.jobs import queue_message
from tollgate.entry import clock
from tollgate.entry.http import StreamedResponse
from tollgate.services import jobs
from tollgate_converse import handler as converse
from tollgate_invoke import handler as invoke
from tollgate_models import handler as models
from tollgate_stream import handler as stream
from tollgate_sweep import handler as sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Run = dict[str, Any]
_RESOURCES = ("TableName", "Bucket", "QueueUrl", "modelId")
_MAX_TOKENS = 200


# The paths of the function `converse` by the API that they are of: at once, and streamed.
_PATHS = {
    "openai": ("/v1/chat/completions", "/v1/chat/completions"),
    "anthropic": ("/v1/messages", "/v1/messages"),
    "bedrock": ("/model/{modelId}/converse", "/model/{modelId}/converse-stream"),
    "native": ("/model/{modelId}/invoke", "/model/{modelId}/invoke-with-response-stream"),
}
DIALECTS = tuple(_PATHS)


def asked(dialect: str, run: Run, *, streamed: bool) -> tuple[str, dict[str, Any]]:
    """The path and the body of a request: those of Bedrock's API have the model in the path."""
    path = _PATHS[dialect][streamed]
    if "{modelId}" in path:
        messages = [{"role": "user", "content": [{"text": run["prompt"]}]}]
        return path, {"messages": messages, "inferenceConfig": {"maxTokens": _MAX_TOKENS}}
    return path, {
        "model": run["model"],
        "messages": [{"role": "user", "content": run["prompt"]}],
        "max_tokens": _MAX_TOKENS,
        "stream": streamed,
    }


class Killer:
    """Numbers the await points and kills the process at the one that the run names."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.clients: set[BaseClient] = set()
        self.plan: tuple[int, str] | None = None
        self._waiting: int | None = None

    def install(self) -> None:
        """Wrap the SDK. Without a plan it only numbers."""
        make_call = BaseClient._make_api_call  # noqa: SLF001 - where every SDK call passes
        parse_event = EventStream._parse_event  # noqa: SLF001 - where every event passes
        get_response = http.client.HTTPConnection.getresponse

        def call(client: BaseClient, operation: str, parameters: Mapping[str, Any]) -> Any:
            self.clients.add(client)
            point = self._reach(_name(client, operation, parameters))
            self._die_if(point, "before")
            self._waiting = point
            try:
                return make_call(client, operation, parameters)
            finally:
                self._die_if(point, "after")

        def answer(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
            # The request is out and nobody will read the answer.
            self._die_if(self._waiting, "sent")
            return get_response(connection)

        def event(stream: EventStream, message: Any) -> Any:
            parsed = parse_event(stream, message)
            self._die_if(self._reach(f"event {', '.join(parsed)}"), "before")
            return parsed

        BaseClient._make_api_call = call  # noqa: SLF001
        EventStream._parse_event = event  # noqa: SLF001
        http.client.HTTPConnection.getresponse = answer  # type: ignore[method-assign]

    def send(self, piece: bytes) -> None:  # noqa: ARG002 - what a client would get
        """Send a piece of a streamed answer to a client that is not there."""
        self._die_if(self._reach("piece of the answer"), "before")

    def _reach(self, name: str) -> int:
        self.trace.append(name)
        return len(self.trace) - 1

    def _die_if(self, point: int | None, phase: str) -> None:
        if self.plan is not None and self.plan == (point, phase):
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)


def _name(client: BaseClient, operation: str, parameters: Mapping[str, Any]) -> str:
    service = client.meta.service_model.service_name
    places = [str(parameters[name]) for name in _RESOURCES if name in parameters]
    place = places[0].rpartition("/")[2].removeprefix("tollgate-local-") if places else ""
    return f"{service}:{operation} {place.removesuffix('-000000000000')}".strip()


class Gateway:
    """The deployed handlers, composed once before any child is forked."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer
        self._ahead = timedelta()
        sweep.utc_now = lambda: clock.utc_now() + self._ahead  # type: ignore[attr-defined]
        self._handlers: dict[str, Callable[[Any, Any], Any]] = {
            "converse": converse.lambda_handler,
            "invoke": invoke.lambda_handler,
            "models": models.lambda_handler,
            "stream": stream.lambda_handler,
            "sweep": sweep.lambda_handler,
        }
        for module in (converse, invoke, stream, sweep):
            module.build_service()
        # Chunks by size alone: the number of writes must not depend on the machine's load.
        jobs.CHUNK_SECONDS, jobs.CHUNK_BYTES = 1e12, 100

    def perform(self, run: Run) -> Any:
        """Do what a run says; returns what came of it."""
        if run["does"] == "sweep":
            self._ahead = timedelta(seconds=run["seconds_ahead"])
            return self._call("sweep", {})
        if run["does"] == "deliver":
            return self._deliver(run, run["job"])
        if run["does"] == "look":
            return [self._look(run, path) for path in ("/list_foundation_models", "/v1/usage")]
        dialect, _, how = run["does"].partition(" ")
        if dialect in DIALECTS:
            return self._converse(run, dialect, streamed=how == "stream")
        response = self._invoke(run, streaming=run["does"] != "chat")
        if run["does"] == "chat" or response["statusCode"] != 200:
            return {"status": response["statusCode"]}
        job = json.loads(response["body"])[0]["request_id"]
        if run["does"] == "job":
            self._deliver(run, job)
            self._poll(run, job)
        return {"status": 200, "job": job}

    def _converse(self, run: Run, dialect: str, *, streamed: bool) -> Any:
        resource, body = asked(dialect, run, streamed=streamed)
        event = {
            **_event(run),
            "httpMethod": "POST",
            "resource": resource,
            "pathParameters": {"modelId": run["model"]},
            "headers": _key_headers(run),
            "body": json.dumps(body),
        }
        response = self._call("converse", event)
        if not isinstance(response, StreamedResponse):
            return {"status": response["statusCode"]}
        response.produce(self._killer.send)
        return {"status": response.status}

    def _look(self, run: Run, path: str) -> Any:
        event = {**_event(run), "httpMethod": "GET", "resource": path, "path": path, "headers": {}}
        return self._call("models", event)["statusCode"]

    def _invoke(self, run: Run, *, streaming: bool) -> dict[str, Any]:
        headers = {"team_id": run["tenant"], **({"streaming": "true"} if streaming else {})}
        event = {
            **_event(run),
            "httpMethod": "POST",
            "resource": "/invoke_model",
            "queryStringParameters": {"model_id": run["model"]},
            "headers": {**headers, **_key_headers(run)},
            "body": json.dumps({"inputs": run["prompt"], "parameters": {"maxTokens": _MAX_TOKENS}}),
        }
        response: dict[str, Any] = self._call("invoke", event)
        return response

    def _deliver(self, run: Run, job: str) -> Any:
        body = queue_message(run["tenant"], job)
        return self._call(
            "stream", {"Records": [{"messageId": "m-1", "receiptHandle": "r-1", "body": body}]}
        )

    def _poll(self, run: Run, job: str) -> Any:
        event = {
            **_event(run),
            "pathParameters": {"id": job},
            "queryStringParameters": {"wait": "0"},
        }
        return self._call("stream", event)

    def _call(self, function: str, event: Mapping[str, Any]) -> Any:
        return self._handlers[function](event, LambdaContext(f"tollgate-local-{function}", 300))


def _event(run: Run) -> dict[str, Any]:
    identity = {
        "tenant_id": run["tenant"],
        "app_id": run["app"],
        "key_id": run["label"],
        "tier": "pro",
    }
    return {"requestContext": {"requestId": "gw-1", "authorizer": identity}}


def _key_headers(run: Run) -> dict[str, str]:
    return {"Idempotency-Key": run["idempotency_key"]} if "idempotency_key" in run else {}


def _child(gateway: Gateway, killer: Killer, run: Run, report: int) -> NoReturn:
    plan = run.get("kill")
    killer.plan = None if plan is None else (plan[0], plan[1])
    outcome: dict[str, Any] = {}
    try:
        outcome["result"] = gateway.perform(run)
    except BaseException as error:  # noqa: BLE001 - told to the parent, whatever it is
        outcome["error"] = f"{type(error).__name__}: {error}"
    with suppress(OSError), os.fdopen(report, "w") as pipe:
        json.dump({**outcome, "trace": killer.trace}, pipe)
    os._exit(0)


def _fork(gateway: Gateway, killer: Killer, run: Run) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(gateway, killer, run, write)
    os.close(write)
    return pid, read


def _outcome(pid: int, read: int) -> dict[str, Any]:
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return {"killed": True} if killed else {"killed": False, **json.loads(text)}


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    # Handlers log to standard output.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    killer = Killer()
    gateway = Gateway(killer)
    killer.install()
    print("ready", file=answers, flush=True)
    for run in json.loads(sys.stdin.readline()):
        gateway.perform(run)
    # What the SDK loads on first use is loaded; connections are each child's own.
    for client in killer.clients:
        client._endpoint.http_session.close()  # noqa: SLF001 - it has no public way
    killer.trace.clear()
    for line in sys.stdin:
        children = [_fork(gateway, killer, run) for run in json.loads(line)]
        print(json.dumps([_outcome(*child) for child in children]), file=answers, flush=True)


if __name__ == "__main__":
    main()
