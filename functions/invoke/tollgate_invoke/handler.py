"""Entry point: API Gateway proxy integration."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tollgate.adapters import aws
from tollgate.adapters.idempotency import DynamoIdempotencyRecords
from tollgate.adapters.jobs import DynamoJobs, S3Payloads, SqsJobQueue
from tollgate.clock import utc_now
from tollgate.composition import (
    build_admission,
    build_calls,
    build_job_texts,
    build_ledger,
    build_sessions,
)
from tollgate.config import load
from tollgate.http import answer
from tollgate.idempotency import Idempotency
from tollgate.jobs import JobReader, JobSubmitter
from tollgate.observability import logger, metrics
from tollgate_invoke.service import InvokeService
from tollgate_invoke.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tollgate.http import Response


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
    admission = build_admission(
        dynamodb,
        ledger,
        sessions,
        region=settings.aws_region,
        tenants_table=settings.tenants_table,
        pool_role_arn=None,
    )
    calls = build_calls(
        ledger,
        sessions,
        region=settings.aws_region,
        silence_seconds=MODEL_SECONDS,
        logged=settings.invocation_logs_bucket is not None,
    )
    jobs = DynamoJobs(lambda _tenant_id: dynamodb, settings.streams_table)
    texts = build_job_texts(dynamodb, sessions, settings.streams_table)
    storage, brief_storage, brief_dynamodb = (
        aws.s3(),
        aws.s3(brief=True),
        aws.dynamodb(brief=True),
    )
    submitter = JobSubmitter(
        calls,
        jobs,
        S3Payloads(lambda _tenant_id: storage, settings.payloads_bucket),
        SqsJobQueue(aws.sqs(), settings.jobs_queue_url),
    )
    idempotency = Idempotency(
        DynamoIdempotencyRecords(lambda _tenant_id: brief_dynamodb, settings.streams_table),
        S3Payloads(lambda _tenant_id: brief_storage, settings.payloads_bucket),
        utc_now,
    )
    return InvokeService(admission, calls, submitter, JobReader(jobs, texts, utc_now), idempotency)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """One request."""
    return answer(event, build_service().handle)
