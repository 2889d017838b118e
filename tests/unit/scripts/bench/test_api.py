"""What the bench works out of its measurements is right, and its requests are the gateway's own."""

from __future__ import annotations

import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scripts.bench import api as bench_api
from scripts.bench import clients as bench_clients
from scripts.bench import gateway as bench_gateway
from scripts.bench.api import Effort, Pair, Process, Side
from scripts.bench.clients import DIALECTS, NoAnswerError
from scripts.local import deployment
from scripts.local.apigateway import HttpRequest
from scripts.local.rest_api import Contract
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EFFORT = Effort(concurrency={1: 3, 4: 2}, blocks=2, handler_calls=1)
ECHO = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
"""


def nothing_used() -> dict[str, float]:
    return {"gateway": 0.0, "emulator": 0.0}


def test_percentiles() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert bench_api.percentile(values, 0.5) == 51.0
    assert bench_api.percentile(values, 0.99) == 100.0
    assert bench_api.percentile([7.0], 0.99) == 7.0
    assert math.isnan(bench_api.percentile([], 0.5))


def test_what_is_added_is_the_difference() -> None:
    pair = Pair(Side([1.0, 2.0, 3.0]), Side([11.0, 22.0, 53.0]))
    assert pair.added_ms(0.5) == 20.0
    assert pair.added_ms(0.99) == 50.0


def test_processor_time_is_that_of_calls_alone() -> None:
    # A tenth of a core is busy although nobody calls; ten calls took half a second more.
    direct = Side(seconds=10.0, gateway_seconds=1.0)
    through = Side([1.0] * 10, seconds=5.0, gateway_seconds=1.0)
    assert Pair(direct, through).cpu_ms(lambda side: side.gateway_seconds) == pytest.approx(50.0)
    idle = Side([1.0] * 10, seconds=5.0, gateway_seconds=0.4)
    assert Pair(direct, idle).cpu_ms(lambda side: side.gateway_seconds) == 0.0


def test_a_block_runs_every_worker_s_calls() -> None:
    calls: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        side = bench_api.block(lambda: calls.append(1) or 0.002, pool, 4, 3)
    assert len(calls) == len(side.wall_ms) == 12
    assert side.first_ms == [2.0] * 12
    assert side.per_second > 0
    assert side.failures == []


def test_both_sides_take_turns_after_a_warm_call_of_each() -> None:
    order: list[str] = []
    pair = bench_api.paired(
        lambda: order.append("d"), lambda: order.append("t"), nothing_used, 1, EFFORT
    )
    assert "".join(order) == "dt" + "ddd" + "tttttt" + "dddddd" + "ttt"
    assert len(pair.direct.wall_ms) == len(pair.through.wall_ms) == 9


def test_failures_are_counted_and_told() -> None:
    def fail() -> None:
        raise NoAnswerError("the stream ended without any text")

    pair = bench_api.paired(lambda: None, fail, nothing_used, 1, EFFORT)
    assert pair.through.wall_ms == []
    (told,) = bench_api.failures(pair)
    assert told == ("FAILED 10 at the gateway: NoAnswerError: the stream ended without any text")
    assert "nan" in bench_api.line("legacy", 1, pair)


def test_a_line_has_the_first_piece_of_streams_only() -> None:
    buffered = Pair(Side([1.0], seconds=1.0), Side([12.5], seconds=0.5, gateway_seconds=0.01))
    assert bench_api.line("legacy", 8, buffered).split() == [
        *("legacy", "8", "1", "1.0", "1.0", "12.5", "12.5", "11.5", "11.5", "10.0", "0.0", "2.0")
    ]
    streamed = Pair(Side([1.0], [0.5]), Side([12.5], [7.5]))
    assert bench_api.line("legacy", 8, streamed).split()[-2:] == ["0.5", "7.5"]


def test_every_column_of_a_line_has_a_name() -> None:
    pair = Pair(Side([1.0], [0.5]), Side([12.5], [7.5]))
    for how, extra in ((bench_api.BUFFERED, 0), (bench_api.STREAMED, 2)):
        names = bench_api.header(how)
        assert len(names) == len(bench_api.line("", 8, pair)) - (22 if extra == 0 else 0)


def test_a_stream_is_read_to_its_end() -> None:
    pieces = iter([b"", b"text", b"more"])
    assert bench_clients.first_of(pieces, lambda piece: b"text" in piece, started=0.0) > 0
    assert list(pieces) == []
    with pytest.raises(NoAnswerError, match="without any text"):
        bench_clients.first_of([b""], lambda piece: b"text" in piece, started=0.0)


def test_a_process_answers_line_by_line_and_ends() -> None:
    process = Process([sys.executable, "-c", ECHO])
    assert json.loads(process.greeting) == {"ready": True}
    assert process.ask({"do": "used"}) == {"do": "used"}
    process.stop()
    with pytest.raises(RuntimeError, match="ended with 3"):
        Process([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_gateway_s_tenant_is_valid_and_has_no_limits(tmp_path: Path) -> None:
    bench_gateway.write_environment(tmp_path)
    (loaded,) = tenants.load_environment(tmp_path).values()
    assert loaded.tenant_id == bench_clients.TENANT == bench_gateway.TENANT
    assert set(loaded.keys) == {"app/primary"}
    assert set(loaded.policy["limits"].values()) == {None}
    assert loaded.policy["budget"]["month_usd"] is None


def test_processor_time_of_children_is_counted() -> None:
    assert bench_gateway.children_seconds(os.getpid()) >= 0.0
    assert bench_gateway.process_seconds(os.getpid()) >= 0.0
    assert bench_gateway.process_seconds(2**22 + 1) == 0.0


def test_times_are_medians_without_the_first() -> None:
    calls: list[int] = []
    times = bench_gateway.median_times(lambda: calls.append(1), 4)
    assert len(calls) == 5
    assert set(times) == {"cpu_ms", "wall_ms"}
    assert all(value >= 0 for value in times.values())


def wires() -> list[tuple[str, Mapping[str, object]]]:
    found = []
    for dialect in DIALECTS:
        for make in (dialect.wire, dialect.streamed_wire):
            if make is not None:
                found.append((dialect.name, bench_clients.command(make("k" * 40), 1)))
    return found


@pytest.mark.parametrize(("name", "command"), wires())
def test_every_request_has_a_route(name: str, command: Mapping[str, object]) -> None:
    request = HttpRequest(method=str(command["method"]), path=str(command["path"]))
    operation, _ = Contract(deployment.described()).route(request)
    assert operation.function == ("invoke" if name == "legacy" else "converse")
