"""Environment of the function."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of what Terraform made, and the region and account the function runs in.

    The last three are there where Bedrock's invocation logs are on: their bucket, the folder that
    Bedrock writes below, and how long after a hold's end a log may still come.
    """

    aws_region: str
    account_id: str
    tenants_table: str
    accounts_table: str
    usage_table: str
    streams_table: str
    invocation_logs_bucket: str | None = None
    invocation_logs_root: str | None = None
    log_grace_minutes: str = "65"
