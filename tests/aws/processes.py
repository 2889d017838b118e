"""The functions as Lambda runs them: each zip in a process under Lambda's own runtime."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scripts.build.environments import ENVIRONMENTS, ROOT
from scripts.local.event_source import EventSource
from scripts.local.front_door import FrontDoor
from scripts.local.lambda_runtime import Functions
from scripts.local.lifecycle import Startable
from scripts.local.runtime_api import RuntimeApi
from tests.fakes.line import Line
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.local.deployment import Function
    from scripts.local.stack import LocalStack
    from tests.packaging.builds import Build

_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_NOT_LAMBDAS = ("POWERTOOLS_", "PYTHON")
LAMBDA_PYTHON = ENVIRONMENTS["lambda"].python(ROOT)


class FunctionProcess(Startable):
    """One execution environment of a function, from its zip, with its own settings."""

    def __init__(
        self, function: Function, file: Path, folder: Path, surroundings: Mapping[str, str]
    ) -> None:
        """`surroundings` are variables that AWS, not the deployment, gives a function."""
        self._function = function
        self._task = unpack(file, folder / "task")
        self._output = folder / "stdout"
        self._surroundings = surroundings
        prefix, _, name = function.name.rpartition("-")
        self.api = RuntimeApi(
            name,
            None,
            prefix=prefix,
            timeout_seconds=function.timeout_seconds,
            is_streamed=self.is_streamed,
        )

    @property
    def is_streamed(self) -> bool:
        """Whether it has a runtime of its own, which answers in pieces."""
        return _WRAPPER in self._function.environment

    def start(self) -> None:
        """Start the process; what it prints goes into a file, as buffered as into a pipe."""
        self.api.start()
        runtime = [str(LAMBDA_PYTHON), "-m", "awslambdaric", self._function.handler]
        variables = {
            **self._function.environment,
            **self._surroundings,
            "AWS_LAMBDA_FUNCTION_NAME": self._function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._function.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "LAMBDA_TASK_ROOT": str(self._task),
        }
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*self._wrapper(), *runtime],
                cwd=self._task,
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _wrapper(self) -> list[str]:
        """What Lambda starts in place of its runtime, and gives that one's command line."""
        path = self._function.environment.get(_WRAPPER)
        return [] if path is None else [str(self._task / Path(path).relative_to("/var/task"))]

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
            assert status is None, (
                f"{self._function.name} ended: {status}, {self._output.read_text('utf-8')}"
            )
            return self.api.idle == 1

        until(asks, f"an end of what {self._function.name} does")

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
        surroundings = {
            # Lambda sets none of Python's own, which could hide what is missing.
            **{k: value for k, value in os.environ.items() if not k.startswith(_NOT_LAMBDAS)},
            **{name: line.url for name, line in self.lines.items()},
        }
        self.functions = {
            name: FunctionProcess(function, build.zip(name), folder / name, surroundings)
            for name, function in stack.deployment.functions.items()
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
        deployment = self._stack.deployment
        buffered = Functions(
            {
                name: lambda event, _, api=found.api: api.call(event)
                for name, found in self.functions.items()
                if not found.is_streamed
            },
            deployment.functions,
        )
        (trigger,) = deployment.triggers
        (queue,) = (q for q in deployment.queues.values() if q.arn == trigger.queue_arn)
        cleanup.enter_context(
            EventSource(
                self._stack.client("sqs"),
                queue.url,
                queue.arn,
                lambda event: buffered.invoke(trigger.function, event),
                concurrency=1,
                timeout_seconds=deployment.functions[trigger.function].timeout_seconds,
                reports_failures=trigger.reports_failures,
            )
        )
        self._door = cleanup.enter_context(FrontDoor(buffered, deployment, streams=streamed))

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
