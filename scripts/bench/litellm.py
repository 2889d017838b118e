"""LiteLLM's proxy beside the gateway: the same client, the same stub, in turns within one run.

    make bench-litellm                     installs it first, some 700 MB into .tools/litellm
    python -m scripts.bench.litellm        only if it is installed; says so if it is not

One worker of the proxy calls the stub as Bedrock. It runs without database and Redis, so it keeps
no tenants, budgets or usage, which are most of what the gateway's calls pay for; its own start and
memory are those of one process, where the gateway's is all functions and the front door in one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.bench import api as bench_api
from scripts.bench.api import BUFFERED, FULL, QUICK, STREAM_DELTA_MS, STREAMED, Effort, rig
from scripts.bench.clients import DIALECTS, NOVA_LITE, REGION, Place
from scripts.bench.gateway import process_seconds
from scripts.bench.ledger import machine
from scripts.local.ministack import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VERSION = "1.101.6"
FOLDER = ROOT / ".tools" / "litellm"
KEY = "sk-bench"
START_SECONDS = 120
POLL_SECONDS = 0.2
_OPENAI = next(dialect for dialect in DIALECTS if dialect.name == "openai")


class LiteLlmError(Exception):
    """The proxy cannot be installed or does not start; the message says why."""


def program(folder: Path = FOLDER) -> Path:
    """The proxy's program, whether it is there or not."""
    return folder / "bin" / "litellm"


def install(folder: Path = FOLDER) -> None:
    """Make the environment. There is no lock of it: it is measured here and never deployed.

    Raises:
        LiteLlmError: pip could not install it; its own message is already on stderr.
    """
    if program(folder).is_file():
        return
    print(f"installing LiteLLM {VERSION} into {folder} ...", flush=True)
    venv.EnvBuilder(with_pip=True, symlinks=True, clear=True).create(folder)
    command = [
        *(str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-input"),
        *("--disable-pip-version-check", f"litellm[proxy]=={VERSION}"),
    ]
    if subprocess.run(command, check=False).returncode != 0:
        raise LiteLlmError(f"pip could not install LiteLLM {VERSION} (see above)")


def configuration(stub_url: str) -> dict[str, Any]:
    """The proxy's configuration: the one model, at the stub. JSON is YAML too."""
    return {
        "model_list": [
            {
                "model_name": NOVA_LITE,
                "litellm_params": {
                    "model": f"bedrock/converse/{NOVA_LITE}",
                    "aws_bedrock_runtime_endpoint": stub_url,
                    "aws_region_name": REGION,
                    "aws_access_key_id": "test",
                    "aws_secret_access_key": "test",
                },
            }
        ],
        "litellm_settings": {"telemetry": False, "num_retries": 0},
        "general_settings": {"master_key": KEY},
    }


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy."""

    place: Place
    process: int
    start_seconds: float

    def used(self) -> Mapping[str, float]:
        """Its processor seconds so far."""
        return {"gateway": process_seconds(self.process), "emulator": 0.0}


@contextlib.contextmanager
def proxy(stub_url: str, folder: Path = FOLDER) -> Iterator[Proxy]:
    """Run the proxy in front of a stub.

    Raises:
        LiteLlmError: it does not answer within two minutes; the message ends with its log.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        config, log = Path(scratch) / "config.yaml", Path(scratch) / "log.txt"
        config.write_text(json.dumps(configuration(stub_url)), encoding="utf-8")
        started = time.monotonic()
        with log.open("wb") as output:
            running = subprocess.Popen(
                [
                    *(str(program(folder)), "--config", str(config), "--host", "127.0.0.1"),
                    *("--port", str(port), "--num_workers", "1"),
                ],
                cwd=scratch,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": scratch,
                    "NO_PROXY": "127.0.0.1",
                    # It would fetch its price list, and may not here.
                    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                    "LITELLM_LOG": "ERROR",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(running, f"{url}/health/liveliness", log)
            yield Proxy(Place(url, KEY), running.pid, time.monotonic() - started)
        finally:
            running.terminate()
            running.wait()


def _wait(running: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_SECONDS)
    raise LiteLlmError(f"LiteLLM did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def memory_mib(process: int) -> float:
    """Memory that a process has now; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def report(effort: Effort) -> Iterator[str]:
    """The report's lines, as they become known."""
    with rig(STREAM_DELTA_MS) as ours, proxy(ours.stub.url) as theirs:
        yield f"Machine: {machine()}"
        yield ""
        yield (
            f"LiteLLM {VERSION}, one worker without a database: ready after "
            f"{theirs.start_seconds:.1f} s, {memory_mib(theirs.process):.0f} MiB"
        )
        yield "Client: the openai library; ms as it sees them, and CPU-ms of one call."
        sides = (("tollgate", ours.place, ours.used), ("litellm", theirs.place, theirs.used))
        for how in (BUFFERED, STREAMED):
            yield ""
            yield f"{how.capitalize()}:"
            yield ""
            yield bench_api.header(how)
            for workers in effort.concurrency:
                for name, place, used in sides:
                    make = getattr(_OPENAI, how)
                    pair = bench_api.paired(make(ours.stub), make(place), used, workers, effort)
                    yield bench_api.line(name, workers, pair)
                    yield from bench_api.failures(pair)
        yield ""
        yield f"LiteLLM afterwards: {memory_mib(theirs.process):.0f} MiB"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.litellm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="measure hardly anything")
    parser.add_argument("--install", action="store_true", help="install LiteLLM where it is not")
    options = parser.parse_args(arguments)
    try:
        if options.install:
            install()
        if not program().is_file():
            print("LiteLLM is not installed, so not measured; `make bench-litellm` installs it.")
            return 0
        for line in report(QUICK if options.quick else FULL):
            print(line, flush=True)
    except LiteLlmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
