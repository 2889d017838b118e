"""Records what the functions ask of AWS: in whose name, which operation, with which parameters."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from botocore.client import BaseClient

from scripts.local.lambda_runtime import Functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class Session:
    """A role that a function has taken on, and the tags that it was taken on with."""

    role_arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """A call of an operation by a function, or in a session that the function opened."""

    function: str
    session: Session | None
    service: str
    operation: str
    parameters: Mapping[str, Any]


class _Recorder:
    """Makes calls of what passes botocore, and knows whose credentials are whose."""

    def __init__(self, take: Callable[[Call], None]) -> None:
        self._take = take
        self._sessions: dict[str, Session] = {}

    def add(self, function: str, client: BaseClient, operation: str, parameters: Any) -> None:
        # Who signs is known to the client alone.
        credentials = client._request_signer._credentials  # noqa: SLF001
        session = self._sessions.get(credentials.access_key)
        service = client.meta.service_model.service_name
        self._take(Call(function, session, service, operation, dict(parameters)))

    def opened(self, parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}
        key = answer["Credentials"]["AccessKeyId"]
        self._sessions[key] = Session(parameters["RoleArn"], tags)


@contextmanager
def recording(take: Callable[[Call], None]) -> Iterator[None]:
    """Give each call of the functions of any local stack in this process to `take`."""
    made = _Recorder(take)
    running: ContextVar[str | None] = ContextVar("function", default=None)

    def function() -> str | None:
        # A function whose answers are streamed runs in a thread with its name.
        thread, _, kind = threading.current_thread().name.rpartition(" ")
        return thread if kind == "environment" else running.get()

    make_call = BaseClient._make_api_call  # noqa: SLF001 - where every call of an SDK passes
    invoke = Functions.invoke

    def record(client: BaseClient, operation: str, parameters: Any) -> Any:
        caller = function()
        if caller is not None:
            made.add(caller, client, operation, parameters)
        answer = make_call(client, operation, parameters)
        if operation == "AssumeRole":
            made.opened(parameters, answer)
        return answer

    def name_function(functions: Functions, name: str, event: Mapping[str, object]) -> Any:
        token = running.set(name)
        try:
            return invoke(functions, name, event)
        finally:
            running.reset(token)

    with (
        patch.object(BaseClient, "_make_api_call", record),
        patch.object(Functions, "invoke", name_function),
    ):
        yield
