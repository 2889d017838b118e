"""The calls of a period, read from the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scripts.whatif.replay import Call
from tollgate.domain.usage import GLUE_COLUMNS, from_item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from scripts.reports.engines import Engine
    from scripts.reports.periods import Period

# A row's own columns but the tags, which no replay needs and Athena writes as no type of its own.
_COLUMNS = tuple(name for name, _ in GLUE_COLUMNS if name != "tags")
_CALLS = f"""
SELECT {", ".join(_COLUMNS)}
FROM usage
WHERE dt = DATE '{{day}}' AND operation <> 'reprice'
ORDER BY started_at, request_id
"""  # noqa: S608 - names of columns
_CORRECTIONS = """
SELECT
    element_at(tags, 'corrects') AS request_id,
    sum(CAST(total_cost AS decimal(38, 0))) AS total_cost
FROM usage
WHERE dt = DATE '{day}' AND operation = 'reprice'
GROUP BY element_at(tags, 'corrects')
"""  # noqa: S608 - a query of two days


def read(engine: Engine, period: Period) -> Iterator[Call]:
    """The calls of the period's days in the order in which they began, with all corrections.

    Raises EngineError, and ValueError for a row of another schema version.
    """
    for day in period.days():
        yield from _day(engine, day)


def _day(engine: Engine, day: date) -> Iterator[Call]:
    # A correction lies in the hour of what it corrects.
    corrections = dict(engine.run(_CORRECTIONS.format(day=day)).rows)
    for record in engine.run(_CALLS.format(day=day)).records():
        row = from_item(_item(record))
        yield Call(row, row.total_cost + int(corrections.get(row.request_id, 0)))


def _item(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tags": {},
        **{
            name: value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else value
            for name, value in record.items()
        },
    }
