"""One model service out of several: each call goes to the service of its operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tollgate.ports import ModelReply, ModelRequest, ModelRuntime, StreamPiece


class Runtimes:
    """`tollgate.ports.ModelRuntime` for calls of models and of endpoints."""

    def __init__(self, *, models: ModelRuntime, endpoints: ModelRuntime) -> None:
        self._models = models
        self._endpoints = endpoints

    def call(self, request: ModelRequest) -> ModelReply:
        """One buffered call."""
        return self._of(request).call(request)

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        """One streamed call."""
        return self._of(request).stream(request)

    def prepare(self, request: ModelRequest) -> None:
        """What either of them needs before a call."""
        self._of(request).prepare(request)

    def _of(self, request: ModelRequest) -> ModelRuntime:
        return self._endpoints if request.operation == "invoke_endpoint" else self._models
