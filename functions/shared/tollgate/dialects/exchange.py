"""What the packages of the APIs share: their head, a parsed call, a streamed answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Response
    from tollgate.services.calls import Answer
    from tollgate.services.shapes import ChatCall, NativeCall


@dataclass(frozen=True, slots=True)
class Dialect:
    """What all routes of an API share.

    `refusal` writes the answer of a refused or failed request. `deciding_headers` are the headers
    of a request that decide about its answer. `id_headers` are the names under which an answer has
    the request's id, besides x-request-id.
    """

    refusal: Callable[[TollgateError, str], Response]
    deciding_headers: Sequence[str]
    id_headers: Sequence[str]


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A parsed request for one model call, how to answer it, and what of it was ignored.

    `includes_usage` asks for the token counts of a stream, in an API that leaves them out.
    """

    call: ChatCall | NativeCall
    is_streamed: bool = False
    notes: Sequence[str] = ()
    includes_usage: bool = False


class Stream(Protocol):
    """One answer that is written while it is made."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of a streamed answer, besides those of the gateway."""

    @property
    def keep_alive(self) -> bytes:
        """What fills a silence; empty where nothing may."""

    def event(self, event: Mapping[str, Any]) -> bytes:
        """What the client gets for one event of the model's stream; may be nothing."""

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last bytes of a settled call; the receipt says what it cost."""

    def error(self, error: TollgateError, request_id: str) -> bytes:
        """A failure after the first byte, when the status is out."""
