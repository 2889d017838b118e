"""Entry point: API Gateway proxy integration."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tollgate.adapters import aws
from tollgate.adapters.bedrock import BedrockCatalogue
from tollgate.adapters.tenants import DynamoTenants
from tollgate.clock import utc_now
from tollgate.config import load
from tollgate.domain.prices import load_default
from tollgate.http import answer
from tollgate.observability import logger
from tollgate.policy import Policies
from tollgate_models.service import ModelsService
from tollgate_models.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tollgate.http import Response


@cache
def build_service() -> ModelsService:
    """Composes the function once per process."""
    settings = load(Settings)
    tenants = DynamoTenants(aws.dynamodb(), settings.tenants_table)
    return ModelsService(
        policies=Policies(tenants, utc_now),
        catalogue=BedrockCatalogue(aws.bedrock()),
        prices=load_default(),
        region=settings.aws_region,
        clock=utc_now,
    )


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """One request."""
    return answer(event, build_service().list)
