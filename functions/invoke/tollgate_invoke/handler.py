"""Entry point: API Gateway proxy integration."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tollgate.adapters import aws
from tollgate.adapters.jobs import SqsJobQueue
from tollgate.entry.clock import utc_now
from tollgate.entry.composition import (
    TenantStorage,
    build_admission,
    build_calls,
    build_free_work,
    build_ledger,
    build_policies,
    build_sessions,
    sagemaker_endpoints,
)
from tollgate.entry.http import answer
from tollgate.entry.idempotency import Idempotency
from tollgate.entry.settings import load
from tollgate.observability import logger, measured
from tollgate.services.jobs import JobReader, JobSubmitter
from tollgate_invoke.service import InvokeService
from tollgate_invoke.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tollgate.entry.http import Response


# Below the function's 300 seconds, so that this process itself says how the call ended.
MODEL_SECONDS = 285


@cache
def build_service() -> InvokeService:
    """Composes the function once per process."""
    settings = load(Settings)
    dynamodb = aws.dynamodb()
    ledger = build_ledger(
        dynamodb, accounts_table=settings.accounts_table, usage_table=settings.usage_table
    )
    sessions = build_sessions()
    policies = build_policies(dynamodb, settings.tenants_table)
    admission = build_admission(
        ledger,
        sessions,
        policies,
        region=settings.aws_region,
        pool_role_arn=settings.pool_session_role_arn,
        endpoints=sagemaker_endpoints(settings.sagemaker_endpoints),
    )
    calls = build_calls(
        ledger,
        sessions,
        region=settings.aws_region,
        account_id=settings.account_id,
        silence_seconds=MODEL_SECONDS,
        logged=settings.invocation_logs_bucket is not None,
    )
    storage = TenantStorage(dynamodb, sessions, settings.pool_session_role_arn)
    jobs = storage.jobs(settings.streams_table)
    submitter = JobSubmitter(
        calls,
        jobs,
        storage.payloads(settings.payloads_bucket),
        SqsJobQueue(cache(aws.sqs), settings.jobs_queue_url),
    )
    free_work = build_free_work(storage, settings)
    idempotency = Idempotency(
        storage.idempotency_records(settings.streams_table),
        storage.payloads(settings.payloads_bucket, brief=True),
        policies,
        free_work,
        utc_now,
    )
    reader = JobReader(jobs, storage.texts(settings.streams_table), free_work, utc_now)
    return InvokeService(admission, calls, submitter, reader, idempotency)


@logger.inject_lambda_context
@measured
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """One request."""
    return answer(event, build_service().handle)
