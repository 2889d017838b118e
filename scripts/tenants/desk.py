"""The desk where API keys are issued, rotated and revoked outside Terraform.

`scripts.tenants.keys` is its command line, `scripts.tenants.key_table` what people see of it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from scripts.deploy import outputs
from scripts.tenants.key_table import IssuedKey, issued_states, overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from scripts.deploy import environments
    from scripts.tenants import files as tenants
    from scripts.tenants.key_table import Line

KEY_STORE = "external"
STORES = ("ssm", "secrets_manager")
KEY_LENGTH = 48
UNIT_TAG = "tollgate-unit"
TENANT_TAG = "Tenant"

_ALPHABET = string.ascii_letters + string.digits
_PUBLISHED = ("key_store", "kms_key_arn", "tenants_table_name", "tier_usage_plans")


class KeysError(Exception):
    """The request cannot be carried out; the message names what was given and what is allowed."""


class Clients(Protocol):
    """Makes clients of AWS services by name, as ``boto3.Session.client`` does."""

    def __call__(self, service: str, /) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return a client."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A deployment, as it published itself; `tier_plans` are usage plan ids by tier."""

    prefix: str
    kms_key_arn: str
    tenants_table: str
    tier_plans: Mapping[str, str]


def published(clients: Clients, environment: environments.Environment) -> Unit:
    """Find the environment's deployment.

    Raises KeysError when it has not been applied, or when Terraform makes its keys.
    """
    try:
        found = outputs.read(clients("ssm"), environment, _PUBLISHED)
    except outputs.OutputsError as error:
        raise KeysError(str(error)) from error
    prefix, values = found.prefix, found.values
    if values["key_store"] != KEY_STORE:
        raise KeysError(
            f'{prefix}: given key_store = "{values["key_store"]}", where Terraform makes the keys '
            f'that tenant files declare; allowed: key_store = "{KEY_STORE}"'
        )
    plans = json.loads(values["tier_usage_plans"])
    return Unit(
        prefix=prefix,
        kms_key_arn=values["kms_key_arn"],
        tenants_table=values["tenants_table_name"],
        tier_plans={tier: plan["id"] for tier, plan in plans.items()},
    )


class Desk:
    """Issues and revokes the keys of one deployment's tenants."""

    def __init__(
        self,
        clients: Clients,
        unit: Unit,
        declared: Mapping[str, tenants.Tenant],
        today: Callable[[], date],
    ) -> None:
        """Take clients of AWS, the deployment, its tenants by id, and the date in UTC."""
        self._gateway = clients("apigateway")
        self._database = clients("dynamodb")
        self._clients = clients
        self._unit = unit
        self._declared = declared
        self._today = today

    def issue(self, tenant_id: str, key_id: str, store: str) -> IssuedKey:
        """Make the first key, or one after every earlier one was revoked or expired.

        Raises KeysError for a key that is not declared, or that is in use already.
        """
        earlier = self.issued(tenant_id, key_id)
        if any(self._is_live(key) for key in earlier):
            raise KeysError(
                f"{tenant_id}/{key_id}: given a key that is in use; allowed: rotate, which "
                "makes a new one and gives the old one a last day, or revoke"
            )
        made = self._make(tenant_id, key_id, store)
        self._forget(earlier)
        return made

    def rotate(self, tenant_id: str, key_id: str, store: str, overlap_days: int) -> IssuedKey:
        """Make a new key; the old ones work until `overlap_days` from today, that day included.

        Raises KeysError for a key that is not declared, or that was never issued.
        """
        earlier = self.issued(tenant_id, key_id)
        live = [key for key in earlier if self._is_live(key)]
        if not live:
            raise KeysError(f"{tenant_id}/{key_id}: given a key that is not in use; allowed: issue")
        made = self._make(tenant_id, key_id, store)
        last_day = (self._today() + timedelta(days=overlap_days)).isoformat()
        for key in live:
            if not key.expires or key.expires > last_day:
                self._put(replace(key, expires=last_day))
        self._forget([key for key in earlier if not self._is_live(key)])
        return made

    def revoke(
        self, tenant_id: str, key_id: str | None, api_key_ids: Sequence[str] = ()
    ) -> list[IssuedKey]:
        """End a key, or all keys of a tenant: no caller gets in with them any more.

        `api_key_ids` name those values of a key that end, where others stay. Raises KeysError when
        there is none, and for a key with several values in use, as in a rotation, of which none is
        named. What is revoked already is made sure of.
        """
        keys = self.issued(tenant_id, key_id)
        if not keys:
            raise KeysError(
                f"{tenant_id}/{key_id or '*'}: given no issued key; allowed: one of "
                f"{_listed(key.key_id for key in self.issued(tenant_id))}"
            )
        # The table first: it is what the authorizer asks, whatever becomes of the rest.
        named = keys if key_id is None else self._named(keys, api_key_ids)
        ended = [replace(key, status="suspended") for key in named]
        for key in ended:
            self._put(key)
        for key in ended:
            self._disable(key)
        return ended

    def _named(self, keys: Sequence[IssuedKey], api_key_ids: Sequence[str]) -> list[IssuedKey]:
        """Those values of one key that end: the named ones, else all where one is in use."""
        unknown = set(api_key_ids) - {key.api_key_id for key in keys}
        if unknown:
            raise KeysError(
                f"--api-key-id: given {_listed(unknown)}; allowed: one of "
                f"{_listed(key.api_key_id for key in keys)}"
            )
        if api_key_ids:
            return [key for key in keys if key.api_key_id in api_key_ids]
        live = [key for key in keys if self._is_live(key)]
        if len(live) > 1:
            states = issued_states(live, self._today())
            values = (
                f"{key.api_key_id} ({state})" for key, state in zip(live, states, strict=True)
            )
            raise KeysError(
                f"{live[0].tenant_id}/{live[0].key_id}: given a key with {len(live)} values in "
                f"use: {', '.join(values)}; allowed: --api-key-id with the ids of those to end"
            )
        return list(keys)

    def sync(self, tenant_id: str | None) -> list[IssuedKey]:
        """Bring keys in line with a changed tier or changed usage plans; returns the live ones."""
        live = [key for key in self.issued(tenant_id) if self._is_live(key)]
        for key in live:
            tier = str(self._tenant(key.tenant_id).policy["tier"])
            if key.tier != tier:
                self._put(replace(key, tier=tier))
            self._join_plan(key.tenant_id, key.api_key_id)
        return live

    def issued(self, tenant_id: str | None = None, key_id: str | None = None) -> list[IssuedKey]:
        """The keys that were issued here, by tenant, key and last day; those without one last."""
        names = {"tenant_id": tenant_id, "key_id": key_id}
        wanted = {name: value for name, value in names.items() if value is not None}
        conditions = ["begins_with(pk, :keys)", "attribute_exists(api_key_id)"]
        conditions += [f"{name} = :{name}" for name in wanted]
        pages = self._database.get_paginator("scan").paginate(
            TableName=self._unit.tenants_table,
            ConsistentRead=True,
            FilterExpression=" AND ".join(conditions),
            ExpressionAttributeValues={
                ":keys": {"S": "KEY#"},
                **{f":{name}": {"S": value} for name, value in wanted.items()},
            },
        )
        found = [IssuedKey.of(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda key: (key.tenant_id, key.key_id, key.expires or "~"))

    def overview(self, tenant_id: str | None = None, key_id: str | None = None) -> list[Line]:
        """What people see of the keys that files declare and of those that were issued.

        Raises KeysError for a tenant that has neither.
        """
        declared = {
            name: tenant for name, tenant in self._declared.items() if tenant_id in (None, name)
        }
        lines = overview(declared, self.issued(tenant_id), self._today())
        if tenant_id is not None and not lines:
            self._tenant(tenant_id)
        return [line for line in lines if key_id in (None, line.key_id)]

    def _is_live(self, key: IssuedKey) -> bool:
        return key.state(self._today()) == "active"

    def _tenant(self, tenant_id: str) -> tenants.Tenant:
        if tenant_id not in self._declared:
            allowed = _listed(self._declared)
            raise KeysError(f'tenant: given "{tenant_id}"; allowed: one with a file: {allowed}')
        return self._declared[tenant_id]

    def _declaration(self, tenant_id: str, key_id: str) -> tenants.Key:
        keys = self._tenant(tenant_id).keys
        if key_id not in keys:
            raise KeysError(
                f'{tenant_id}.tfvars: given key "{key_id}"; allowed: one that apps.<app>.keys '
                f"declares: {_listed(keys)}"
            )
        key = keys[key_id]
        if key.status != "active" or (key.expires and key.expires < self._today().isoformat()):
            raise KeysError(
                f'{tenant_id}.tfvars: given key "{key_id}" with status "{key.status}" and '
                f'expires "{key.expires}"; allowed: an active key that has not expired'
            )
        return key

    def _make(self, tenant_id: str, key_id: str, store: str) -> IssuedKey:
        declaration = self._declaration(tenant_id, key_id)
        tenant = self._tenant(tenant_id)
        value = "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))
        api_key_id = self._gateway.create_api_key(
            name=f"{self._unit.prefix}-{tenant_id}-{key_id.replace('/', '-')}",
            description=f"Key {key_id} of tenant {tenant_id}, issued outside Terraform.",
            enabled=True,
            value=value,
            tags={TENANT_TAG: tenant_id, UNIT_TAG: self._unit.prefix},
        )["id"]
        key = IssuedKey(
            key_hash=hashlib.sha256(value.encode()).hexdigest(),
            tenant_id=tenant_id,
            app_id=declaration.app_id,
            key_id=key_id,
            tier=str(tenant.policy["tier"]),
            status="active",
            expires=declaration.expires,
            api_key_id=api_key_id,
            place=f"{store}:{self._place(tenant_id, key_id, store)}",
        )
        try:
            self._join_plan(tenant_id, api_key_id)
            self._put(key)
            # Last, so that the store never has a value that does not work.
            self._store(key, value)
        except BaseException:
            self._forget([key])
            raise
        return key

    def _place(self, tenant_id: str, key_id: str, store: str) -> str:
        """The name under which modules/tenant puts a key of its own."""
        name = f"{self._unit.prefix}/tenants/{tenant_id}/{key_id}"
        return f"/{name}" if store == "ssm" else name

    def _store(self, key: IssuedKey, value: str) -> None:
        store, name = key.place.split(":", 1)
        description = f"API key {key.key_id} of tenant {key.tenant_id}."
        tags = [
            {"Key": TENANT_TAG, "Value": key.tenant_id},
            {"Key": UNIT_TAG, "Value": self._unit.prefix},
        ]
        client = self._clients("ssm" if store == "ssm" else "secretsmanager")
        if store == "ssm":
            settings = {"Type": "SecureString", "KeyId": self._unit.kms_key_arn}
            try:
                client.put_parameter(
                    Name=name, Value=value, Description=description, Tags=tags, **settings
                )
            except client.exceptions.ParameterAlreadyExists:
                # SSM takes no tags with a new value of a parameter.
                client.put_parameter(Name=name, Value=value, Overwrite=True, **settings)
            return
        try:
            client.create_secret(
                Name=name,
                SecretString=value,
                KmsKeyId=self._unit.kms_key_arn,
                Description=description,
                Tags=tags,
            )
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=value)

    def _plan_id(self, tenant_id: str) -> str:
        """The tenant's own usage plan, else its tier's."""
        wanted = {TENANT_TAG: tenant_id, UNIT_TAG: self._unit.prefix}
        for page in self._gateway.get_paginator("get_usage_plans").paginate():
            for plan in page["items"]:
                if wanted.items() <= plan.get("tags", {}).items():
                    return str(plan["id"])
        tier = str(self._tenant(tenant_id).policy["tier"])
        if tier not in self._unit.tier_plans:
            raise KeysError(
                f"{tenant_id}: given neither a usage plan of its own nor one of its tier "
                f'"{tier}"; allowed: a tenant that was applied (make plan, make apply)'
            )
        return self._unit.tier_plans[tier]

    def _join_plan(self, tenant_id: str, api_key_id: str) -> None:
        wanted = self._plan_id(tenant_id)
        # A key counts against one plan of a stage, so it leaves before it joins.
        if self._leave_plans(api_key_id, but=wanted):
            return
        self._gateway.create_usage_plan_key(usagePlanId=wanted, keyId=api_key_id, keyType="API_KEY")

    def _leave_plans(self, api_key_id: str, but: str | None = None) -> bool:
        """Take a key out of its usage plans but one; whether it was in that one."""
        pages = self._gateway.get_paginator("get_usage_plans").paginate(keyId=api_key_id)
        joined = {plan["id"] for page in pages for plan in page["items"]}
        for plan_id in joined - {but}:
            self._gateway.delete_usage_plan_key(usagePlanId=plan_id, keyId=api_key_id)
        return but in joined

    def _put(self, key: IssuedKey) -> None:
        self._database.put_item(TableName=self._unit.tenants_table, Item=key.item())

    def _disable(self, key: IssuedKey) -> None:
        try:
            self._gateway.update_api_key(
                apiKey=key.api_key_id,
                patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}],
            )
        except self._gateway.exceptions.NotFoundException:
            return

    def _forget(self, keys: Sequence[IssuedKey]) -> None:
        """Remove keys that nobody may use any more; an account has room for 10,000."""
        for key in keys:
            self._database.delete_item(
                TableName=self._unit.tenants_table, Key={"pk": key.item()["pk"]}
            )
            try:
                self._leave_plans(key.api_key_id)
                self._gateway.delete_api_key(apiKey=key.api_key_id)
            except self._gateway.exceptions.NotFoundException:
                continue


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
