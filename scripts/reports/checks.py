"""What has to hold before a query's answer can be trusted; nothing is shown or written otherwise.

A lake has a hole where an hour that closed has no facts: `aggregate` writes a file of facts for
each hour that it closes, also for one without a call. A lake that is older than these files has
none, and cannot be checked.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from scripts.reports.engines import tables_of
from tollgate.domain.usage import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from scripts.reports.engines import Engine
    from scripts.reports.periods import Period

# How far queries look back before their period: 90 days of a trend, from any day of a week.
LOOK_BACK = timedelta(days=97)
_HOUR = timedelta(hours=1)
_HOURLY = "hourly"
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


def holes(engine: Engine, period: Period, *, complete: bool) -> None:
    """Refuse a period with a missing hour between two that were written.

    `complete` wants its last hours too: of a period that is over, all have to be closed.
    """
    written = engine.hours(_HOURLY, period.start, period.end - timedelta(days=1))
    if not written:
        if complete and engine.has(_HOURLY):
            raise RefusedError(f"no hour of {period} is closed yet, or its facts are gone")
        return
    end = _midnight(period.end) if complete else written[-1]
    missing = sorted(set(_hours(written[0], end)) - set(written))
    if missing:
        raise RefusedError(
            f"the lake has a hole: no facts of {_shown(missing)}; aggregate writes them with the "
            f'event {{"from": "{missing[0]:%Y-%m-%dT%H}", "to": "{_after(missing):%Y-%m-%dT%H}"}}'
        )


def lake(engine: Engine, sql: str, period: Period, *, complete: bool) -> None:
    """Refuse a lake that a query over this period cannot be answered from."""
    if "usage" in tables_of(sql):
        schema(engine, period)
        holes(engine, period, complete=complete)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _hours(first: datetime, end: datetime) -> list[datetime]:
    return [first + _HOUR * n for n in range((end - first) // _HOUR)]


def _shown(missing: Sequence[datetime]) -> str:
    named = ", ".join(f"{hour:%Y-%m-%d hour %H}" for hour in missing[:_MOST_HOURS])
    more = len(missing) - _MOST_HOURS
    return named if more <= 0 else f"{named} and {more} more"


def _after(missing: Sequence[datetime]) -> datetime:
    """The end of the first run of missing hours, at most the 31 days that one event may name."""
    end = missing[0] + _HOUR
    while end in missing and end - missing[0] < timedelta(days=31):
        end += _HOUR
    return end
