"""Turn the list-price table into the price book the functions ship with.

    python -m scripts.prices.book convert --retrieved 2026-11-01   table and supplement -> book
    python -m scripts.prices.book check                            what is wrong with a book
    python -m scripts.prices.book diff <offer index.json>...       what AWS's offers say otherwise

Whatever the price book cannot express exactly is left out, with the reason in a report beside the
table: a model without a price is refused, a model with a wrong one is billed wrongly. Published
figures that the table has no columns for come from a supplement, each with its source.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "functions" / "shared"))

from scripts.prices.checks import check_book  # noqa: E402
from scripts.prices.offers import compare, read_offer  # noqa: E402
from tollgate.domain.models import GLOBAL_PREFIX, UnsupportedModelId, resolve_model  # noqa: E402
from tollgate.domain.money import PICO_PER_USD, format_usd, usd  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    _Rates = Mapping[str, Mapping[str, Mapping[str, Any]]]

CSV = ROOT / "scripts" / "prices" / "data" / "bedrock_prices.csv"
SUPPLEMENT = ROOT / "scripts" / "prices" / "data" / "bedrock_supplement.json"
REPORT = ROOT / "scripts" / "prices" / "data" / "bedrock_prices_left_out.md"
PRICE_BOOK = ROOT / "functions" / "shared" / "tollgate" / "prices" / "bedrock.json"

_COMMAND = ".tools/run/bin/python -m scripts.prices.book"
SOURCE = "LiteLLM model_prices_and_context_window.json (Amazon Bedrock rows)"

COLUMNS_BY_TIER = {
    "default": {
        "input": "input_cost_per_token",
        "output": "output_cost_per_token",
        "cache_read": "cache_read_input_token_cost",
        "cache_write_5m": "cache_creation_input_token_cost",
        "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    },
    "batch": {
        "input": "input_cost_per_token_batches",
        "output": "output_cost_per_token_batches",
    },
    "flex": {"input": "input_cost_per_token_flex", "output": "output_cost_per_token_flex"},
    "priority": {
        "input": "input_cost_per_token_priority",
        "output": "output_cost_per_token_priority",
    },
}

LEFT_OUT_BY_MODE = {
    "image_generation": "image model: priced per image, the price book holds prices per token",
    "image_edit": "image model: priced per image, the price book holds prices per token",
    "guardrail": "guardrail: priced per text unit, not per token",
    "rerank": "rerank: priced per query; the zero prices per token would make it free",
    "realtime": "realtime speech: audio tokens cost more than text and the table lacks their price",
}
NO_SUPPLEMENT: Mapping[str, Any] = {"cache_writes": [], "long_context": [], "units": []}
MANTLE = "bedrock-mantle endpoint: not served by bedrock-runtime"
CLAUDE_PLATFORM = "Claude Platform on AWS: not served by bedrock-runtime"
COMMITMENT = "provisioned throughput: paid by the hour, not per token"
NO_INPUT_PRICE = "no price per input token (billed by the second or by the item)"
FREE = "all prices per token are zero: calls would be free"
MEDIA_EMBEDDING = "multimodal embedding: images, audio and video have prices the table lacks"
NOT_A_BEDROCK_ID = "spelling that Bedrock does not accept as a model id"
GLOBAL_PRICE = (
    "plain id carries the cheaper global price: in-region calls cost what the geo row says, "
    "so this is no in-region price"
)
CONFLICT = "another spelling of a model whose prices differ from this row"

# Embedding models whose text price is in the table while their other inputs' prices are not.
MEDIA_EMBEDDINGS = frozenset(
    {"amazon.titan-embed-image-v1", "amazon.nova-2-multimodal-embeddings-v1:0"}
)

# Rows of one model under two provider names; the value is the id Bedrock lists.
ALIASES = {"moonshotai.kimi-k2-thinking": "moonshot.kimi-k2-thinking"}

# The whole request costs more above so many input tokens, and the table has no figures for that.
# Where the supplement has none either, the price book says up to where its prices hold, and longer
# requests count as unpriced. Published for gpt-5.4 and the 6 family; the releases in between are
# taken to be alike, the safe assumption.
PRICED_UP_TO_INPUT_TOKENS = (
    (re.compile(r"anthropic\.claude-haiku-5-5"), 100_000),
    (re.compile(r"anthropic\.claude-sonnet-4-5-.*"), 200_000),
    (re.compile(r"openai\.gpt-[56][.-].*"), 272_000),
)

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ROUTING_ORDER = ("in_region", "geo/us", "global")


class PriceTableError(Exception):
    """The table holds something that cannot be converted exactly; the message names the row."""


class _LeftOut(Exception):  # noqa: N818 - an outcome of reading a row, not a failure
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PricedRow:
    """One row of the table, read: `rates` maps tier to token class to picodollars per token."""

    key: str
    model_id: str
    alias: str | None
    routing: str
    rates: dict[str, dict[str, int]]
    facts: Mapping[str, str]


@dataclass(slots=True)
class Conversion:
    """The price book document and where each row of the table went.

    `included` are rows priced by the token, `per_unit` rows whose price is in the supplement, and
    `left_out` by reason all others.
    """

    document: dict[str, Any]
    included: dict[str, PricedRow]
    per_unit: list[str]
    left_out: dict[str, list[str]]


def convert(
    rows: Iterable[Mapping[str, str]],
    *,
    retrieved: date,
    effective: date,
    supplement: Mapping[str, Any] = NO_SUPPLEMENT,
    version: str | None = None,
) -> Conversion:
    """Convert the table's rows; prices count from the day `effective` (UTC).

    `version` names the book and is stamped on every usage row; the day of retrieval unless given.

    Raises PriceTableError for an amount that is not a whole picodollar per token, for a key of
    unknown form and for a supplement that does not fit the table.
    """
    table = {row["key"]: row for row in rows}
    by_unit = {key: figure for figure in supplement["units"] for key in figure["rows"]}
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    by_model: defaultdict[str, dict[str, list[PricedRow]]] = defaultdict(dict)
    for row in table.values():
        if row["key"] in by_unit:
            continue
        try:
            priced = _read_row(row, set(table))
        except _LeftOut as outcome:
            left_out[outcome.reason].append(row["key"])
        else:
            by_model[priced.model_id].setdefault(priced.routing, []).append(priced)
    _check_supplement(supplement, table)
    included: dict[str, PricedRow] = {}
    models = {}
    for model_id, by_routing in by_model.items():
        spelled = [row for rows_ in by_routing.values() for row in rows_]
        rates = {}
        for routing, spellings in _without_global_price(by_routing, left_out).items():
            rates[routing], kept = _merge(spellings, left_out)
            included |= {row.key: row for row in kept}
        if rates:
            _add_cache_writes(model_id, rates, supplement)
            _add_long_context(model_id, rates, supplement)
            models[model_id] = _model(model_id, spelled, rates, effective)
    for figure in supplement["units"]:
        if figure["model"] in models:
            raise PriceTableError(f"supplement: {figure['model']} has prices in the table already")
        models[figure["model"]] = _unit_model(figure, table, effective)
    document = {
        "schema_version": 1,
        "currency": "USD",
        "unit": "1M tokens",
        "version": version or retrieved.isoformat(),
        "source": SOURCE,
        "retrieved": retrieved.isoformat(),
        "supplement": _notes(supplement),
        "models": dict(sorted(models.items())),
    }
    return Conversion(document, included, list(by_unit), dict(left_out))


def read_table(path: Path) -> list[dict[str, str]]:
    """Read the CSV table, one dict of texts per row."""
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def read_supplement(path: Path) -> dict[str, Any]:
    """Read the supplement: figures that the table has no columns for, with their sources."""
    supplement: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return supplement


def render_book(document: Mapping[str, Any]) -> str:
    """Write the price book as compact JSON, one model per line so that changes can be read."""
    head = {key: value for key, value in document.items() if key != "models"}
    lines = [
        f"{_compact(model_id)}:{_compact(model)}" for model_id, model in document["models"].items()
    ]
    return _compact(head)[:-1] + ',"models":{\n' + ",\n".join(lines) + "\n}}\n"


def render_counts(conversion: Conversion) -> str:
    """Say how many rows and models are in the book, and how many rows are not."""
    return (
        f"{len(conversion.included) + len(conversion.per_unit)} rows are in the price book "
        f"({len(conversion.document['models'])} models), "
        f"{sum(map(len, conversion.left_out.values()))} are not. Of the former, "
        f"{len(conversion.per_unit)} have their price from the supplement."
    )


def render_report(conversion: Conversion) -> str:
    """Write the report: counts first, then each reason with its rows."""
    groups = sorted(conversion.left_out.items(), key=lambda group: (-len(group[1]), group[0]))
    lines = [
        "# Rows of the price table that are not in the price book",
        "",
        "Written by `python -m scripts.prices.book convert`; do not edit.",
        "",
        render_counts(conversion),
        "",
        "| rows | reason |",
        "| ---: | --- |",
        *(f"| {len(keys)} | {reason} |" for reason, keys in groups),
        "",
        "Prices that hold up to a number of input tokens (beyond it the provider charges more,",
        "neither table nor supplement has figures for all tiers, and requests on a tier without",
        "them count as unpriced):",
        "",
        *(
            f"- `{model_id}`: {model['priced_up_to_input_tokens']}"
            for model_id, model in conversion.document["models"].items()
            if "priced_up_to_input_tokens" in model
        ),
    ]
    for reason, keys in groups:
        lines += ["", f"## {reason}", "", *(f"- `{key}`" for key in sorted(keys))]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _run_convert(options: argparse.Namespace) -> int:
    effective = options.effective_from or options.retrieved
    try:
        conversion = convert(
            read_table(options.csv),
            retrieved=options.retrieved,
            effective=effective,
            supplement=read_supplement(options.supplement),
            version=options.version,
        )
    except PriceTableError as error:
        print(f"{options.csv}: {error}", file=sys.stderr)
        return 1
    outputs = {
        options.out: render_book(conversion.document),
        options.report: render_report(conversion),
    }
    if options.check:
        return _check(outputs, options.retrieved)
    for path, text in outputs.items():
        path.write_text(text, encoding="utf-8")
    print(render_counts(conversion))
    return 0


def _run_check(options: argparse.Namespace) -> int:
    findings = check_book(json.loads(options.book.read_text("utf-8")))
    for finding in findings:
        print(finding)
    errors = sum(finding.level == "error" for finding in findings)
    print(f"{options.book.name}: {errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


def _run_diff(options: argparse.Namespace) -> int:
    book = json.loads(options.book.read_text("utf-8"))
    quotes, passed_over = [], Counter[str]()
    for path in options.offers:
        try:
            offer = read_offer(json.loads(path.read_text("utf-8")))
        except (KeyError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        quotes += offer.quotes
        passed_over += offer.passed_over
    outcome = compare(book["models"], quotes, options.day.isoformat())
    for proposal in outcome.proposals:
        print(proposal)
    print(f"{len(outcome.proposals)} proposed changes, {outcome.agreeing} prices agree")
    if outcome.unknown_models:
        print(f"not in the book: {', '.join(outcome.unknown_models)}")
    for reason, count in passed_over.most_common():
        print(f"{count} SKUs passed over: {reason}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.prices.book", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("convert", help="convert the price table into the price book")
    command.add_argument("--csv", type=Path, default=CSV, help="the price table")
    command.add_argument(
        "--supplement", type=Path, default=SUPPLEMENT, help="figures the table has no columns for"
    )
    command.add_argument(
        "--retrieved", type=date.fromisoformat, required=True, help="day the table was retrieved"
    )
    command.add_argument(
        "--effective-from",
        type=date.fromisoformat,
        help="first day (UTC) the prices count; the day of retrieval unless given",
    )
    command.add_argument(
        "--version", help="name of the book, on every usage row; the day of retrieval unless given"
    )
    command.add_argument("--out", type=Path, default=PRICE_BOOK, help="the price book")
    command.add_argument("--report", type=Path, default=REPORT, help="what was left out and why")
    command.add_argument(
        "--check", action="store_true", help="write nothing; fail when an output is stale"
    )
    command.set_defaults(run=_run_convert)
    command = commands.add_parser("check", help="say what is wrong with a price book")
    command.add_argument("book", type=Path, nargs="?", default=PRICE_BOOK)
    command.set_defaults(run=_run_check)
    command = commands.add_parser("diff", help="compare a price book with AWS offer files")
    command.add_argument("offers", type=Path, nargs="+", help="index.json of an offer and region")
    command.add_argument("--book", type=Path, default=PRICE_BOOK)
    command.add_argument(
        "--day",
        type=date.fromisoformat,
        default=datetime.now(UTC).date(),
        help="the day (UTC) whose prices of the book are compared; today unless given",
    )
    command.set_defaults(run=_run_diff)
    return parser


def _check(outputs: Mapping[Path, str], retrieved: date) -> int:
    stale = [
        path
        for path, text in outputs.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path} is stale: run `{_COMMAND} convert --retrieved {retrieved}`", file=sys.stderr)
    return 1 if stale else 0


def _read_row(row: Mapping[str, str], known: set[str]) -> PricedRow:
    key = row["key"]
    reason = _unservable(row)
    if reason is not None:
        raise _LeftOut(reason)
    rates = {
        tier: amounts
        for tier, columns in COLUMNS_BY_TIER.items()
        if "input" in (amounts := _amounts(row, columns))
    }
    if "default" not in rates:
        raise _LeftOut(NO_INPUT_PRICE)
    if not any(rates["default"].values()):
        raise _LeftOut(FREE)
    region, spelling = _split_key(key)
    try:
        ref = resolve_model(_with_provider(spelling, known))
    except UnsupportedModelId:
        raise _LeftOut(NOT_A_BEDROCK_ID) from None
    if ref.model_id in MEDIA_EMBEDDINGS:
        raise _LeftOut(MEDIA_EMBEDDING)
    if region is not None and ref.routing != "in_region":
        raise PriceTableError(f"{key}: a region and a routing prefix exclude each other")
    routing = f"geo/{ref.geo}" if ref.geo else ref.routing
    return PricedRow(
        key=key,
        model_id=ALIASES.get(ref.model_id, ref.model_id),
        alias=ref.model_id if ref.model_id in ALIASES else None,
        routing=f"in_region/{region}" if region else routing,
        rates=rates,
        facts=row,
    )


def _unservable(row: Mapping[str, str]) -> str | None:
    key = row["key"]
    if row["litellm_provider"] == "bedrock_mantle":
        return MANTLE
    if key.startswith("bedrock/claude_platform/"):
        return CLAUDE_PLATFORM
    if "-month-commitment/" in key:
        return COMMITMENT
    return LEFT_OUT_BY_MODE.get(row["mode"])


def _amounts(row: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, int]:
    return {
        token_class: _pico(row["key"], column, row[column])
        for token_class, column in columns.items()
        if row[column]
    }


def _pico(key: str, column: str, text: str) -> int:
    try:
        pico = Decimal(text) * PICO_PER_USD
    except InvalidOperation:
        raise PriceTableError(f"{key}: {column} {text!r} is not a number") from None
    if not pico.is_finite() or pico < 0 or pico != pico.to_integral_value():
        raise PriceTableError(f"{key}: {column} {text!r} is not a whole picodollar per token")
    return int(pico)


def _split_key(key: str) -> tuple[str | None, str]:
    path = key.split("/")
    if path[0] == "bedrock":
        path = path[1:]
        if path[0] == "invoke":
            path = path[1:]
    region = path.pop(0) if _REGION.fullmatch(path[0]) else None
    if len(path) != 1:
        raise PriceTableError(f"{key}: unknown form of key")
    return region, path[0]


def _with_provider(spelling: str, known: set[str]) -> str:
    if "." in spelling:
        return spelling
    owners = {key for key in known if "/" not in key and key.partition(".")[2] == spelling}
    return owners.pop() if len(owners) == 1 else spelling


def _without_global_price(
    by_routing: dict[str, list[PricedRow]], left_out: defaultdict[str, list[str]]
) -> dict[str, list[PricedRow]]:
    plain = by_routing.get("in_region")
    if plain is None or not _is_global_price(plain[0], by_routing):
        return by_routing
    left_out[GLOBAL_PRICE] += [row.key for row in plain]
    return {routing: rows for routing, rows in by_routing.items() if routing != "in_region"}


def _is_global_price(plain: PricedRow, by_routing: Mapping[str, list[PricedRow]]) -> bool:
    price = _list_price(plain)
    geo = {routing: rows[0] for routing, rows in by_routing.items() if routing.startswith("geo/")}
    # The table's plain rows quote US regions: cheaper than the US profile is the global discount.
    if "geo/us" in geo and _list_price(geo["geo/us"]) > price:
        return True
    if GLOBAL_PREFIX not in by_routing or _list_price(by_routing[GLOBAL_PREFIX][0]) != price:
        return False
    return any(_list_price(row) > price for row in geo.values())


def _list_price(row: PricedRow) -> tuple[int, int]:
    default = row.rates["default"]
    return default["input"], default.get("output", 0)


def _merge(
    spellings: list[PricedRow], left_out: defaultdict[str, list[str]]
) -> tuple[dict[str, dict[str, Any]], list[PricedRow]]:
    first, *others = sorted(spellings, key=_spelling_order)
    merged = {tier: dict(amounts) for tier, amounts in first.rates.items()}
    kept = [first]
    for row in others:
        if any(
            merged.get(tier, {}).get(name, amount) != amount
            for tier, amounts in row.rates.items()
            for name, amount in amounts.items()
        ):
            left_out[CONFLICT].append(row.key)
            continue
        kept.append(row)
        for tier, amounts in row.rates.items():
            merged[tier] = merged.get(tier, {}) | amounts
    return {
        tier: {name: format_usd(amount * 10**6) for name, amount in amounts.items()}
        for tier, amounts in merged.items()
    }, kept


def _model(
    model_id: str,
    rows: list[PricedRow],
    rates: _Rates,
    effective: date,
) -> dict[str, Any]:
    preferred = sorted(rows, key=_preference)

    def fact(column: str) -> str | None:
        return next((row.facts[column] for row in preferred if row.facts[column]), None)

    max_input, max_output = fact("max_input_tokens"), fact("max_output_tokens")
    model: dict[str, Any] = {
        "mode": preferred[0].facts["mode"],
        "aliases": sorted({row.alias for row in rows if row.alias}),
        "max_input_tokens": int(max_input) if max_input else None,
        "max_output_tokens": int(max_output) if max_output else None,
        "end_of_life": fact("deprecation_date"),
    }
    limit = _input_limit(model_id)
    if limit is not None and not all("long_context" in prices for prices in _tiers(rates)):
        model["priced_up_to_input_tokens"] = limit
    model["effective"] = [
        {
            "from": effective.isoformat(),
            "to": None,
            "source": fact("source"),
            "rates": dict(sorted(rates.items())),
        }
    ]
    return model


def _input_limit(model_id: str) -> int | None:
    limits = (n for pattern, n in PRICED_UP_TO_INPUT_TOKENS if pattern.fullmatch(model_id))
    return next(limits, None)


def _tiers(rates: _Rates) -> Iterator[Mapping[str, Any]]:
    return (prices for by_tier in rates.values() for prices in by_tier.values())


def _check_supplement(
    supplement: Mapping[str, Any], table: Mapping[str, Mapping[str, str]]
) -> None:
    for figure in supplement["long_context"]:
        for model_id in figure["models"]:
            if _input_limit(model_id) != figure["threshold"]:
                raise PriceTableError(
                    f"supplement: long context of {model_id} from {figure['threshold']} tokens, "
                    f"but its prices hold up to {_input_limit(model_id)}"
                )
    for figure in supplement["cache_writes"]:
        for model_id in figure["models"]:
            row = table.get(model_id)
            if row is None or row[COLUMNS_BY_TIER["default"]["cache_write_5m"]]:
                raise PriceTableError(
                    f"supplement: cache writes of {model_id}, which is not in the table or has a "
                    "price for them there"
                )
    for figure in supplement["units"]:
        for key in figure["rows"]:
            if key not in table:
                raise PriceTableError(f"supplement: {key} of {figure['model']} is not in the table")


def _add_cache_writes(
    model_id: str,
    rates: Mapping[str, dict[str, dict[str, Any]]],
    supplement: Mapping[str, Any],
) -> None:
    """Add the price of cache writes to every tier that has one of cache reads."""
    for figure in supplement["cache_writes"]:
        if model_id in figure["models"]:
            for prices in (tier for by_tier in rates.values() for tier in by_tier.values()):
                if "cache_read" in prices:
                    prices["cache_write_5m"] = figure["cache_write_5m"]


def _add_long_context(
    model_id: str,
    rates: Mapping[str, dict[str, dict[str, Any]]],
    supplement: Mapping[str, Any],
) -> None:
    for figure in supplement["long_context"]:
        if model_id in figure["models"]:
            for by_tier in rates.values():
                by_tier["default"]["long_context"] = _beyond(model_id, by_tier["default"], figure)


def _beyond(
    model_id: str, prices: Mapping[str, str], figure: Mapping[str, Any]
) -> dict[str, str | int]:
    beyond: dict[str, str | int] = {"threshold": figure["threshold"]}
    for name, text in prices.items():
        factor = Decimal(figure["output_factor" if name == "output" else "input_factor"])
        pico = _pico(model_id, f"{name} times {factor}", str(Decimal(text) * factor / 10**6))
        beyond[name] = format_usd(pico * 10**6)
    return beyond


def _unit_model(
    figure: Mapping[str, Any], table: Mapping[str, Mapping[str, str]], effective: date
) -> dict[str, Any]:
    rows = [
        PricedRow(key, figure["model"], None, "in_region", {}, table[key]) for key in figure["rows"]
    ]
    _check_units(figure)
    rates = {"in_region": {"default": {"units": figure["units"]}}}
    return _model(figure["model"], rows, rates, effective)


def _check_units(figure: Mapping[str, Any]) -> None:
    for price in figure["units"].values():
        for text in [price] if isinstance(price, str) else price.values():
            try:
                usd(text)
            except ValueError as error:
                raise PriceTableError(f"supplement: {figure['model']}: {error}") from error


def _notes(supplement: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "model": model_id,
            "figure": figure_name,
            **{name: figure[name] for name in ("mark", "source", "wording")},
        }
        for figure_name in ("cache_writes", "long_context", "units")
        for figure in supplement[figure_name]
        for model_id in figure.get("models", [figure.get("model")])
    ]


def _preference(row: PricedRow) -> tuple[int, bool, int, str]:
    order = _ROUTING_ORDER.index(row.routing) if row.routing in _ROUTING_ORDER else 3
    return order, *_spelling_order(row)


def _spelling_order(row: PricedRow) -> tuple[bool, int, str]:
    # The id itself goes first, then what clients put around it, then other names for it.
    return row.model_id not in row.key, len(row.key), row.key


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
