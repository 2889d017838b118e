"""Decides who a request comes from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tollgate.entry.routes import AUTHORIZATION, key_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.tenants import KeyRecord
    from tollgate.ports import Clock, Tenants

# API Gateway allows key values of 20 to 128 characters; anything else was never issued.
_KEY_LENGTHS = range(20, 129)


class AuthorizeService:
    """Looks a credential up by its hash."""

    def __init__(self, tenants: Tenants, clock: Clock) -> None:
        self._tenants = tenants
        self._clock = clock

    def authorize(self, headers: Mapping[str, str], resource: str) -> tuple[str, KeyRecord] | None:
        """The key and its record, or None when the credential gives no access to the resource."""
        key = credential(headers, resource)
        if key is None or len(key) not in _KEY_LENGTHS or not key.isascii():
            return None
        record = self._tenants.key(hashlib.sha256(key.encode()).hexdigest())
        if record is None or not record.is_usable(self._clock()):
            return None
        return key, record


def credential(headers: Mapping[str, str], resource: str) -> str | None:
    """The key in the first that is there of the headers that a resource has it in.

    The case of a header's name does not matter.
    API Gateway remembers a verdict by the one header of a route with one. A key from another one
    would be let in again for whoever sends the same text in it.
    """
    given = lower_names(headers)
    for name in key_headers(resource):
        value = given.get(name.lower())
        if value is not None:
            return _bearer_token(value) if name == AUTHORIZATION else value.strip()
    return None


def lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def _bearer_token(value: str) -> str | None:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def allow(method_arn: str, key: str, record: KeyRecord) -> dict[str, Any]:
    """An Allow for the whole stage, because API Gateway caches it across methods."""
    api, _, _ = method_arn.partition("/")
    stage = method_arn.split("/")[1]
    return {
        **_policy(record.key_id, "Allow", f"{api}/{stage}/*"),
        "context": {
            "tenant_id": record.tenant_id,
            "app_id": record.app_id,
            "key_id": record.key_id,
            "tier": record.tier,
        },
        "usageIdentifierKey": key,
    }


def deny(method_arn: str, advice: str) -> dict[str, Any]:
    """A Deny; API Gateway answers 403, with the advice in the message."""
    return {**_policy("unknown", "Deny", method_arn), "context": {"advice": advice}}


def _policy(principal: str, effect: str, resource: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
