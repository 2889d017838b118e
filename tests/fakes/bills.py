"""AWS's bill for known usage: a writer of CUR 2.0 lines that shares nothing with their reader.

`lines_of` bills usage rows as AWS does: tokens by class and day, in thousands for AWS's own models
and in millions through the marketplace, each sum rounded to ten decimals. `write` puts lines where
Data Exports does, in the columns and types of its documentation. Faults are changes of the lines.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tollgate.domain.usage import UsageRow

ROOT = Path(__file__).resolve().parents[2]
PAYER = "999988887777"
HOME = "111122223333"

# What a CUR's columns are called, and the types that its Parquet files have.
SCHEMA = {
    "bill_bill_type": "VARCHAR",
    "bill_billing_entity": "VARCHAR",
    "bill_billing_period_start_date": "TIMESTAMP",
    "bill_invoice_id": "VARCHAR",
    "bill_payer_account_id": "VARCHAR",
    "identity_line_item_id": "VARCHAR",
    "identity_time_interval": "VARCHAR",
    "line_item_currency_code": "VARCHAR",
    "line_item_iam_principal": "VARCHAR",
    "line_item_line_item_description": "VARCHAR",
    "line_item_line_item_type": "VARCHAR",
    "line_item_operation": "VARCHAR",
    "line_item_product_code": "VARCHAR",
    "line_item_resource_id": "VARCHAR",
    "line_item_unblended_cost": "DOUBLE",
    "line_item_unblended_rate": "VARCHAR",
    "line_item_usage_account_id": "VARCHAR",
    "line_item_usage_amount": "DOUBLE",
    "line_item_usage_end_date": "TIMESTAMP",
    "line_item_usage_start_date": "TIMESTAMP",
    "line_item_usage_type": "VARCHAR",
    "pricing_public_on_demand_cost": "DOUBLE",
    "pricing_unit": "VARCHAR",
    "product": "MAP(VARCHAR, VARCHAR)",
    "product_region_code": "VARCHAR",
    "product_servicecode": "VARCHAR",
    "resource_tags": "MAP(VARCHAR, VARCHAR)",
    "tags": "MAP(VARCHAR, VARCHAR)",
}

# How the bill names models: AWS's own in usage types, others by their product.
OWN = {
    "amazon.nova-lite-v1:0": "NovaLite",
    "amazon.nova-pro-v1:0": "NovaPro",
    "amazon.nova-2-lite-v1:0": "Nova2.0Lite",
    "amazon.titan-embed-text-v2:0": "TitanEmbeddingV2-Text",
    "meta.llama3-3-70b-instruct-v1:0": "Llama3-3-70B",
}
MARKETPLACE = {
    "anthropic.claude-sonnet-4-5-20250929-v1:0": "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
    "anthropic.claude-haiku-4-5-20251001-v1:0": "Claude Haiku 4.5 (Amazon Bedrock Edition)",
    "anthropic.claude-sonnet-4-6": "Claude Sonnet 4.6 (Amazon Bedrock Edition)",
}
REGION_CODES = {"us-east-1": "USE1", "eu-west-1": "EUW1", "eu-central-1": "EUC1"}
_OWN_METERS = {
    "input": "input-tokens",
    "output": "output-tokens",
    "cache_read": "cache-read-input-token-count",
    "cache_write_5m": "cache-write-input-token-count",
    "cache_write_1h": "cache-write-input-token-count-1h",
}
_MARKETPLACE_METERS = {
    "input": "InputTokenCount",
    "output": "OutputTokenCount",
    "cache_read": "CacheReadInputTokenCount",
    "cache_write_5m": "CacheWriteInputTokenCount",
    "cache_write_1h": "CacheWrite1hInputTokenCount",
}
_TENTH = Decimal("0.0000000001")


Charges = Callable[["UsageRow"], "Iterable[tuple[str, int, int]]"]


@dataclass(frozen=True)
class Line:
    """One line of a bill; `cost` US dollars, `amount` in `unit`s."""

    day: date
    account: str
    usage_type: str
    amount: Decimal
    cost: Decimal
    unit: str = "1K tokens"
    line_type: str = "Usage"
    product_code: str = "AmazonBedrock"
    product_name: str | None = None
    region: str = "us-east-1"
    operation: str = "InvokeModelInference"
    resource: str = ""
    principal: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    period: str | None = None
    currency: str = "USD"

    @property
    def billing_period(self) -> str:
        return self.period or f"{self.day:%Y-%m}"


@dataclass(frozen=True)
class Known:
    """Which tenants AWS knows: by their sessions' tags, and by those of their profiles."""

    session: frozenset[str] = frozenset()
    profile: frozenset[str] = frozenset()


def lines_of(
    rows: Iterable[UsageRow], known: Known = Known(), charges: Charges | None = None
) -> list[Line]:
    """What AWS bills for these rows when it sees what the ledger saw, at the ledger's prices.

    `charges` are a row's kinds with their tokens and picodollars, where the row cannot tell:
    several kinds of cache have one cost there.
    """
    counts: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for kind, count, cost in (charges or _classes)(row):
            if count or cost:
                sums = counts[_key(row, kind, known)]
                sums[0] += count
                sums[1] += cost
    return [_line(key, count, cost) for key, (count, cost) in sorted(counts.items())]


def other_usage(first: date, days: int, account: str = HOME) -> list[Line]:
    """Lines of a service that an account uses every day."""
    return [
        Line(
            first + timedelta(days=n),
            account,
            "Lambda-GB-Second",
            Decimal("12.5"),
            Decimal("0.0002083"),
            unit="Lambda-GB-Second",
            product_code="AWSLambda",
            operation="Invoke",
        )
        for n in range(days)
    ]


def write(lines: Iterable[Line], folder: Path, *, without: str = "", **types: str) -> None:
    """Write the files of an export, a folder for each billing period.

    `without` leaves a column out, `types` gives columns other types than they should have.
    """
    by_period: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_period[line.billing_period].append(line)
    columns = {name: kind for name, kind in {**SCHEMA, **types}.items() if name != without}
    for period, several in by_period.items():
        target = folder / "data" / f"BILLING_PERIOD={period}"
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as scratch, duckdb.connect(":memory:") as db:
            source = Path(scratch) / "lines.ndjson"
            records = (json.dumps(_record(n, line)) for n, line in enumerate(several))
            source.write_text("\n".join(records) + "\n", "utf-8")
            db.read_json(str(source), format="newline_delimited", columns=columns).write_parquet(
                str(target / "bill-00001.snappy.parquet")
            )


def total(lines: Iterable[Line]) -> Decimal:
    """What lines come to in US dollars."""
    return sum((line.cost for line in lines), Decimal(0))


def scaled(line: Line, factor: Decimal) -> Line:
    """The same usage at another price."""
    return replace(line, cost=(line.cost * factor).quantize(_TENTH))


def counted(line: Line, tokens: int) -> Line:
    """More or fewer tokens at the same price."""
    more = Decimal(tokens) / (1000 if line.unit == "1K tokens" else 10**6)
    amount = line.amount + more
    return replace(line, amount=amount, cost=(line.cost / line.amount * amount).quantize(_TENTH))


def tokens(line: Line) -> int:
    """The tokens of a line."""
    return int(line.amount * (1000 if line.unit == "1K tokens" else 10**6))


def _classes(row: UsageRow) -> Iterable[tuple[str, int, int]]:
    caches = {
        "cache_read": row.cache_read_tokens,
        "cache_write_5m": row.cache_write_5m_tokens,
        "cache_write_1h": row.cache_write_1h_tokens,
    }
    used = [kind for kind, tokens in caches.items() if tokens]
    assert len(used) <= 1, "a row does not tell what each of several kinds of cache costs"
    yield "input", row.input_tokens, row.input_cost
    yield "output", row.output_tokens, row.output_cost
    for kind in used:
        yield kind, caches[kind], row.cache_cost


def _key(row: UsageRow, kind: str, known: Known) -> tuple[Any, ...]:
    tags, principal = {}, f"arn:aws:sts::{HOME}:assumed-role/tollgate-invoke/tollgate-invoke"
    if row.tenant_id in known.session:
        tags["iamPrincipal/tenant"] = row.tenant_id
        principal = f"arn:aws:sts::{HOME}:assumed-role/tollgate-pool/{row.tenant_id}"
    if row.inference_profile_arn and row.tenant_id in known.profile:
        tags["resourceTags/tenant"] = row.tenant_id
    return (
        row.started_at.date(),
        row.account_id or HOME,
        row.region,
        row.model_id,
        row.routing == "global",
        row.service_tier,
        kind,
        row.inference_profile_arn or "",
        principal,
        tuple(sorted(tags.items())),
    )


def _line(key: tuple[Any, ...], tokens: int, cost: int) -> Line:
    day, account, region, model_id, is_global, tier, kind, profile, principal, tags = key
    code, usd = REGION_CODES[region], (Decimal(cost) / 10**12).quantize(_TENTH)
    common: dict[str, Any] = {
        "region": region,
        "resource": profile or f"arn:aws:bedrock:{region}::foundation-model/{model_id}",
        "principal": principal,
        "tags": dict(tags),
    }
    if model_id in MARKETPLACE:
        meter = _MARKETPLACE_METERS[kind] + ("_Global" if is_global else "")
        meter += "" if tier == "default" else f"_{tier.capitalize()}"
        return Line(
            day,
            account,
            f"{code}-MP:{code}_{meter}-Units",
            Decimal(tokens) / 10**6,
            usd,
            unit="Units",
            product_code="5n4akexample",
            product_name=MARKETPLACE[model_id],
            **common,
        )
    meter = _OWN_METERS[kind] + ("-cross-region-global" if is_global else "")
    meter += "" if tier == "default" else f"-{tier}"
    usage_type = f"{code}-{OWN[model_id]}-{meter}"
    return Line(day, account, usage_type, Decimal(tokens) / 1000, usd, **common)


def _record(number: int, line: Line) -> dict[str, Any]:
    start = datetime(line.day.year, line.day.month, line.day.day)  # noqa: DTZ001 - a CUR's are UTC
    end = start + timedelta(days=1)
    marketplace = line.product_name is not None
    product = {"product_name": line.product_name or "Amazon Bedrock"}
    user = {
        f"user_{name.partition('/')[2]}": value
        for name, value in line.tags.items()
        if name.startswith("resourceTags/")
    }
    return {
        "bill_bill_type": "Anniversary",
        "bill_billing_entity": "AWS Marketplace" if marketplace else "AWS",
        "bill_billing_period_start_date": f"{line.billing_period}-01 00:00:00",
        "bill_invoice_id": "",
        "bill_payer_account_id": PAYER,
        "identity_line_item_id": f"line{number}",
        "identity_time_interval": f"{start.isoformat()}Z/{end.isoformat()}Z",
        "line_item_currency_code": line.currency,
        "line_item_iam_principal": line.principal,
        "line_item_line_item_description": f"AWS Bedrock {line.usage_type}",
        "line_item_line_item_type": line.line_type,
        "line_item_operation": line.operation,
        "line_item_product_code": line.product_code,
        "line_item_resource_id": line.resource,
        "line_item_unblended_cost": float(line.cost),
        "line_item_unblended_rate": str(line.cost / line.amount) if line.amount else "",
        "line_item_usage_account_id": line.account,
        "line_item_usage_amount": float(line.amount),
        "line_item_usage_end_date": end.isoformat(sep=" "),
        "line_item_usage_start_date": start.isoformat(sep=" "),
        "line_item_usage_type": line.usage_type,
        "pricing_public_on_demand_cost": float(line.cost),
        "pricing_unit": line.unit,
        "product": product,
        "product_region_code": line.region,
        "product_servicecode": "" if marketplace else line.product_code,
        "resource_tags": user,
        "tags": line.tags,
    }
