"""The named queries: files of SQL in `modules/analytics/queries`, and what their heads say.

A head is a comment. Its first line says what the query answers; then come what a reader has to
know and these parts, each optional:

    -- period: over
    -- totals: invocations, cost
    -- parameters:
    --   tenant tenant = '': whose usage; all unless given
    --   by text of day|tenant|app = 'tenant': what costs are grouped by
    --   least_usd decimal = 5000: from where on it is shown

`period: over` is of queries that make no sense before the last day has ended: they take the month
before this one unless told otherwise. `totals` names the columns that have a sum below them.
A parameter has a name, a type (text, integer, decimal, date, or tenant, a tenant's id), the values
it can take where they are few, and a default as SQL writes it. The text refers to it as `${name}`,
and to the period as `${from}` and `${to}` (dates, `to` not included). `${today}` is the day of UTC
on which it is asked, and `${settled_before}` one from which on nothing counts that was settled.
Terraform fills the same text for Athena's named
queries, so `$` and `%{` stand nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from string import Template
from typing import TYPE_CHECKING

from scripts.reports.engines import tables_of
from scripts.reports.tables import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scripts.reports.periods import Period

FOLDER = ROOT / "modules" / "analytics" / "queries"
NEVER = date(9999, 12, 31)
GIVEN = ("from", "to", "today", "settled_before")

_PARAMETER = re.compile(
    r"  (?P<name>[a-z_]+) (?P<type>[a-z]+)(?: of (?P<choices>[a-z0-9_|]+))?"
    r" = (?P<default>'[^']*'|[^:']+): (?P<help>.+)"
)
_PLACE = re.compile(r"\$\{([a-z_]+)\}")
_MOST_TEXT = 256
_MOST_SHOWN = 64


class QueryError(ValueError):
    """A query, or what it was given, is not as it has to be; the message names it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a query takes. `default` is text as SQL writes it."""

    name: str
    type: str
    choices: tuple[str, ...]
    default: str
    help: str

    def literal(self, given: str) -> str:
        """Write a value as SQL does. Raises QueryError for one of another type."""
        if self.choices and given not in self.choices:
            raise self._refusal(given, f"one of {', '.join(self.choices)}")
        try:
            return _LITERALS[self.type][0](given)
        except (ValueError, InvalidOperation):
            raise self._refusal(given, _LITERALS[self.type][1]) from None

    def _refusal(self, given: str, allowed: str) -> QueryError:
        shown = given if len(given) <= _MOST_SHOWN else f"{given[:_MOST_SHOWN]}…"
        return QueryError(f"{self.name}: given {shown!r}; allowed: {allowed}")


@dataclass(frozen=True, slots=True)
class Query:
    """A named query: what its head says, and its text with `${…}` in the places of parameters."""

    name: str
    question: str
    about: str
    totals: tuple[str, ...]
    over: bool
    parameters: tuple[Parameter, ...]
    text: str

    def fill(
        self,
        period: Period,
        values: Mapping[str, str] | None = None,
        settled_before: date | None = None,
        today: date | None = None,
    ) -> str:
        """The SQL for a period and parameters; those that are not given have their defaults.

        `today` is the present day of UTC unless given.

        Raises QueryError for a parameter that it does not have or a value of another type, and for
        `settled_before` where the text has no place for it.
        """
        given = values or {}
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                allowed = ", ".join(known) or "none"
                raise QueryError(f"{self.name} has no parameter {name!r}; allowed: {allowed}")
        if settled_before is not None and not self.takes("settled_before"):
            raise QueryError(f"{self.name} counts all calls, whenever they were settled")
        return Template(self.text).substitute(
            {
                "from": _date(period.start),
                "to": _date(period.end),
                "today": _date(today or datetime.now(UTC).date()),
                "settled_before": _date(settled_before or NEVER),
            },
            **{
                name: parameter.literal(given[name]) if name in given else parameter.default
                for name, parameter in known.items()
            },
        )

    def takes(self, name: str) -> bool:
        """Whether its text has a place for a parameter, the period's days included."""
        return name in _PLACE.findall(self.text)

    def tables(self) -> frozenset[str]:
        """The tables that it reads."""
        return tables_of(_PLACE.sub("1", self.text))


def load(folder: Path = FOLDER) -> dict[str, Query]:
    """All queries by name. Raises QueryError for a head or place that cannot be read."""
    return {path.stem: read(path.stem, path.read_text("utf-8")) for path in files(folder)}


def files(folder: Path = FOLDER) -> list[Path]:
    """The files of the named queries, in order."""
    return sorted(folder.glob("*.sql"))


def read(name: str, text: str) -> Query:
    """Read one query's head. Raises QueryError."""
    head = [line[3:] for line in _head(text)]
    if not head or not head[0].endswith("."):
        raise QueryError(
            f"{name}: the first line is a comment, a sentence that says what it answers"
        )
    start = next((n for n, line in enumerate(head) if line == "parameters:"), len(head))
    facts = dict(
        line.split(": ", 1) for line in head[1:start] if line.startswith(("period: ", "totals: "))
    )
    about = [line for line in head[1:start] if not line.startswith(("period: ", "totals: "))]
    query = Query(
        name=name,
        question=head[0],
        about="\n".join(about).strip(),
        totals=tuple(facts["totals"].split(", ")) if "totals" in facts else (),
        over=_over(name, facts.get("period")),
        parameters=tuple(_parameter(name, line) for line in head[start + 1 :]),
        text=text,
    )
    _check_places(query)
    return query


def _head(text: str) -> list[str]:
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return lines[:end]


def _over(name: str, given: str | None) -> bool:
    if given not in (None, "over"):
        raise QueryError(f"{name}: period: given {given!r}; allowed: over")
    return given == "over"


def _parameter(name: str, line: str) -> Parameter:
    found = _PARAMETER.fullmatch(line)
    if found is None or found["type"] not in _LITERALS or found["name"] in GIVEN:
        raise QueryError(
            f"{name}: {line.strip()!r} is no parameter; allowed: "
            "<name> <type> = <default>: <what it is>, with a type of "
            f"{', '.join(_LITERALS)} and any name but {', '.join(GIVEN)}"
        )
    choices = tuple(found["choices"].split("|")) if found["choices"] else ()
    parameter = Parameter(found["name"], found["type"], choices, found["default"], found["help"])
    # The default is one of the values that could be given.
    if parameter.literal(_unquoted(parameter.default)) != parameter.default:
        raise QueryError(f"{name}: {found['default']} is no {found['type']} as SQL writes it")
    return parameter


def _check_places(query: Query) -> None:
    places = set(_PLACE.findall(query.text))
    known = {parameter.name for parameter in query.parameters} | set(GIVEN)
    if places - known:
        raise QueryError(f"{query.name}: {', '.join(sorted(places - known))} is no parameter of it")
    if known - places - set(GIVEN):
        unused = ", ".join(sorted(known - places - set(GIVEN)))
        raise QueryError(f"{query.name}: {unused} has no place in the text")
    if "$" in _PLACE.sub("", query.text) or "%{" in query.text:
        raise QueryError(f"{query.name}: $ and %{{ are for parameters only")


def _date(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def _unquoted(literal: str) -> str:
    return literal.removeprefix("DATE ").strip("'")


def _text(given: str) -> str:
    if len(given) > _MOST_TEXT or not given.isprintable():
        raise ValueError(given)
    return "'" + given.replace("'", "''") + "'"


def _decimal(given: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,14}(\.[0-9]{1,12})?", given):
        raise ValueError(given)
    return f"{Decimal(given):f}"


def _integer(given: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,9}", given):
        raise ValueError(given)
    return str(int(given))


def _day(given: str) -> str:
    return _date(datetime.strptime(given, "%Y-%m-%d").date())  # noqa: DTZ007 - a day of UTC


_LITERALS: dict[str, tuple[Callable[[str], str], str]] = {
    "text": (_text, f"at most {_MOST_TEXT} printable characters"),
    "tenant": (_text, "a tenant's id"),
    "integer": (_integer, "a whole number of at most 9 digits"),
    "decimal": (_decimal, "a number with at most 14 digits and 12 decimals"),
    "date": (_day, "a day as YYYY-MM-DD"),
}
