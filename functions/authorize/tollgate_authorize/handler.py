"""Entry point: API Gateway REQUEST authorizer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tollgate.adapters import aws
from tollgate.adapters.tenants import DynamoTenants
from tollgate.entry.clock import utc_now
from tollgate.entry.settings import load
from tollgate.observability import logger
from tollgate_authorize.advice import advice
from tollgate_authorize.service import AuthorizeService, allow, deny
from tollgate_authorize.settings import Settings
from tollgate_authorize.user_agent import user_agent

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def build_service() -> AuthorizeService:
    """Composes the function once per process."""
    settings = load(Settings)
    return AuthorizeService(DynamoTenants(aws.dynamodb(), settings.tenants_table), utc_now)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """The IAM policy for a request. A failure to look the key up becomes API Gateway's 500."""
    method_arn = event["methodArn"]
    resource = event["resource"]
    headers = event.get("headers") or {}
    # Here and not in API Gateway's access log, which does not escape what callers write.
    agent = {"user_agent": user_agent(headers)}
    found = build_service().authorize(headers, resource)
    if found is None:
        logger.info("denied", extra=agent)
        query = event.get("queryStringParameters") or {}
        return deny(method_arn, advice(headers, query, resource))
    key, record = found
    identity = {"tenant_id": record.tenant_id, "key_id": record.key_id}
    logger.info("allowed", extra={**identity, **agent})
    return allow(method_arn, key, record)
