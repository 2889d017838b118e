"""What has to hold before a query's answer can be trusted; nothing is shown or written otherwise.

A lake has a hole where an hour of a day that is over is missing. What is left of that hour tells:
its facts or its usage, or the day's summary. A lake without summaries and facts cannot be checked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scripts.reports.engines import tables_of
from tollgate.domain.usage import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from scripts.reports.engines import Engine
    from scripts.reports.periods import Period

# How far queries look back before their period: 90 days of a trend, from any day of a week.
LOOK_BACK = timedelta(days=97)
_HOUR = timedelta(hours=1)
_MOST_SHOWN = 10
_MOST_HOURS = 3


class RefusedError(Exception):
    """The lake or what was asked is not as it has to be; the message names what is wrong."""


def schema(engine: Engine, period: Period) -> None:
    """Refuse usage that a later version of Tollgate wrote: its columns may mean something else."""
    rows = engine.run(
        f"""
        SELECT dt, hour, max(schema_version) AS version
        FROM usage
        WHERE dt >= DATE '{period.start - LOOK_BACK}' AND dt < DATE '{period.end}'
            AND schema_version > {SCHEMA_VERSION}
        GROUP BY dt, hour
        ORDER BY dt, hour
        """  # noqa: S608 - days and a number
    ).rows
    if rows:
        day, hour, version = rows[0]
        raise RefusedError(
            f"usage of {day}, hour {hour:02d}, has schema_version {version}; this version of "
            f"Tollgate reads {SCHEMA_VERSION} and below"
        )


def tenant(engine: Engine, period: Period, name: str) -> None:
    """Refuse a tenant that is neither in the list of tenants nor has usage."""
    known = set()
    if engine.has("tenants"):
        known |= {row[0] for row in engine.run("SELECT tenant_id FROM tenants").rows}
    if name not in known:
        rows = engine.run(
            f"""
            SELECT DISTINCT tenant_id
            FROM usage
            WHERE dt >= DATE '{period.start - LOOK_BACK}' AND dt < DATE '{period.end}'
            """  # noqa: S608 - days
        ).rows
        known |= {row[0] for row in rows}
    if name not in known:
        more = ", …" if len(known) > _MOST_SHOWN else ""
        listed = ", ".join(sorted(known)[:_MOST_SHOWN]) + more if known else "none"
        raise RefusedError(f"tenant: given {name!r}; there are {listed}")


def holes(engine: Engine, period: Period, today: date) -> None:
    """Refuse days that are over and lack an hour of usage.

    An hour's usage and its facts have files, or neither has; and a day's summary is the sum of its
    rows, so that it tells of an hour that lost both.
    """
    end = min(period.end, today)
    if end <= period.start:
        return
    if engine.has("hourly"):
        _compare_files(engine, period.start, end)
    if engine.has("daily"):
        _compare_sums(engine, period.start, end)


def lake(engine: Engine, sql: str, period: Period, today: date) -> None:
    """Refuse a lake that a query over this period cannot be answered from."""
    if "usage" in tables_of(sql):
        schema(engine, period)
        holes(engine, period, today)


def _compare_files(engine: Engine, start: date, end: date) -> None:
    last = end - timedelta(days=1)
    facts, usage = (set(engine.hours(name, start, last)) for name in ("hourly", "usage"))
    # Days of an earlier release have no facts.
    days = {hour.date() for hour in facts}
    for what, missing in (
        ("usage", facts - usage),
        ("facts", {hour for hour in usage - facts if hour.date() in days}),
    ):
        if missing:
            first = min(missing)
            raise RefusedError(
                f"the lake has a hole: no {what} of {_shown(sorted(missing))}; aggregate writes "
                f'it again with the event {{"from": "{first:%Y-%m-%dT%H}", '
                f'"to": "{first + _HOUR:%Y-%m-%dT%H}"}}'
            )


def _compare_sums(engine: Engine, start: date, end: date) -> None:
    days = f"dt >= DATE '{start}' AND dt < DATE '{end}'"
    rows = engine.run(
        f"""
        SELECT summaries.dt AS dt
        FROM (
            SELECT dt, sum(total_cost) AS cost, sum(output_tokens) AS tokens
            FROM daily
            WHERE {days}
            GROUP BY dt
        ) AS summaries
        LEFT JOIN (
            SELECT
                dt,
                sum(CAST(total_cost AS decimal(26, 0))) AS cost,
                sum(CAST(output_tokens AS decimal(26, 0))) AS tokens
            FROM usage
            WHERE {days}
            GROUP BY dt
        ) AS booked ON booked.dt = summaries.dt
        WHERE booked.dt IS NULL OR booked.cost <> summaries.cost
            OR booked.tokens <> summaries.tokens
        ORDER BY dt
        """  # noqa: S608 - days
    ).rows
    if rows:
        day = rows[0][0]
        written = {hour.hour for hour in engine.hours("usage", day, day)}
        without = ", ".join(f"{hour:02d}" for hour in range(24) if hour not in written)
        raise RefusedError(
            f"the lake has a hole: the summary of {day} has other sums than its hours; hours "
            f"without usage: {without or 'none'}; aggregate writes them again with the event "
            f'{{"date": "{day}"}}'
        )


def _shown(missing: Sequence[datetime]) -> str:
    named = ", ".join(f"{hour:%Y-%m-%d hour %H}" for hour in missing[:_MOST_HOURS])
    more = len(missing) - _MOST_HOURS
    return named if more <= 0 else f"{named} and {more} more"
