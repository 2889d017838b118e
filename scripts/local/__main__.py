"""Run the gateway on this machine: `python -m scripts.local` (or `make local`).

Prints the URL, a key of each tenant and a command line for every route; runs the schedules of
`aggregate` and `sweep`; Ctrl-C or SIGTERM stops it and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING

from scripts.local.lambda_runtime import FunctionError
from scripts.local.ministack import MiniStackError
from scripts.local.stack import ENVIRONMENTS, LocalStack
from scripts.tenants.files import TenantFilesError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODEL = "amazon.nova-lite-v1:0"
STREAM_DELTA_SECONDS = 0.1
"""Slow enough to see a polled text grow."""

log = logging.getLogger("scripts.local")


def first_keys(keys: dict[str, str]) -> dict[str, str]:
    """Return one key of each tenant, by tenant id."""
    chosen: dict[str, str] = {}
    for name, key in keys.items():
        chosen.setdefault(name.partition("/")[0], key)
    return chosen


def examples(url: str, tenant_id: str, key: str) -> list[tuple[str, str]]:
    """Return a title and a command line for every route."""

    def curl(path: str, *headers: str, body: str = "") -> str:
        parts = ["curl", "-sS", url + path]
        for header in headers:
            parts += ["-H", header]
        if body:
            parts += ["-H", "content-type: application/json", "-d", body]
        return shlex.join(parts)

    invoke = f"/invoke_model?model_id={MODEL}"
    credentials = (f"x-api-key: {key}", f"team_id: {tenant_id}")
    question = "What is Amazon Bedrock?"
    chat = f'{{"inputs":[{{"role":"user","content":[{{"text":"{question}"}}]}}]}}'
    prompt = f'{{"inputs":"{question}","parameters":{{"maxTokens":200}}}}'
    long_prompt = '{"inputs":"Tell me a long story [stub:tokens=300]"}'
    return [
        ("The models this tenant may call", curl("/list_foundation_models", *credentials)),
        ("Chat", curl(invoke, *credentials, "messages_api: true", body=chat)),
        ("A prompt", curl(invoke, *credentials, body=prompt)),
        (
            "Start a stream; it answers with a request_id",
            curl(invoke, *credentials, "streaming: true", body=long_prompt),
        ),
        (
            "Poll it, old style",
            curl("/invoke_model?requestId=REQUEST_ID", *credentials, body="{}"),
        ),
        (
            "Long-poll it from a cursor on",
            curl("/v1/jobs/REQUEST_ID?cursor=0&wait=20", f"Authorization: Bearer {key}"),
        ),
    ]


def describe(stack: LocalStack) -> str:
    """Return what a person needs to use the stack."""
    keys = first_keys(dict(stack.keys))
    tenant_id, key = next(iter(keys.items()))
    lines = [
        f"Tollgate answers at {stack.url} (Ctrl-C stops it).",
        f"Bedrock is a stub at {stack.stub.url}; it logs its calls to {stack.stub_log}.",
        "",
        "Keys:",
        *(f"  {name:<12} {value}" for name, value in keys.items()),
    ]
    for title, command in examples(stack.url, tenant_id, key):
        lines += ["", f"# {title}", command]
    return "\n".join(lines)


def run_every(
    seconds: float, name: str, action: Callable[[], object], stop: threading.Event
) -> None:
    """Run an action in a loop until `stop` is set; a failure is logged and tried again."""
    while not stop.wait(seconds):
        try:
            log.info("%s: %s", name, action())
        except FunctionError as error:
            log.error("%s", error, exc_info=error.__cause__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local", description=__doc__)
    parser.add_argument("--env", default="local", help="folder of envs/ with the tenants")
    parser.add_argument("--port", type=int, default=0, help="TCP port, 0 for a free one")
    parser.add_argument("--aggregate-seconds", type=float, default=60, help="pause between runs")
    parser.add_argument("--sweep-seconds", type=float, default=30, help="pause between runs")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("scripts.local").setLevel(logging.INFO)
    # A call that is cut short by the end of the program has no metrics to publish, as expected.
    warnings.filterwarnings("ignore", category=UserWarning, module="aws_lambda_powertools")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stack = LocalStack(
        ENVIRONMENTS / options.env, port=options.port, delta_seconds=STREAM_DELTA_SECONDS
    )
    try:
        with stack:
            print(describe(stack), flush=True)
            for seconds, name, action in (
                (options.aggregate_seconds, "aggregate", stack.aggregate),
                (options.sweep_seconds, "sweep", stack.sweep),
            ):
                threading.Thread(
                    target=run_every, args=(seconds, name, action, stop), daemon=True
                ).start()
            stop.wait()
    except (MiniStackError, TenantFilesError, OSError) as error:
        print(f"local: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
