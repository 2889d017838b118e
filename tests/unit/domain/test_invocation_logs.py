"""What a record of Bedrock's invocation log says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.invocation_logs import record
from tollgate.domain.invocation_logs import (
    LoggedCall,
    holds_records,
    hour_folders,
    log_root,
    parse_record,
)
from tollgate.domain.prices import TokenUsage

ROOT = "AWSLogs/111122223333/BedrockModelInvocationLogs/"


def parse(**changes: Any) -> LoggedCall | None:
    return parse_record(json.dumps(record("r-1", **changes)).encode())


def usage(**counts: int) -> dict[str, int]:
    return {"inputTokenCount": 12, **counts}


def test_the_figures_of_a_call_are_read() -> None:
    assert parse() == LoggedCall("r-1", TokenUsage(input=12, output=34), "default", None, None)


def test_cache_tokens_have_their_classes() -> None:
    given = usage(cacheReadInputTokenCount=5, cacheWriteInputTokenCount=7)
    details = [{"ttl": "5m", "inputTokens": 3}, {"ttl": "1h", "inputTokens": 4}]
    body = {"usage": {"cacheDetails": details}}

    call = parse(input=given, output={"outputTokenCount": 1, "outputBodyJson": body})

    assert call is not None
    assert call.usage == TokenUsage(
        input=12, output=1, cache_read=5, cache_write_5m=3, cache_write_1h=4
    )
    assert call.split_known


@pytest.mark.parametrize("details", [[], [{"ttl": "1h", "inputTokens": 4}]])
def test_cache_writes_without_their_lifetimes_are_flagged(details: list[Any]) -> None:
    body = {"usage": {"cacheDetails": details}}

    call = parse(input=usage(cacheWriteInputTokenCount=7), output={"outputBodyJson": body})

    assert call is not None
    assert call.usage == TokenUsage(input=12, cache_write_5m=7)
    assert not call.split_known


def test_an_answer_in_the_record_tells_its_end_and_its_tier() -> None:
    body = {"stopReason": "max_tokens", "serviceTier": {"type": "priority"}}

    call = parse(output={"outputTokenCount": 2, "outputBodyJson": body})

    assert call is not None
    assert (call.stop_reason, call.service_tier) == ("max_tokens", "priority")


def test_bodies_that_lie_elsewhere_or_are_lists_do_not_matter() -> None:
    elsewhere = {"outputTokenCount": 2, "outputBodyS3Path": "s3://b/x/data/y.json.gz"}
    chunks = {"outputTokenCount": 2, "outputBodyJson": [{"chunk": 1}]}

    for output in (elsewhere, chunks):
        call = parse(output=output)
        assert call is not None
        assert call.usage == TokenUsage(input=12, output=2)


def test_a_failed_call_has_its_code_and_no_figures() -> None:
    call = parse(errorCode="ThrottlingException", input={}, output={})

    assert call == LoggedCall("r-1", TokenUsage(), "default", None, "ThrottlingException")


def test_a_call_that_failed_half_way_has_what_it_used() -> None:
    call = parse(errorCode="ModelStreamErrorException")

    assert call is not None
    assert call.usage == TokenUsage(input=12, output=34)


def test_a_successful_call_without_figures_says_nothing() -> None:
    call = parse(input={}, output={})

    assert call == LoggedCall("r-1", None, "default", None, None)


@pytest.mark.parametrize(
    ("sides", "counts"),
    [
        ({"input": {"inputTokenCount": 5}, "output": {}}, TokenUsage(input=5)),
        ({"input": {}, "output": {"outputTokenCount": 6}}, TokenUsage(output=6)),
    ],
)
def test_a_call_that_used_one_kind_of_tokens_is_counted(
    sides: dict[str, Any], counts: TokenUsage
) -> None:
    call = parse(**sides)

    assert call is not None
    assert call.usage == counts


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaType": "Other"},
        {"requestMetadata": None},
        {"requestMetadata": {}},
        {"requestMetadata": {"request_id": 7}},
    ],
)
def test_other_records_are_not_about_us(changes: dict[str, Any]) -> None:
    assert parse(**changes) is None


@pytest.mark.parametrize("line", [b"", b"{", b"\xff"])
def test_a_line_that_is_no_json_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        parse_record(line)


@pytest.mark.parametrize("line", [b"[1]", b"1", b"null", b'"record"'])
def test_a_line_that_is_no_record_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a log record is not a JSON object$"):
        parse_record(line)


def test_the_hours_of_a_call_are_whole_hours_across_midnight() -> None:
    first = datetime(2026, 11, 22, 22, 59, 59, 999_999, tzinfo=UTC)
    last = datetime(2026, 11, 23, 0, 0, 0, tzinfo=UTC)

    assert hour_folders(ROOT, "eu-west-1", first, last) == [
        f"{ROOT}eu-west-1/2026/11/22/22/",
        f"{ROOT}eu-west-1/2026/11/22/23/",
        f"{ROOT}eu-west-1/2026/11/23/00/",
    ]


@pytest.mark.parametrize(
    ("prefix", "below"),
    [
        ("", ""),
        ("/", ""),
        ("bedrock/logs", "bedrock/logs/"),
        ("/bedrock/logs/", "bedrock/logs/"),
        ("X/logs/X", "X/logs/X/"),
    ],
)
def test_the_root_lies_below_the_configured_prefix(prefix: str, below: str) -> None:
    assert log_root(prefix, "111122223333") == f"{below}{ROOT}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("us-east-1/2026/11/22/10/20261122T103019123Z_8fe3c68a.json.gz", True),
        ("us-east-1/2026/11/22/10/data/8fe3c68a_input.json.gz", False),
        ("amazon-bedrock-logs-permission-check", False),
    ],
)
def test_only_records_are_read(name: str, *, expected: bool) -> None:
    assert holds_records(ROOT + name) is expected
