"""Price past usage anew, by correction rows; what was booked is never edited.

    python -m scripts.prices.reprice --lake lake --from 2026-11-01 --to 2026-12-01 --env prod \\
        --out corrections.ndjson
    python -m scripts.prices.reprice ... --apply --table tollgate-prod-usage

`--lake` is a copy of the lake (`aws s3 sync s3://<lake bucket> <folder>`). Every row that was
booked without a price, or at another version of the price book than the tenant's present one, is
priced with the book and the tenant's contract prices as of the moment the request started. Where
the sum of what is booked for the request differs, a correction makes up the difference:

- a usage row of its own with operation "reprice", no tokens, the difference per kind of cost (it
  may be negative), the new price version, and the tag `corrects` with the request's id;
- in the hour of the request it corrects, so that a month stays the sum of its own usage; settled
  when it was made, so that `scripts.reports.report --settled-before <day>` gives an old statement
  back;
- with an id that follows from the request and the price version: the same correction cannot be
  written twice, whoever runs this, however often.

`--apply` writes the corrections to the usage table, having read there what the copy of the lake may
not have yet, and prints the events that make `aggregate` write those hours again. Budgets of the
current month are not touched: they hold what was admitted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions" / "shared"), str(ROOT / "functions" / "aggregate")]

from scripts.tenants import files as tenant_files  # noqa: E402
from tollgate.domain.errors import UnavailableError  # noqa: E402
from tollgate.domain.models import (  # noqa: E402
    ModelRef,
    UnsupportedModelId,
    app_model_arns,
    resolve_model,
)
from tollgate.domain.money import format_usd  # noqa: E402
from tollgate.domain.prices import PriceBook, TokenUsage, cost, load_default  # noqa: E402
from tollgate.domain.tenants import parse_tenant  # noqa: E402
from tollgate.domain.usage import UsageRow, from_item, to_json_row  # noqa: E402
from tollgate_aggregate.files import hour_file, hour_key  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tollgate.domain.prices import Rates
    from tollgate.domain.tenants import Tenant
    from tollgate.ports import Usage
    from tollgate_aggregate.ports import UsageReader

CORRECTION = "reprice"
CORRECTS = "corrects"
_HOUR = timedelta(hours=1)


class _Skipped(Exception):  # noqa: N818 - an outcome of pricing a row, not a failure
    pass


@dataclass(slots=True)
class Outcome:
    """The corrections, and how many rows needed or got none, by reason."""

    corrections: list[UsageRow]
    skipped: Counter[str]

    @property
    def difference(self) -> int:
        """What all corrections add up to, in picodollars."""
        return sum(row.total_cost for row in self.corrections)


def correction_id(request_id: str, version: str) -> str:
    """The id of a request's correction to a price version: a UUIDv7 of the request's own time."""
    original = uuid.UUID(request_id).int
    digest = hashlib.sha256(f"{request_id}\n{version}".encode()).digest()
    chance = int.from_bytes(digest[:10], "big")
    value = original >> 80 << 80 | 7 << 76 | (chance >> 62 & 0xFFF) << 64
    return str(uuid.UUID(int=value | 0b10 << 62 | chance & (2**62 - 1)))


def is_correction(row: UsageRow) -> bool:
    """Whether a usage row corrects another one."""
    return row.operation == CORRECTION


def reprice(
    rows: Iterable[UsageRow],
    *,
    book: PriceBook,
    policies: Mapping[str, Tenant],
    settled_at: datetime,
    unpriced_only: bool = False,
) -> Outcome:
    """Make the corrections that bring rows to the book's prices and the tenants' contracts.

    `rows` must be whole hours: the corrections that exist are among them. A tenant without a
    policy is left alone, since its contract is not known.
    """
    requests = []
    booked: defaultdict[str, list[UsageRow]] = defaultdict(list)
    for row in rows:
        if is_correction(row):
            booked[row.tags.get(CORRECTS, "")].append(row)
        else:
            requests.append(row)
    outcome = Outcome([], Counter())
    for row in requests:
        try:
            tenant = _policy(row, policies)
            priced_by = book.with_overrides(tenant.prices)
            standing = [row, *booked[row.request_id]]
            _check_due(standing, priced_by.version, unpriced_only=unpriced_only)
            charged = _charge(row, priced_by, tenant)
        except _Skipped as reason:
            outcome.skipped[str(reason)] += 1
            continue
        made = _correction(standing, charged, priced_by.version, settled_at)
        is_unpriced = not any(each.priced for each in standing)
        if is_unpriced or any(_costs(made)):
            outcome.corrections.append(made)
        else:
            outcome.skipped["the same price"] += 1
    return outcome


def read_lake(
    folder: Path, start: datetime, end: datetime, skipped: Counter[str]
) -> Iterator[tuple[datetime, list[UsageRow]]]:
    """Read the hours of a copy of the lake that have a file, in order. Both moments in UTC.

    Rows that cannot be read are counted in `skipped`.
    """
    with duckdb.connect(":memory:") as db:
        for n in range((end - start) // _HOUR):
            hour = start + n * _HOUR
            path = folder / hour_key(hour)
            if path.is_file():
                relation = db.read_parquet(str(path), hive_partitioning=False)
                names = relation.columns
                found = (dict(zip(names, values, strict=True)) for values in relation.fetchall())
                yield hour, list(_readable(found, skipped))


def apply(corrections: Iterable[UsageRow], usage: Usage) -> tuple[int, int]:
    """Write corrections to the usage table; returns how many were new and how many were there."""
    written = there = 0
    for row in corrections:
        if usage.put(row) == row:
            written += 1
        else:
            there += 1
    return written, there


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        book = _book(options.book)
        policies = load_policies(ROOT / "envs" / options.env)
        reader, usage = usage_table(options.table) if options.apply else (None, None)
        outcome = Outcome([], Counter())
        days = _midnight(options.start), _midnight(options.end)
        for hour, rows in read_lake(options.lake, *days, outcome.skipped):
            partial = reprice(
                rows if reader is None else with_table(rows, reader, hour),
                book=book,
                policies=policies,
                settled_at=datetime.now(UTC),
                unpriced_only=options.unpriced_only,
            )
            outcome.corrections += partial.corrections
            outcome.skipped += partial.skipped
        if options.out is not None:
            write(options.out, outcome.corrections)
        _report(outcome)
        if usage is not None:
            written, there = apply(outcome.corrections, usage)
            print(f"{written} written to {options.table}, {there} were there")
            for event in events(outcome.corrections):
                print(f"aggregate: {json.dumps(event)}")
    except (OSError, ValueError, UnavailableError, tenant_files.TenantFilesError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _report(outcome: Outcome) -> None:
    print(f"{len(outcome.corrections)} corrections, {format_usd(outcome.difference)} USD in all")
    for reason, count in outcome.skipped.most_common():
        print(f"{count} rows not corrected: {reason}")


def with_table(rows: Iterable[UsageRow], reader: UsageReader, hour: datetime) -> list[UsageRow]:
    """The hour's rows of the lake and those of the table that are not there yet."""
    known = {row.request_id: row for row in rows}
    # What cannot be read is told by `aggregate`, and has no price to correct.
    found = (row for row in reader.hour(hour) if isinstance(row, UsageRow))
    return [*known.values(), *(row for row in found if row.request_id not in known)]


def events(corrections: Iterable[UsageRow]) -> list[dict[str, str]]:
    """The events that make `aggregate` write the corrections' days to the lake."""
    days = sorted({row.started_at.astimezone(UTC).date() for row in corrections})
    return [{"date": day.isoformat()} for day in days]


def load_policies(environment: Path) -> dict[str, Tenant]:
    """The policies of an environment's tenant files. Raises TenantFilesError."""
    return {
        tenant_id: declared_policy(tenant)
        for tenant_id, tenant in tenant_files.load_environment(environment).items()
    }


def declared_policy(tenant: tenant_files.Tenant) -> Tenant:
    """A tenant's policy as its file declares it, without what an apply adds."""
    # Only AWS knows the ARNs of inference profiles, and a row names the model that was charged.
    apps = {
        app_id: {**app, "inference_profiles": {}} for app_id, app in tenant.policy["apps"].items()
    }
    return parse_tenant(tenant_files.policy_document({**tenant.policy, "apps": apps}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.prices.reprice",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    day = date.fromisoformat
    parser.add_argument("--lake", type=Path, required=True, help="folder with the lake's files")
    parser.add_argument("--from", dest="start", type=day, required=True, help="first day (UTC)")
    parser.add_argument("--to", dest="end", type=day, required=True, help="day after the last")
    parser.add_argument("--env", required=True, help="whose tenants' contract prices count")
    parser.add_argument("--book", type=Path, help="price book; the one that ships unless given")
    parser.add_argument(
        "--unpriced-only", action="store_true", help="leave alone what was booked with a price"
    )
    parser.add_argument("--out", type=Path, help="corrections as .ndjson or .parquet")
    parser.add_argument("--apply", action="store_true", help="write them to the usage table")
    parser.add_argument("--table", default="", help="the usage table, with --apply")
    return parser


def _book(path: Path | None) -> PriceBook:
    return load_default() if path is None else PriceBook.from_json(path.read_text("utf-8"))


def usage_table(name: str) -> tuple[UsageReader, Usage]:
    """The usage table, to read and to write. Raises ValueError without a name."""
    if not name:
        raise ValueError("--apply needs the usage table: --table <prefix>-usage")
    from tollgate.adapters.aws import dynamodb  # noqa: PLC0415 - boto3 is for --apply only
    from tollgate.adapters.usage import DynamoUsage  # noqa: PLC0415
    from tollgate.adapters.usage_reader import DynamoUsageReader  # noqa: PLC0415

    client = dynamodb()
    return DynamoUsageReader(client, name), DynamoUsage(client, name)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _readable(found: Iterable[Mapping[str, Any]], skipped: Counter[str]) -> Iterator[UsageRow]:
    for values in found:
        try:
            yield row_of(values)
        except ValueError as error:
            print(f"not read: {error}", file=sys.stderr)
            skipped["cannot be read"] += 1


def row_of(values: Mapping[str, Any]) -> UsageRow:
    """A row of the lake, whose timestamps are UTC and have no zone. Raises ValueError."""
    return from_item(
        {
            name: f"{value.isoformat()}Z" if isinstance(value, datetime) else value
            for name, value in values.items()
        }
    )


def _policy(row: UsageRow, policies: Mapping[str, Tenant]) -> Tenant:
    tenant = policies.get(row.tenant_id)
    if tenant is None:
        raise _Skipped("tenant without a policy")
    return tenant


def _check_due(standing: Sequence[UsageRow], version: str, *, unpriced_only: bool) -> None:
    row = standing[0]
    if any(each.priced and each.price_version == version for each in standing):
        raise _Skipped("at this price version already")
    if row.usage_source == "hold":
        raise _Skipped("booked at its hold: the tokens are not known")
    if unpriced_only and any(each.priced for each in standing):
        raise _Skipped("has a price")


def _charge(row: UsageRow, book: PriceBook, tenant: Tenant) -> tuple[int, int, int, int]:
    rates = book.rates(
        _model_ref(row, tenant), region=row.region, at=row.started_at, tier=row.service_tier
    )
    if rates is None:
        raise _Skipped("still without a price")
    charged = charge_at(row, rates)
    if charged is None:
        raise _Skipped("still without a price")
    return charged


def _model_ref(row: UsageRow, tenant: Tenant) -> ModelRef:
    try:
        app = tenant.apps.get(row.app_id)
        arns = tenant.model_arns if app is None else app_model_arns(tenant, app)
        ref = resolve_model(row.requested_model, arns)
    except UnsupportedModelId:
        if row.routing == "geo" or row.model_id == row.requested_model:
            raise _Skipped("an ARN that the tenant does not map any more") from None
        return ModelRef(row.requested_model, row.model_id, row.routing, None, row.requested_model)
    if row.model_id not in (ref.model_id, row.requested_model):
        raise _Skipped("an ARN that the tenant maps to another model now")
    return ref


def charge_at(row: UsageRow, rates: Rates) -> tuple[int, int, int, int] | None:
    """What a row's usage costs at rates: input, output, cache and other, in picodollars.

    None where part of it has no price.
    """
    usage = TokenUsage(
        input=row.input_tokens,
        output=row.output_tokens,
        cache_read=row.cache_read_tokens,
        cache_write_5m=row.cache_write_5m_tokens,
        cache_write_1h=row.cache_write_1h_tokens,
    )
    charged = cost(rates, usage, {"image": row.images})
    if not charged.priced:
        return None
    # Rows count images alone; what other units cost stays as booked.
    other = charged.other if row.images else row.other_cost
    return charged.input, charged.output, charged.cache, other


def correction(
    row: UsageRow, difference: tuple[int, int, int, int], version: str, settled_at: datetime
) -> UsageRow:
    """A row that adds differences of input, output, cache and other cost (picodollars) to a row's.

    `version` is what the costs are then at; with the row's request id it makes the correction's.
    """
    return replace(
        row,
        request_id=correction_id(row.request_id, version),
        operation=CORRECTION,
        streamed=False,
        status="ok",
        http_status=200,
        error_code=None,
        stop_reason=None,
        settled_at=settled_at,
        latency_ms=0,
        first_token_ms=None,
        input_tokens=0,
        output_tokens=0,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        images=0,
        usage_source="provider",
        priced=True,
        price_version=version,
        input_cost=difference[0],
        output_cost=difference[1],
        cache_cost=difference[2],
        other_cost=difference[3],
        total_cost=sum(difference),
        held=0,
        tags={**row.tags, CORRECTS: row.request_id},
    )


def _correction(
    standing: Sequence[UsageRow],
    charged: tuple[int, int, int, int],
    version: str,
    settled_at: datetime,
) -> UsageRow:
    booked = [sum(kind) for kind in zip(*(_costs(each) for each in standing), strict=True)]
    by_kind = zip(charged, booked, strict=True)
    given, output, cache, other = (new - old for new, old in by_kind)
    return correction(standing[0], (given, output, cache, other), version, settled_at)


def _costs(row: UsageRow) -> tuple[int, int, int, int]:
    return row.input_cost, row.output_cost, row.cache_cost, row.other_cost


def write(path: Path, rows: Sequence[UsageRow]) -> None:
    """Write rows to a file: Parquet by that suffix, else a line of JSON each."""
    if path.suffix == ".parquet":
        file = hour_file(rows, None)
        if file is not None:
            path.write_bytes(file.data)
        return
    lines = (json.dumps(to_json_row(row), ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
