"""A statement as a page for people: one file without scripts that asks nobody for anything."""

from __future__ import annotations

import calendar
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scripts.statements.lines import BASES, markup_of, times
from scripts.statements.statements import cents, margin_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from scripts.statements.inputs import Kind
    from scripts.statements.lines import Line
    from scripts.statements.statements import Scope, Statement

TEMPLATES = Path(__file__).parent / "templates"
SCOPE_NAMES: dict[Scope, str] = {
    "tenant": "Tenant",
    "cost_center": "Cost centre",
    "business_unit": "Business unit",
}
KIND_NAMES: dict[Kind, str] = {
    "usage": "Model usage",
    "discount": "Discounts",
    "subscription": "Subscription",
    "shared": "Shared costs",
    "credit": "Credits",
    "credit_note": "Credit notes for earlier months",
    "debit_note": "Debit notes for earlier months",
}
_PICO = 10**12
_MINUS = "\N{MINUS SIGN}"
# Readable on white and on the dark page alike.
_BAR = "#4a7fb5"


def render(statement: Statement) -> bytes:
    """The page of a statement, as UTF-8."""
    record = statement.record
    first = date.fromisoformat(f"{record.month}-01")
    last = calendar.monthrange(first.year, first.month)[1]
    usage = [line for line in statement.lines if line.kind == "usage"]
    days = _days(statement, last)
    text = _template().render(
        statement=statement,
        scope=SCOPE_NAMES[statement.scope],
        month=f"{first:%B %Y}",
        period=f"1 to {last} {first:%B %Y}, UTC",
        currency=record.inputs.currency,
        inputs=record.inputs,
        bases=BASES,
        closed_at=record.closed_at.replace("T", " ").replace("Z", " UTC"),
        calls=sum(line.calls for line in usage),
        tokens=sum(line.input_tokens + line.output_tokens for line in usage),
        margin_percent=margin_percent(statement),
        kinds=_kinds(statement.lines),
        usage=usage,
        others=[line for line in statement.lines if line.kind != "usage"],
        days=days,
        chart=Markup(_chart(days, record.inputs.currency)),  # noqa: S704 - drawn from figures
    )
    return text.encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["money"] = money
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment.get_template("statement.html")


def money(amount: int) -> str:
    """Cents with a comma between thousands and a real minus sign."""
    whole, places = cents(abs(amount)).split(".")
    sign = _MINUS if amount < 0 else ""
    return f"{sign}{int(whole):,}.{places}"


def _kinds(lines: Sequence[Line]) -> list[tuple[str, int]]:
    sums = [
        (name, [line.net for line in lines if line.kind == kind])
        for kind, name in KIND_NAMES.items()
    ]
    return [(name, sum(nets)) for name, nets in sums if nets]


def _days(statement: Statement, last: int) -> list[tuple[int, int]]:
    """What each day's calls are charged before discounts, in cents: the day and the amount."""
    record = statement.record
    cells = {line.cell for line in statement.lines}
    charges = dict.fromkeys(range(1, last + 1), 0)
    for entry in record.days:
        if entry.cell in cells:
            markup = markup_of(record, entry.cell.tenant_id)
            charges[int(entry.day[-2:])] += times(entry.cost, markup)
    return [
        (day, round(times(charge, record.inputs.rate) * 100 / _PICO))
        for day, charge in charges.items()
    ]


def _chart(days: Sequence[tuple[int, int]], currency: str) -> str:
    spec = _bars(currency)
    figures = [{"day": day, "amount": amount / 100} for day, amount in days]
    data = [{**of, "values": figures} if "values" in of else of for of in spec["data"]]
    return vl_convert.vega_to_svg({**spec, "data": data})


@cache
def _bars(currency: str) -> dict[str, Any]:
    """Bars of amounts by day, as Vega draws them; worked out once, since it takes as long again."""
    ink = "currentColor"
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 760,
        "height": 150,
        "background": None,
        "data": {"values": [{}]},
        "mark": {"type": "bar", "color": _BAR, "aria": False},
        "encoding": {
            "x": {"field": "day", "type": "ordinal", "axis": {"title": None, "labelAngle": 0}},
            "y": {
                "field": "amount",
                "type": "quantitative",
                "axis": {"title": currency, "tickCount": 4},
            },
        },
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                **dict.fromkeys(("labelColor", "titleColor", "domainColor", "tickColor"), ink),
                "gridColor": ink,
                "gridOpacity": 0.15,
                "labelFontSize": 12,
                "titleFontSize": 12,
            },
        },
    }
    return dict(vl_convert.vegalite_to_vega(spec))
