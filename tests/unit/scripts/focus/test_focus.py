"""A month as FOCUS: its columns, its sums, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.bench.year import Year, write, write_facts
from scripts.build.environments import ENVIRONMENTS, ROOT
from scripts.focus import __main__ as command
from scripts.focus.columns import FOCUS_COLUMNS
from scripts.focus.validating import validate
from scripts.focus.writing import AthenaTarget, FocusError, FolderTarget, Writer
from scripts.reports.checks import RefusedError
from scripts.reports.engines import DuckDbEngine, EngineError, Result
from scripts.reports.tables import duckdb_type
from scripts.statements import history
from scripts.statements.closing import Closer
from scripts.statements.inputs import Finance
from scripts.statements.storage import FolderLake, FolderStore
from tests.e2e import documents
from tests.fakes.usage_rows import usage_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts.focus.writing import Written
    from tollgate.domain.usage import UsageRow

OCTOBER = datetime(2026, 10, 3, 14, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
PICO = Decimal(10**12)
# What FOCUS 1.2 wants of every line.
NEVER_NULL = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeDescription"),
    *("ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost"),
    *("EffectiveCost", "InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName"),
    *("ServiceCategory", "ServiceName", "ServiceSubcategory", "SubAccountId", "SubAccountName"),
)
OF_USAGE = (
    *("ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice"),
    *("PricingCategory", "PricingQuantity", "PricingUnit", "RegionId", "ResourceId"),
    *("SkuId", "SkuMeter", "SkuPriceId"),
)
FINANCE: Mapping[str, Any] = {
    "shared_costs": [{"name": "API Gateway", "by": "equal", "month_usd": "10.01"}],
    "discounts": [{"name": "Volume", "percent": "2.5"}],
    "credits": [{"tenant": "tenant-001", "month": "2025-02", "usd": "0.37", "reason": "Outage"}],
}


def focus(lake: Path, month: str = "2026-10", **options: str) -> Written:
    with DuckDbEngine(lake) as engine:
        store = FolderStore(lake / "statements")
        return Writer(
            engine=engine,
            target=FolderTarget(engine, lake),
            record=lambda month: history.read(store, month),
            clock=lambda: NOW,
        ).write(month, **options)


def lines(lake: Path, month: str = "2026-10", kind: str = "*") -> list[dict[str, Any]]:
    found = duckdb.read_parquet(str(lake / f"focus/billing_period={month}/{kind}.parquet"))
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def billed(found: Iterable[Mapping[str, Any]]) -> int:
    return int(sum((line["BilledCost"] for line in found), Decimal(0)) * PICO)


def close(lake: Path, month: str, inputs: Mapping[str, Any], at: datetime) -> None:
    with DuckDbEngine(lake) as engine:
        Closer(
            lake=FolderLake(lake),
            engine=engine,
            store=FolderStore(lake / "statements"),
            finance=Finance(inputs),
            clock=lambda: at,
        ).close(month)


def priced(cost: int, **changes: Any) -> UsageRow:
    values = {"started_at": OCTOBER, "input_cost": cost, "output_cost": 0, "total_cost": cost}
    return usage_row(**{**values, **changes})


def corrected(row: UsageRow, difference: int) -> UsageRow:
    """What scripts.prices.reprice adds to a call's cost."""
    return replace(
        row,
        request_id=f"{row.request_id}-reprice",
        operation="reprice",
        **dict.fromkeys(("input_tokens", "output_tokens", "output_cost"), 0),
        input_cost=difference,
        total_cost=difference,
        tags={"corrects": row.request_id},
    )


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    call = priced(6_000_000)
    write(
        [
            call,
            corrected(call, -1_000_000),
            priced(
                9_000_001,
                input_cost=1,
                output_cost=2_000_000,
                cache_cost=3_000_000,
                other_cost=4_000_000,
                cache_read_tokens=7,
                images=2,
                business_unit="claims",
                account_id="111122223333",
                started_at=OCTOBER + timedelta(hours=2),
            ),
            priced(0, status="error", http_status=429, error_code="throttled"),
            # Nobody knows how it ended, or what it used.
            priced(5_000_000, status="orphaned", usage_source="hold", input_tokens=0),
        ],
        tmp_path,
        0,
    )
    return tmp_path


def test_a_file_has_the_columns_of_focus_in_their_order_and_types(lake: Path) -> None:
    focus(lake)
    found = duckdb.read_parquet(str(lake / "focus/billing_period=2026-10/ledger.parquet"))
    written = [(name, str(kind)) for name, kind in zip(found.columns, found.types, strict=True)][
        : len(FOCUS_COLUMNS)
    ]
    assert written == [(name, duckdb_type(kind)) for name, kind in FOCUS_COLUMNS]


def test_what_focus_wants_is_never_null_and_sums_are_the_rows(lake: Path) -> None:
    written = focus(lake)
    found = lines(lake)
    for line in found:
        assert [name for name in NEVER_NULL if line[name] is None] == []
        if line["ChargeCategory"] == "Usage":
            assert [name for name in OF_USAGE if line[name] is None] == []
            product = line["ContractedUnitPrice"] * line["PricingQuantity"]
            assert abs(product - line["ContractedCost"]) <= Decimal("1E-12")
        assert line["ContractedCost"] == line["EffectiveCost"] == line["BilledCost"]
    assert billed(found) == written.billed == 19_000_001
    assert {line["InvoiceId"] for line in found} == {None}


def test_meters_count_what_they_charge(lake: Path) -> None:
    focus(lake)
    found = {
        (line["SkuMeter"], line["BillingAccountId"]): (
            int(line["BilledCost"] * PICO),
            int(line["ConsumedQuantity"] or 0),
            line["ConsumedUnit"],
        )
        for line in lines(lake)
        if line["BilledCost"]
    }
    assert found == {
        (None, "unassigned"): (-1_000_000, 0, None),
        ("input", "unassigned"): (11_000_000, 100, "Tokens"),
        ("input", "claims"): (1, 100, "Tokens"),
        ("output", "claims"): (2_000_000, 20, "Tokens"),
        ("cache", "claims"): (3_000_000, 7, "Tokens"),
        ("other", "claims"): (4_000_000, 2, "Images"),
    }


def test_what_used_no_tokens_is_counted_in_requests(tmp_path: Path) -> None:
    write([priced(5_000_000, status="orphaned", usage_source="hold", input_tokens=0)], tmp_path, 0)
    focus(tmp_path)
    (line,) = [line for line in lines(tmp_path) if line["BilledCost"]]
    assert (line["PricingQuantity"], line["PricingUnit"]) == (1, "Requests")


def test_a_correction_of_a_price_is_an_adjustment_without_quantity(lake: Path) -> None:
    focus(lake)
    (line,) = [line for line in lines(lake) if line["ChargeCategory"] == "Adjustment"]
    assert billed([line]) == -1_000_000
    assert line["ChargeClass"] is None
    assert line["PricingQuantity"] is line["SkuPriceId"] is line["ConsumedQuantity"] is None


def test_charge_periods_are_days_or_hours(lake: Path) -> None:
    focus(lake)
    assert {(line["ChargePeriodStart"], line["ChargePeriodEnd"]) for line in lines(lake)} == {
        (datetime(2026, 10, 3), datetime(2026, 10, 4))  # noqa: DTZ001 - UTC, as in the file
    }
    focus(lake, grain="hour")
    assert {line["ChargePeriodStart"].hour for line in lines(lake)} == {14, 16}
    assert {line["ChargePeriodEnd"].hour for line in lines(lake)} == {15, 17}


def test_the_table_is_read_back(lake: Path) -> None:
    focus(lake)
    with DuckDbEngine(lake) as engine:
        found = engine.run(
            "SELECT sum(billedcost) AS billed FROM focus WHERE billing_period = '2026-10'"
        )
    assert found.rows[0][0] * PICO == 19_000_001


@pytest.mark.parametrize("document", ["modules/analytics/README.md", "scripts/focus/README.md"])
def test_the_guides_queries_of_the_table_run(lake: Path, document: str) -> None:
    focus(lake)
    queries = [each.text for each in documents.examples(document) if "FROM focus" in each.text]
    assert queries
    with DuckDbEngine(lake) as engine:
        for query in queries:
            assert engine.run(query).rows


costs = st.integers(0, 10**15)


@given(st.lists(st.tuples(costs, costs, costs, costs, st.booleans()), min_size=1, max_size=6))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_billed_costs_are_the_rows_costs_to_the_picodollar(
    amounts: Sequence[tuple[int, int, int, int, bool]],
) -> None:
    rows = [
        priced(
            sum(parts),
            input_cost=parts[0],
            output_cost=parts[1],
            cache_cost=parts[2],
            other_cost=parts[3],
            tenant_id="acme" if is_acme else "globex",
        )
        for *parts, is_acme in amounts
    ]
    with TemporaryDirectory() as folder:
        write(rows, Path(folder), 0)
        assert focus(Path(folder)).billed == sum(row.total_cost for row in rows)
        assert billed(lines(Path(folder))) == sum(row.total_cost for row in rows)


@pytest.fixture(scope="module")
def closed_year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small year's February: closed, with late rows of January on its statements."""
    folder = tmp_path_factory.mktemp("year")
    year = Year(2025, tenants=3, calls=1, months=2)
    write_facts(year, folder)
    for number, month in enumerate(("2025-01", "2025-02")):
        late = usage_row(
            tenant_id="tenant-001",
            started_at=datetime(2025, 1, 20, 7, tzinfo=UTC),
            settled_at=datetime(2025, 2, 9, tzinfo=UTC),
        )
        write([*year.arrivals(month), *([late] if number else [])], folder, number)
        close(folder, month, FINANCE, datetime(2025, 2 + number, 3, tzinfo=UTC))
        focus(folder, month)
    return folder


def test_lines_of_a_closed_month_add_up_to_its_statements_to_the_cent(closed_year: Path) -> None:
    for month in ("2025-01", "2025-02"):
        found = lines(closed_year, month)
        assert {line["ChargeCategory"] for line in found} >= {"Usage", "Purchase", "Credit"}
        invoices = {line["InvoiceId"] for line in found}
        assert len(invoices) == 3
        for invoice in invoices:
            issued = json.loads((closed_year / f"statements/issued/{invoice}.json").read_text())
            mine = [line for line in found if line["InvoiceId"] == invoice]
            assert billed(mine) == int(Decimal(issued["totals"]["net"]) * PICO)


def test_a_statements_ledger_lines_are_its_usage_and_notes_correct_the_month_before(
    closed_year: Path,
) -> None:
    record = history.require(FolderStore(closed_year / "statements"), "2025-02")
    assert billed(lines(closed_year, "2025-02", "ledger")) == sum(e.cost for e in record.usage)
    notes = [
        line
        for line in lines(closed_year, "2025-02", "statement")
        if line["ChargeClass"] == "Correction"
    ]
    assert len(record.late) > 0
    assert {line["ChargePeriodStart"].month for line in notes} == {1}
    assert {line["ChargeCategory"] for line in notes} == {"Adjustment"}


def test_what_came_after_the_close_is_on_no_line_of_the_month(closed_year: Path) -> None:
    before = lines(closed_year, "2025-02", "ledger")
    late = usage_row(
        tenant_id="tenant-001",
        started_at=datetime(2025, 2, 9, 7, tzinfo=UTC),
        settled_at=datetime(2025, 3, 9, 7, tzinfo=UTC),
    )
    write([late], closed_year, 7)
    focus(closed_year, "2025-02")
    assert lines(closed_year, "2025-02", "ledger") == before


def test_a_ledger_that_is_not_what_was_stated_is_refused(closed_year: Path) -> None:
    path = closed_year / "focus/billing_period=2025-01/ledger.parquet"
    before = path.read_bytes()
    extra = usage_row(tenant_id="tenant-001", started_at=datetime(2025, 1, 9, 7, tzinfo=UTC))
    write([extra], closed_year, 8)
    with pytest.raises(FocusError, match="make verify STATEMENT=2025-01/tenant/tenant-001"):
        focus(closed_year, "2025-01")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("month", "said"),
    [
        ("2026-13", "is not a month"),
        ("2026-12", "has not begun"),
        ("2026-09", "no usage in 2026-09"),
    ],
)
def test_a_month_without_lines_is_refused(
    lake: Path, capsys: pytest.CaptureFixture[str], month: str, said: str
) -> None:
    with pytest.raises(FocusError, match=said):
        focus(lake, month)
    assert not (lake / "focus").exists()
    assert command.main(["check", "--lake", str(lake), "--month", "2026-10"]) == 1
    assert "make focus writes them" in capsys.readouterr().err


def test_a_lake_with_a_hole_is_refused(lake: Path) -> None:
    for day in (3, 5):
        folder = lake / "hourly" / f"dt=2026-10-0{day}" / "hour=00"
        folder.mkdir(parents=True)
        (folder / "facts.parquet").touch()
    with pytest.raises(RefusedError, match="hole"):
        focus(lake)
    assert not (lake / "focus").exists()


class Bucket:
    """A bucket's keys; as an engine it puts what Athena unloads there, until it is to fail."""

    def __init__(self, *keys: str, fails_at: int = 99) -> None:
        self.held = set(keys)
        self.said: list[str] = []
        self._fails_at = fails_at

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.held if key.startswith(prefix)))

    def delete(self, keys: Iterable[str]) -> None:
        self.held -= set(keys)

    def run(self, sql: str) -> Result:
        self.said.append(sql)
        if len(self.said) == self._fails_at:
            raise EngineError("Athena query failed")
        self.held.add(f"{sql.partition('s3://lake/')[2].partition(chr(39))[0]}0001")
        return Result((), [])

    def has(self, folder: str) -> bool:
        return any(self.keys(folder))

    def hours(self, *_: object) -> list[datetime]:
        return []


MONTH = "focus/billing_period=2026-10/"
OLD, OTHER = f"{MONTH}run=1/ledger/0001", "focus/billing_period=2026-09/run=1/ledger/0001"
SQLS = {"ledger": "SELECT 1 AS n\n", "statement": "SELECT 2 AS n\n"}


def test_athena_writes_a_run_of_its_own_and_then_the_others_go() -> None:
    bucket = Bucket(OLD, OTHER)
    AthenaTarget(bucket, bucket, "lake", "2").write("2026-10", SQLS)
    assert bucket.held == {f"{MONTH}run=2/{name}/0001" for name in SQLS} | {OTHER}
    assert bucket.said[0] == (
        f"UNLOAD (\nSELECT 1 AS n\n)\nTO 's3://lake/{MONTH}run=2/ledger/'\n"
        "WITH (format = 'PARQUET', compression = 'ZSTD')"
    )


def test_a_run_that_fails_leaves_the_files_as_they_were() -> None:
    bucket = Bucket(OLD, OTHER, fails_at=2)
    with pytest.raises(EngineError):
        AthenaTarget(bucket, bucket, "lake", "2").write("2026-10", SQLS)
    assert bucket.held == {OLD, OTHER}


@pytest.mark.soak
def test_the_files_of_a_closed_month_pass_focus_validator(closed_year: Path) -> None:
    assert ENVIRONMENTS["focus"].python(ROOT).exists(), "make soak makes it"
    verdict = validate(closed_year, "2025-02")
    assert verdict.rules > 250
    assert verdict.broken == ()
