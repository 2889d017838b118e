"""Write the price book as the lake's table `prices`: flat lines that SQL can join to usage.

    python -m scripts.prices.lake_table            book and families -> modules/analytics/data
    python -m scripts.prices.lake_table --check    write nothing; fail when the file is stale

A line holds for one model, routing, service tier, period and range of input tokens, and has what
the book has there and nothing else. Prices are whole picodollars (1e-12 USD) per token or unit. A
column without a value is left out of the line and is null in the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "functions" / "shared"))

from scripts.prices.checks import check_book  # noqa: E402
from tollgate.domain.prices import amount, per_token  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BOOK = ROOT / "functions" / "shared" / "tollgate" / "prices" / "bedrock.json"
FAMILIES = ROOT / "scripts" / "prices" / "data" / "model_families.json"
OUT = ROOT / "modules" / "analytics" / "data" / "prices.json"

# Names and Glue types, in order. `place` is a region or geography, empty where the price is that of
# all others; days are ISO texts, because not every reader of JSON lines knows dates.
COLUMNS = (
    ("model_id", "string"),
    ("mode", "string"),
    ("family", "string"),
    ("size_order", "int"),
    ("generation", "int"),
    ("end_of_life", "string"),
    ("routing", "string"),
    ("place", "string"),
    ("service_tier", "string"),
    ("effective_from", "string"),
    ("effective_to", "string"),
    ("least_input_tokens", "bigint"),
    ("most_input_tokens", "bigint"),
    ("input_price", "bigint"),
    ("output_price", "bigint"),
    ("cache_read_price", "bigint"),
    ("cache_write_5m_price", "bigint"),
    ("cache_write_1h_price", "bigint"),
    ("unit_prices", "map<string,bigint>"),
    ("book_version", "string"),
)
_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class LakeTableError(Exception):
    """Book or families cannot be written as a table; the message names the model."""


def lines(book: Mapping[str, Any], families: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the table's lines, by model, routing, tier, day and range of input tokens.

    `book` is a price book document, `families` the document of `model_families.json`.
    Raises LakeTableError for a book with errors, and for families that do not fit it.
    """
    errors = [str(finding) for finding in check_book(book) if finding.level == "error"]
    if errors:
        raise LakeTableError("; ".join(errors))
    sizes = _sizes(families, book["models"])
    return [
        {name: line[name] for name, _ in COLUMNS if line.get(name) is not None}
        for model_id, model in sorted(book["models"].items())
        for spelled in (model_id, *model.get("aliases", ()))
        for line in _of_model(
            model,
            {
                "model_id": spelled,
                "mode": model["mode"],
                "end_of_life": model.get("end_of_life"),
                "book_version": book["version"],
                **sizes.get(spelled, {}),
            },
        )
    ]


def render(table: Sequence[Mapping[str, Any]]) -> str:
    """Write lines as JSON, one each."""
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        book = json.loads(options.book.read_text("utf-8"))
        text = render(lines(book, json.loads(options.families.read_text("utf-8"))))
    except (OSError, ValueError, LakeTableError) as error:
        print(f"{options.book}: {error}", file=sys.stderr)
        return 1
    if not options.check:
        options.out.write_text(text, "utf-8")
    elif not options.out.is_file() or options.out.read_text("utf-8") != text:
        again = ".tools/run/bin/python -m scripts.prices.lake_table"
        print(f"{options.out} is stale: run `{again}`", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.prices.lake_table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--book", type=Path, default=BOOK, help="the price book")
    parser.add_argument("--families", type=Path, default=FAMILIES, help="families of models")
    parser.add_argument("--out", type=Path, default=OUT, help="the table's lines")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the file is stale"
    )
    return parser


def _sizes(families: Mapping[str, Any], models: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    sizes = {
        model_id: {"family": family["family"], "size_order": order, "generation": generation}
        for family in families["families"]
        for order, members in enumerate(family["sizes"], 1)
        for generation, model_id in enumerate(members, 1)
    }
    named = Counter(
        model_id
        for family in families["families"]
        for members in family["sizes"]
        for model_id in members
    )
    for model_id, times in named.items():
        if times > 1:
            raise LakeTableError(f"{model_id} is named {times} times among the families")
        if model_id not in models:
            raise LakeTableError(f"{model_id} of {sizes[model_id]['family']} is not in the book")
    return sizes


def _of_model(model: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    limit = model.get("priced_up_to_input_tokens")
    for period in model["effective"]:
        for key, tiers in sorted(period["rates"].items()):
            routing, _, place = key.partition("/")
            for tier, prices in sorted(tiers.items()):
                line = {
                    **facts,
                    "routing": routing,
                    "place": place,
                    "service_tier": tier,
                    "effective_from": period["from"],
                    "effective_to": period.get("to"),
                }
                yield from _of_prices(prices, line, limit)


def _of_prices(
    prices: Mapping[str, Any], line: Mapping[str, Any], limit: int | None
) -> Iterator[dict[str, Any]]:
    longer = prices.get("long_context")
    yield {
        **line,
        "least_input_tokens": 0,
        "most_input_tokens": limit if longer is None else longer["threshold"],
        **_per_token(prices),
        "unit_prices": dict(_per_unit(prices.get("units") or {})) or None,
    }
    if longer is not None:
        yield {**line, "least_input_tokens": longer["threshold"] + 1, **_per_token(longer)}


def _per_token(prices: Mapping[str, Any]) -> dict[str, int]:
    return {f"{name}_price": per_token(prices[name]) for name in _CLASSES if name in prices}


def _per_unit(units: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, price in units.items():
        if isinstance(price, str):
            yield name, amount(price)
        else:
            yield from ((f"{name}/{size}", amount(text)) for size, text in price.items())


if __name__ == "__main__":
    sys.exit(main())
