"""How a route answers: parse, admit, call, write."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from tollgate.domain.errors import TollgateError
from tollgate.domain.money import format_usd
from tollgate.entry.http import admission_notices, identity_headers, json_response
from tollgate.entry.idempotency import FirstAnswer, FirstStream
from tollgate.services.calls import paid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.dialects.exchange import Dialect, ParsedCall, Stream
    from tollgate.domain.tenants import Caller
    from tollgate.entry.http import Request, Response, StreamedResponse
    from tollgate.entry.idempotency import Idempotency
    from tollgate.ports import InputCounter
    from tollgate.services.admission import Admission
    from tollgate.services.calls import AdmittedCall, Answer, Calls, OpenCall
    from tollgate.services.free_work import FreeWork
    from tollgate.services.shapes import ChatCall, NativeCall

# Above the function's timeout: how long a key waits for its answer.
KEY_SECONDS = 960
# Characters of the header that tells what was ignored.
MOST_NOTES = 1024
_MORE = " ..."


@dataclass(frozen=True, slots=True)
class Gateway:
    """The services behind the routes."""

    admission: Admission
    calls: Calls
    counter: InputCounter
    free_work: FreeWork
    idempotency: Idempotency

    def admit(
        self,
        caller: Caller,
        call: ChatCall | NativeCall,
        *,
        streamed: bool,
        request_id: str | None,
    ) -> AdmittedCall:
        """Hold a call."""
        return self.admission.admit(caller, call, streamed=streamed, request_id=request_id)


class Route(Protocol):
    """What answers the requests of one path."""

    @property
    def dialect(self) -> Dialect:
        """Whose errors it answers with."""

    def answer(self, gateway: Gateway, request: Request) -> Response | StreamedResponse:
        """The answer. Raises the errors of `tollgate.domain.errors`."""


@dataclass(frozen=True, slots=True)
class CallRoute:
    """One model call, answered at once or streamed."""

    dialect: Dialect
    parse: Callable[[Request], ParsedCall]
    body: Callable[[ParsedCall, Answer], Any]
    stream: Callable[[ParsedCall, str], Stream]

    def answer(self, gateway: Gateway, request: Request) -> Response | StreamedResponse:
        """The answer. Raises the errors of `tollgate.domain.errors` until the first byte."""
        parsed = self.parse(request)
        if parsed.is_streamed:
            return gateway.idempotency.once_streamed(
                request,
                partial(self._streamed, gateway, request, parsed),
                headers=self.dialect.deciding_headers,
                lease_seconds=KEY_SECONDS,
            )
        return gateway.idempotency.once(
            request,
            partial(self._at_once, gateway, request, parsed),
            headers=self.dialect.deciding_headers,
            lease_seconds=KEY_SECONDS,
        )

    def _at_once(
        self, gateway: Gateway, request: Request, parsed: ParsedCall, request_id: str
    ) -> FirstAnswer:
        admitted = gateway.admit(request.caller, parsed.call, streamed=False, request_id=request_id)
        answer = gateway.calls.run(admitted)
        with paid(answer.request_id):
            response = json_response(
                request,
                self.body(parsed, answer),
                request_id=answer.request_id,
                cost=answer.cost.total,
                remaining=answer.remaining,
                notices={
                    **admission_notices(admitted),
                    **note_headers(parsed.notes),
                    **id_headers(self.dialect, answer.request_id),
                    **answer.headers,
                },
            )
        return FirstAnswer(response, admitted.custody)

    def _streamed(
        self, gateway: Gateway, request: Request, parsed: ParsedCall, request_id: str
    ) -> FirstStream:
        admitted = gateway.admit(request.caller, parsed.call, streamed=True, request_id=request_id)
        with gateway.calls.unsent(admitted):
            stream = self.stream(parsed, admitted.request_id)
            headers = {
                **stream.headers,
                **identity_headers(request, admitted.request_id),
                **admission_notices(admitted),
                **note_headers(parsed.notes),
                **id_headers(self.dialect, admitted.request_id),
            }
        opened = gateway.calls.open(admitted)
        return FirstStream(
            headers=headers,
            produce=partial(_write, opened, stream, admitted.request_id),
            custody=admitted.custody,
            keep_alive=stream.keep_alive,
        )


def _write(
    opened: OpenCall, stream: Stream, request_id: str, write: Callable[[bytes], None]
) -> TollgateError | None:
    """Write the body of an open call; returns the failure that the body tells of."""
    try:
        with paid(request_id):
            answer = opened.read(lambda piece: write(stream.event(piece.event)))
            last = stream.end(answer, _receipt(answer))
    except TollgateError as error:
        write(stream.error(error, request_id))
        return error
    write(last)
    return None


def _receipt(answer: Answer) -> dict[str, str]:
    receipt = {"request_id": answer.request_id, "cost_usd": format_usd(answer.cost.total)}
    if answer.remaining is not None:
        receipt["remaining_usd"] = format_usd(answer.remaining)
    return receipt


@dataclass(frozen=True, slots=True)
class CountRoute:
    """Input tokens of a request: it counts for itself, and nothing is held or charged."""

    dialect: Dialect
    parse: Callable[[Request], ChatCall | NativeCall]
    body: Callable[[int], Any]

    def answer(self, gateway: Gateway, request: Request) -> Response:
        """The answer. Raises the errors of `tollgate.domain.errors`."""
        counted = gateway.admission.count_request(request.caller, self.parse(request))
        gateway.free_work.count_tokens(gateway.admission.party(request.caller))
        return json_response(
            request,
            self.body(gateway.counter.input_tokens(counted)),
            notices=id_headers(self.dialect, request.request_id),
        )


def id_headers(dialect: Dialect, request_id: str) -> Mapping[str, str]:
    """The id of a request under the names that the API's clients read."""
    return dict.fromkeys(dialect.id_headers, request_id)


def note_headers(notes: Sequence[str]) -> Mapping[str, str]:
    """What of a request was ignored, each kind once, as a header of bounded size."""
    text = "; ".join(dict.fromkeys(notes))
    if len(text) > MOST_NOTES:
        text = f"{text[: MOST_NOTES - len(_MORE)]}{_MORE}"
    return {"x-tollgate-notes": text} if text else {}
