"""Call a function's handler the way Lambda does: JSON in, JSON out, with a context."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.local.ministack import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from scripts.local.deployment import Function

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""What a synchronous invocation takes and what it may return."""

Handler = Callable[[dict[str, Any], Any], object]


class PayloadTooLargeError(Exception):
    """The event is larger than Lambda takes."""


class FunctionError(Exception):
    """The handler raised, or what it returned cannot be sent; the cause says which."""


@dataclass(frozen=True)
class LambdaContext:
    """The part of Lambda's context object that Python functions use."""

    function_name: str
    timeout_seconds: int
    memory_limit_in_mb: int = 512
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """ARN of the function."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """Log group of the function."""
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        """Log stream of this environment."""
        return "local"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would stop the function."""
        left = self.timeout_seconds - (time.monotonic() - self.started)
        return max(0, round(left * 1000))


class Functions:
    """The handlers by short name (`invoke`, not `tollgate-local-invoke`).

    Args:
        handlers: what is called.
        deployed: what Lambda is told of each of them, and of others.
    """

    def __init__(self, handlers: Mapping[str, Handler], deployed: Mapping[str, Function]) -> None:
        self._handlers = dict(handlers)
        self._deployed = deployed

    def __contains__(self, name: str) -> bool:
        return name in self._handlers

    def handler(self, name: str) -> Handler:
        """The handler of a function."""
        return self._handlers[name]

    def invoke(self, name: str, event: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Call a handler; returns what the caller of Lambda would parse from the response.

        Raises:
            PayloadTooLargeError: the event does not fit.
            FunctionError: the handler failed.
        """
        payload = json.dumps(event, ensure_ascii=False)
        if (size := _size(payload)) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLargeError(f"{size} bytes; at most {MAX_PAYLOAD_BYTES}")
        told = self._deployed[name]
        context = LambdaContext(told.name, told.timeout_seconds, told.memory_mb)
        try:
            returned = self._handlers[name](json.loads(payload), context)
            response = json.dumps(returned, ensure_ascii=False)
        except Exception as error:
            raise FunctionError(f"{name}: {type(error).__name__}: {error}") from error
        if _size(response) > MAX_PAYLOAD_BYTES:
            raise FunctionError(f"{name}: the response has more than {MAX_PAYLOAD_BYTES} bytes")
        return json.loads(response)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
