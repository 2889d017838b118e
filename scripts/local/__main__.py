"""Run the gateway on this machine: `python -m scripts.local` (or `make local`).

Prints a command line for every route and what to export; runs the schedules of `aggregate` and
`sweep`, and keeps a copy of the lake for reports. Ctrl-C or SIGTERM stops it; what stays is the
folder with logs and lake, until the next run.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import signal
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scripts.local.examples import lines
from scripts.local.lambda_runtime import FunctionError
from scripts.local.logs import FUNCTIONS_LOG, REQUESTS_LOG, logs_in
from scripts.local.ministack import ROOT, MiniStackError
from scripts.local.stack import EMULATOR_LOG, ENVIRONMENTS, STUB_LOG, LocalStack
from scripts.tenants.files import TenantFilesError, environments, load_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scripts.tenants.files import Tenant

FOLDER = ROOT / ".local"
LAKE = "lake"
STREAM_DELTA_SECONDS = 0.1
"""Slow enough to see a polled text grow."""
STOP_SECONDS = 10
_LAST_PORT = 65535
_HTTPS_HINT = "For boto3, which sends a bearer token over https only: make local ARGS=--tls"
# That of `inference-profile-id` in the contract.
EXAMPLE_PROFILE = "nova-lite"
# What curl, the AWS SDKs, requests and httpx (the SDKs of OpenAI and Anthropic) look up.
TRUST_VARIABLES = ("CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")

log = logging.getLogger("scripts.local")


@dataclass(frozen=True)
class Caller:
    """The app that the printed lines call as."""

    tenant: str
    app: str
    key: str
    profile: str | None


def choose_caller(tenants: Mapping[str, Tenant], keys: Mapping[str, str]) -> Caller:
    """Return the first app that the contract's examples suit.

    It has no budget of its own, which is soon used up, and the inference profile of the examples;
    where there is none, what comes nearest.

    Raises:
        TenantFilesError: no tenant has a key.
    """
    ranked: list[tuple[bool, bool, int, Caller]] = []
    for name, key in keys.items():
        tenant_id, app_id, _ = name.split("/")
        app: Mapping[str, Any] = tenants[tenant_id].policy["apps"][app_id]
        profiles = list(app["inference_profiles"])
        suits = EXAMPLE_PROFILE in profiles
        profile = EXAMPLE_PROFILE if suits else next(iter(profiles), None)
        caller = Caller(tenant_id, app_id, key, profile)
        ranked.append((_has_budget(app), not suits, len(ranked), caller))
    if not ranked:
        raise TenantFilesError(["no tenant of the environment has an app with a key"])
    return min(ranked)[-1]


def _has_budget(app: Mapping[str, Any]) -> bool:
    return any(app["budget"][name] is not None for name in ("month_usd", "day_usd"))


def exports(stack: LocalStack, caller: Caller) -> list[str]:
    """Return the lines that a shell needs for the command lines."""
    variables = {
        "TOLLGATE_URL": stack.url,
        "TOLLGATE_KEY": caller.key,
        "TOLLGATE_TEAM": caller.tenant,
    }
    found = [_export(variables)]
    if stack.ca_file is not None:
        found.append(_export(dict.fromkeys(TRUST_VARIABLES, str(stack.ca_file))))
    return found


def _export(variables: Mapping[str, str]) -> str:
    words = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join(["export", *words])


def describe(
    stack: LocalStack, tenants: Mapping[str, Tenant], folder: Path, aggregate_seconds: float
) -> str:
    """Return what a person needs to use the stack."""
    caller = choose_caller(tenants, stack.keys)
    place = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    lake = shlex.quote(str(place / LAKE))
    parameters = {} if caller.profile is None else {"inference-profile-id": caller.profile}
    text = [
        f"Tollgate answers at {stack.url} (Ctrl-C stops it). Bedrock and AWS are stand-ins.",
        "A line for every route, for a shell with the variables at the end:",
    ]
    for line in lines(parameters=parameters):
        text += ["", f"# {line.title}", line.command]
    # What everybody needs comes last, where a terminal shows it.
    text += [
        "",
        f"Logs in {place}: {REQUESTS_LOG}, {FUNCTIONS_LOG} (the functions),",
        f"  {STUB_LOG} (what the provider would bill), {EMULATOR_LOG} (AWS).",
        f"The usage lake is copied to {place / LAKE} every {aggregate_seconds:g} s; the bill:",
        f'  make report ARGS="chargeback --lake {lake}"',
        f'  make report ARGS="usage-by-kind --lake {lake}"',
        *([] if stack.ca_file else [_HTTPS_HINT]),
        "",
        "Keys, by tenant/app/name:",
        *(f"  {name:<32} {key}" for name, key in stack.keys.items()),
        "",
        "# Ctrl-C stops the gateway here. In another shell, "
        f"as the app {caller.app} of {caller.tenant}:",
        *exports(stack, caller),
    ]
    return "\n".join(text)


def run_every(
    seconds: float, name: str, action: Callable[[], object], stop: threading.Event
) -> None:
    """Run an action in a loop until `stop` is set; a failure is logged and tried again."""
    while not stop.wait(seconds):
        try:
            log.info("%s: %s", name, action())
        except (FunctionError, BotoCoreError, ClientError) as error:
            log.error("%s", error, exc_info=error.__cause__)


def serve(options: argparse.Namespace, stop: threading.Event) -> None:
    """Run the stack until `stop` is set."""
    environment, folder = ENVIRONMENTS / options.env, options.folder
    tenants = load_environment(environment)
    with LocalStack(
        environment,
        port=options.port,
        delta_seconds=STREAM_DELTA_SECONDS,
        tls=options.tls,
        folder=folder,
    ) as stack:
        lake = stack.lake_copy(folder / LAKE)
        lake.update()
        print(describe(stack, tenants, folder, options.aggregate_seconds), flush=True)

        def aggregate() -> object:
            try:
                return stack.aggregate()
            finally:
                lake.update()

        schedules = [
            threading.Thread(target=run_every, args=(*schedule, stop), daemon=True)
            for schedule in (
                (options.aggregate_seconds, "aggregate", aggregate),
                (options.sweep_seconds, "sweep", stack.sweep),
            )
        ]
        for schedule in schedules:
            schedule.start()
        stop.wait()
        # A run that is under way ends before what it needs does.
        for schedule in schedules:
            schedule.join(STOP_SECONDS)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"given {text}; allowed: 0 to {_LAST_PORT}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local", description=__doc__)
    parser.add_argument(
        "--env",
        default="local",
        choices=[folder.name for folder in environments(ENVIRONMENTS)],
        help="folder of envs/ with the tenants",
    )
    parser.add_argument("--port", type=_port, default=0, help="TCP port, 0 for a free one")
    parser.add_argument(
        "--tls", action="store_true", help="https, as boto3 wants it for a bearer token"
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="for logs, certificate and the lake's copy"
    )
    parser.add_argument("--aggregate-seconds", type=float, default=20, help="pause between runs")
    parser.add_argument("--sweep-seconds", type=float, default=30, help="pause between runs")
    options = parser.parse_args(arguments)
    # A call that is cut short by the end of the program has no metrics to publish, as expected.
    warnings.filterwarnings("ignore", category=UserWarning, module="aws_lambda_powertools")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with logs_in(options.folder):
        try:
            serve(options, stop)
        except (MiniStackError, TenantFilesError, OSError) as error:
            print(f"local: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
