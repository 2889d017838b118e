"""A gateway in a process of its own, for `scripts.bench.api`, with one tenant that has no limits.

Its Bedrock is a stub in another process, so that this one's processor time is the gateway's alone:
the handlers, and the front door that stands where API Gateway does. Prints where it listens as one
line of JSON; then answers each line of its standard input with one, and ends with its input.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local import apigateway
from scripts.local.apigateway import Authorization, HttpRequest
from scripts.local.lambda_runtime import LambdaContext
from scripts.local.rest_api import Contract
from scripts.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TENANT = "bench"
KEY = f"{TENANT}/app/primary"
# API Gateway asks the authorizer once for each key in this time, as terraform has it.
AUTHORIZER_CACHE_SECONDS = 60.0
ENVIRONMENT = {
    "env.tfvars": """
prefix = "tollgate-local"
tiers  = { open = { max_tokens = { default = 1024, maximum = 4096 } } }
""",
    f"tenants/{TENANT}.tfvars": """
name        = "Bench"
kind        = "customer"
cost_center = "CC-1"
tier        = "open"
models      = ["*"]
apps        = { app = { keys = { primary = {} } } }
""",
}
_AUTHORIZER = "authorize"
_TICKS = os.sysconf("SC_CLK_TCK")

Timed = Callable[[], object]


def write_environment(folder: Path) -> None:
    """Write the tenant and its tier as an environment's folder has them."""
    for name, text in ENVIRONMENT.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip(), encoding="utf-8")


def process_seconds(process: int) -> float:
    """Processor time of a running process and its children, 0 where the system does not say."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS + children_seconds(process)
    return 0.0


def children_seconds(process: int) -> float:
    """Processor time of the processes that a process has started and that still run."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text("utf-8").split()
        return sum(process_seconds(int(child)) for child in children)
    return 0.0


def median_times(call: Timed, count: int) -> dict[str, float]:
    """Median CPU-ms and wall-ms of a call, one after the other; the first is not counted."""
    call()
    cpu, wall = [], []
    for _ in range(count):
        started = time.thread_time(), time.perf_counter()
        call()
        cpu.append((time.thread_time() - started[0]) * 1000)
        wall.append((time.perf_counter() - started[1]) * 1000)
    return {"cpu_ms": statistics.median(cpu), "wall_ms": statistics.median(wall)}


class Gateway:
    """The commands."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._contract = Contract(stack.deployment)

    def used(self, _: Mapping[str, Any]) -> dict[str, float]:
        """Processor seconds so far: of this process, and of the emulator."""
        return {"gateway": time.process_time(), "emulator": children_seconds(os.getpid())}

    def handler(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Times of one HTTP request in its handler and in the authorizer, without a front door."""
        request = HttpRequest(
            method=command["method"],
            path=command["path"],
            query=command["query"],
            headers=[(name.lower(), value) for name, value in command["headers"].items()],
            body=command["body"].encode(),
            request_id="bench",
        )
        operation, path_parameters = self._contract.route(request)
        asked = apigateway.authorizer_event(operation, request, path_parameters)
        granted = Authorization.parse(self._stack.invoke(_AUTHORIZER, asked))
        event = apigateway.proxy_event(operation, request, path_parameters, granted.context)
        handle = self._handler(operation.function)
        return {
            "handler": median_times(lambda: _read(handle(event)), command["count"]),
            "authorizer": median_times(
                lambda: self._stack.invoke(_AUTHORIZER, asked), command["count"]
            ),
        }

    @staticmethod
    def _handler(name: str) -> Callable[[Mapping[str, Any]], Any]:
        module = importlib.import_module(f"tollgate_{name}.handler")

        def handle(event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what the handler returns
            # Every invocation has an event of its own.
            return module.lambda_handler(json.loads(json.dumps(event)), LambdaContext(name, 300))

        return handle


def _read(answer: Any) -> bytes:  # noqa: ANN401 - a dict or a streamed response
    """The body of what a handler returned; a streamed one is written to its end."""
    body: bytes
    if isinstance(answer, dict):
        status, body = answer["statusCode"], answer["body"].encode()
    else:
        pieces: list[bytes] = []
        answer.produce(pieces.append)
        status, body = answer.status, b"".join(pieces)
    if status != HTTPStatus.OK:
        raise RuntimeError(
            f"the handler answered {status}: {body[:300].decode('utf-8', 'replace')}"
        )
    return body


@contextlib.contextmanager
def gateway(stub_url: str) -> Iterator[LocalStack]:
    """A gateway that calls this stub."""
    with tempfile.TemporaryDirectory() as folder:
        write_environment(Path(folder))
        stack = LocalStack(Path(folder), authorizer_cache_seconds=AUTHORIZER_CACHE_SECONDS)
        with stack:
            # Handlers make the client of the runtime at their first call.
            os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = stub_url
            yield stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.gateway", description=__doc__)
    parser.add_argument("stub_url", help="where the Bedrock stub listens")
    options = parser.parse_args(arguments)
    # Handlers write their logs, as in production, but only answers may go to our output.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    with answers, gateway(options.stub_url) as stack:
        print(json.dumps({"url": stack.url, "key": stack.keys[KEY]}), file=answers, flush=True)
        served = Gateway(stack)
        commands: dict[str, Callable[[Mapping[str, Any]], object]] = {
            "used": served.used,
            "handler": served.handler,
        }
        for line in sys.stdin:
            command = json.loads(line)
            answer = commands[command["do"]](command)
            print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
