"""Lay out a query's result: a table for people, CSV for spreadsheets, JSON for programs.

US dollars are exact unless they are rounded to `decimals` places.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from scripts.reports.engines import picodollars
from scripts.reports.footing import apportion
from tollgate.domain.money import format_usd, round_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reports.engines import Column, Result


def table(result: Result, totals: Sequence[str] = (), decimals: int | None = None) -> str:
    """Align rows below their columns' names, with a line of sums for the columns of `totals`.

    A total is the sum of the exact amounts, rounded half up, and the rounded amounts above it add
    up to it (see `footing.apportion`); across a row, a unit of the last place may be over. Amounts
    of other columns are rounded half up one by one.
    """
    body = [[_person(*cell, decimals) for cell in _cells(result, row)] for row in result.rows]
    lines = [[column.name for column in result.columns], *body]
    sums = [""] * len(result.columns)
    for n, column in enumerate(result.columns):
        if column.name in totals:
            values = [row[n] or 0 for row in result.rows]
            shown, sums[n] = _summed(column, values, decimals)
            for line, text in zip(body, shown, strict=True):
                line[n] = text
    if totals:
        sums[0] = "total"
        lines.append(sums)
    widths = [max(len(line[n]) for line in lines) for n in range(len(result.columns))]
    lines.insert(1, ["-" * width for width in widths])
    if totals:
        lines.insert(-1, lines[1])
    return "".join(_align(line, widths, result.columns) for line in lines)


def csv_text(result: Result, decimals: int | None = None) -> str:
    """Write rows as CSV with a header and no total; US dollars exact unless rounded half up."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in result.columns])
    for row in result.rows:
        writer.writerow([_program(*cell, decimals) for cell in _cells(result, row)])
    return text.getvalue()


def json_text(result: Result, decimals: int | None = None) -> str:
    """Write rows as a JSON list of objects; US dollars are strings, so that none is rounded."""
    rows = [
        {cell[0].name: _program(*cell, decimals) for cell in _cells(result, row)}
        for row in result.rows
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _cells(result: Result, row: Sequence[Any]) -> list[tuple[Column, Any]]:
    return list(zip(result.columns, row, strict=True))


def _summed(column: Column, values: Sequence[Any], decimals: int | None) -> tuple[list[str], str]:
    if not column.is_usd:
        return [str(value) for value in values], str(sum(values))
    amounts = [picodollars(value) if value else 0 for value in values]
    total = sum(amounts)
    if decimals is None:
        return [format_usd(amount) for amount in amounts], format_usd(total)
    shown = [round_usd(amount, decimals) for amount in apportion(amounts, decimals)]
    return shown, round_usd(total, decimals)


def _person(column: Column, value: Any, decimals: int | None) -> str:  # noqa: ANN401 - any cell
    if isinstance(value, float):
        return f"{value:.6g}"
    shown = _program(column, value, decimals)
    return "" if shown is None else str(shown)


def _program(column: Column, value: Any, decimals: int | None) -> Any:  # noqa: ANN401 - any cell
    """A cell as CSV and JSON have it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if column.is_usd:
        exact = picodollars(value)
        return format_usd(exact) if decimals is None else round_usd(exact, decimals)
    return str(value)


def _align(line: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    cells = [
        cell.rjust(width) if column.is_number else cell.ljust(width)
        for cell, width, column in zip(line, widths, columns, strict=True)
    ]
    return "  ".join(cells).rstrip() + "\n"
