"""What a route needs to know of a dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Response
    from tollgate.services.calls import Answer
    from tollgate.services.shapes import ChatCall, NativeCall


class Stream(Protocol):
    """One answer that is written while it is made."""

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """What the client gets for one event of the model's stream; may be nothing."""

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last bytes of a settled call; the receipt says what it cost."""

    def error(self, error: TollgateError, request_id: str) -> bytes:
        """A failure after the first byte, when the status is out."""


class Exchange(Protocol):
    """A parsed request for one model call, and how its answer is written."""

    @property
    def call(self) -> ChatCall | NativeCall:
        """The call."""

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is to be streamed."""

    @property
    def notes(self) -> Sequence[str]:
        """What of the request is ignored."""

    @property
    def keep_alive(self) -> bytes:
        """What fills a silence of a streamed answer; empty where nothing may."""

    @property
    def stream_headers(self) -> Mapping[str, str]:
        """Headers of a streamed answer, besides those of the gateway."""

    def body(self, answer: Answer) -> Any:  # noqa: ANN401 - JSON
        """The body of an answer at once."""

    def headers(self, answer: Answer) -> Mapping[str, str]:
        """Headers of an answer at once, besides those of the gateway."""

    def stream(self, request_id: str) -> Stream:
        """The answer of a call that has begun."""


class Dialect(Protocol):
    """What all routes of a dialect have in common."""

    @property
    def deciding_headers(self) -> Sequence[str]:
        """The headers of a request that decide about its answer."""

    def id_headers(self, request_id: str) -> Mapping[str, str]:
        """The request id under the dialect's own name."""

    def refusal(self, error: TollgateError, request_id: str) -> Response:
        """The answer of a refused or failed request."""
