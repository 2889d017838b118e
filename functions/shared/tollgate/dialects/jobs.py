"""Tollgate's own wire format for jobs: `POST /v1/jobs`, a Converse request with its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.bedrock.request import parse_converse
from tollgate.dialects.fields import as_text, check_keys
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from tollgate.entry.http import Request
    from tollgate.services.shapes import ChatCall

CHAT = "jobs.chat"
# No header decides about the answer.
HEADERS: tuple[str, ...] = ()

_BODY_KEYS = (
    "additionalModelRequestFields",
    "inferenceConfig",
    "messages",
    "model",
    "system",
    "toolConfig",
)


def parse(request: Request) -> ChatCall:
    """The chat to run. Raises InvalidRequestError naming what is wrong."""
    body = request.json_object()
    check_keys(body, _BODY_KEYS, "the body")
    model = as_text(body.pop("model", None), "model")
    if not model:
        raise InvalidRequestError("model is empty; GET /v1/models lists the models")
    if isinstance(body.get("system"), str):
        body["system"] = [{"text": body["system"]}]
    return parse_converse(model, body, CHAT)


def started_body(job_id: str) -> dict[str, Any]:
    """The body of a started job; `GET /v1/jobs/{id}` tells how it goes on."""
    return {"id": job_id, "status": "queued"}
