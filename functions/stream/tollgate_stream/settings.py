"""Environment of the function."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of what Terraform made, and the region and account the function runs in.

    The bucket of Bedrock's invocation logs is there where they are on: `sweep` reads it.
    The numbers are those of `tollgate.domain.free_work.FreeLimits`.
    The role of pool sessions is there where functions act for tenants in sessions.
    """

    aws_region: str
    account_id: str
    accounts_table: str
    tenants_table: str
    usage_table: str
    streams_table: str
    payloads_bucket: str
    jobs_queue_url: str
    waiting_requests: str
    polls_per_minute: str
    token_counts_per_minute: str
    invocation_logs_bucket: str | None = None
    pool_session_role_arn: str | None = None
