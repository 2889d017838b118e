"""The emulator starts, answers, resets and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from scripts.local import ministack
from scripts.local.ministack import REGION, ROOT, MiniStack, MiniStackError
from tests.waiting import until

pytestmark = pytest.mark.stack


def gone(pid: int) -> bool:
    """Return whether the process has ended (a zombie has)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_serves_resets_and_cleans_up() -> None:
    with MiniStack() as emulator:
        pid = emulator.pid
        folder = emulator._folder
        assert pid is not None
        assert folder is not None
        environment = emulator.aws_environment
        queues = boto3.client(
            "sqs",
            endpoint_url=emulator.endpoint_url,
            region_name=REGION,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        queues.create_queue(QueueName="one")
        assert len(queues.list_queues()["QueueUrls"]) == 1
        emulator.reset()
        assert not queues.list_queues().get("QueueUrls")
        with pytest.raises(MiniStackError, match="already runs with process id"):
            emulator.start()
    until(lambda: gone(pid), "the emulator's end")
    assert not folder.exists()
    with pytest.raises(MiniStackError, match="does not answer"):
        emulator.reset()


def test_two_at_once() -> None:
    with MiniStack() as one, MiniStack() as two:
        assert one.endpoint_url != two.endpoint_url


def test_missing_installation_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MiniStackError, match="make setup"):
        MiniStack(interpreter=tmp_path / "python").start()


def test_failing_start_shows_the_log(tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho the disk is full >&2\nexit 3\n", "utf-8")
    interpreter.chmod(0o755)
    emulator = MiniStack(interpreter=interpreter)
    with pytest.raises(MiniStackError, match=r"status 3.*\n.*the disk is full"):
        emulator.start()
    assert emulator.pid is None


def test_dies_with_a_killed_parent() -> None:
    code = (
        "import time\n"
        "from scripts.local.ministack import MiniStack\n"
        "emulator = MiniStack()\n"
        "emulator.start()\n"
        "print(emulator.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        child = int(output.readline())
    assert not gone(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until(lambda: gone(child), "the emulator's end")


def test_a_port_taken_by_another_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with MiniStack() as first:
        taken = int(first.endpoint_url.rpartition(":")[2])
        free = ministack.free_port()
        ports = [taken, free]
        monkeypatch.setattr(ministack, "free_port", lambda: ports.pop(0))
        with MiniStack() as second:
            assert second.endpoint_url.endswith(f":{free}")
        assert not ports
