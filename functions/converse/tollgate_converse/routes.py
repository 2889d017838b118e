"""How a route answers: parse, admit, call, write."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tollgate.dialects.openai import request as openai
from tollgate.domain.errors import TollgateError
from tollgate.domain.money import format_usd
from tollgate.entry.http import admission_notices, identity_headers, internal_error, json_response
from tollgate.entry.idempotency import FirstAnswer, FirstStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.domain.tenants import Caller
    from tollgate.entry.http import Request, Response, StreamedResponse
    from tollgate.entry.idempotency import Idempotency
    from tollgate.ports import InputCounter
    from tollgate.services.admission import Admission
    from tollgate.services.calls import AdmittedCall, Answer, Calls, OpenCall
    from tollgate.services.shapes import ChatCall, NativeCall
    from tollgate_converse.exchange import Dialect, Exchange, Stream

# Above the function's timeout: as long as this process can still settle, no sweep may.
LEASE_SECONDS = 960


@dataclass(frozen=True, slots=True)
class Gateway:
    """The services behind the routes."""

    admission: Admission
    calls: Calls
    counter: InputCounter
    idempotency: Idempotency

    def admit(
        self,
        caller: Caller,
        call: ChatCall | NativeCall,
        *,
        streamed: bool,
        request_id: str | None,
    ) -> AdmittedCall:
        """Hold a call for as long as this function may run."""
        return self.admission.admit(
            caller, call, lease_seconds=LEASE_SECONDS, streamed=streamed, request_id=request_id
        )


@dataclass(frozen=True, slots=True)
class CallRoute:
    """One model call, answered at once or streamed."""

    dialect: Dialect
    parse: Callable[[Request], Exchange]

    def answer(self, gateway: Gateway, request: Request) -> Response | StreamedResponse:
        """The answer. Raises the errors of `tollgate.domain.errors` until the first byte."""
        exchange = self.parse(request)
        if exchange.is_streamed:
            return gateway.idempotency.once_streamed(
                request,
                partial(self._stream, gateway, request, exchange),
                headers=self.dialect.deciding_headers,
                lease_seconds=LEASE_SECONDS,
            )
        return gateway.idempotency.once(
            request,
            partial(self._at_once, gateway, request, exchange),
            headers=self.dialect.deciding_headers,
            lease_seconds=LEASE_SECONDS,
        )

    def _at_once(
        self, gateway: Gateway, request: Request, exchange: Exchange, request_id: str
    ) -> FirstAnswer:
        admitted = gateway.admit(
            request.caller, exchange.call, streamed=False, request_id=request_id
        )
        answer = gateway.calls.run(admitted)
        response = json_response(
            request,
            exchange.body(answer),
            request_id=answer.request_id,
            cost=answer.cost.total,
            remaining=answer.remaining,
            notices={
                **admission_notices(admitted),
                **note_headers(exchange.notes),
                **self.dialect.id_headers(answer.request_id),
                **exchange.headers(answer),
            },
        )
        return FirstAnswer(response, admitted.custody)

    def _stream(
        self, gateway: Gateway, request: Request, exchange: Exchange, request_id: str
    ) -> FirstStream:
        admitted = gateway.admit(
            request.caller, exchange.call, streamed=True, request_id=request_id
        )
        headers = {
            **exchange.stream_headers,
            **identity_headers(request, admitted.request_id),
            **admission_notices(admitted),
            **note_headers(exchange.notes),
            **self.dialect.id_headers(admitted.request_id),
        }
        stream = exchange.stream(admitted.request_id)
        opened = gateway.calls.open(admitted)
        return FirstStream(
            headers=headers,
            produce=partial(_write, opened, stream, admitted.request_id),
            custody=admitted.custody,
            keep_alive=exchange.keep_alive,
        )


def _write(
    opened: OpenCall, stream: Stream, request_id: str, write: Callable[[bytes], None]
) -> TollgateError | None:
    """Write the body of an open call; returns the failure that the body tells of."""
    try:
        answer = opened.read(lambda piece: write(stream.piece(piece.event)))
        last = stream.end(answer, _receipt(answer))
    except TollgateError as error:
        failure = error
    except Exception:  # noqa: BLE001  the boundary: a traceback belongs in the log alone
        failure = internal_error(request_id)
        failure.may_be_billed = True
    else:
        write(last)
        return None
    write(stream.error(failure, request_id))
    return failure


def _receipt(answer: Answer) -> dict[str, str]:
    receipt = {"request_id": answer.request_id, "cost_usd": format_usd(answer.cost.total)}
    if answer.remaining is not None:
        receipt["remaining_usd"] = format_usd(answer.remaining)
    return receipt


@dataclass(frozen=True, slots=True)
class EmbeddingsRoute:
    """`POST /v1/embeddings`: as many calls as the model needs for the texts, with one receipt."""

    dialect: Dialect

    def answer(self, gateway: Gateway, request: Request) -> Response:
        """The answer. Raises the errors of `tollgate.domain.errors`."""
        parsed = openai.parse_embeddings(request.json_object())
        return gateway.idempotency.once(
            request,
            partial(self._at_once, gateway, request, parsed),
            headers=self.dialect.deciding_headers,
            lease_seconds=LEASE_SECONDS,
        )

    def _at_once(
        self,
        gateway: Gateway,
        request: Request,
        parsed: openai.EmbeddingsRequest,
        request_id: str,
    ) -> FirstAnswer:
        admitted, answers = self._run(gateway, request.caller, parsed.calls, request_id)
        body = openai.embeddings_body(
            [v for answer in answers for v in openai.embedding_vectors(answer.document)],
            model=parsed.model,
            input_tokens=sum(answer.usage.total_input for answer in answers),
            is_base64=parsed.is_base64,
        )
        response = json_response(
            request,
            body,
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


@dataclass(frozen=True, slots=True)
class CountRoute:
    """Input tokens of a request: policy is asked, nothing is held or charged."""

    dialect: Dialect
    parse: Callable[[Request], ChatCall | NativeCall]
    body: Callable[[int], Any]

    def answer(self, gateway: Gateway, request: Request) -> Response:
        """The answer. Raises the errors of `tollgate.domain.errors`."""
        counted = gateway.admission.count_request(request.caller, self.parse(request))
        return json_response(
            request,
            self.body(gateway.counter.input_tokens(counted)),
            notices=self.dialect.id_headers(request.request_id),
        )


def note_headers(notes: Sequence[str]) -> Mapping[str, str]:
    """What of a request was ignored, as a header."""
    return {"x-tollgate-notes": "; ".join(notes)} if notes else {}
