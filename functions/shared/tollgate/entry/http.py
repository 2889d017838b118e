"""API Gateway proxy events in, proxy responses out."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    PayloadTooLargeError,
    TollgateError,
)
from tollgate.domain.money import format_usd
from tollgate.domain.tenants import Caller
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tollgate.services.calls import AdmittedCall

Response = dict[str, Any]

# What Lambda carries of a buffered answer, and the most that a character takes in it.
MAX_RESPONSE_BYTES = 6 * 1024 * 1024
_MOST_BYTES_PER_CHARACTER = 6
# Bedrock's own schemas of tools and documents stay far below.
MAX_DEPTH = 64
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# A number beyond 64 bits has one of these once every digit is a 0 and no exponent has a plus.
_ZEROS = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_NUMBERS = (b"0" * 19, b"0e000")
_CONTAINERS = frozenset((dict, list))
# Of a number in a query; more would be beyond 64 bits.
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """An answer whose body is written while it is made.

    `produce` gets a function that takes pieces of the body. It runs to its end even when the
    client is gone, and tells of a failure after the first piece in the body itself. `keep_alive`
    is sent when nothing came for a while; empty where the body has no room for it.
    """

    status: int
    headers: Mapping[str, str]
    produce: Callable[[Callable[[bytes], None]], None]
    keep_alive: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request behind the authorizer. Header names are lower case.

    `route` is method and path template, like `POST /invoke_model`.
    """

    request_id: str
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    route: str = ""

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises InvalidRequestError, without quoting the body."""
        value = parse_json(self.body)
        if not isinstance(value, dict):
            raise InvalidRequestError(f"the body is {type_name(value)}; allowed is a JSON object")
        return value

    def number(self, name: str, *, default: int, maximum: int) -> int:
        """A whole number of the query string between 0 and `maximum`."""
        given = self.query.get(name)
        if given is None:
            return default
        is_number = given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS
        if not is_number or int(given) > maximum:
            raise InvalidRequestError(
                f"{name} is {given[:32]!r}; allowed is a whole number from 0 to {maximum}"
            )
        return int(given)


def parse_json(text: str | bytes, place: str = "the body") -> Any:  # noqa: ANN401 - JSON
    """What a caller's JSON says. Raises InvalidRequestError naming the place and quoting nothing.

    Stricter than Python's own reader: no NaN, and no half of a surrogate pair, because neither can
    be handed on to a model, and what a service makes of it might be billed. Nor more than MAX_DEPTH
    levels: how deep Python itself can read and write differs between its versions. Nor a number
    beyond 64 bits: no table takes what it costs.
    """
    try:
        # Python's reader would take UTF-8 that encodes half a pair. After this decoding a body,
        # which may be large, can have one as an escape only.
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        # Numbers are looked at one by one where it may matter: a body can have a million of them.
        is_long = _may_have_long_number(text)
        value = json.loads(
            decoded,
            parse_constant=_no_constant,
            parse_int=_whole if is_long else None,
            parse_float=_fraction if is_long else None,
        )
        may_be_deep = decoded.count("{") + decoded.count("[") > MAX_DEPTH
        if may_be_deep and _is_deeper([value], MAX_DEPTH + 1):
            raise InvalidRequestError(f"{place} is nested more than {MAX_DEPTH} levels deep")
        if isinstance(text, str) or _ESCAPED_SURROGATE.search(decoded):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"{place} has half of a surrogate pair; allowed is Unicode text"
        ) from error
    except OverflowError as error:
        raise InvalidRequestError(f"{place} has a number beyond 64 bits") from error
    except (ValueError, RecursionError) as error:
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequestError(f"{place} is not valid JSON{where}") from error
    return value


def _is_deeper(value: dict[str, Any] | list[Any], levels: int) -> bool:
    """Whether anything in a container is nested deeper; calls itself `levels` deep at most."""
    for child in value.values() if isinstance(value, dict) else value:
        if type(child) in _CONTAINERS and (
            levels == 1 or (child and _is_deeper(child, levels - 1))
        ):
            return True
    return False


def _may_have_long_number(text: str | bytes) -> bool:
    """Whether a number may be beyond 64 bits; a text within quotes can look like one."""
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    zeros = raw.translate(_ZEROS, b"+")
    return any(number in zeros for number in _LONG_NUMBERS)


def _whole(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise OverflowError
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise OverflowError
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def type_name(value: object) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")


def parse_event(event: Mapping[str, Any]) -> Request:
    """A proxy event of a REST API. Raises ForbiddenError without an authorizer's context."""
    context = event["requestContext"]
    identity = context.get("authorizer") or {}
    try:
        caller = Caller(
            tenant_id=identity["tenant_id"],
            app_id=identity["app_id"],
            key_id=identity["key_id"],
            tier=identity["tier"],
        )
    except KeyError as error:
        raise ForbiddenError("Forbidden", code="invalid_api_key") from error
    text = event.get("body") or ""
    body = (
        base64.b64decode(text)
        if event.get("isBase64Encoded")
        else text.encode(errors="surrogatepass")
    )
    return Request(
        request_id=context["requestId"],
        caller=caller,
        path=event.get("pathParameters") or {},
        query=event.get("queryStringParameters") or {},
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=body,
        route=f"{event.get('httpMethod', '')} {event.get('resource', '')}",
    )


def json_response(
    request: Request,
    body: object,
    *,
    status: int = 200,
    request_id: str | None = None,
    cost: int | None = None,
    remaining: int | None = None,
    notices: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """A JSON answer with the tenant, the id of the call and, where it was charged, its receipt.

    `notices` are headers about how it was admitted, see `admission_notices`.
    """
    headers = identity_headers(request, request_id or request.request_id)
    if cost is not None:
        headers["x-tollgate-cost-usd"] = format_usd(cost)
    if remaining is not None:
        headers["x-tollgate-remaining-usd"] = format_usd(remaining)
    return json_answer(status, body, {**headers, **notices})


def identity_headers(request: Request, request_id: str) -> dict[str, str]:
    """Headers that every answer carries: whose it is, and the id of its call."""
    return {"x-request-id": request_id, "x-tenant-id": request.caller.tenant_id}


def admission_notices(call: AdmittedCall) -> dict[str, str]:
    """Headers that tell of an exceeded soft budget, and of a `maxTokens` that was lowered."""
    notices = {}
    if call.lease.over_budget:
        notices["x-tollgate-budget"] = "exceeded"
    if call.lowered_max_tokens is not None:
        notices["x-tollgate-max-tokens"] = str(call.lowered_max_tokens)
    return notices


def error_response(error: TollgateError, request_id: str) -> Response:
    """The answer of a refused or failed request."""
    body: dict[str, Any] = {
        "message": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    if error.details:
        body["details"] = error.details
    return json_answer(error.http_status, body, failure_headers(error, request_id))


def failure_headers(error: TollgateError, request_id: str) -> dict[str, str]:
    """Headers of a refused or failed request.

    SDKs send a call again after a failure; one that may be billed must not be made twice.
    """
    headers = {"x-request-id": request_id}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.may_be_billed:
        headers["x-should-retry"] = "false"
    if "allowed_methods" in error.details:
        headers["Allow"] = ", ".join(error.details["allowed_methods"])
    return headers


def internal_error(request_id: str) -> TollgateError:
    """The error when the gateway itself is at fault; the traceback goes to the log alone."""
    logger.exception("unexpected failure", extra={"request_id": request_id})
    return TollgateError("the gateway failed; try again, and report the request id if it persists")


def answer(
    event: dict[str, Any],
    handle: Callable[[Request], Response],
    refuse: Callable[[TollgateError, str], Response] = error_response,
) -> Response:
    """Runs one HTTP request and maps what it raises; nothing escapes to the caller unmapped.

    `refuse` writes the answer of a refused or failed request in the caller's dialect.
    """
    context = event["requestContext"]
    request_id = context["requestId"]
    response = _answer(event, request_id, handle, refuse)
    if _is_too_large(response):
        response = refuse(_too_large(response), response["headers"]["x-request-id"])
    tenant_id = (context.get("authorizer") or {}).get("tenant_id")
    if tenant_id is not None:
        response["headers"]["x-tenant-id"] = tenant_id
    return response


def _answer(
    event: dict[str, Any],
    request_id: str,
    handle: Callable[[Request], Response],
    refuse: Callable[[TollgateError, str], Response],
) -> Response:
    try:
        return handle(parse_event(event))
    except TollgateError as error:
        return refuse(error, error.request_id or request_id)
    except Exception:  # noqa: BLE001  the boundary: a traceback belongs in the log alone
        return refuse(internal_error(request_id), request_id)


def _is_too_large(response: Response) -> bool:
    """Whether Lambda would not carry a response, whose body is a string in JSON once more."""
    if len(response["body"]) <= MAX_RESPONSE_BYTES // _MOST_BYTES_PER_CHARACTER:
        return False
    text = json.dumps(response, ensure_ascii=False)
    return len(text.encode(errors="surrogatepass")) > MAX_RESPONSE_BYTES


def _too_large(response: Response) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"the answer has {len(response['body'])} characters, and a buffered one may have "
        f"{MAX_RESPONSE_BYTES} bytes; the call is charged. Ask for fewer or smaller images or "
        "texts, or send it to POST /model/{modelId}/invoke, whose answer is streamed",
        code="answer_too_large",
        details={"max_bytes": MAX_RESPONSE_BYTES},
        may_be_billed=True,
    )


def json_answer(status: int, body: object, headers: Mapping[str, str]) -> Response:
    """A proxy response with a JSON body."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **headers},
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_encode_time),
        "isBase64Encoded": False,
    }


def _encode_time(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
