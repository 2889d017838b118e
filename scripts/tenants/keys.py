"""Issue, list, rotate and revoke API keys of an environment whose ``key_store`` is ``external``.

    python -m scripts.tenants.keys issue --env dev --tenant acme --app web --key primary

No state of Terraform ever holds such a key, and nothing prints it: the value goes from here to API
Gateway and to the store (SSM or Secrets Manager) where its owner reads it; the tenants table gets
its hash. Tenant files stay what decides: a key must be declared in ``apps.<app>.keys``.

What the deployment published in SSM (``/<prefix>/outputs/``) says where everything is. Every
command can be repeated after a failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import string
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

KEY_STORE = "external"
STORES = ("ssm", "secrets_manager")
KEY_LENGTH = 48
DEFAULT_OVERLAP_DAYS = 7
MAXIMUM_OVERLAP_DAYS = 90
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


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """One issued key; a rotated key has several at once. `place` is where its value lies."""

    key_hash: str
    tenant_id: str
    app_id: str
    key_id: str
    tier: str
    status: str
    expires: str
    api_key_id: str
    place: str

    def state(self, today: date) -> str:
        """Its status, or "expired" after its last day."""
        if self.status == "active" and self.expires and date.fromisoformat(self.expires) < today:
            return "expired"
        return self.status

    def item(self) -> dict[str, dict[str, str]]:
        """The KEY# item: what Terraform writes for its own keys, and where this one is."""
        return {
            "pk": {"S": f"KEY#{self.key_hash}"},
            "tenant_id": {"S": self.tenant_id},
            "app_id": {"S": self.app_id},
            "key_id": {"S": self.key_id},
            "tier": {"S": self.tier},
            "status": {"S": self.status},
            "expires": {"S": self.expires},
            "api_key_id": {"S": self.api_key_id},
            "place": {"S": self.place},
        }

    @classmethod
    def of(cls, item: Mapping[str, Mapping[str, str]]) -> IssuedKey:
        """Read a KEY# item that was written here. Raises KeyError for another's."""
        return cls(
            key_hash=item["pk"]["S"].removeprefix("KEY#"),
            tenant_id=item["tenant_id"]["S"],
            app_id=item["app_id"]["S"],
            key_id=item["key_id"]["S"],
            tier=item["tier"]["S"],
            status=item["status"]["S"],
            expires=item["expires"]["S"],
            api_key_id=item["api_key_id"]["S"],
            place=item["place"]["S"],
        )


def published(clients: Clients, environment: environments.Environment) -> Unit:
    """Find the environment's deployment.

    Raises KeysError when it has not been applied, or when Terraform makes its keys.
    """
    ssm = clients("ssm")
    prefix = _prefix(ssm, environment)
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{prefix}/outputs")
    values = {p["Name"].rsplit("/", 1)[1]: p["Value"] for page in pages for p in page["Parameters"]}
    missing = [name for name in _PUBLISHED if name not in values]
    if missing:
        raise KeysError(
            f"{prefix}: given a deployment without /{prefix}/outputs/{missing[0]} in "
            f"{environment.region}; allowed: one that was applied (make plan, make apply)"
        )
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


def _prefix(ssm: Any, environment: environments.Environment) -> str:  # noqa: ANN401
    if not environment.tenants_only:
        return environment.prefix
    parent = environment.variables["parent"]
    if parent.get("unit"):
        return str(parent["unit"])
    name = f"/tollgate/rest-apis/{parent.get('rest_api_id')}/prefix"
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        raise KeysError(
            f"parent.rest_api_id: given {parent.get('rest_api_id')!r}, which no deployment "
            "published; allowed: the id of an applied deployment's REST API"
        ) from None


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

    def revoke(self, tenant_id: str, key_id: str | None) -> list[IssuedKey]:
        """End a key, or all keys of a tenant: no caller gets in with them any more.

        Raises KeysError when there is none. What is revoked already is made sure of.
        """
        keys = self.issued(tenant_id, key_id)
        if not keys:
            raise KeysError(
                f"{tenant_id}/{key_id or '*'}: given no issued key; allowed: one of "
                f"{_listed(key.key_id for key in self.issued(tenant_id))}"
            )
        # The table first: it is what the authorizer asks, whatever becomes of the rest.
        ended = [replace(key, status="suspended") for key in keys]
        for key in ended:
            self._put(key)
        for key in ended:
            self._disable(key)
        return ended

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


def render(keys: Sequence[IssuedKey], today: date) -> str:
    """One aligned line per key, with a heading; where values lie, never the values."""
    lines = [("TENANT", "KEY", "STATE", "EXPIRES", "API KEY ID", "VALUE LIES IN")]
    lines += [
        (k.tenant_id, k.key_id, k.state(today), k.expires or "-", k.api_key_id, k.place)
        for k in keys
    ]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _listed(names: Iterator[str] | Mapping[str, object]) -> str:
    return ", ".join(sorted(set(names))) or "none"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.tenants.keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "issue": "make a key that a tenant file declares",
        "list": "show which keys were issued, and where their values lie",
        "revoke": "end a key at once, or with --all every key of the tenant",
        "rotate": "make a new key and give the old one a last day",
        "sync": "put keys in their tenants' present usage plan and tier",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--env", required=True, help="folder in envs/")
        one_key = name in ("issue", "revoke", "rotate")
        command.add_argument("--tenant", required=one_key, help="the tenant's id")
        if one_key:
            command.add_argument("--app", help="the app's id")
            command.add_argument("--key", help="the key's name")
        if name in ("issue", "rotate"):
            command.add_argument(
                "--store", choices=STORES, default="ssm", help="where the value goes"
            )
        if name == "rotate":
            command.add_argument(
                "--overlap-days",
                type=int,
                default=DEFAULT_OVERLAP_DAYS,
                help="days from today that the old key still works; 0 means until midnight UTC",
            )
        if name == "revoke":
            command.add_argument("--all", action="store_true", help="every key of the tenant")
    return parser


def _key_id(options: argparse.Namespace) -> str | None:
    """``<app>/<key>``, or None for --all."""
    if getattr(options, "all", False):
        if options.app or options.key:
            raise KeysError("revoke: given --all with --app or --key; allowed: one of the two")
        return None
    if not options.app or not options.key:
        raise KeysError(f"{options.command}: given no --app or no --key; allowed: both")
    return f"{options.app}/{options.key}"


def _run(desk: Desk, options: argparse.Namespace) -> list[IssuedKey]:
    if options.command == "list":
        return desk.issued(options.tenant)
    if options.command == "sync":
        return desk.sync(options.tenant)
    key_id = _key_id(options)
    if options.command == "revoke" or key_id is None:
        return desk.revoke(options.tenant, key_id)
    if options.command == "issue":
        return [desk.issue(options.tenant, key_id, options.store)]
    if not 0 <= options.overlap_days <= MAXIMUM_OVERLAP_DAYS:
        raise KeysError(
            f"--overlap-days: given {options.overlap_days}; allowed: 0 to {MAXIMUM_OVERLAP_DAYS}"
        )
    desk.rotate(options.tenant, key_id, options.store, options.overlap_days)
    return desk.issued(options.tenant, key_id)


def _session_clients(region: str) -> Clients:
    session = boto3.Session(region_name=region)
    # API Gateway takes five new keys a second.
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 10})

    def client(service: str, /) -> Any:  # noqa: ANN401 - the type depends on the service
        return session.client(service, config=config)  # type: ignore[call-overload]

    return client


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        environment = environments.load(options.env)
        declared = tenants.load_environment(environment.folder)
        clients = _session_clients(environment.region)
        unit = published(clients, environment)
        desk = Desk(clients, unit, declared, lambda: datetime.now(UTC).date())
        keys = _run(desk, options)
    except (
        KeysError,
        environments.SettingsError,
        tenants.TenantFilesError,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(render(keys, datetime.now(UTC).date()), end="")
    if options.command == "revoke":
        print(
            "Callers that the authorizer remembers get in until its cache ends (60 s by default)."
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
