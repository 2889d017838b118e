"""Decides who a request comes from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.tenants import KeyRecord
    from tollgate.ports import Clock, Tenants

# API Gateway allows key values of 20 to 128 characters; anything else was never issued.
_KEY_LENGTHS = range(20, 129)

# Path templates of routes whose key is in `x-api-key`, or there or in `Authorization`, whose
# verdicts are not remembered; on all others it is in `Authorization`.
API_KEY_ROUTES = frozenset(("/invoke", "/invoke_model", "/list_foundation_models"))
EITHER_ROUTES = frozenset(("/v1/messages", "/v1/messages/count_tokens"))


class AuthorizeService:
    """Looks a credential up by its hash."""

    def __init__(self, tenants: Tenants, clock: Clock) -> None:
        self._tenants = tenants
        self._clock = clock

    def authorize(self, headers: Mapping[str, str], route: str) -> tuple[str, KeyRecord] | None:
        """The key and its record, or None when the credential gives no access to the route."""
        key = credential(headers, route)
        if key is None or len(key) not in _KEY_LENGTHS or not key.isascii():
            return None
        record = self._tenants.key(hashlib.sha256(key.encode()).hexdigest())
        if record is None or not record.is_usable(self._clock()):
            return None
        return key, record


def credential(headers: Mapping[str, str], route: str) -> str | None:
    """The key in the header that the route has it in, whatever the case of the header's name.

    API Gateway remembers a verdict by that header alone. A key from another one would be let in
    again for whoever sends the same text in it.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    key = lowered.get("x-api-key") if route in {*API_KEY_ROUTES, *EITHER_ROUTES} else None
    if key is None and route not in API_KEY_ROUTES:
        scheme, _, token = lowered.get("authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else ""
    return (key or "").strip() or None


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


def deny(method_arn: str) -> dict[str, Any]:
    """A Deny; API Gateway answers 403."""
    return _policy("unknown", "Deny", method_arn)


def _policy(principal: str, effect: str, resource: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
