"""An HTTP server that stands where API Gateway stands in AWS, in front of the same handlers.

`FrontDoor` is an ASGI application plus the server it runs in. For each request it does what the
REST API of `modules/gateway` does: find the route, ask the authorizer, count against the usage
plan, insist on required parameters, invoke the function, and check its answer. A function that
takes longer than API Gateway waits goes on working while the client gets its 504, as on AWS.
Answers of operations in STREAM mode come through Lambda's Runtime API (`runtime_api`) and reach the
client while they are made.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn

from scripts.local import apigateway
from scripts.local.apigateway import (
    Authorization,
    GatewayError,
    HttpRequest,
    HttpResponse,
)
from scripts.local.lambda_runtime import FunctionError, Functions, PayloadTooLargeError
from scripts.local.lifecycle import Startable
from scripts.local.rest_api import Contract, GatewayResponses, Operation, check_parameters
from scripts.local.runtime_api import Invocation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from scripts.local.certificate import Certificate
    from scripts.local.deployment import Deployment
    from scripts.local.runtime_api import RuntimeApi
    from scripts.local.usage_plans import UsagePlans

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

Result = TypeVar("Result")

START_SECONDS = 10.0

log = logging.getLogger(__name__)


class FrontDoor(Startable):
    """The server; use it as a context manager.

    Args:
        functions: the handlers by the functions' short names.
        deployment: its `api` says what is routed where, who decides on it, and how it is refused.
        streams: the running Runtime APIs of the functions whose operations are streamed.
        usage_plans: fences of the tenants; None lets every key through.
        port: TCP port on the loopback interface, 0 for a free one.
        authorizer_cache_seconds: how long an authorizer's answer is reused per header value; None
            for as long as the definition says.
        integration_timeout: seconds that a client waits for a function; None for as many as the
            definition says.
        certificate: serve https with it; None serves http.
    """

    def __init__(  # noqa: PLR0913 - one argument per setting
        self,
        functions: Functions,
        deployment: Deployment,
        *,
        streams: Mapping[str, RuntimeApi] = MappingProxyType({}),
        usage_plans: UsagePlans | None = None,
        port: int = 0,
        authorizer_cache_seconds: float | None = None,
        integration_timeout: float | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self._functions = functions
        self._streams = streams
        self._usage_plans = usage_plans
        self._contract = Contract(deployment)
        self._responses = GatewayResponses(deployment.api)
        self._timeout = integration_timeout
        self._cache_seconds = authorizer_cache_seconds
        self._cache: dict[tuple[str, tuple[str, ...]], tuple[float, Authorization]] = {}
        buffered = self._contract.functions - self._contract.streaming_functions
        missing = sorted(
            {name for name in buffered if name not in functions}
            | (self._contract.streaming_functions - set(streams))
        )
        if missing:
            raise ValueError(f"no handler for {', '.join(missing)}")
        # Named as TCP, because asyncio turns Nagle's algorithm off only for sockets that say so;
        # with it, every response waits 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, f"port {port}: {error.strerror}") from None
        self._scheme = "http" if certificate is None else "https"
        self._port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._application,
                access_log=False,
                backlog=1024,
                http="h11",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                ssl_certfile=None if certificate is None else certificate.certificate,
                ssl_keyfile=None if certificate is None else certificate.key,
                timeout_graceful_shutdown=1,
                ws="none",
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve in a thread; returns when connections are accepted."""
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the front door did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop serving; functions that still run are left to themselves."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    async def _application(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        request_id = str(uuid.uuid4())
        try:
            request = await _read(scope, receive, request_id)
            response = await self._answer(request)
            if isinstance(response, Invocation):
                await _relay(response, receive, send, request_id)
                _log(scope, response.status, started)
                return
        except GatewayError as error:
            response = self._responses.render(error, request_id)
        except FunctionError as error:
            # The status is out: the answer ends without its end, as a broken connection does.
            log.error("%s", error)
            return
        except asyncio.CancelledError:
            # The server stops and no longer waits for the function.
            response = self._responses.render(GatewayError("DEFAULT_5XX"), request_id)
        except _HeadersTooLargeError:
            # On AWS some of these never reach what the gateway can be told to answer.
            refusal = GatewayError("DEFAULT_4XX", "Request Header Fields Too Large")
            response = self._responses.render(refusal, request_id)
        _log(scope, response.status, started)
        await _write(response, send)

    async def _answer(self, request: HttpRequest) -> HttpResponse | Invocation:
        operation, path_parameters = self._contract.route(request)
        authorization = await self._authorize(operation, request, path_parameters)
        if not authorization.allows(apigateway.method_arn(request)):
            raise GatewayError("ACCESS_DENIED", authorizer=authorization.context)
        if self._usage_plans is not None and operation.is_counted:
            self._usage_plans.admit(authorization.usage_key)
        check_parameters(operation, request)
        event = apigateway.proxy_event(operation, request, path_parameters, authorization.context)
        try:
            if operation.is_streamed:
                # It waits for as long as the function may run.
                return await in_thread(lambda: self._streams[operation.function].invoke(event))
            document = await asyncio.wait_for(
                in_thread(lambda: self._functions.invoke(operation.function, event)),
                operation.timeout_seconds if self._timeout is None else self._timeout,
            )
        except TimeoutError as error:
            raise GatewayError("INTEGRATION_TIMEOUT") from error
        except PayloadTooLargeError as error:
            raise GatewayError("REQUEST_TOO_LARGE") from error
        except FunctionError as error:
            log.error("%s", error, exc_info=error.__cause__)
            raise GatewayError("INTEGRATION_FAILURE") from error
        return apigateway.proxy_response(document, request.request_id)

    async def _authorize(
        self, operation: Operation, request: HttpRequest, path_parameters: dict[str, str]
    ) -> Authorization:
        authorizer = operation.authorizer
        identity = tuple(request.header(header) or "" for header in authorizer.headers)
        if not all(identity):
            raise GatewayError("UNAUTHORIZED")
        # An authorizer for one of several headers has no identity source: it is always asked.
        cache_key = (authorizer.name, identity) if identity else None
        if cache_key is not None:
            expires, cached = self._cache.get(cache_key, (0.0, None))
            if cached is not None and time.monotonic() < expires:
                return cached
        event = apigateway.authorizer_event(operation, request, path_parameters)
        try:
            document = await in_thread(lambda: self._functions.invoke(authorizer.function, event))
        except (FunctionError, PayloadTooLargeError) as error:
            log.error("%s", error, exc_info=error.__cause__)
            raise GatewayError("AUTHORIZER_FAILURE") from error
        authorization = Authorization.parse(document)
        seconds = authorizer.cache_seconds if self._cache_seconds is None else self._cache_seconds
        if cache_key is not None and seconds > 0:
            self._cache[cache_key] = (time.monotonic() + seconds, authorization)
        return authorization


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run `work` in a thread of its own: Lambda, too, gives each concurrent call an environment.

    The thread is a daemon, so that a call that nobody waits for never holds up the end of the
    process.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not future.done():
            set_outcome()

    def report(set_outcome: Callable[[], None]) -> None:
        # The loop may be gone when a call outlives the server.
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, set_outcome)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed on to whoever awaits the future
            failure = error
            report(lambda: future.set_exception(failure))
        else:
            report(lambda: future.set_result(result))

    threading.Thread(target=run, daemon=True).start()
    return await future


def _log(scope: Message, status: int, started: float) -> None:
    elapsed = round((time.monotonic() - started) * 1000)
    log.info("%s %s %d %d ms", scope["method"], scope["path"], status, elapsed)


class _HeadersTooLargeError(Exception):
    pass


async def _read(scope: Message, receive: Receive, request_id: str) -> HttpRequest:
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    ]
    # A header's size is its name, its value, and the colon, space and line end between them.
    if sum(len(name) + len(value) + 4 for name, value in headers) > apigateway.MAX_HEADER_BYTES:
        raise _HeadersTooLargeError
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > apigateway.MAX_BODY_BYTES:
            raise GatewayError("REQUEST_TOO_LARGE")
    client = scope.get("client") or ("127.0.0.1", 0)
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=bytes(body),
        source_ip=client[0],
        request_id=request_id,
    )


async def _relay(invocation: Invocation, receive: Receive, send: Send, request_id: str) -> None:
    """Send a function's answer on as it comes, no faster than the client takes it.

    Raises:
        FunctionError: the function broke it off.
    """
    headers = [
        (name.lower().encode(), value.encode()) for name, value in invocation.headers.items()
    ]
    headers.append((b"x-amzn-requestid", request_id.encode()))
    await send({"type": "http.response.start", "status": invocation.status, "headers": headers})
    loop = asyncio.get_running_loop()

    def send_pieces() -> None:
        for piece in invocation.body():
            message = {"type": "http.response.body", "body": piece, "more_body": True}
            asyncio.run_coroutine_threadsafe(_send(send, message), loop).result()

    watch = asyncio.ensure_future(_watch(invocation, receive))
    try:
        await in_thread(send_pieces)
        await send({"type": "http.response.body", "body": b""})
    except asyncio.CancelledError:
        # The server stops; the answer ends without its end.
        pass
    finally:
        invocation.abandon()
        watch.cancel()


async def _send(send: Send, message: Message) -> None:
    await send(message)


async def _watch(invocation: Invocation, receive: Receive) -> None:
    """Give an answer up when its client goes."""
    while (await receive())["type"] != "http.disconnect":
        pass
    invocation.abandon()


async def _write(response: HttpResponse, send: Send) -> None:
    headers = [
        (name.encode(), value.encode())
        for name, value in response.headers
        if name != "content-length"
    ]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
