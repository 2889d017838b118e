"""One request of the dialects of OpenAI, Anthropic and Bedrock Runtime."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from tollgate.domain.errors import TollgateError
from tollgate.entry.http import StreamedResponse, internal_error, parse_event
from tollgate_converse import anthropic, bedrock, openai
from tollgate_converse.routes import CallRoute, CountRoute, EmbeddingsRoute, Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.entry.http import Request, Response
    from tollgate_converse.exchange import Dialect


class Route(Protocol):
    """What answers the requests of one path."""

    @property
    def dialect(self) -> Dialect:
        """Whose errors it answers with."""

    def answer(self, gateway: Gateway, request: Request) -> Response | StreamedResponse:
        """The answer. Raises the errors of `tollgate.domain.errors`."""


_OPENAI, _ANTHROPIC, _BEDROCK = openai.OpenAI(), anthropic.Anthropic(), bedrock.Bedrock()
_MODEL = "POST /model/{modelId}"

ROUTES: Mapping[str, Route] = {
    "POST /v1/chat/completions": CallRoute(_OPENAI, openai.ChatCompletion),
    "POST /v1/embeddings": EmbeddingsRoute(_OPENAI),
    "POST /v1/messages": CallRoute(_ANTHROPIC, anthropic.Message),
    "POST /v1/messages/count_tokens": CountRoute(
        _ANTHROPIC, anthropic.count_call, anthropic.count_body
    ),
    f"{_MODEL}/converse": CallRoute(_BEDROCK, partial(bedrock.Converse, is_streamed=False)),
    f"{_MODEL}/converse-stream": CallRoute(_BEDROCK, partial(bedrock.Converse, is_streamed=True)),
    f"{_MODEL}/invoke": CallRoute(_BEDROCK, partial(bedrock.Invocation, is_streamed=False)),
    f"{_MODEL}/invoke-with-response-stream": CallRoute(
        _BEDROCK, partial(bedrock.Invocation, is_streamed=True)
    ),
    f"{_MODEL}/count-tokens": CountRoute(_BEDROCK, bedrock.count_call, bedrock.count_body),
}


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
