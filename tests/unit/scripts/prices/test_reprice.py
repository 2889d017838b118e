"""Past usage priced anew: from rows without a price to an exact chargeback."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.prices import reprice as subject
from scripts.reports import report
from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeUsageReader, FakeWatermark
from tests.fakes.ledger import FakeUsage
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import app, tenant
from tollgate.domain.ids import new_request_id, request_time, usage_key
from tollgate.domain.prices import PriceBook
from tollgate.domain.tenants import InferenceProfile
from tollgate.domain.usage import from_item, to_item
from tollgate_aggregate.service import Aggregator

if TYPE_CHECKING:
    from pathlib import Path

    from tollgate.domain.tenants import Tenant
    from tollgate.domain.usage import UsageRow

NOV = datetime(2026, 11, 15, 12, 30, tzinfo=UTC)
LATER = datetime(2026, 12, 3, 9, tzinfo=UTC)
MODEL = "amazon.nova-lite-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1"
POLICIES = {"acme": tenant()}


def book(version: str = "v2", price_in: str = "1", **changes: Any) -> PriceBook:
    tiers = {"default": {"input": price_in, "output": "2", "cache_read": "0.5"}, **changes}
    rates = {"in_region": tiers, "geo/us": {"default": {"input": "3", "output": "4"}}}
    effective = [{"from": "2026-01-01", "to": None, "rates": rates}]
    document = {
        "schema_version": 1,
        "currency": "USD",
        "unit": "1M tokens",
        "version": version,
        "models": {MODEL: {"mode": "chat", "aliases": [], "effective": effective}},
    }
    return PriceBook(document)


def unpriced(**changes: Any) -> UsageRow:
    """A row that was booked at nothing, because the model had no price."""
    nothing = {"input_cost": 0, "output_cost": 0, "total_cost": 0}
    defaults = {"started_at": NOV, "priced": False, "price_version": "v1", **nothing}
    return usage_row(**{**defaults, **changes})


def run(
    *rows: UsageRow,
    at: datetime = LATER,
    prices: PriceBook | None = None,
    policies: dict[str, Tenant] | None = None,
    **options: Any,
) -> subject.Outcome:
    return subject.reprice(
        rows,
        book=prices or book(),
        policies=POLICIES if policies is None else policies,
        settled_at=at,
        **options,
    )


def costs(row: UsageRow) -> tuple[int, int, int, int, int]:
    return row.input_cost, row.output_cost, row.cache_cost, row.other_cost, row.total_cost


def test_a_correction_makes_up_the_difference_and_nothing_else() -> None:
    row = unpriced(cache_read_tokens=10, tags={"owner": "search"}, first_token_ms=5, held=7)
    (correction,) = run(row).corrections
    assert correction == replace(
        row,
        request_id=subject.correction_id(row.request_id, "v2"),
        operation="reprice",
        settled_at=LATER,
        latency_ms=0,
        first_token_ms=None,
        input_tokens=0,
        output_tokens=0,
        cache_read_tokens=0,
        priced=True,
        price_version="v2",
        input_cost=100_000_000,
        output_cost=40_000_000,
        cache_cost=5_000_000,
        total_cost=145_000_000,
        held=0,
        tags={"owner": "search", "corrects": row.request_id},
    )
    assert from_item(to_item(correction)) == correction
    assert subject.is_correction(correction)
    assert not subject.is_correction(row)


def test_what_was_booked_at_a_ceiling_is_given_back() -> None:
    row = unpriced(input_cost=1_500_000_000, output_cost=10, total_cost=1_500_000_010)
    (correction,) = run(row).corrections
    assert costs(correction) == (-1_400_000_000, 39_999_990, 0, 0, -1_360_000_010)


def test_failed_streams_are_corrected_without_their_failure() -> None:
    row = unpriced(status="aborted", http_status=500, error_code="cut", streamed=True)
    (correction,) = run(row).corrections
    assert (correction.status, correction.http_status) == ("ok", 200)
    assert (correction.error_code, correction.stop_reason, correction.streamed) == (
        None,
        None,
        False,
    )


@given(
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2100, 1, 1)),
    version=st.text(min_size=1, max_size=20),
)
def test_the_id_of_a_correction_lies_in_the_hour_of_its_request(
    moment: datetime, version: str
) -> None:
    request_id = new_request_id(moment.replace(tzinfo=UTC))
    made = subject.correction_id(request_id, version)
    assert request_time(made) == request_time(request_id)
    assert usage_key(made)[0][:-3] == usage_key(request_id)[0][:-3]
    assert made != request_id
    assert made == subject.correction_id(request_id, version)
    assert made != subject.correction_id(request_id, version + "x")
    assert made != subject.correction_id(new_request_id(moment.replace(tzinfo=UTC)), version)


def test_running_again_changes_nothing() -> None:
    row = unpriced()
    first = run(row).corrections
    again = run(row, *first, at=LATER + timedelta(days=1))
    assert again.corrections == []
    assert again.skipped == {"at this price version already": 1}
    # Two runs that do not see each other make the same row, which the table takes once.
    usage = FakeUsage()
    assert subject.apply(first, usage) == (1, 0)
    assert subject.apply(run(row, at=LATER + timedelta(hours=1)).corrections, usage) == (0, 1)
    assert list(usage.rows.values()) == first


def test_a_correction_of_a_correction_starts_from_the_sum() -> None:
    row = unpriced()
    first = run(row).corrections
    second = run(row, *first, prices=book("v3", "0.25")).corrections
    assert costs(second[0]) == (-75_000_000, 0, 0, 0, -75_000_000)
    assert second[0].tags["corrects"] == row.request_id
    everything = [row, *first, *second]
    assert sum(each.total_cost for each in everything) == 65_000_000
    assert run(*everything, prices=book("v3", "0.25")).corrections == []


def test_prices_of_an_older_version_are_corrected_unless_told_otherwise() -> None:
    row = usage_row(started_at=NOV, price_version="v1")
    (correction,) = run(row).corrections
    assert correction.total_cost == 140_000_000 - row.total_cost
    left = run(row, unpriced_only=True)
    assert (left.corrections, left.skipped) == ([], {"has a price": 1})


def test_a_row_with_a_price_that_has_not_changed_needs_no_correction() -> None:
    row = usage_row(
        started_at=NOV,
        price_version="v1",
        input_cost=100_000_000,
        output_cost=40_000_000,
        total_cost=140_000_000,
    )
    outcome = run(row)
    assert (outcome.corrections, outcome.skipped) == ([], {"the same price": 1})
    # Without a price it needs one even at the same amount: it is settled from then on.
    (correction,) = run(replace(row, priced=False)).corrections
    assert costs(correction) == (0, 0, 0, 0, 0)


def test_a_change_between_kinds_of_cost_is_a_correction() -> None:
    row = usage_row(started_at=NOV, price_version="v1", input_cost=140_000_000, output_cost=0)
    (correction,) = run(replace(row, total_cost=140_000_000)).corrections
    assert costs(correction) == (-40_000_000, 40_000_000, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tenant_id": "gone"}, "tenant without a policy"),
        ({"usage_source": "hold", "status": "orphaned"}, "booked at its hold"),
        ({"service_tier": "flex"}, "still without a price"),
        ({"model_id": "a.b", "requested_model": "a.b"}, "still without a price"),
        ({"cache_write_1h_tokens": 5}, "still without a price"),
        ({"images": 1}, "still without a price"),
        ({"requested_model": PROFILE, "routing": "geo"}, "does not map any more"),
        ({"requested_model": PROFILE, "model_id": PROFILE}, "does not map any more"),
        ({"requested_model": "a.other"}, "maps to another model now"),
    ],
)
def test_what_cannot_be_priced_for_sure_is_left_alone(changes: dict[str, Any], reason: str) -> None:
    outcome = run(unpriced(**changes))
    assert outcome.corrections == []
    ((given, count),) = outcome.skipped.items()
    assert (reason in given, count) == (True, 1)


def test_prices_are_those_of_the_day_region_routing_and_tier_of_the_request() -> None:
    flex = unpriced(service_tier="flex")
    (correction,) = run(flex, prices=book(flex={"input": "0.5", "output": "1"})).corrections
    assert correction.total_cost == 70_000_000
    geo = unpriced(requested_model=f"us.{MODEL}", routing="geo")
    assert run(geo).corrections[0].total_cost == 380_000_000
    early = unpriced(started_at=datetime(2025, 12, 31, 23, tzinfo=UTC))
    assert run(early).skipped == {"still without a price": 1}


def test_arns_are_priced_as_the_tenant_maps_them() -> None:
    row = unpriced(requested_model=PROFILE, routing="geo")
    mapped = {"acme": tenant(model_arns={PROFILE: f"us.{MODEL}"})}
    assert run(row, policies=mapped).corrections[0].total_cost == 380_000_000
    own = InferenceProfile("own", f"us.{MODEL}", PROFILE, {})
    owned = {"acme": tenant(apps={row.app_id: app(inference_profiles={"own": own})})}
    assert run(row, policies=owned).corrections[0].total_cost == 380_000_000
    lost = unpriced(requested_model=PROFILE, model_id=PROFILE)
    assert run(lost, policies=mapped).corrections[0].total_cost == 380_000_000
    in_region = unpriced(requested_model=PROFILE)
    assert run(in_region).corrections[0].total_cost == 140_000_000


def test_contract_prices_win_and_name_their_version() -> None:
    agreed = {MODEL: {"in_region": {"default": {"input": "0.1"}}}}
    policies = {"acme": tenant(prices=agreed)}
    (correction,) = run(unpriced(), policies=policies).corrections
    assert correction.total_cost == 50_000_000
    assert correction.price_version == book().with_overrides(agreed).version


def test_units_are_kept_as_booked_and_images_priced() -> None:
    row = unpriced(other_cost=9, total_cost=9)
    assert costs(run(row).corrections[0]) == (100_000_000, 40_000_000, 0, 0, 140_000_000)
    images = book(default={"input": "1", "output": "2", "units": {"image": "0.04"}})
    (correction,) = run(replace(row, images=2), prices=images).corrections
    assert costs(correction)[3] == 8 * 10**10 - 9


class Lake:
    """A usage table, the lake made from it, and a copy of the lake on disk."""

    def __init__(self, folder: Path, *rows: UsageRow) -> None:
        self.folder = folder
        self.reader = FakeUsageReader(rows)
        self.lake = FakeLake()
        self.aggregator = Aggregator(
            self.reader,
            FakeWatermark(NOV),
            FakeOpenHolds(),
            self.lake,
            lambda: LATER,
            FakeWatermark(),
        )
        self.aggregate()

    def aggregate(self) -> None:
        self.aggregator.run({"date": "2026-11-15"})
        for key, data in self.lake.objects.items():
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def rows(self) -> list[UsageRow]:
        hours = subject.read_lake(
            self.folder,
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2026, 12, 1, tzinfo=UTC),
            Counter(),
        )
        return [row for _, rows in hours for row in rows]

    def chargeback(self, settled_before: date | None = None) -> list[tuple[int, int, int, int]]:
        rows = report.chargeback(self.folder, "2026-11", settled_before)
        return [(row.invocations, row.input_tokens, row.output_tokens, row.total) for row in rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        summary = self.folder / "daily/dt=2026-11-15/summary.parquet"
        return duckdb.sql(sql.format(summary=f"'{summary}'")).fetchall()


def test_the_lake_gives_back_what_was_written(tmp_path: Path) -> None:
    rows = [unpriced(tags={"a": "b"}), usage_row(started_at=NOV + timedelta(hours=3))]
    assert Lake(tmp_path, *rows).rows() == rows


def test_from_unpriced_usage_to_an_exact_chargeback(tmp_path: Path) -> None:
    priced = usage_row(started_at=NOV, price_version="v2")
    missing = [unpriced(started_at=NOV + timedelta(minutes=n)) for n in range(3)]
    lake = Lake(tmp_path, priced, *missing)
    assert lake.chargeback() == [(4, 400, 80, priced.total_cost)]
    (old,) = lake.query("SELECT invocations, unpriced, total_cost FROM {summary}")
    assert old == (4, 3, priced.total_cost)
    assert "errors/2026-11-15.txt" in lake.lake.objects

    outcome = run(*lake.rows())
    assert len(outcome.corrections) == 3
    assert outcome.difference == 3 * 140_000_000
    lake.reader.add(*outcome.corrections)
    lake.aggregate()

    # Invocations and tokens stay as they were; only money is added.
    assert lake.chargeback() == [(4, 400, 80, priced.total_cost + 3 * 140_000_000)]
    (new,) = lake.query("SELECT invocations, unpriced, total_cost FROM {summary}")
    assert new == (4, 0, priced.total_cost + 3 * 140_000_000)
    succeed = (tmp_path / "succeed/2026-11-15.csv").read_text().splitlines()
    assert len(succeed) == 2
    assert succeed[1].split(",")[-2] == "4"

    # The statement of the day before the correction is still there to be had.
    assert lake.chargeback(LATER.date()) == [(4, 400, 80, priced.total_cost)]
    assert lake.chargeback(LATER.date() + timedelta(days=1)) == lake.chargeback()

    again = run(*lake.rows(), at=LATER + timedelta(days=2))
    assert again.corrections == []
    before = dict(lake.lake.objects)
    lake.aggregate()
    assert lake.lake.objects == before


def test_rows_of_the_table_that_the_copy_lacks_count(tmp_path: Path) -> None:
    row = unpriced()
    lake = Lake(tmp_path, row)
    first = run(row).corrections
    lake.reader.add(*first)
    (((hour, stale),)) = list(
        subject.read_lake(
            tmp_path, NOV.replace(minute=0), NOV.replace(minute=0, hour=14), Counter()
        )
    )
    assert stale == [row]
    whole = subject.with_table(stale, lake.reader, hour)
    assert sorted(each.request_id for each in whole) == sorted(
        [row.request_id, first[0].request_id]
    )
    assert run(*whole).corrections == []


def test_a_row_of_the_lake_that_cannot_be_read_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier release could write ids of any length."""
    lake = Lake(tmp_path, row := unpriced())
    (path,) = tmp_path.glob("usage/*/*/*.parquet")
    long = "SELECT * REPLACE (repeat('m', 5000) AS requested_model, ? AS request_id) FROM whole"
    with duckdb.connect(":memory:") as db:
        db.read_parquet(str(path)).create("whole")
        db.execute(f"INSERT INTO whole {long}", [new_request_id(NOV)])
        db.table("whole").write_parquet(str(path))
    skipped: Counter[str] = Counter()
    hours = subject.read_lake(
        tmp_path, NOV.replace(minute=0), NOV.replace(minute=0, hour=14), skipped
    )

    assert [rows for _, rows in hours] == [[row]]
    assert skipped == {"cannot be read": 1}
    assert "requested_model of usage row" in capsys.readouterr().err
    assert lake.rows() == [row]


def test_events_name_each_day_once() -> None:
    days = [datetime(2026, 11, day, 5, tzinfo=UTC) for day in (9, 2, 9)]
    assert subject.events([unpriced(started_at=day) for day in days]) == [
        {"date": "2026-11-02"},
        {"date": "2026-11-09"},
    ]


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(subject, "load_policies", lambda _: POLICIES)
    Lake(tmp_path, unpriced(), unpriced(tenant_id="gone"))
    prices = tmp_path / "book.json"
    prices.write_text(json.dumps(book()._document))
    days = ["--from", "2026-11-15", "--to", "2026-11-16"]
    return ["--lake", str(tmp_path), *days, "--env", "dev", "--book", str(prices)]


def test_command_prints_what_it_would_do(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "corrections.ndjson"
    assert subject.main([*arguments, "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 corrections, 0.00014 USD in all",
        "1 rows not corrected: tenant without a policy",
    ]
    (line,) = out.read_text().splitlines()
    written = from_item(json.loads(line))
    assert (written.operation, written.total_cost) == ("reprice", 140_000_000)


def test_command_writes_parquet_that_reads_like_the_lake(
    arguments: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "corrections.parquet"
    assert subject.main([*arguments, "--out", str(out)]) == 0
    rows = duckdb.read_parquet(str(out)).project("operation, total_cost").fetchall()
    assert rows == [("reprice", 140_000_000)]


def test_command_without_a_table_does_not_apply(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert subject.main([*arguments, "--apply"]) == 1
    assert "--apply needs the usage table" in capsys.readouterr().err


def test_policies_come_from_the_environments_tenant_files() -> None:
    policies = subject.load_policies(subject.ROOT / "envs" / "dev")
    assert policies["acme"].tenant_id == "acme"
    assert sorted(policies) == ["acme", "globex"]
