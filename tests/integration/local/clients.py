"""What the tests of the clients share: tenants of their own, and books that must balance."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from botocore.config import Config

from scripts.local.ministack import REGION
from scripts.local.provision import PREFIX
from tests.waiting import until
from tollgate.adapters.aws import from_values
from tollgate.domain.usage import UsageRow, from_item

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from scripts.local.stack import LocalStack

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TITAN_EMBED = "amazon.titan-embed-text-v2:0"
COHERE_EMBED = "cohere.embed-multilingual-v3"

_TIERS = """
prefix = "tollgate-local"

tiers = {
  open = { max_tokens = { default = 2048, maximum = 64000 } }
}
"""
_TENANT = """
name        = "{name}"
kind        = "team"
cost_center = "CC-1"
tier        = "open"
models      = ["*"]
{more}
apps = {{ search = {{ keys = {{ primary = {{}} }} }} }}
"""
_TENANTS = {
    "acme": "",
    "poor": 'budget = { month_usd = "0.00001" }',
    "tight": 'budget = { month_usd = "0.02" }',
    "slow": "limits = { requests_per_minute = 1 }",
}


def write_environment(folder: Path) -> Path:
    """Tenants with every model: without limits, without money, with little money or time."""
    (folder / "env.tfvars").write_text(_TIERS)
    tenants = folder / "tenants"
    tenants.mkdir()
    for name, more in _TENANTS.items():
        (tenants / f"{name}.tfvars").write_text(_TENANT.format(name=name, more=more))
    return folder


def key_of(stack: LocalStack, tenant: str = "acme") -> str:
    """The tenant's key."""
    return stack.keys[f"{tenant}/search/primary"]


def bedrock_client(
    stack: LocalStack,
    tenant: str = "acme",
    *,
    key: str | None = None,
    attempts: int = 1,
    mode: str = "standard",
    path: str = "",
) -> BedrockRuntimeClient:
    """A client of the gateway made as users make it, with the key of the environment.

    The functions run in this process, and their own client must not find the key: it is there
    only while this client is made, which is told so to use it.
    """
    config = Config(
        retries={"total_max_attempts": attempts, "mode": mode},  # type: ignore[typeddict-item]
        auth_scheme_preference="httpBearerAuth",
    )
    with patch.dict(os.environ, {"AWS_BEARER_TOKEN_BEDROCK": key or key_of(stack, tenant)}):
        return boto3.client(
            "bedrock-runtime",
            endpoint_url=f"{stack.url}{path}",
            region_name=REGION,
            verify=str(stack.ca_file),
            config=config,
        )


def picture() -> bytes:
    """A PNG of one grey pixel."""

    def part(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack("!I", len(data)) + checked + struct.pack("!I", zlib.crc32(checked))

    header = struct.pack("!IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    lines = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", lines) + part(b"IEND", b"")


def in_base64(data: bytes) -> str:
    """Bytes as JSON carries them."""
    return base64.b64encode(data).decode()


class Books:
    """The provider's log and the gateway's rows of the calls since the start of a test."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._first = len(stack.calls())

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Model calls that the provider has logged; counting tokens is not one."""
        return [
            call
            for call in self._stack.calls()[self._first :]
            if call["operation"] != "count-tokens"
        ]

    @property
    def billed(self) -> list[dict[str, Any]]:
        """Those that the provider bills."""
        return [call for call in self.calls if call["usage"]["totalTokens"] or call["units"]]

    @property
    def rows(self) -> dict[str, UsageRow]:
        """The rows of these calls by request id."""
        ids = {call["requestMetadata"]["request_id"] for call in self.calls}
        items = (from_values(item) for item in self._scan("usage"))
        rows = {item["request_id"]: from_item(item) for item in items if "request_id" in item}
        return {request_id: row for request_id, row in rows.items() if request_id in ids}

    @property
    def cost_usd(self) -> float:
        """What the rows charge."""
        return sum(row.total_cost for row in self.rows.values()) / 1e12

    def balance(self) -> None:
        """Each call has one row of what the provider logged, and nothing is held any more."""
        until(
            lambda: not self._held() and len(self.rows) == len(self._ids()), "a row for each call"
        )
        rows = self.rows
        calls = self.calls
        assert len(self._ids()) == len(calls), "two calls under one request id"
        for call in calls:
            row = rows[call["requestMetadata"]["request_id"]]
            if call["status"] == "ok":
                assert row.status == "ok"
                assert counts(row) == logged_counts(call["usage"])
                # A text of blanks has no tokens to charge.
                assert (row.total_cost > 0) == bool(any(counts(row)) or call["units"])
            elif call["status"] == "error":
                # An error in mid-stream bills nothing here, and the gateway cannot know that.
                assert row.status in ("error", "aborted")
            else:
                assert row.status in ("aborted", "orphaned")
                assert row.total_cost > 0

    def _ids(self) -> set[str]:
        return {call["requestMetadata"]["request_id"] for call in self.calls}

    def _held(self) -> list[str]:
        accounts = (from_values(item) for item in self._scan("accounts"))
        return [request_id for account in accounts for request_id in account.get("holds", {})]

    def _scan(self, table: str) -> list[Mapping[str, Any]]:
        pages = self._stack.client("dynamodb").get_paginator("scan")
        found: list[Mapping[str, Any]] = []
        for page in pages.paginate(TableName=f"{PREFIX}-{table}", ConsistentRead=True):
            found.extend(page["Items"])
        return found


def counts(row: UsageRow) -> tuple[int, ...]:
    """Tokens of a row: input, output, read from the cache, written to it for 5 minutes, 1 hour."""
    return (
        row.input_tokens,
        row.output_tokens,
        row.cache_read_tokens,
        row.cache_write_5m_tokens,
        row.cache_write_1h_tokens,
    )


def logged_counts(usage: Mapping[str, Any]) -> tuple[int, ...]:
    """The same of an entry of the provider's log."""
    written = {detail["ttl"]: detail["inputTokens"] for detail in usage.get("cacheDetails", ())}
    return (
        usage["inputTokens"],
        usage["outputTokens"],
        usage.get("cacheReadInputTokens", 0),
        written.get("5m", 0),
        written.get("1h", 0),
    )
