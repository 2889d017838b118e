from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.fakes.usage_rows import usage_row
from tollgate.domain.usage import (
    GLUE_COLUMNS,
    MAX_INTEGER,
    MAX_TAG_KEY,
    MAX_TAG_VALUE,
    MAX_TAGS,
    MAX_TEXT,
    UsageRow,
    from_item,
    is_endpoint_call,
    operation_of,
    runs_as_job,
    to_item,
    to_json_row,
)

FULL = usage_row(
    inference_profile_arn="arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.m",
    error_code="upstream_failed",
    stop_reason="end_turn",
    first_token_ms=120,
    tags={"project": "search", "": "é"},
    business_unit="retail",
    account_id="123456789012",
    end_user="u-é",
)


def test_the_columns_are_the_lake_schema() -> None:
    names = [name for name, _ in GLUE_COLUMNS]
    assert names[:3] == ["schema_version", "request_id", "tenant_id"]
    assert names[-4:] == ["tags", "business_unit", "account_id", "end_user"]
    assert len(names) == len(set(names)) == 43
    assert dict(GLUE_COLUMNS)["total_cost"] == "bigint"
    assert dict(GLUE_COLUMNS)["started_at"] == "timestamp"
    assert dict(GLUE_COLUMNS)["tags"] == "map<string,string>"


@pytest.mark.parametrize("row", [FULL, usage_row()])
def test_rows_survive_the_table(row: object) -> None:
    assert from_item(to_item(row)) == row  # type: ignore[arg-type]


def test_absent_values_are_left_out_of_items_and_kept_in_json() -> None:
    row = usage_row()
    assert "error_code" not in to_item(row)
    assert to_json_row(row)["error_code"] is None
    assert list(to_json_row(row)) == [name for name, _ in GLUE_COLUMNS]


def test_a_row_from_before_the_newest_columns_is_read() -> None:
    columns = ("business_unit", "account_id", "end_user")
    older = {name: value for name, value in to_item(FULL).items() if name not in columns}

    assert from_item(older) == replace(FULL, **dict.fromkeys(columns))


def test_times_are_written_in_utc_with_microseconds() -> None:
    local = datetime(2026, 11, 15, 13, 30, tzinfo=timezone(timedelta(hours=1)))
    assert to_item(usage_row(started_at=local))["started_at"] == "2026-11-15T12:30:00.000000Z"


def test_numbers_come_back_as_int_and_key_attributes_are_ignored() -> None:
    item = {
        name: Decimal(value) if type(value) is int else value
        for name, value in to_item(FULL).items()
    }
    read = from_item({**item, "pk": "USAGE#x", "sk": "y", "expires_at": Decimal(1)})
    assert read == FULL
    assert type(read.total_cost) is int


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="started_at"):
        replace(FULL, started_at=FULL.started_at.replace(tzinfo=None))


def test_items_of_another_version_or_incomplete_are_refused_by_request() -> None:
    with pytest.raises(ValueError, match=f"{FULL.request_id} has schema_version 2"):
        from_item({**to_item(FULL), "schema_version": 2})
    with pytest.raises(ValueError, match=f"{FULL.request_id} is incomplete.*tenant_id"):
        from_item({k: v for k, v in to_item(FULL).items() if k != "tenant_id"})


def test_rows_are_ordinary_utc_values() -> None:
    assert from_item(to_item(FULL)).settled_at.tzinfo is UTC


TOO_MUCH = {
    "requested_model": "m" * (MAX_TEXT + 1),
    "stop_reason": "half of a pair \ud800",
    "http_status": 2**31,
    "total_cost": MAX_INTEGER + 1,
    "input_tokens": -MAX_INTEGER - 2,
    "tags": {f"tag {n}": "v" for n in range(MAX_TAGS + 1)},
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_a_column_does_not_hold_is_no_row_and_is_cut_where_a_call_has_ended(name: str) -> None:
    values = {column: getattr(FULL, column) for column, _ in GLUE_COLUMNS} | {name: TOO_MUCH[name]}

    with pytest.raises(ValueError, match=f"{name} of usage row {FULL.request_id} is beyond"):
        UsageRow(**values)
    with pytest.raises(ValueError, match=f"{name} of usage row {FULL.request_id} is beyond"):
        from_item({**to_item(FULL), name: TOO_MUCH[name]})
    fitted = UsageRow.fitted(**values)
    assert from_item(to_item(fitted)) == fitted
    assert replace(fitted, **{name: getattr(FULL, name)}) == FULL


INT, BIGINT = 2**31, 2**63


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("http_status", INT - 1, INT - 1),
        ("http_status", INT, INT - 1),
        ("http_status", -INT, -INT),
        ("http_status", -INT - 1, -INT),
        ("total_cost", BIGINT - 1, BIGINT - 1),
        ("total_cost", 10**30, BIGINT - 1),
        ("total_cost", -BIGINT, -BIGINT),
        ("total_cost", -(10**30), -BIGINT),
        ("key_id", "k" * MAX_TEXT, "k" * MAX_TEXT),
        ("key_id", "k" * (MAX_TEXT + 1), "k" * MAX_TEXT),
        ("key_id", "\ud83d", "?"),
        ("tags", {"k" * 200: "v" * 300}, {"k" * MAX_TAG_KEY: "v" * MAX_TAG_VALUE}),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_column_keeps_all_that_it_holds(name: str, given: object, kept: object) -> None:
    row = usage_row()
    values = {column: getattr(row, column) for column, _ in GLUE_COLUMNS}

    assert UsageRow.fitted(**{**values, name: given}) == replace(row, **{name: kept})


def test_a_refused_row_names_no_more_of_its_id_than_an_id_needs() -> None:
    long, shown = "r" * 100, "r" * 64

    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        replace(FULL, request_id=long, http_status=INT)
    assert str(refused.value) == f"http_status of usage row {shown} is beyond its column's bounds"
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - as above
        replace(FULL, request_id=long, settled_at=FULL.settled_at.replace(tzinfo=None))
    assert str(refused.value) == f"settled_at of usage row {shown} has no time zone"


@pytest.mark.parametrize(
    ("dialect", "operations"),
    [
        ("openai.chat", ["converse", "converse_stream"]),
        ("legacy.chat", ["converse", "converse_stream"]),
        ("legacy.endpoint", ["invoke_endpoint", "invoke_endpoint_with_response_stream"]),
        ("bedrock.native", ["invoke_model", "invoke_model_with_response_stream"]),
        ("legacy.prompt", ["invoke_model", "invoke_model_with_response_stream"]),
        ("openai.embeddings", ["invoke_model", "invoke_model_with_response_stream"]),
        # What is done is the last of a name's parts.
        ("a.b.chat", ["converse", "converse_stream"]),
        ("chat.native", ["invoke_model", "invoke_model_with_response_stream"]),
    ],
)
def test_a_dialect_says_which_operation_is_behind_it(dialect: str, operations: list[str]) -> None:
    assert [operation_of(dialect, streamed=streamed) for streamed in (False, True)] == operations


@pytest.mark.parametrize(
    ("dialect", "streamed", "runs"),
    [
        ("legacy.chat", True, True),
        ("legacy.endpoint", True, True),
        ("jobs.native", True, True),
        ("jobs.a.chat", True, True),
        ("legacy.chat", False, False),
        ("bedrock.chat", True, False),
        ("openai.chat", False, False),
        ("openai.jobs", True, False),
    ],
)
def test_who_polls_for_a_streamed_answer_has_it_from_a_job(
    dialect: str, *, streamed: bool, runs: bool
) -> None:
    assert runs_as_job(dialect, streamed=streamed) is runs


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [("legacy.endpoint", True), ("jobs.endpoint", True), ("endpoint.chat", False), ("a.b", False)],
)
def test_calls_of_endpoints_are_told_by_their_dialect(dialect: str, *, expected: bool) -> None:
    assert is_endpoint_call(dialect) is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_cost", "many"),
        ("held", []),
        ("tenant_id", {"a"}),
        ("started_at", 7),
        ("settled_at", "yesterday"),
        ("tags", "search"),
        ("tags", {"a": 1}),
    ],
)
def test_a_value_of_another_type_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} of usage row {FULL.request_id} is not of type"):
        from_item({**to_item(FULL), name: value})


def test_the_largest_row_is_an_item_that_a_table_takes() -> None:
    """An item has 400 KB, of attribute names and of UTF-8; numbers take 21 bytes at most."""
    wide = "\N{GRINNING FACE}"
    texts = {name: wide * 5000 for name, kind in GLUE_COLUMNS if kind == "string"}
    numbers = {name: 10**30 for name, kind in GLUE_COLUMNS if kind == "bigint"}
    tags = {f"{n:03d}{wide * 500}": wide * 5000 for n in range(1000)}
    values = {column: getattr(FULL, column) for column, _ in GLUE_COLUMNS}

    row = UsageRow.fitted(**{**values, **texts, **numbers, "tags": tags})

    keys = 200
    assert len(json.dumps(to_item(row), ensure_ascii=False).encode()) + keys < 400 * 1024
