"""Tenant files: validate them, merge tier defaults, and build the items of the tenants table.

An environment is the folder ``envs/<ENV>``: its ``env.tfvars`` (tiers and business units) and
``tenants/*.tfvars``. ``modules/tenant_files`` applies the same rules and builds the same documents
in Terraform; a contract test holds the two together.

Python is stricter in one way: a file holds literal values only, and no key twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts import tfvars
from scripts.tenants.loads import tenant_load_errors, tier_load_errors
from scripts.tenants.policies import business_unit_policy, is_offboarded, merged_policy
from scripts.tenants.rules import (
    business_unit_errors,
    section,
    tenant_errors,
    terraform_json,
    tier_errors,
    value_errors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ENVIRONMENT_FILE = "env.tfvars"
SUFFIX = ".tfvars"
_NO_UNITS: Mapping[str, Any] = MappingProxyType({})

Item = dict[str, dict[str, str]]
"""A table item in DynamoDB's own JSON; every attribute of the tenants table is a string."""

Amend = Callable[[str, dict[str, Any]], dict[str, Any]]
"""From a tenant's id and its file's content to what is read in its place."""


class TenantFilesError(Exception):
    """Files break rules. ``errors`` has one line for each: file, key, given and allowed."""

    def __init__(self, errors: Sequence[str]) -> None:
        """Keep the messages in order."""
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as its tenant's file declares it; ``expires`` is YYYY-MM-DD or empty."""

    app_id: str
    key_name: str
    status: str
    expires: str

    @property
    def key_id(self) -> str:
        """The key's id within its tenant: ``<app>/<key name>``."""
        return f"{self.app_id}/{self.key_name}"


@dataclass(frozen=True, slots=True)
class Computed:
    """What only AWS knows: the ARN of the tenant's own KMS key and of its inference profiles.

    `profile_arns` are by ``<app>/<profile name>``.
    """

    kms_key_arn: str | None = None
    profile_arns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an environment says about all its tenants.

    `tiers` are by name, `business_units` by id, both as they are written. `prefix` is the unit's,
    None where only the plan knows it. `is_guest` tells that the unit is another environment's.
    `endpoints` are the display names of SageMaker endpoints, None where the environment does not
    say them.
    """

    tiers: Mapping[str, Any]
    prefix: str | None
    region: str | None = None
    is_guest: bool = False
    endpoints: frozenset[str] | None = frozenset()
    business_units: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's policy, merged with its tier, and its keys by ``<app>/<key name>``."""

    policy: Mapping[str, Any]
    keys: Mapping[str, Key]

    @property
    def tenant_id(self) -> str:
        """The name of the tenant's file."""
        return str(self.policy["tenant_id"])


def load_environment(folder: Path, amend: Amend | None = None) -> dict[str, Tenant]:
    """Read ``env.tfvars`` and ``tenants/`` of one environment; tenants by id, sorted.

    ``amend`` makes other contents of them before anything is checked. Raises TenantFilesError with
    every broken rule of every file.
    """
    errors: list[str] = []
    settings = _settings(folder, errors)
    try:
        tenants = load(
            folder / "tenants", settings.tiers, settings.prefix, settings.business_units, amend
        )
    except TenantFilesError as error:
        errors.extend(error.errors)
    if errors:
        raise TenantFilesError(errors)
    return tenants


def load_business_units(folder: Path) -> dict[str, dict[str, Any]]:
    """The documents of an environment's business units by id. Raises TenantFilesError."""
    units = load_settings(folder).business_units
    errors = list(business_unit_errors(ENVIRONMENT_FILE, units))
    if errors:
        raise TenantFilesError(sorted(errors))
    return {unit_id: business_unit_policy(unit_id, unit) for unit_id, unit in sorted(units.items())}


def load_settings(folder: Path) -> Settings:
    """Read what ``env.tfvars`` says about all tenants. Raises TenantFilesError."""
    errors: list[str] = []
    settings = _settings(folder, errors)
    if errors:
        raise TenantFilesError(errors)
    return settings


def environments(root: Path) -> list[Path]:
    """The folders of the environments below ``envs/``."""
    return sorted(path.parent for path in root.glob(f"*/{ENVIRONMENT_FILE}"))


def load(
    directory: Path,
    tiers: Mapping[str, Any],
    prefix: str | None,
    business_units: Mapping[str, Any] = _NO_UNITS,
    amend: Amend | None = None,
) -> dict[str, Tenant]:
    """Read every ``*.tfvars`` of ``directory`` and merge ``tiers`` in; tenants by id, sorted.

    ``prefix`` is the unit's, which is part of the paths of silo roles; None where only the plan
    knows it. ``business_units`` are those that tenants may belong to. A missing folder means no
    tenants. Raises TenantFilesError with every broken rule.
    """
    errors: list[str] = []
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    read = {path.name: _read(path, errors) for path in paths}
    files = {name: content for name, content in read.items() if content is not None}
    if amend is not None:
        files = {name: amend(name.removesuffix(SUFFIX), each) for name, each in files.items()}
    errors.extend(tier_errors(ENVIRONMENT_FILE, tiers))
    errors.extend(tier_load_errors(ENVIRONMENT_FILE, tiers))
    errors.extend(business_unit_errors(ENVIRONMENT_FILE, business_units))
    tenant_ids = [name.removesuffix(SUFFIX) for name in read]
    for name, tenant_id in zip(read, tenant_ids, strict=True):
        errors.extend(value_errors(name, "file name", tenant_id, "tenant_id"))
    for name, content in files.items():
        errors.extend(tenant_errors(name, content, tiers, business_units, prefix, tenant_ids))
        errors.extend(tenant_load_errors(name, content, tiers))
    if errors:
        raise TenantFilesError(sorted(errors))
    return {
        tenant_id: Tenant(merged_policy(tenant_id, content, tiers[content["tier"]]), _keys(content))
        for tenant_id, content in sorted(
            (name.removesuffix(SUFFIX), content) for name, content in files.items()
        )
    }


def policy_document(policy: Mapping[str, Any]) -> str:
    """The document of a TENANT# item: compact JSON with sorted keys, as Terraform writes it."""
    return terraform_json(policy)


def complete_policy(tenant: Tenant, computed: Computed) -> dict[str, Any]:
    """The policy with what only AWS knows. Raises KeyError when a profile has no ARN."""
    apps = {
        app_id: {
            **app,
            "inference_profiles": {
                name: {**profile, "arn": computed.profile_arns[f"{app_id}/{name}"]}
                for name, profile in app["inference_profiles"].items()
            },
        }
        for app_id, app in tenant.policy["apps"].items()
    }
    return {**tenant.policy, "kms_key_arn": computed.kms_key_arn, "apps": apps}


def tenant_item(tenant: Tenant, computed: Computed) -> Item:
    """The item with the tenant's policy. Raises KeyError when a profile has no ARN."""
    return {
        "pk": {"S": f"TENANT#{tenant.tenant_id}"},
        "document": {"S": policy_document(complete_policy(tenant, computed))},
    }


def business_unit_item(unit: Mapping[str, Any]) -> Item:
    """The item with a business unit's document."""
    return {
        "pk": {"S": f"BUSINESS_UNIT#{unit['id']}"},
        "document": {"S": policy_document(unit)},
    }


def key_item(key_hash: str, tenant: Tenant, key: Key) -> Item:
    """The item of one key; ``key_hash`` is the lower-case hex SHA-256 of the key itself."""
    return {
        "pk": {"S": f"KEY#{key_hash}"},
        "tenant_id": {"S": tenant.tenant_id},
        "app_id": {"S": key.app_id},
        "key_id": {"S": key.key_id},
        "tier": {"S": tenant.policy["tier"]},
        "status": {"S": key.status},
        "expires": {"S": key.expires},
    }


def tenant_items(
    tenant: Tenant, key_hashes_by_key: Mapping[str, str], computed: Computed
) -> list[Item]:
    """All items of a tenant: its policy, then its keys by ``<app>/<key name>``.

    Raises KeyError when a key has no hash or a profile no ARN.
    """
    keys = [
        key_item(key_hashes_by_key[key_id], tenant, tenant.keys[key_id])
        for key_id in sorted(tenant.keys)
    ]
    return [tenant_item(tenant, computed), *keys]


def _read(path: Path, errors: list[str]) -> dict[str, Any] | None:
    try:
        return tfvars.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = "nothing"
    except UnicodeDecodeError:
        found = "text that is not UTF-8"
    except tfvars.TfvarsError as error:
        found = str(error)
    errors.append(f"{path.name}: file: given {found}; allowed: HCL attributes with literal values")
    return None


def _settings(folder: Path, errors: list[str]) -> Settings:
    content = _read(folder / ENVIRONMENT_FILE, errors)
    if content is None:
        return Settings(tiers={}, prefix=None)
    tiers = content.get("tiers")
    errors.extend(value_errors(ENVIRONMENT_FILE, "tiers", tiers, "object"))
    units = content.get("business_units")
    if units is not None:
        errors.extend(value_errors(ENVIRONMENT_FILE, "business_units", units, "object"))
    is_guest = "parent" in content
    return Settings(
        tiers=tiers if isinstance(tiers, dict) else {},
        prefix=_prefix(content, errors),
        region=content.get("region"),
        is_guest=is_guest,
        endpoints=None if is_guest else _endpoints(content.get("sagemaker_endpoints")),
        business_units=units if isinstance(units, dict) else {},
    )


def _endpoints(given: Any) -> frozenset[str] | None:  # noqa: ANN401
    """The display names; None where what is given is a text that only functions read."""
    if given is None:
        return frozenset()
    return frozenset(given) if isinstance(given, dict) else None


def _prefix(settings: Mapping[str, Any], errors: list[str]) -> str | None:
    """The prefix of the unit that serves the environment's tenants, its own or its parent's.

    Of a parent that is named by its REST API's id, only the plan finds out.
    """
    parent = settings.get("parent")
    name, prefix = (
        ("parent.unit", parent.get("unit"))
        if isinstance(parent, dict)
        else ("prefix", settings.get("prefix"))
    )
    if prefix is not None or parent is None:
        errors.extend(value_errors(ENVIRONMENT_FILE, name, prefix, "prefix"))
    return prefix if isinstance(prefix, str) else None


def _keys(content: Mapping[str, Any]) -> dict[str, Key]:
    if is_offboarded(content):
        return {}
    keys = [
        Key(
            app_id=app_id,
            key_name=key_name,
            status=key.get("status") or "active",
            expires=key.get("expires") or "",
        )
        for app_id, app in content["apps"].items()
        for key_name, key in section(app, "keys").items()
    ]
    return {key.key_id: key for key in sorted(keys, key=lambda key: key.key_id)}
