"""What was expected and seen, as Markdown that can be pasted into a report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from scripts.awscheck.probes import Outcome


def line(outcome: Outcome) -> str:
    """One probe on a terminal."""
    return f"{outcome.verdict:>12}  {outcome.probe.name}: {outcome.seen}"


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many came out how, in the order of their first."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())


def markdown(
    outcomes: Sequence[Outcome], *, region: str, model: str, at: datetime, cost: Decimal
) -> str:
    """The report; it holds no key, no text and no account id."""
    return "\n".join(_lines(outcomes, region, model, at, cost)) + "\n"


def _lines(
    outcomes: Sequence[Outcome], region: str, model: str, at: datetime, cost: Decimal
) -> Iterator[str]:
    yield "# AWS check"
    yield ""
    yield f"{at:%Y-%m-%d %H:%M} UTC, {region}, {model}: {counted(outcomes)}."
    yield f"The calls that were not streamed cost ${cost}."
    yield ""
    yield "| probe | expected | seen | verdict |"
    yield "| --- | --- | --- | --- |"
    for outcome in outcomes:
        cells = (outcome.probe.name, outcome.probe.expected, outcome.seen, outcome.verdict)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
