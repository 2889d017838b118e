"""The routes of OpenAI's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.openai import request as openai
from tollgate.domain.ids import request_time
from tollgate.entry.http import failure_headers, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Request, Response
    from tollgate.services.calls import Answer

SERVER_SENT_EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


class OpenAI:
    """OpenAI's errors."""

    deciding_headers = ()

    def id_headers(self, request_id: str) -> Mapping[str, str]:
        """Its clients read x-request-id, as every answer has it."""
        return {}

    def refusal(self, error: TollgateError, request_id: str) -> Response:
        """`{"error": {...}}`."""
        body = openai.error_body(error, request_id)
        return json_answer(error.http_status, body, failure_headers(error, request_id))


class ChatCompletion:
    """`POST /v1/chat/completions`."""

    keep_alive = openai.KEEP_ALIVE
    stream_headers = SERVER_SENT_EVENTS

    def __init__(self, request: Request) -> None:
        parsed = openai.parse_chat(request.json_object())
        self.call = parsed.call
        self.is_streamed = parsed.is_streamed
        self.notes = parsed.notes
        self._includes_usage = parsed.includes_usage

    def body(self, answer: Answer) -> dict[str, Any]:
        """A chat completion."""
        return openai.chat_body(
            answer.document,
            completion_id=_completion_id(answer.request_id),
            created=_created(answer.request_id),
            model=self.call.model,
            usage=answer.usage,
        )

    def headers(self, answer: Answer) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def stream(self, request_id: str) -> ChatCompletionStream:
        """Chunks of a chat completion."""
        return ChatCompletionStream(
            openai.ChatStream(
                completion_id=_completion_id(request_id),
                created=_created(request_id),
                model=self.call.model,
                includes_usage=self._includes_usage,
            )
        )


class ChatCompletionStream:
    """Server-sent events of a chat completion."""

    def __init__(self, stream: openai.ChatStream) -> None:
        self._stream = stream

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """A chunk."""
        return self._stream.event(event)

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last chunk, with the receipt, and the mark of the end."""
        return self._stream.end(
            stop_reason=answer.stop_reason or "", usage=answer.usage, receipt=receipt
        )

    def error(self, error: TollgateError, request_id: str) -> bytes:
        """An error in place of a chunk."""
        return self._stream.error(openai.error_body(error, request_id))


def _completion_id(request_id: str) -> str:
    return f"chatcmpl-{request_id}"


def _created(request_id: str) -> int:
    return int(request_time(request_id).timestamp())
