"""Runs a number of requests through the gateway and keeps what does not hold."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.bench.oracle.bill import PriceList
from scripts.bench.oracle.bodies import Bodies
from scripts.bench.oracle.checks import Fault, faults
from scripts.bench.oracle.gateway import (
    CEILING,
    PROFILE_ARN,
    PROFILED_MODEL,
    UNPRICED,
    Gateway,
)
from scripts.bench.oracle.shrink import shrunk
from scripts.local.ministack import REGION
from tests.fakes.world import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.bench.oracle.gateway import Asked, Outcome

_SHOWN = 1200
# Every token of input counts alike there.
_AT_THE_CEILING = {
    **CEILING,
    **dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h"), CEILING["input"]),
}


@dataclass(frozen=True)
class Finding:
    """A request for which something does not hold, made small; `count` have the like."""

    number: int
    asked: Asked
    fault: Fault

    def __str__(self) -> str:
        body = json.dumps(self.asked.body, ensure_ascii=True)
        shown = body if len(body) <= _SHOWN else f"{body[:_SHOWN]}... ({len(body)} characters)"
        headers = f" {json.dumps(dict(self.asked.headers))}" if self.asked.headers else ""
        return (
            f"{self.fault.kind}: {self.fault.text}\n"
            f"  number {self.number}, tenant {self.asked.tenant}, {self.asked.route}, "
            f"model {self.asked.model}{headers}\n  {shown}"
        )


@dataclass
class Report:
    """What came of a run: answers by status, calls that were billed, and faults by kind."""

    seed: int
    bodies: int = 0
    billed: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        statuses = ", ".join(
            f"{status}: {count}" for status, count in sorted(self.statuses.items())
        )
        kinds = ", ".join(f"{kind}: {count}" for kind, count in self.faults.most_common()) or "none"
        lines = [
            f"seed {self.seed}: {self.bodies} bodies, {self.billed} of them billed "
            f"(answers {statuses})",
            f"faults {kinds}",
            *map(str, self.findings),
        ]
        return "\n".join(lines)


class Oracle:
    """Sends the requests of a seed; `findings_per_kind` of each route and kind are made small."""

    def __init__(self, gateway: Gateway, seed: int, findings_per_kind: int = 1) -> None:
        self._gateway = gateway
        self._seed = seed
        self._bodies = Bodies(gateway.catalogue, seed)
        profiles = {PROFILE_ARN: PROFILED_MODEL}
        self._prices = PriceList(
            REGION, NOW.date(), profiles, dict.fromkeys(UNPRICED, _AT_THE_CEILING)
        )
        self._most = findings_per_kind

    def run(self, numbers: range) -> Report:
        """What came of the requests of these numbers."""
        report = Report(self._seed)
        seen: Counter[tuple[str, str]] = Counter()
        for number in numbers:
            asked = self._bodies.request(number)
            outcome = self._gateway.send(asked)
            report.bodies += 1
            report.statuses[outcome.status] += 1
            report.billed += any(_is_billed(outcome))
            for fault in faults(outcome, self._prices):
                report.faults[fault.kind] += 1
                seen[fault.kind, asked.route] += 1
                if seen[fault.kind, asked.route] <= self._most:
                    report.findings.append(self._finding(number, asked, fault))
        return report

    def _finding(self, number: int, asked: Asked, fault: Fault) -> Finding:
        def alike(candidate: Asked) -> Fault | None:
            found = faults(self._gateway.send(candidate), self._prices)
            return next((other for other in found if other.kind == fault.kind), None)

        smallest = shrunk(asked, lambda candidate: alike(candidate) is not None)
        return Finding(number, smallest, alike(smallest) or fault)


def _is_billed(outcome: Outcome) -> Iterator[bool]:
    for entry in (*outcome.models, *outcome.endpoints):
        yield entry["status"] == "ok" and entry["operation"] != "count-tokens"
