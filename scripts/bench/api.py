"""What the gateway adds to a model call, as its clients see it, for each dialect.

    make bench                     some minutes
    make bench ARGS=--quick        some seconds; only to see that it works

Client, gateway and Bedrock stub are processes of their own. Each library calls the gateway and,
in turns within the same run, the stub directly; what is added is the difference of what the client
measured. The stub answers at once (buffered) or paces a stream of 15 pieces by 10 ms.

What this machine adds that AWS does not: the front door is ours and stands for API Gateway and
Lambda's runtime, the tables are MiniStack's, and everything shares these cores, so that many calls
at once mostly wait for each other. So processor time is told apart: "gateway" is the process of
handlers and front door, "tables" MiniStack; and below, each handler is called without any HTTP.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.bench import clients as bench_clients
from scripts.bench.clients import DIALECTS, Dialect, Place
from scripts.bench.ledger import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

STUB = [sys.executable, "-m", "scripts.local.stubs.bedrock"]
GATEWAY = [sys.executable, "-m", "scripts.bench.gateway"]
STREAM_DELTA_MS = 10
BUFFERED, STREAMED = "buffered", "streamed"
FAILED = "FAILED"
PERCENT_50, PERCENT_99 = 0.5, 0.99


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure: calls at once with the calls of each worker in a block, and blocks."""

    concurrency: Mapping[int, int]
    blocks: int
    handler_calls: int


FULL = Effort(concurrency={1: 10, 8: 3, 32: 1}, blocks=6, handler_calls=60)
QUICK = Effort(concurrency={1: 1, 2: 1}, blocks=1, handler_calls=1)


# --- Measuring --------------------------------------------------------------------------------


@dataclass(slots=True)
class Side:
    """What calls at one place took; `first_ms` is there for streams."""

    wall_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    gateway_seconds: float = 0.0
    emulator_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Calls a second, while they ran."""
        return len(self.wall_ms) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """The same calls at the stub and through the gateway."""

    direct: Side
    through: Side

    def added_ms(self, fraction: float) -> float:
        """By how much a percentile of the gateway's is above that of the stub's."""
        return percentile(self.through.wall_ms, fraction) - percentile(
            self.direct.wall_ms, fraction
        )

    def cpu_ms(self, used: Callable[[Side], float]) -> float:
        """Processor time of one call through the gateway, less what ran while nobody called it."""
        idle = used(self.direct) / self.direct.seconds if self.direct.seconds else 0.0
        busy = used(self.through) - idle * self.through.seconds
        return max(busy, 0.0) / max(len(self.through.wall_ms), 1) * 1000


def percentile(values: Sequence[float], fraction: float) -> float:
    """The smallest value that so many are not above; nan without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]


def block(call: Callable[[], object], pool: ThreadPoolExecutor, workers: int, each: int) -> Side:
    """Let workers call, each so many times, and note what every call took."""
    side = Side()

    def work() -> None:
        for _ in range(each):
            started = time.perf_counter()
            try:
                first = call()
            except Exception as error:  # noqa: BLE001 - counted and told, whatever it is
                side.failures.append(f"{type(error).__name__}: {error}")
                continue
            side.wall_ms.append((time.perf_counter() - started) * 1000)
            if isinstance(first, float):
                side.first_ms.append(first * 1000)

    started = time.perf_counter()
    for done in [pool.submit(work) for _ in range(workers)]:
        done.result()
    side.seconds = time.perf_counter() - started
    return side


def paired(
    direct: Callable[[], object],
    through: Callable[[], object],
    used: Callable[[], Mapping[str, float]],
    workers: int,
    effort: Effort,
) -> Pair:
    """Both sides in turns: stub, gateway, gateway, stub, and so on, after one call of each."""
    sides = {direct: Side(), through: Side()}
    turns = itertools.islice(
        itertools.cycle((direct, through, through, direct)), 2 * effort.blocks + 2
    )
    with ThreadPoolExecutor(workers) as pool:
        for call, total in sides.items():
            total.failures += block(call, pool, workers, 1).failures
        for call in turns:
            before = used()
            measured = block(call, pool, workers, effort.concurrency[workers])
            after = used()
            total = sides[call]
            total.wall_ms += measured.wall_ms
            total.first_ms += measured.first_ms
            total.failures += measured.failures
            total.seconds += measured.seconds
            total.gateway_seconds += after["gateway"] - before["gateway"]
            total.emulator_seconds += after["emulator"] - before["emulator"]
    return Pair(sides[direct], sides[through])


class Process:
    """A program that says in its first line where it listens, and answers lines of JSON."""

    def __init__(self, command: Sequence[str]) -> None:
        self._name = " ".join(command[:3])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None  # noqa: S101 - they are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._input, self._output = self._process.stdin, self._process.stdout
        self.greeting = self._line()

    def ask(self, command: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Send one command; returns its answer."""
        self._input.write(json.dumps(command) + "\n")
        self._input.flush()
        return json.loads(self._line())

    def stop(self) -> None:
        """End it."""
        self._input.close()
        self._process.terminate()
        self._process.wait()
        self._output.close()

    def _line(self) -> str:
        line = self._output.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with {self._process.wait()}")
        return line.strip()


@dataclass(frozen=True, slots=True)
class Rig:
    """The processes of a measurement: two stubs, one at full speed, and their gateways' one."""

    gateway: Process
    stub: Place
    place: Place

    def used(self) -> Mapping[str, float]:
        """The gateway's processor seconds so far."""
        seconds: Mapping[str, float] = self.gateway.ask({"do": "used"})
        return seconds


@contextlib.contextmanager
def rig(delta_ms: int) -> Iterator[Rig]:
    """A stub at this pace, and a gateway in front of it."""
    with contextlib.ExitStack() as cleanup:
        stub = Process([*STUB, "--delta-ms", str(delta_ms)])
        cleanup.callback(stub.stop)
        gateway = Process([*GATEWAY, stub.greeting])
        cleanup.callback(gateway.stop)
        where = json.loads(gateway.greeting)
        yield Rig(gateway, Place(stub.greeting), Place(where["url"], where["key"]))


# --- Report -----------------------------------------------------------------------------------


def header(how: str) -> str:
    """The names of the columns of `line`."""
    names = (
        f"{'':<11}{'at once':>8}{'calls':>7}{'stub p50':>10}{'p99':>8}{'gateway p50':>13}"
        f"{'p99':>8}{'added p50':>11}{'p99':>8}{'gateway CPU':>13}{'tables CPU':>12}{'calls/s':>9}"
    )
    return names + (f"{'first: stub':>13}{'gateway':>9}" if how == STREAMED else "")


def report(here: Rig, dialects: Sequence[Dialect], effort: Effort) -> Iterator[str]:
    """The report's lines, as they become known."""
    yield f"Machine: {machine()}"
    yield ""
    for how in (BUFFERED, STREAMED):
        yield f"{how.capitalize()} calls, ms as the client sees them, and CPU-ms of one call:"
        yield ""
        yield header(how)
        for dialect in dialects:
            make = getattr(dialect, how)
            direct, through = make(here.stub), make(here.place)
            for workers in effort.concurrency:
                pair = paired(direct, through, here.used, workers, effort)
                yield line(dialect.name, workers, pair)
                yield from failures(pair)
        yield ""
    yield from in_process(here, dialects, effort)


def line(name: str, workers: int, pair: Pair) -> str:
    """One dialect at one number of calls at once."""
    direct, through = pair.direct, pair.through
    text = f"{name:<11}{workers:>8}{len(through.wall_ms):>7}"
    for values, widths in ((direct.wall_ms, (10, 8)), (through.wall_ms, (13, 8))):
        text += f"{percentile(values, PERCENT_50):>{widths[0]}.1f}"
        text += f"{percentile(values, PERCENT_99):>{widths[1]}.1f}"
    text += f"{pair.added_ms(PERCENT_50):>11.1f}{pair.added_ms(PERCENT_99):>8.1f}"
    text += f"{pair.cpu_ms(lambda side: side.gateway_seconds):>13.1f}"
    text += f"{pair.cpu_ms(lambda side: side.emulator_seconds):>12.1f}{through.per_second:>9.1f}"
    if through.first_ms:
        first = [statistics.median(side.first_ms) for side in (direct, through) if side.first_ms]
        text += f"{first[0]:>13.1f}{first[-1]:>9.1f}"
    return text


def failures(pair: Pair) -> Iterator[str]:
    """How many calls failed at each place, and how the first of them did."""
    for place, side in (("stub", pair.direct), ("gateway", pair.through)):
        if side.failures:
            yield f"{FAILED} {len(side.failures)} at the {place}: {side.failures[0][:200]}"


def in_process(here: Rig, dialects: Sequence[Dialect], effort: Effort) -> Iterator[str]:
    """Handlers called without front door and HTTP, with the same tables and stub."""
    yield "Without front door and HTTP, one at a time, medians in ms (wall has tables and stub):"
    yield ""
    yield f"{'':<24}{'CPU':>8}{'wall':>8}"
    authorizer: Mapping[str, float] | None = None
    key = here.place.key or ""
    for dialect in dialects:
        for how, make in ((BUFFERED, dialect.wire), (STREAMED, dialect.streamed_wire)):
            if make is None:
                continue
            asked = bench_clients.command(make(key), effort.handler_calls)
            measured = here.gateway.ask(asked)
            yield _times(f"{dialect.name}, {how}", measured["handler"])
            authorizer = measured["authorizer"]
    if authorizer is not None:
        yield _times("authorizer", authorizer)


def _times(name: str, times: Mapping[str, float]) -> str:
    return f"{name:<24}{times['cpu_ms']:>8.1f}{times['wall_ms']:>8.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.api",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="measure hardly anything")
    parser.add_argument(
        "--dialect",
        action="append",
        choices=[dialect.name for dialect in DIALECTS],
        help="only this one; may be given again",
    )
    options = parser.parse_args(arguments)
    chosen = [d for d in DIALECTS if not options.dialect or d.name in options.dialect]
    failed = False
    with rig(STREAM_DELTA_MS) as here:
        for text in report(here, chosen, QUICK if options.quick else FULL):
            print(text, flush=True)
            failed = failed or text.startswith(FAILED)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
