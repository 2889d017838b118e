"""Probes of the API: what a caller sends, and what comes back."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.awscheck.gateway import chat
from scripts.awscheck.probes import NotChecked, Probe, Seen, probe

if TYPE_CHECKING:
    from scripts.awscheck.gateway import Answer, Gateway

PROBES: list[Probe] = []
LAST: list[Probe] = []
"""Those that the others do not come after: one waits, one uses up the usage plan."""
_probe = partial(probe, PROBES)
_last = partial(probe, LAST)

_OVER_BYTES = 6_500_000
# A stream's first piece comes well before its last where nothing on the way collects it.
_EARLY = 0.8
_MOST_BURST = 2_000
_AT_ONCE = 50
_UNLIKELY_LIMIT = 987_654_321
_POLLS = 12


def _told(answer: Answer, *names: str) -> str:
    headers = [f"{name}: {answer.headers.get(name, '(none)')}" for name in names]
    return ", ".join([f"{answer.status} {answer.code}".strip(), *headers])


def _status(answer: Answer, status: int, *names: str) -> Seen:
    return Seen(answer.status == status, _told(answer, *names))


@_probe("models", "200, and the model is listed")
def models(gateway: Gateway) -> Seen:
    """Key, authorizer and catalogue; costs nothing."""
    answer = gateway.request("GET", "/v1/models")
    if answer.status != HTTPStatus.OK:
        return Seen(False, _told(answer))
    listed = [model["id"] for model in answer.document["data"]]
    return Seen(gateway.model in listed, f"{_told(answer)}, {len(listed)} models")


@_probe("model ARN with %2F", "200: the path's last part but one is the whole ARN")
def model_arn(gateway: Gateway) -> Seen:
    """API Gateway hands an encoded slash in a path parameter on as one parameter."""
    arn = f"arn:{gateway.partition}:bedrock:{gateway.region}::foundation-model/{gateway.model}"
    return _status(gateway.converse(model=arn), HTTPStatus.OK)


@_probe("first streamed byte", "200, in pieces, the first of them well before the last")
def first_byte(gateway: Gateway) -> Seen:
    """Neither Lambda nor API Gateway collects a streamed answer."""
    body = {
        "model": gateway.model,
        "messages": [{"role": "user", "content": "Count from 1 to 60, digits only."}],
        "max_tokens": 300,
        "stream": True,
    }
    answer = gateway.request("POST", "/v1/chat/completions", body)
    text = (
        f"{_told(answer)}, {answer.pieces} pieces, first after {answer.first_seconds:.2f} s, "
        f"last after {answer.seconds:.2f} s"
    )
    is_early = answer.pieces > 1 and answer.first_seconds < _EARLY * answer.seconds
    return Seen(answer.status == HTTPStatus.OK and is_early, text)


@_probe("headers under STREAM", "200 with x-request-id, x-tenant-id and the call's cost")
def headers(gateway: Gateway) -> Seen:
    """A function's own headers pass through an integration that streams."""
    answer = gateway.converse()
    names = ("x-request-id", "x-tenant-id", "x-tollgate-cost-usd")
    is_there = all(answer.headers.get(name) for name in names)
    is_ours = answer.headers.get("x-tenant-id") == gateway.tenant_id
    return Seen(answer.status == HTTPStatus.OK and is_there and is_ours, _told(answer, *names))


@_probe("x-amzn-errortype under STREAM", "4xx with the header, by which boto3 knows the error")
def error_type(gateway: Gateway) -> Seen:
    """API Gateway renames some x-amzn headers of an answer."""
    answer = gateway.converse(model="nobody.no-such-model-v1:0")
    renamed = [name for name in answer.headers if name.startswith("x-amzn-remapped-")]
    is_error = HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    is_there = bool(answer.headers.get("x-amzn-errortype"))
    text = _told(answer, "x-amzn-errortype", *renamed)
    return Seen(is_error and is_there, text)


@_probe("body over 6 MB", "413, before any model is called")
def large_body(gateway: Gateway) -> Seen:
    """Lambda takes 6 MB, API Gateway 10: who refuses, and with what?"""
    answer = gateway.converse(chat("x" * _OVER_BYTES))
    return _status(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "x-amzn-errortype")


@_probe("missing object", "409 idempotency_unknown: an object that is gone is not an outage")
def missing_object(gateway: Gateway) -> Seen:
    """S3 answers 403 instead of 404 to a role that may not list the bucket."""
    key = f"aws-check-{uuid.uuid4()}"
    body = {
        "model": gateway.model,
        "messages": [{"role": "user", "content": "Say yes."}],
        "max_tokens": 16,
    }
    send = partial(gateway.request, "POST", "/v1/chat/completions", body, {"Idempotency-Key": key})
    first = send()
    if first.status != HTTPStatus.OK:
        return Seen(False, f"the first request: {_told(first)}")
    s3 = gateway.clients("s3")
    folder = f"idempotency/{gateway.tenant_id}/"
    kept = f"{folder}{first.headers['x-request-id']}.json"
    listed = s3.list_objects_v2(Bucket=gateway.payloads_bucket, Prefix=kept)
    if not listed.get("KeyCount"):
        return Seen(False, f"200, but its answer does not lie under {folder}")
    s3.delete_object(Bucket=gateway.payloads_bucket, Key=kept)
    again = send()
    is_expected = (again.status, again.code) == (HTTPStatus.CONFLICT, "idempotency_unknown")
    return Seen(is_expected, f"the second request: {_told(again)}")


@_probe("queued job", "202, then the job succeeds")
def job(gateway: Gateway) -> Seen:
    """Queue, producer, streaming table and polls."""
    started = gateway.request("POST", "/v1/jobs", {"model": gateway.model, **chat()})
    polled: dict[str, Any] = {"status": "queued", "cursor": 0}
    job_id = started.document.get("id", "")
    for _ in range(_POLLS):
        if not job_id or polled["status"] not in ("queued", "running"):
            break
        path = f"/v1/jobs/{job_id}?cursor={polled['cursor']}&wait=20"
        polled = gateway.request("GET", path).document
    is_done = polled["status"] == "succeeded"
    return Seen(is_done, f"{_told(started)}, then {polled['status']}")


@_probe("inference profile", "200 through the app's own profile")
def profile(gateway: Gateway) -> Seen:
    """Bedrock takes the profile, and the function's role may call it."""
    if gateway.profile is None:
        raise NotChecked("the app has no inference profile")
    answer = gateway.request(
        "POST",
        "/invoke",
        chat(),
        {"x-api-key": gateway.key, "inference-profile-id": gateway.profile},
    )
    return _status(answer, HTTPStatus.OK)


@_probe("guardrail", "200: the role may use the guardrail, its cross-region profile included")
def guardrail(gateway: Gateway) -> Seen:
    """A guardrail with a profile is called in other regions, which the policy has to name."""
    if not gateway.guardrail:
        raise NotChecked("the tenant has no guardrail")
    return _status(gateway.converse(), HTTPStatus.OK)


@_probe(
    "policy change", "an override of the tenant's policy shows within 60 seconds, and goes again"
)
def policy_change(gateway: Gateway) -> Seen:
    """The tenants table, its key and the functions' cache; ends by itself after two minutes."""
    table, item = f"{gateway.prefix}-tenants", f"OVERRIDE#{gateway.tenant_id}"
    dynamodb = gateway.clients("dynamodb")
    document = {"expires": gateway.now() + 120, "limits": {"requests_per_day": _UNLIKELY_LIMIT}}
    try:
        dynamodb.put_item(
            TableName=table,
            Item={"pk": {"S": item}, "document": {"S": json.dumps(document)}},
            ConditionExpression="attribute_not_exists(pk)",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise NotChecked("the tenant has an override, which is left as it is") from None
    try:
        is_seen = gateway.until(partial(_has_limit, gateway), 60)
    finally:
        dynamodb.delete_item(TableName=table, Key={"pk": {"S": item}})
    is_gone = gateway.until(lambda: not _has_limit(gateway), 60)
    seen = "was seen" if is_seen else "was not seen"
    return Seen(is_seen and is_gone, f"it {seen}, and {'is gone' if is_gone else 'stays'}")


def _has_limit(gateway: Gateway) -> bool:
    scopes = gateway.request("GET", "/v1/usage").document["scopes"]
    return any(scope["requests_per_day"]["limit"] == _UNLIKELY_LIMIT for scope in scopes)


@_last(
    "call after idle minutes",
    "200: connections that died while the environment was frozen are not used",
    not_emulated="an emulator's environments are not frozen",
)
def idle(gateway: Gateway) -> Seen:
    """Lambda freezes an idle environment with its open connections."""
    if not gateway.idle_seconds:
        raise NotChecked("it was asked for without it (--idle-minutes 0)")
    gateway.sleep(gateway.idle_seconds)
    answer = gateway.converse()
    minutes = gateway.idle_seconds / 60
    text = f"{_told(answer)} after {minutes:.0f} minutes, in {answer.seconds:.1f} s"
    return Seen(answer.status == HTTPStatus.OK, text)


@_last("429 by plan", "429 from API Gateway, once the burst of the usage plan is used up")
def plan(gateway: Gateway) -> Seen:
    """The usage plan knows the key that the authorizer names; costs nothing."""
    if gateway.burst is None or gateway.burst > _MOST_BURST:
        raise NotChecked(f"the plan's burst is {gateway.burst or 'unlimited'}")
    count = 3 * gateway.burst
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda _: gateway.request("GET", "/v1/models"), range(count)))
    kinds = Counter(f"{answer.status} {answer.code}".strip() for answer in answers)
    refused = [answer for answer in answers if answer.status == HTTPStatus.TOO_MANY_REQUESTS]
    seen = ", ".join(f"{number} times {kind}" for kind, number in sorted(kinds.items()))
    return Seen(bool(refused), f"{count} requests: {seen}")
