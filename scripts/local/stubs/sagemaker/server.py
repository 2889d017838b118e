"""The SageMaker stub: its endpoints, its log and where it listens.

Serves InvokeEndpoint and InvokeEndpointWithResponseStream. Each endpoint runs one container that
answers whatever it is sent, by the body's own shape (see `containers`). Text, token counts and
directions in brackets are those of all stubs (see `language` and `directions`), faults too, whose
`match` compares operation and modelId, which is the endpoint's name. Errors have SageMaker's
codes; `error=ContainerError` fails inside the container, with @mid-stream as an event of a stream,
and `error=ContainerTimeout` is a container that took too long. The log has one line per call, with
the component that answered and what endpoints are billed for: tokens, one request, and the
machine's milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.local.stubs.calls import CallLog
from scripts.local.stubs.model_stub import DEFAULT_DELTA_SECONDS, ModelStub
from scripts.local.stubs.sagemaker.handler import Handler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class SageMakerStub(ModelStub):
    """The server; use it as a context manager.

    Args:
        endpoints: names of endpoints, each with the names of its inference components; one that
            has components answers only to calls that name one. None takes any or none.
        log: file to append the call log to; None keeps it in memory only.
        port: TCP port on the loopback interface, 0 for a free one.
        delta_seconds: pause between two tokens of a stream.
        worst_case: every answer is as long as its body allows, and a byte of text is a token.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Sequence[str] | None],
        *,
        log: Path | None = None,
        port: int = 0,
        delta_seconds: float = DEFAULT_DELTA_SECONDS,
        worst_case: bool = False,
    ) -> None:
        super().__init__(Handler, CallLog(log), port=port, delta_seconds=delta_seconds)
        self.worst_case = worst_case
        self.endpoints = dict(endpoints)
