"""Requests to start a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.dialects.bedrock.request import chat_call
from tollgate.dialects.exchange import ParsedCall
from tollgate.dialects.fields import as_text, check_keys
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tollgate.entry.http import Request

CHAT = "jobs.chat"
# No header decides about the answer.
HEADERS: Sequence[str] = ()

_BODY_KEYS = (
    "additionalModelRequestFields",
    "inferenceConfig",
    "messages",
    "model",
    "system",
    "toolConfig",
)


def parse_chat(request: Request) -> ParsedCall:
    """The chat to run. Raises InvalidRequestError naming what is wrong."""
    body = request.json_object()
    check_keys(body, _BODY_KEYS, "the body")
    model = as_text(body.pop("model", None), "model")
    if not model:
        raise InvalidRequestError("model is empty; GET /v1/models lists the models")
    if isinstance(body.get("system"), str):
        body["system"] = [{"text": body["system"]}]
    return ParsedCall(chat_call(model, body, CHAT))
