"""The price book against the golden file, and the golden file against the price table."""

from __future__ import annotations

import ast
import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.golden import sheet
from tollgate.domain.models import resolve_model
from tollgate.domain.money import format_usd
from tollgate.domain.prices import TokenUsage, cost, load_default

AT = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
GOLDEN_ROWS = list(csv.DictReader(sheet.GOLDEN.read_text("utf-8").splitlines()))


@pytest.mark.parametrize(
    "row",
    GOLDEN_ROWS,
    ids=lambda row: "-".join(row[name] for name in (*sheet.HEADER[:4], "unit", "units")),
)
def test_the_gateway_books_what_the_sheet_says(row: dict[str, str]) -> None:
    rates = load_default().rates(
        resolve_model(row["model"]), region=row["region"], at=AT, tier=row["tier"]
    )
    assert rates is not None
    usage = TokenUsage(**{name: int(row[f"{name}_tokens"]) for name in sheet.CLASSES})

    booked = cost(rates, usage, {row["unit"]: int(row["units"])} if row["unit"] else {})

    assert {
        "input_cost": str(booked.input),
        "output_cost": str(booked.output),
        "cache_cost": str(booked.cache),
        "other_cost": str(booked.other),
        "total_cost": str(booked.total),
        "total_usd": format_usd(booked.total),
        "priced": "yes" if booked.priced else "no",
    } == {name: row[name] for name in sheet.HEADER[-7:]}


def test_the_file_is_what_the_sheet_gives() -> None:
    assert sheet.render() == sheet.GOLDEN.read_text("utf-8"), (
        "run `python -m tests.golden.sheet` and read what changed"
    )


def test_the_sheet_shares_no_code_with_the_gateway() -> None:
    tree = ast.parse(Path(sheet.__file__).read_text("utf-8"))
    modules = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert not {name.partition(".")[0] for name in modules} & {"tollgate", "scripts", "tests"}


def test_the_sheet_is_broad() -> None:
    assert len(GOLDEN_ROWS) >= 200
    assert {row["tier"] for row in GOLDEN_ROWS} == {"default", "batch", "flex", "priority"}
    assert len({row["model"] for row in GOLDEN_ROWS}) >= 40
    assert {resolve_model(row["model"]).routing for row in GOLDEN_ROWS} == {
        "in_region",
        "geo",
        "global",
    }
    assert len({row["region"] for row in GOLDEN_ROWS}) >= 5
    assert {row["priced"] for row in GOLDEN_ROWS} == {"yes", "no"}
    units = {row["unit"].partition("/")[0].partition("_")[0] for row in GOLDEN_ROWS}
    assert units == {"", "image", "search", "guardrail"}
