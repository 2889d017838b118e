"""Requests and answers as the dialects meet them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fakes.world import caller
from tollgate.dialects.exchange import ParsedCall
from tollgate.domain.prices import Cost, TokenUsage
from tollgate.entry.http import Request
from tollgate.services.calls import Answer
from tollgate.services.shapes import ChatCall

if TYPE_CHECKING:
    from collections.abc import Mapping

# The id of a request of 00:00:07 on the first day of Unix time.
CREATED = 7
CALL_ID = "00000000-1b58-7000-8000-000000000001"
RECEIPT = {"cost_usd": "0.1"}


def request(
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    route: str = "",
) -> Request:
    """A request with a JSON body, or with one that is bytes already."""
    return Request(
        request_id="gw-1",
        caller=caller(),
        path=path or {},
        query=query or {},
        headers=headers or {},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        route=route,
    )


def parsed(model: str = "m", *, includes_usage: bool = False) -> ParsedCall:
    """What a dialect made of a request for a chat."""
    return ParsedCall(ChatCall(model, {}, None, "chat"), includes_usage=includes_usage)


def answer(
    document: Any = None, usage: TokenUsage | None = None, stop_reason: str | None = "end_turn"
) -> Answer:
    """A settled call."""
    used = TokenUsage(input=3, output=2) if usage is None else usage
    return Answer(CALL_ID, document, stop_reason, used, Cost(1, 1, 0, 0, priced=True), None)
