"""The routes of Bedrock Runtime's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.dialects.bedrock import answer, errors, request, stream
from tollgate.dialects.exchange import Dialect
from tollgate_converse.routes import CallRoute, CountRoute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate_converse.routes import Route

_DIALECT = Dialect(errors.refusal, request.HEADERS, answer.ID_HEADERS)
_CHAT = CallRoute(_DIALECT, request.parse_chat, answer.chat_body, stream.ChatStream)
_NATIVE = CallRoute(_DIALECT, request.parse_native, answer.native_body, stream.NativeStream)
_MODEL = "POST /model/{modelId}"

ROUTES: Mapping[str, Route] = {
    f"{_MODEL}/converse": _CHAT,
    f"{_MODEL}/converse-stream": _CHAT,
    f"{_MODEL}/invoke": _NATIVE,
    f"{_MODEL}/invoke-with-response-stream": _NATIVE,
    f"{_MODEL}/count-tokens": CountRoute(_DIALECT, request.parse_count, answer.count_body),
}
