"""The functions as Lambda runs them: each zip in a process under Lambda's own runtime."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scripts.build.environments import ENVIRONMENTS, ROOT
from scripts.build.package import WRAPPER
from scripts.local.event_source import EventSource
from scripts.local.front_door import FrontDoor
from scripts.local.lambda_runtime import TIMEOUT_SECONDS, Functions
from scripts.local.lifecycle import Startable
from scripts.local.provision import PREFIX
from scripts.local.runtime_api import RuntimeApi
from tests.fakes.line import Line
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.local.stack import LocalStack
    from tests.packaging.builds import Build

LAMBDA_PYTHON = ENVIRONMENTS["lambda"].python(ROOT)


class FunctionProcess(Startable):
    """One execution environment of a function, from its zip."""

    def __init__(self, name: str, build: Build, folder: Path, variables: Mapping[str, str]) -> None:
        self.name = name
        self._handler = build.manifest[name]["handler"]
        self._task = unpack(build.zip(name), folder / "task")
        self._output = folder / "stdout"
        self._variables = variables
        self.api = RuntimeApi(name, None, prefix=PREFIX, is_streamed=self.is_streamed)

    @property
    def is_streamed(self) -> bool:
        """Whether its zip brings a runtime of its own, which answers in pieces."""
        return (self._task / WRAPPER).is_file()

    def start(self) -> None:
        """Start the process; what it prints goes into a file, as buffered as into a pipe."""
        self.api.start()
        runtime = [str(LAMBDA_PYTHON), "-m", "awslambdaric", self._handler]
        variables = {
            **self._variables,
            "AWS_LAMBDA_FUNCTION_NAME": f"{PREFIX}-{self.name}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "LAMBDA_TASK_ROOT": str(self._task),
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "POWERTOOLS_SERVICE_NAME": f"{PREFIX}-{self.name}",
        }
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [str(self._task / WRAPPER), *runtime] if self.is_streamed else runtime,
                cwd=self._task,
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()
        self.api.stop()

    def freeze(self) -> None:
        """Run no further, as between two invocations."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Run on."""
        self._process.send_signal(signal.SIGCONT)

    def wait(self) -> None:
        """Wait until it asks for an invocation."""

        def asks() -> bool:
            status = self._process.poll()
            assert status is None, f"{self.name} ended: {status}, {self._output.read_text('utf-8')}"
            return self.api.idle == 1

        until(asks, f"an end of what {self.name} does")

    def lines(self) -> list[dict[str, Any]]:
        """What it has printed, each line a document, once it asks for its next invocation."""
        self.wait()
        return [json.loads(line) for line in self._output.read_text("utf-8").splitlines()]


class Deployed(Startable):
    """All functions as processes behind a front door, over lines that can be cut.

    Tables, buckets, queue and model services are those of a stack that takes no jobs itself.
    """

    def __init__(self, stack: LocalStack, build: Build, folder: Path) -> None:
        self._stack = stack
        self.lines = {
            name: Line(port_of(url))
            for name, url in os.environ.items()
            if name.startswith("AWS_ENDPOINT_URL")
        }
        variables = {
            # Lambda sets none of Python's own, which could hide what is missing.
            **{k: value for k, value in os.environ.items() if not k.startswith("PYTHON")},
            **{name: line.url for name, line in self.lines.items()},
        }
        self.functions = {
            name: FunctionProcess(name, build, folder / name, variables) for name in build.manifest
        }

    @property
    def url(self) -> str:
        """Base URL of the gateway."""
        return self._door.url

    def start(self) -> None:
        """Start the processes, all at once, and what stands before them."""
        with ExitStack() as cleanup:
            self._start(cleanup)
            self._cleanup = cleanup.pop_all()

    def _start(self, cleanup: ExitStack) -> None:
        for part in (*self.lines.values(), *self.functions.values()):
            cleanup.enter_context(part)
        # A function's time begins with its first invocation, not with its start.
        for function in self.functions.values():
            function.wait()
        streamed = {name: found.api for name, found in self.functions.items() if found.is_streamed}
        buffered = Functions(
            {
                name: lambda event, _, api=found.api: api.call(event)
                for name, found in self.functions.items()
                if not found.is_streamed
            }
        )
        deployment = self._stack.deployment
        cleanup.enter_context(
            EventSource(
                self._stack.client("sqs"),
                deployment.queue_url,
                deployment.queue_arn,
                lambda event: buffered.invoke("stream", event),
                concurrency=1,
                timeout_seconds=TIMEOUT_SECONDS["stream"],
            )
        )
        self._door = cleanup.enter_context(FrontDoor(buffered, streams=streamed))

    def stop(self) -> None:
        """End all of it."""
        self._cleanup.close()


def port_of(url: str) -> int:
    """The port of a server on this machine."""
    port = urlsplit(url).port
    assert port is not None
    return port


def unpack(file: Path, folder: Path) -> Path:
    """A zip as Lambda unpacks it, with the modes of its files, which Python does not restore."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
        for entry in archive.infolist():
            (folder / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
    return folder
