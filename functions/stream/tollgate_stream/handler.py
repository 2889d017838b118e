"""Entry point: SQS event source and API Gateway proxy integration."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from tollgate.adapters import aws
from tollgate.adapters.jobs import SqsJobQueue
from tollgate.entry.clock import utc_now
from tollgate.entry.composition import (
    TenantStorage,
    build_calls,
    build_free_work,
    build_ledger,
    build_policies,
    build_sessions,
)
from tollgate.entry.http import answer
from tollgate.entry.settings import load
from tollgate.observability import logger, measured, metrics
from tollgate.services.jobs import JobReader, JobRunner
from tollgate_stream.service import StreamService
from tollgate_stream.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


# Below the function's 900 seconds: a model may be silent for long before its first token.
MODEL_SECONDS = 870
# What an alarm watches: there is a figure of it where messages failed, and nowhere else.
FAILED_MESSAGES = "FailedMessages"


@cache
def build_service() -> StreamService:
    """Composes the function once per process."""
    settings = load(Settings)
    dynamodb = aws.dynamodb()
    ledger = build_ledger(
        dynamodb, accounts_table=settings.accounts_table, usage_table=settings.usage_table
    )
    sessions = build_sessions()
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
    texts = storage.texts(settings.streams_table)
    payloads = storage.payloads(settings.payloads_bucket)
    policies = build_policies(dynamodb, settings.tenants_table)
    runner = JobRunner(
        calls=calls,
        jobs=jobs,
        texts=texts,
        payloads=payloads,
        policies=policies,
        clock=utc_now,
    )
    reader = JobReader(jobs, texts, build_free_work(storage, settings), utc_now)
    queue = SqsJobQueue(cache(aws.sqs), settings.jobs_queue_url)
    return StreamService(runner, reader, policies, queue)


@logger.inject_lambda_context
@measured
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of queued jobs, or one poll."""
    service = build_service()
    if "Records" in event:
        failed = service.run(event["Records"])
        if failed:
            metrics.add_metric(name=FAILED_MESSAGES, unit=MetricUnit.Count, value=len(failed))
        return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
    return answer(event, service.poll)
