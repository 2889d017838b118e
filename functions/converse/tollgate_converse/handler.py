"""Entry point: API Gateway proxy integration whose answers are streamed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from tollgate.adapters import aws
from tollgate.entry.clock import utc_now
from tollgate.entry.composition import (
    TenantStorage,
    build_admission,
    build_calls,
    build_free_work,
    build_input_counter,
    build_ledger,
    build_policies,
    build_sessions,
)
from tollgate.entry.http import StreamedResponse
from tollgate.entry.idempotency import Idempotency
from tollgate.entry.settings import load
from tollgate.observability import flush_metrics, logger
from tollgate_converse.routes import Gateway
from tollgate_converse.service import ConverseService
from tollgate_converse.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tollgate.entry.http import Response

# API Gateway gives up an answer that says nothing for five minutes.
MODEL_SECONDS = 285


@cache
def build_service() -> ConverseService:
    """Composes the function once per process."""
    settings = load(Settings)
    dynamodb = aws.dynamodb()
    ledger = build_ledger(
        dynamodb, accounts_table=settings.accounts_table, usage_table=settings.usage_table
    )
    sessions = build_sessions()
    policies = build_policies(dynamodb, settings.tenants_table)
    storage = TenantStorage(dynamodb, sessions, settings.pool_session_role_arn)
    free_work = build_free_work(storage, settings)
    return ConverseService(
        Gateway(
            admission=build_admission(
                ledger,
                sessions,
                policies,
                region=settings.aws_region,
                pool_role_arn=settings.pool_session_role_arn,
            ),
            calls=build_calls(
                ledger,
                sessions,
                region=settings.aws_region,
                account_id=settings.account_id,
                silence_seconds=MODEL_SECONDS,
                logged=settings.invocation_logs_bucket is not None,
            ),
            counter=build_input_counter(sessions),
            free_work=free_work,
            idempotency=Idempotency(
                storage.idempotency_records(settings.streams_table),
                storage.payloads(settings.payloads_bucket, brief=True),
                policies,
                free_work,
                utc_now,
            ),
        )
    )


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response | StreamedResponse:
    """One request."""
    response = build_service().answer(event)
    if not isinstance(response, StreamedResponse):
        flush_metrics()
        return response

    def produce(write: Callable[[bytes], None]) -> None:
        try:
            response.produce(write)
        finally:
            flush_metrics()

    return replace(response, produce=produce)
