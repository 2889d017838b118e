"""The Bedrock stub: its models, its log and where it listens.

Serves `converse`, `converse-stream`, `invoke`, `invoke-with-response-stream` and `count-tokens` of
the runtime and the two listings of the control plane, in the exact form that boto3 reads. Refuses
what the pinned service model forbids (see `service_model`, walked member by member) and what the
service refuses beyond it (see `refusals`); it may be stricter than the service, never kinder.
Text and token counts are deterministic (see `language`), calls can be directed (see `directions`),
and each is written down (see `calls`): `GET /_stub/calls` returns the log, `DELETE /_stub/calls`
empties the list but not the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.catalogue import Catalogue
from scripts.local.stubs.bedrock.handler import Handler
from scripts.local.stubs.calls import CallLog
from scripts.local.stubs.model_stub import DEFAULT_DELTA_SECONDS, ModelStub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class BedrockStub(ModelStub):
    """The server; use it as a context manager.

    Args:
        log: file to append the call log to; None keeps it in memory only.
        port: TCP port on the loopback interface, 0 for a free one.
        catalogue: the models it offers; the price book's by default.
        delta_seconds: pause between two pieces of a stream.
        worst_case: bill the most that a body allows, see `billing`.
        publish: gets each entry of the call log once it is written, such as
            `invocation_logs.InvocationLogs.write`.
    """

    def __init__(
        self,
        *,
        log: Path | None = None,
        port: int = 0,
        catalogue: Catalogue | None = None,
        delta_seconds: float = DEFAULT_DELTA_SECONDS,
        worst_case: bool = False,
        publish: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        super().__init__(Handler, CallLog(log, publish), port=port, delta_seconds=delta_seconds)
        self.worst_case = worst_case
        self.catalogue = catalogue if catalogue is not None else Catalogue.from_price_book()
