"""The figures that the page's own controls work on: cost by day and dimension, and by key.

They are kept as small as they can be without rounding: names once, amounts as whole picodollars
with a blank between two days, and no more series than fit.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.reports.periods import Period

# In this order they find room.
DIMENSIONS = {
    "business_unit": "Business unit",
    "tenant_id": "Tenant",
    "model_id": "Model",
    "region": "Region",
    "account_id": "AWS account",
    "cost_center": "Cost centre",
    "app_id": "App",
}
LEVELS = (
    ("business_unit", "Business unit", "Business units"),
    ("tenant_id", "Tenant", "Tenants"),
    ("app_id", "App", "Apps"),
    ("key_id", "Key", "Keys"),
    ("model_id", "Model", "Models"),
)
# Amounts of all days and series together: 15 bytes each, beside a library of 0.9 MB.
MOST_AMOUNTS = 40_000
# Rows of keys and models: 60 bytes each.
MOST_ROWS = 4_000
_MEASURES = ("calls", "errors", "input_tokens", "output_tokens")

Series = dict[str, Any]


def dimensions(records: Iterable[Mapping[str, Any]], period: Period) -> list[dict[str, Any]]:
    """The records of `daily_spend` as series by dimension, the largest first.

    A dimension that does not fit has its largest series and one of all others; what the values
    lie within (`of`) is then left out, as those of one tenant would not be whole.
    """
    found = by_dimension(records, period)
    room = MOST_AMOUNTS // len(period.days())
    fitted = []
    for id_, name in DIMENSIONS.items():
        series = _fit(found.get(id_, []), max(room, 1))
        room -= len(series)
        fitted.append({"id": id_, "name": name, "series": [_packed(one) for one in series]})
    return fitted


def telling(fitted: Sequence[Mapping[str, Any]]) -> str:
    """The first dimension that divides anything, by its id."""
    return next((one["id"] for one in fitted if len(one["series"]) > 1), next(iter(DIMENSIONS)))


def by_dimension(records: Iterable[Mapping[str, Any]], period: Period) -> dict[str, list[Series]]:
    """Series by dimension: a name, what it belongs to, and its picodollars of each day."""
    number = {day: n for n, day in enumerate(period.days())}
    costs: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * len(number))
    for record in records:
        key = (record["dimension"], record["name"], record["belongs_to"])
        costs[key][number[record["dt"]]] += record["cost"]
    found: dict[str, list[Series]] = defaultdict(list)
    for (dimension, name, of), amounts in costs.items():
        found[dimension].append({"name": name, "of": of, "costs": amounts})
    for series in found.values():
        series.sort(key=lambda one: (-sum(one["costs"]), one["name"]))
    return dict(found)


def packed(amounts: Sequence[int]) -> str:
    """Amounts with a blank between them, and nothing for 0."""
    return " ".join(str(amount) if amount else "" for amount in amounts)


def _fit(series: list[Series], room: int) -> list[Series]:
    if len(series) <= room:
        return series
    kept = [{"name": one["name"], "costs": one["costs"]} for one in series[: room - 1]]
    rest = [one["costs"] for one in series[room - 1 :]]
    others = {
        "name": f"{len(rest)} others",
        "many": len(rest),
        "costs": [sum(amounts) for amounts in zip(*rest, strict=True)],
    }
    return [*kept, others]


def _packed(series: Series) -> Series:
    return {**series, "costs": packed(series["costs"])}


def rows(
    now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[list[Any]]]:
    """Names, and a row for each key and model: numbers of its names, cost, cost before, counts.

    `now` and `before` are records of `key_spend`. Amounts are picodollars as text. Where there are
    too many rows, the smallest are one row of their tenant, whose app, key and model are "others".
    """
    numbers: dict[str, int] = {}
    made = []
    for path, sums in _cut(_merged(now, before)):
        names = [numbers.setdefault(name, len(numbers)) for name in path]
        made.append([*names, str(sums[0]), str(sums[1]), *sums[2:]])
    return list(numbers), made


def _merged(
    now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, ...], list[int]]:
    merged: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (2 + len(_MEASURES)))
    for record in now:
        sums = merged[_path(record)]
        sums[0] += record["cost"]
        for n, measure in enumerate(_MEASURES, 2):
            sums[n] += record[measure]
    for record in before:
        merged[_path(record)][1] += record["cost"]
    return merged


def _path(record: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(record[column] for column, _, _ in LEVELS)


def _cut(merged: Mapping[tuple[str, ...], list[int]]) -> list[tuple[tuple[str, ...], list[int]]]:
    ranked = sorted(merged.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    if len(ranked) <= MOST_ROWS:
        return ranked
    others: dict[tuple[str, ...], list[int]] = {}
    for path, sums in ranked[MOST_ROWS:]:
        place = (*path[:2], *["others"] * (len(LEVELS) - 2))
        before = others.get(place, [0] * len(sums))
        others[place] = [one + other for one, other in zip(before, sums, strict=True)]
    return ranked[:MOST_ROWS] + list(others.items())
