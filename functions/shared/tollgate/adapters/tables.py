"""The tables' keys and attribute names. Contract tests hold Terraform against these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableSpec:
    """Key attributes of one DynamoDB table (all strings) and its TTL attribute."""

    name: str
    hash_key: str
    range_key: str | None = None
    ttl: str | None = None


TENANTS = TableSpec("tenants", hash_key="pk")
ACCOUNTS = TableSpec("accounts", hash_key="account_id")
USAGE = TableSpec("usage", hash_key="pk", range_key="sk")
STREAMS = TableSpec("streams", hash_key="pk", range_key="sk", ttl="expires_at")
TABLES = (TENANTS, ACCOUNTS, USAGE, STREAMS)
