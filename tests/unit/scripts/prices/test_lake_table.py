"""The price table of the lake: flat lines that say what the book says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scripts.prices import lake_table
from tollgate.domain.models import ModelRef
from tollgate.domain.prices import PriceBook

if TYPE_CHECKING:
    from pathlib import Path

BOOK: dict[str, Any] = json.loads(lake_table.BOOK.read_text("utf-8"))
FAMILIES: dict[str, Any] = json.loads(lake_table.FAMILIES.read_text("utf-8"))
LINES = lake_table.lines(BOOK, FAMILIES)
CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def test_the_shipped_table_is_what_the_book_gives() -> None:
    assert lake_table.main(["--check"]) == 0


def test_every_line_has_the_prices_of_the_domains_book() -> None:
    book = PriceBook(BOOK)
    for line in LINES:
        routing, place = line["routing"], line["place"]
        model_id = line["model_id"]
        ref = ModelRef(model_id, model_id, routing, place or None, model_id)
        rates = book.rates(
            ref,
            region=place if routing == "in_region" and place else "nowhere-1",
            at=datetime.fromisoformat(line["effective_from"]).replace(tzinfo=UTC),
            tier=line["service_tier"],
        )
        assert rates is not None
        prices = rates.for_input(line["least_input_tokens"])
        assert [line.get(f"{name}_price") for name in CLASSES] == [
            getattr(prices, name) for name in CLASSES
        ]
        if line["least_input_tokens"] == 0:
            assert line.get("unit_prices", {}) == rates.units


def test_lines_of_a_place_and_tier_cover_all_inputs_once() -> None:
    keys = ("model_id", "routing", "place", "service_tier", "effective_from")
    ranges: dict[tuple[str, ...], list[tuple[int, int | None]]] = {}
    for line in LINES:
        span = (line["least_input_tokens"], line.get("most_input_tokens"))
        ranges.setdefault(tuple(line[key] for key in keys), []).append(span)
    for spans in ranges.values():
        assert spans[0][0] == 0
        for (_, most), (least, _) in zip(spans, spans[1:], strict=False):
            assert most is not None
            assert least == most + 1


def test_an_alias_has_the_lines_of_its_model() -> None:
    model, alias = "moonshot.kimi-k2-thinking", "moonshotai.kimi-k2-thinking"
    of = {name: [x for x in LINES if x["model_id"] == name] for name in (model, alias)}
    assert of[model]
    assert [{**line, "model_id": model} for line in of[alias]] == of[model]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([["amazon.nova-lite-v1:0"], ["amazon.nova-9-huge"]], "amazon.nova-9-huge of A is not in"),
        ([["amazon.nova-lite-v1:0"], ["amazon.nova-lite-v1:0"]], "lite-v1:0 is named 2 times"),
    ],
)
def test_families_that_do_not_fit_the_book_are_refused(
    sizes: list[list[str]], message: str
) -> None:
    with pytest.raises(lake_table.LakeTableError, match=message):
        lake_table.lines(BOOK, {"families": [{"family": "A", "sizes": sizes}]})


def test_a_book_with_errors_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "book.json"
    path.write_text(json.dumps({**BOOK, "currency": "EUR"}), "utf-8")
    out = tmp_path / "prices.json"
    assert lake_table.main(["--book", str(path), "--out", str(out)]) == 1
    assert "price book must be in USD" in capsys.readouterr().err
    assert not out.exists()


def test_a_stale_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "prices.json"
    assert lake_table.main(["--out", str(out), "--check"]) == 1
    assert f"{out} is stale: run `" in capsys.readouterr().err
    assert lake_table.main(["--out", str(out)]) == 0
    assert lake_table.main(["--out", str(out), "--check"]) == 0
