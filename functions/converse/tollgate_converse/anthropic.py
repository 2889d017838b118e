"""The routes of Anthropic's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.dialects.anthropic import answer, errors, request, stream
from tollgate.dialects.exchange import Dialect
from tollgate_converse.routes import CallRoute, CountRoute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate_converse.routes import Route

_DIALECT = Dialect(errors.refusal, request.HEADERS, answer.ID_HEADERS)

ROUTES: Mapping[str, Route] = {
    "POST /v1/messages": CallRoute(
        _DIALECT, request.parse_chat, answer.chat_body, stream.ChatStream
    ),
    "POST /v1/messages/count_tokens": CountRoute(_DIALECT, request.parse_count, answer.count_body),
}
