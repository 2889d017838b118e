"""How far a model call came: one that failed before it was sent costs nothing."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_thread = threading.local()
_FIRST_REFUSAL = 300


@dataclass
class Sending:
    """How far a call came.

    `is_connected` is false while a connection is made for it, and after one could not be made.
    `status` is HTTP's of an answer, 0 without one; `answer` is its body, if it is not streamed.
    """

    is_sent: bool = False
    is_connected: bool = True
    status: int = 0
    answer: bytes = b""

    @property
    def is_answered(self) -> bool:
        """Whether the service made what was asked for."""
        return 0 < self.status < _FIRST_REFUSAL

    @property
    def is_refused(self) -> bool:
        """Whether the service said that it did not make it."""
        return self.status >= _FIRST_REFUSAL


def watched(client: Any) -> Sending:  # noqa: ANN401 - of any service
    """Watch the next call that this thread makes through a boto3 client."""
    events = client.meta.events
    events.register("before-send", _note_sent, unique_id="tollgate-sent")
    events.register("before-parse", _note_answer, unique_id="tollgate-answered")
    sending = _thread.sending = Sending()
    return sending


@contextmanager
def note_connecting() -> Iterator[None]:
    """Notes a connection that is made inside the block for this thread's call."""
    sending = getattr(_thread, "sending", None) or Sending()
    sending.is_connected = False
    yield
    sending.is_connected = True


def _note_sent(**_: Any) -> None:  # noqa: ANN401 - botocore's events
    # The last event before a connection is made: everything before it, from the checks of the
    # parameters to the signature, has sent nothing.
    sending = getattr(_thread, "sending", None)
    if sending is not None:
        sending.is_sent = True


def _note_answer(*, response_dict: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401 - as above
    sending, body = getattr(_thread, "sending", None), response_dict.get("body")
    if sending is not None:
        sending.status = response_dict["status_code"]
        sending.answer = body if isinstance(body, bytes) else b""
