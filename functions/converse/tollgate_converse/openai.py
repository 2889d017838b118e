"""The routes of OpenAI's API."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tollgate.dialects.exchange import Dialect
from tollgate.dialects.openai.answer import ID_HEADERS, chat_body, embeddings_body
from tollgate.dialects.openai.errors import refusal
from tollgate.dialects.openai.request import HEADERS, parse_chat, parse_embeddings
from tollgate.dialects.openai.stream import ChatStream
from tollgate.domain.errors import TollgateError
from tollgate.entry.http import admission_notices, json_response
from tollgate.entry.idempotency import FirstAnswer
from tollgate.services.calls import paid
from tollgate_converse.routes import KEY_SECONDS, CallRoute, note_headers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.dialects.openai.request import EmbeddingsRequest
    from tollgate.domain.tenants import Caller
    from tollgate.entry.http import Request, Response
    from tollgate.services.calls import AdmittedCall, Answer
    from tollgate.services.shapes import NativeCall
    from tollgate_converse.routes import Gateway, Route


@dataclass(frozen=True, slots=True)
class EmbeddingsRoute:
    """`POST /v1/embeddings`: as many calls as the model needs for the texts, with one receipt."""

    dialect: Dialect

    def answer(self, gateway: Gateway, request: Request) -> Response:
        """The answer. Raises the errors of `tollgate.domain.errors`."""
        parsed = parse_embeddings(request)
        return gateway.idempotency.once(
            request,
            partial(self._at_once, gateway, request, parsed),
            headers=self.dialect.deciding_headers,
            lease_seconds=KEY_SECONDS,
        )

    def _at_once(
        self,
        gateway: Gateway,
        request: Request,
        parsed: EmbeddingsRequest,
        request_id: str,
    ) -> FirstAnswer:
        admitted, answers = self._run(gateway, request.caller, parsed.calls, request_id)
        with paid(request_id):
            response = json_response(
                request,
                embeddings_body(parsed, answers),
                request_id=request_id,
                cost=sum(answer.cost.total for answer in answers),
                remaining=answers[-1].remaining,
                notices={**admission_notices(admitted), **note_headers(parsed.notes)},
            )
        return FirstAnswer(response, admitted.custody)

    def _run(
        self,
        gateway: Gateway,
        caller: Caller,
        calls: Sequence[NativeCall],
        request_id: str,
    ) -> tuple[AdmittedCall, list[Answer]]:
        """Make the calls one after the other; the first has the request's id, all have rows.

        A failure ends the request. What was embedded before it stays charged, so that the request
        counts as one that may be billed.
        """
        answers: list[Answer] = []
        for call in calls:
            try:
                with paid(request_id) if answers else nullcontext():
                    admitted = gateway.admit(
                        caller, call, streamed=False, request_id=None if answers else request_id
                    )
                    answers.append(gateway.calls.run(admitted))
            except TollgateError as error:
                if answers:
                    error.request_id = request_id
                    error.may_be_billed = True
                raise
        return admitted, answers


_DIALECT = Dialect(refusal, HEADERS, ID_HEADERS)

ROUTES: Mapping[str, Route] = {
    "POST /v1/chat/completions": CallRoute(_DIALECT, parse_chat, chat_body, ChatStream),
    "POST /v1/embeddings": EmbeddingsRoute(_DIALECT),
}
