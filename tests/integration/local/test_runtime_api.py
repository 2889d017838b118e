"""The loop that answers in pieces, against the local Runtime API."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.lambda_runtime import FunctionError, PayloadTooLargeError
from scripts.local.ministack import ROOT
from scripts.local.runtime_api import RuntimeApi
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.entry.http import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[bytes], None]

HEADERS = {"Content-Type": "text/event-stream", "x-request-id": "r1"}


def api(handler: Callable[[dict[str, Any], Any], Any], **settings: Any) -> RuntimeApi:
    return RuntimeApi("stream", handler, **settings)


def streamed(produce: Callable[[Write], None], **settings: Any) -> Callable[..., StreamedResponse]:
    return lambda *_: StreamedResponse(200, HEADERS, produce, **settings)


def test_pieces_arrive_while_the_answer_is_made() -> None:
    second = threading.Event()

    def produce(write: Write) -> None:
        write(b"one ")
        assert second.wait(PATIENCE_SECONDS)
        write(b"two")

    with api(streamed(produce)) as runtime:
        answer = runtime.invoke({})
        assert (answer.status, answer.headers) == (200, HEADERS)
        body = answer.body()
        first = next(body)
        second.set()
        assert first + b"".join(body) == b"one two"


def test_a_complete_answer_is_a_stream_of_one_piece() -> None:
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        assert context.function_name == "tollgate-local-stream"
        assert 0 < context.get_remaining_time_in_millis() <= 900_000
        return {"statusCode": 402, "headers": HEADERS, "body": event["text"]}

    with api(handler) as runtime:
        answer = runtime.invoke({"text": "Grüße"})
        assert answer.status == 402
        assert b"".join(answer.body()).decode() == "Grüße"


def test_a_complete_answer_of_bytes_is_decoded() -> None:
    body = base64.b64encode(b"\x00\xff").decode()
    response = {"statusCode": 200, "headers": {}, "body": body, "isBase64Encoded": True}

    with api(lambda *_: response) as runtime:
        assert b"".join(runtime.invoke({}).body()) == b"\x00\xff"


def test_an_environment_answers_one_invocation_after_the_other() -> None:
    threads: list[str] = []

    def produce(write: Write) -> None:
        threads.append(threading.current_thread().name)
        write(b"x")

    with api(streamed(produce)) as runtime:
        for _ in range(3):
            assert b"".join(runtime.invoke({}).body()) == b"x"
            until(lambda: runtime.idle == 1, "the environment's wish for its next invocation")
    assert len(threads) == 3
    assert runtime.environments == 1


def test_concurrent_invocations_have_environments_of_their_own() -> None:
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)

    def produce(write: Write) -> None:
        together.wait()
        write(b"x")

    with api(streamed(produce)) as runtime:
        answers = [runtime.invoke({}) for _ in range(3)]
        assert [b"".join(answer.body()) for answer in answers] == [b"x"] * 3
    assert runtime.environments == 3


def test_silence_is_filled() -> None:
    quiet = threading.Event()

    def produce(write: Write) -> None:
        write(b"a")
        assert quiet.wait(PATIENCE_SECONDS)
        write(b"b")

    handler = streamed(produce, keep_alive=b": still here\n\n")
    with api(handler, keep_alive_seconds=0.05) as runtime:
        body = runtime.invoke({}).body()
        # Some may come before the first piece, where that takes its time.
        assert next(piece for piece in body if piece != b": still here\n\n") == b"a"
        assert [next(body), next(body)] == [b": still here\n\n"] * 2
        quiet.set()
        assert b"".join(body).endswith(b"b")


def test_an_answer_without_room_for_it_is_silent() -> None:
    def produce(write: Write) -> None:
        write(b"a")
        time.sleep(0.3)  # six keep-alives long, had it room for them
        write(b"b")

    with api(streamed(produce), keep_alive_seconds=0.05) as runtime:
        assert list(runtime.invoke({}).body()) == [b"a", b"b"]


def test_a_slow_client_slows_the_answer_down() -> None:
    made: list[int] = []
    piece = b"x" * 65536

    def produce(write: Write) -> None:
        for number in range(1000):
            write(piece)
            made.append(number)

    def stands_still() -> bool:
        before = len(made)
        time.sleep(0.3)
        return len(made) == before > 0

    with api(streamed(produce)) as runtime:
        answer = runtime.invoke({})
        until(stands_still, "an end of what is made unread")
        assert len(made) < 900
        assert sum(map(len, answer.body())) == 1000 * len(piece)
    assert len(made) == 1000


def test_an_answer_is_made_to_its_end_when_the_client_is_gone() -> None:
    gone, settled = threading.Event(), threading.Event()

    def produce(write: Write) -> None:
        write(b"first")
        assert gone.wait(PATIENCE_SECONDS)
        for _ in range(500):
            write(b"x" * 65536)
        settled.set()

    with api(streamed(produce)) as runtime:
        answer = runtime.invoke({})
        assert next(answer.body()) == b"first"
        answer.abandon()
        gone.set()
        assert settled.wait(PATIENCE_SECONDS)
        # And the environment is there for the next one.
        assert runtime.invoke({}).status == 200


def test_a_failure_before_the_answer_is_the_functions_failure() -> None:
    def handler(*_: object) -> None:
        raise LookupError("secret prompt")

    with api(handler) as runtime:
        with pytest.raises(FunctionError) as failed:
            runtime.invoke({})
        assert str(failed.value) == "LookupError"


def test_a_failure_in_the_middle_breaks_the_answer_off() -> None:
    def produce(write: Write) -> None:
        write(b"begun")
        raise LookupError("secret prompt")

    with api(streamed(produce)) as runtime:
        body = runtime.invoke({}).body()
        assert next(body) == b"begun"
        with pytest.raises(FunctionError) as failed:
            next(body)
        assert str(failed.value) == "LookupError"


def test_an_event_that_lambda_does_not_take_is_refused() -> None:
    with api(streamed(lambda _: None)) as runtime, pytest.raises(PayloadTooLargeError):
        runtime.invoke({"body": "x" * (6 * 1024 * 1024)})


def test_a_process_runs_as_lambda_starts_it(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(
        textwrap.dedent(
            """
            from tollgate.entry.http import StreamedResponse
            from tollgate.entry.runtime import main

            def lambda_handler(event, context):
                return StreamedResponse(200, {}, lambda write: write(event["text"].encode()))

            main(lambda: lambda_handler)
            """
        )
    )
    with RuntimeApi("stream", None) as runtime:
        environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "tollgate-local-stream",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_RUNTIME_API": runtime.address,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{tmp_path}:{ROOT / 'functions' / 'shared'}",
        }
        process = subprocess.Popen([sys.executable, "hello.py"], env=environment, cwd=tmp_path)
        try:
            assert b"".join(runtime.invoke({"text": "hi"}).body()) == b"hi"
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
