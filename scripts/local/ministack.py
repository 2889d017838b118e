"""Start and stop MiniStack, the emulator of AWS, as a child process of its own.

The child gets a folder of its own for everything it writes, listens on a free port of the
loopback interface only, and dies with its parent however the parent dies.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from scripts.local.lifecycle import Startable

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = ROOT / ".tools" / "ministack" / "bin" / "python"
CHILD = Path(__file__).with_name("ministack_child.py")
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
"""The account that MiniStack's default credentials belong to."""

QUEUE_CLOCK = "queue-clock"
"""File in the child's folder: seconds that its queues' clock is ahead; see ministack_child."""
HEALTH_PATH = "/_ministack/health"
RESET_PATH = "/_ministack/reset"
SERVING = "Running on http"
"""What the child logs once it accepts connections."""
LOG_TAIL_LINES = 20
START_ATTEMPTS = 3
# What sets a process's clock (scripts.bench.hardship): AWS has the same time as its callers.
CLOCK_VARIABLES = ("FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "LD_PRELOAD", "PYTHONPATH")
PROBE_SECONDS = 2.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


class MiniStackError(Exception):
    """MiniStack is not installed, did not start or did not answer; the message says which."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def aws_environment(endpoint_url: str) -> dict[str, str]:
    """Return the environment variables that point boto3 at an emulator, which takes any keys."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


class MiniStack(Startable):
    """A MiniStack process; use it as a context manager.

    Args:
        start_timeout: seconds to wait for the emulator to answer.
        interpreter: Python of the environment that MiniStack is installed in.
        log: file for what it says, which stays; None keeps it with its other files, which go.
    """

    def __init__(
        self,
        *,
        start_timeout: float = 30.0,
        interpreter: Path = INTERPRETER,
        log: Path | None = None,
    ) -> None:
        self._start_timeout = start_timeout
        self._interpreter = interpreter
        self._log = log
        self._queue_seconds_ahead = 0.0
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def endpoint_url(self) -> str:
        """Base URL of every emulated service."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running child, None when there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def aws_environment(self) -> dict[str, str]:
        """Environment variables that point boto3 at this emulator."""
        return aws_environment(self.endpoint_url)

    def start(self) -> None:
        """Start the emulator and wait until it answers.

        Raises:
            MiniStackError: it is not installed, ended, or did not answer in time; the message
                ends with the last lines of its log.
        """
        if self._process is not None:
            raise MiniStackError(f"MiniStack already runs with process id {self._process.pid}")
        if not self._interpreter.exists():
            raise MiniStackError(
                f"MiniStack is not installed: {self._interpreter} does not exist; "
                "run `make setup-local`"
            )
        for attempt in range(1, START_ATTEMPTS + 1):
            self._launch()
            problem = self._wait_until_healthy()
            if problem is None:
                return
            log = self._log_tail()
            self.stop()
            # Someone may take the port between our choosing it and the child's binding it.
            if "in use" not in log or attempt == START_ATTEMPTS:
                raise MiniStackError(f"MiniStack {problem}; the end of its log:\n{log}")

    def reset(self) -> None:
        """Delete everything in the emulator, of every account and service.

        Raises:
            MiniStackError: the emulator does not answer or refuses.
        """
        status = self._request("POST", RESET_PATH)
        if status != http.client.OK:
            raise MiniStackError(f"MiniStack answered {status} to a reset, expected 200")

    def move_queue_clock(self, seconds: float) -> None:
        """Let time pass for messages of queues, and for nothing else in the emulator."""
        if self._folder is None:
            raise MiniStackError("MiniStack does not run; its clock cannot be moved")
        self._queue_seconds_ahead += seconds
        # Whoever reads it meanwhile must find one time or the other.
        written = self._folder / f"{QUEUE_CLOCK}.new"
        written.write_text(str(self._queue_seconds_ahead), "utf-8")
        written.replace(self._folder / QUEUE_CLOCK)

    def stop(self) -> None:
        """Stop the child, by force when it does not stop itself, and remove what it wrote."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _launch(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="tollgate-ministack-"))
        self._folder = folder
        self._port = free_port()
        for name in ("tmp", "s3", "state"):
            (folder / name).mkdir()
        # Nothing of the caller's environment but what a process needs to run: settings of AWS or
        # of another MiniStack in it must not change what the tests see.
        names = ("PATH", "LANG", *(CLOCK_VARIABLES if "FAKETIME" in os.environ else ()))
        inherited = {name: os.environ[name] for name in names if name in os.environ}
        environment = {
            **inherited,
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "S3_DATA_DIR": str(folder / "s3"),
            "STATE_DIR": str(folder / "state"),
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "MINISTACK_REGION": REGION,
        }
        with self._log_path(folder).open("wb") as log:
            self._process = subprocess.Popen(
                # -P: this folder's modules must not shadow MiniStack's own package.
                [str(self._interpreter), "-P", str(CHILD)],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for us: we stop the child in order
            )

    def _wait_until_healthy(self) -> str | None:
        """Return None once the child answers, else what is wrong with it."""
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                return f"ended with status {self._process.returncode} while starting"
            if self._serves() and self._is_healthy():
                return None
            time.sleep(POLL_SECONDS)
        return f"did not answer {HEALTH_PATH} within {self._start_timeout:.0f} s"

    def _serves(self) -> bool:
        """Return whether the child itself has bound the port.

        Another program may hold it, even another MiniStack that would answer in the child's place.
        """
        return self._folder is not None and SERVING in self._log_path(self._folder).read_text(
            "utf-8", "replace"
        )

    def _is_healthy(self) -> bool:
        try:
            return self._request("GET", HEALTH_PATH) == http.client.OK
        except MiniStackError:
            return False

    def _request(self, method: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PROBE_SECONDS)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            raise MiniStackError(f"MiniStack does not answer at {self.endpoint_url}") from error
        finally:
            connection.close()
        return response.status

    def _log_tail(self) -> str:
        if self._folder is None:
            return "(no log)"
        text = self._log_path(self._folder).read_text("utf-8", "replace")
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:]) or "(the log is empty)"

    def _log_path(self, folder: Path) -> Path:
        return self._log or folder / "log.txt"
