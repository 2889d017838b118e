from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeUsageReader, FakeWatermark
from tests.fakes.usage_rows import STARTED, usage_row
from tollgate.ports import UnreadableRow
from tollgate_aggregate import handler
from tollgate_aggregate.service import Aggregator

if TYPE_CHECKING:
    from typing import Any

CONTEXT: Any = SimpleNamespace(
    function_name="tollgate-dev-aggregate",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:tollgate-dev-aggregate",
    aws_request_id="52fdfc07-2182-454f-963f-5f0f9a621d72",
)


@pytest.fixture
def aggregator(monkeypatch: pytest.MonkeyPatch) -> Aggregator:
    monkeypatch.setattr(handler.metrics.provider, "namespace", "Tollgate")
    monkeypatch.setattr(handler.metrics.provider, "service", "aggregate")
    rows = [usage_row(priced=False), usage_row()]
    made = Aggregator(
        FakeUsageReader(rows),
        FakeWatermark(),
        FakeOpenHolds(),
        FakeLake(),
        lambda: STARTED,
        FakeWatermark(),
    )
    monkeypatch.setattr(handler, "build_service", lambda: made)
    return made


@pytest.mark.usefixtures("aggregator")
def test_a_run_is_returned_and_counted_in_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    assert handler.lambda_handler({}, CONTEXT) == {
        "hours": 25,
        "rows": 2,
        "unpriced": 1,
        "days": ["2026-11-15"],
        "closed_through": "2026-11-15T12:00:00+00:00",
        "quarantined": 0,
        "failed": [],
        "expired": 0,
    }
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert metrics["AggregatedHours"] == [25]
    assert metrics["AggregatedRows"] == [2]
    assert metrics["UnpricedRows"] == [1]
    assert metrics["OpenHours"] == [0]
    # Figures of what failed are there where something did.
    assert not {"QuarantinedRows", "FailedPeriods"} & metrics.keys()


def test_a_run_that_failed_at_something_says_so_once_all_else_is_done(
    aggregator: Aggregator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, lake = FakeUsageReader([usage_row()]), FakeLake()
    usage.unreadable[STARTED.replace(minute=0, microsecond=0)] = [UnreadableRow("r", "{}", "odd")]
    lake.objects["succeed/2026-11-15.csv"] = b""
    lake.put = lambda key, *rest: key[0] != "s" and FakeLake.put(lake, key, *rest)  # type: ignore[method-assign]
    made = Aggregator(
        usage, FakeWatermark(), FakeOpenHolds(), lake, lambda: STARTED, FakeWatermark()
    )
    monkeypatch.setattr(handler, "build_service", lambda: made)
    assert aggregator is not made

    with pytest.raises(handler.IncompleteError, match="'failed': .'2026-11-15'"):
        handler.lambda_handler({}, CONTEXT)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert metrics["QuarantinedRows"] == [1]
    assert metrics["FailedPeriods"] == [1]
    assert metrics["AggregatedRows"] == [1]


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.usefixtures("aggregator")
def test_an_event_nobody_defined_fails_the_run() -> None:
    with pytest.raises(ValueError, match="event with"):
        handler.lambda_handler({"dates": "2026-11-15"}, CONTEXT)


def test_the_names_of_tables_and_bucket_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler.build_service.cache_clear()
    for variable in ("USAGE_TABLE", "ACCOUNTS_TABLE", "LAKE_BUCKET"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(RuntimeError, match="USAGE_TABLE, ACCOUNTS_TABLE, LAKE_BUCKET"):
        handler.build_service()
