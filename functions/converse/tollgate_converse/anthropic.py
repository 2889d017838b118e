"""The routes of Anthropic's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.anthropic import request as anthropic
from tollgate.entry.http import failure_headers, json_answer
from tollgate.services.shapes import ChatCall
from tollgate_converse.openai import SERVER_SENT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Request, Response
    from tollgate.services.calls import Answer

_BETAS = "anthropic-beta"


class Anthropic:
    """Anthropic's errors."""

    deciding_headers = (_BETAS,)

    def id_headers(self, request_id: str) -> Mapping[str, str]:
        """`request-id`, which its clients quote."""
        return {"request-id": request_id}

    def refusal(self, error: TollgateError, request_id: str) -> Response:
        """`{"type": "error", "error": {...}}`."""
        headers = {**failure_headers(error, request_id), **self.id_headers(request_id)}
        return json_answer(error.http_status, anthropic.error_body(error, request_id), headers)


class Message:
    """`POST /v1/messages`."""

    keep_alive = anthropic.KEEP_ALIVE
    stream_headers = SERVER_SENT_EVENTS

    def __init__(self, request: Request) -> None:
        parsed = anthropic.parse_messages(request.json_object(), _betas(request))
        self.call = parsed.call
        self.is_streamed = parsed.is_streamed
        self.notes = parsed.notes

    def body(self, answer: Answer) -> dict[str, Any]:
        """A message."""
        return anthropic.message_body(
            answer.document,
            message_id=_message_id(answer.request_id),
            model=self.call.model,
            usage=answer.usage,
        )

    def headers(self, answer: Answer) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def stream(self, request_id: str) -> MessageStream:
        """The events of a message."""
        return MessageStream(
            anthropic.MessageStream(message_id=_message_id(request_id), model=self.call.model)
        )


class MessageStream:
    """Server-sent events of a message."""

    def __init__(self, stream: anthropic.MessageStream) -> None:
        self._stream = stream

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """What an event of Converse is in this dialect."""
        return self._stream.event(event)

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last two events, with the receipt."""
        return self._stream.end(
            stop_reason=answer.stop_reason or "", usage=answer.usage, receipt=receipt
        )

    def error(self, error: TollgateError, request_id: str) -> bytes:
        """An error event."""
        return self._stream.error(anthropic.error_body(error, request_id))


def count_call(request: Request) -> ChatCall:
    """The call of `POST /v1/messages/count_tokens`, which is counted and not made."""
    model, body = anthropic.parse_count(request.json_object(), _betas(request))
    return ChatCall(model=model, body=body, max_tokens=None, dialect=anthropic.MESSAGES)


def count_body(input_tokens: int) -> dict[str, int]:
    """A count."""
    return {"input_tokens": input_tokens}


def _betas(request: Request) -> list[str]:
    given = request.headers.get(_BETAS, "")
    return [beta.strip() for beta in given.split(",") if beta.strip()]


def _message_id(request_id: str) -> str:
    return f"msg_{request_id}"
