"""One request of the dialects of OpenAI, Anthropic and Bedrock Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import TollgateError
from tollgate.entry.http import StreamedResponse, internal_error, parse_event
from tollgate_converse import anthropic, bedrock, openai

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.entry.http import Response
    from tollgate_converse.routes import Gateway, Route


ROUTES: Mapping[str, Route] = {**openai.ROUTES, **anthropic.ROUTES, **bedrock.ROUTES}


class ConverseService:
    """Answers proxy events; nothing escapes to the caller but in the dialect of its route."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def answer(self, event: Mapping[str, Any]) -> Response | StreamedResponse:
        """The answer to one request."""
        route = ROUTES[f"{event['httpMethod']} {event['resource']}"]
        request_id = event["requestContext"]["requestId"]
        try:
            return route.answer(self._gateway, parse_event(event))
        except TollgateError as error:
            failure = error
        except Exception:  # noqa: BLE001  the boundary: a traceback belongs in the log alone
            failure = internal_error(request_id)
        response = route.dialect.refusal(failure, failure.request_id or request_id)
        tenant_id = (event["requestContext"].get("authorizer") or {}).get("tenant_id")
        if tenant_id is not None:
            response["headers"]["x-tenant-id"] = tenant_id
        return response
