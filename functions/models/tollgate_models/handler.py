"""Entry point: API Gateway proxy integration."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from tollgate.adapters import aws
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.bedrock import BedrockCatalogue
from tollgate.adapters.tenants import DynamoTenants
from tollgate.dialects.anthropic import errors as anthropic
from tollgate.dialects.bedrock import errors as bedrock
from tollgate.dialects.openai import errors as openai
from tollgate.domain.endpoints import parse_endpoints
from tollgate.domain.prices import load_default
from tollgate.entry.clock import utc_now
from tollgate.entry.http import answer, error_response
from tollgate.entry.routes import UNROUTED, api_of
from tollgate.entry.settings import load
from tollgate.observability import logger
from tollgate.services.policy import Policies
from tollgate_models.service import ModelsService
from tollgate_models.settings import Settings
from tollgate_models.unrouted import refusal_of
from tollgate_models.usage import UsageService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Request, Response

# How the errors of an API are written, where that is not the gateway's own form.
_WRITERS: Mapping[str, Callable[[TollgateError, str], Response]] = {
    "Anthropic": anthropic.refusal,
    "Bedrock": bedrock.refusal,
    "OpenAI": openai.refusal,
}


@cache
def build_routes() -> Mapping[str, Callable[[Request], Response]]:
    """Composes the function once per process: its services by the routes that they serve."""
    settings = load(Settings)
    dynamodb = aws.dynamodb()
    policies = Policies(DynamoTenants(dynamodb, settings.tenants_table), utc_now)
    models = ModelsService(
        policies=policies,
        catalogue=BedrockCatalogue(aws.bedrock()),
        prices=load_default(),
        region=settings.aws_region,
        clock=utc_now,
        endpoints=parse_endpoints(settings.sagemaker_endpoints or "{}"),
    )
    usage = UsageService(
        policies=policies,
        accounts=DynamoAccounts(dynamodb, settings.accounts_table),
        clock=utc_now,
    )
    return {
        "GET /list_foundation_models": models.list,
        "GET /v1/models": models.list_models,
        "GET /v1/models/{model}": models.model,
        "GET /v1/usage": usage.show,
    }


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """One request: of a route, or of none that the contract has."""
    resource = event["resource"]
    if resource in UNROUTED:
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        api, refusal = refusal_of(event["httpMethod"], event["path"], headers)
        return answer(event, partial(_refuse, refusal), _WRITERS.get(api, error_response))
    writer = _WRITERS.get(api_of(resource), error_response)
    return answer(event, lambda request: build_routes()[request.route](request), writer)


def _refuse(refusal: TollgateError, _: Request) -> Response:
    raise refusal
