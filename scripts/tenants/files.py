"""Tenant files: validate them, merge tier defaults, and build the items of the tenants table.

``python -m scripts.tenants.files validate [ENV...]`` checks ``envs/<ENV>/env.tfvars`` (its tiers)
and ``envs/<ENV>/tenants/*.tfvars``. ``modules/tenant_files`` applies the same rules and builds the
same documents in Terraform; a contract test holds the two together.

Python is stricter in one way: a file holds literal values only, and no key twice.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts import tfvars
from scripts.tenants.rules import (
    REPOSITORY,
    SCHEMA,
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
POLICY_SCHEMA_VERSION = 1
DEFAULT_ALERT_THRESHOLDS = (50, 80, 100)
DEFAULT_RETENTION_MINUTES = 1440

Item = dict[str, dict[str, str]]
"""A table item in DynamoDB's own JSON; every attribute of the tenants table is a string."""


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
    """What an environment says about all its tenants: tiers by name, and its unit's prefix.

    The prefix is None where only the plan knows it.
    """

    tiers: Mapping[str, Any]
    prefix: str | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's policy, merged with its tier, and its keys by ``<app>/<key name>``."""

    policy: Mapping[str, Any]
    keys: Mapping[str, Key]

    @property
    def tenant_id(self) -> str:
        """The name of the tenant's file."""
        return str(self.policy["tenant_id"])


def load_environment(folder: Path) -> dict[str, Tenant]:
    """Read ``env.tfvars`` and ``tenants/`` of one environment; tenants by id, sorted.

    Raises TenantFilesError with every broken rule of every file.
    """
    errors: list[str] = []
    settings = _settings(folder, errors)
    try:
        tenants = load(folder / "tenants", settings.tiers, settings.prefix)
    except TenantFilesError as error:
        errors.extend(error.errors)
    if errors:
        raise TenantFilesError(errors)
    return tenants


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


def load(directory: Path, tiers: Mapping[str, Any], prefix: str | None) -> dict[str, Tenant]:
    """Read every ``*.tfvars`` of ``directory`` and merge ``tiers`` in; tenants by id, sorted.

    ``prefix`` is the unit's, which is part of the paths of silo roles; None where only the plan
    knows it. A missing folder means no tenants. Raises TenantFilesError with every broken rule.
    """
    errors: list[str] = []
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    read = {path.name: _read(path, errors) for path in paths}
    files = {name: content for name, content in read.items() if content is not None}
    errors.extend(tier_errors(ENVIRONMENT_FILE, tiers))
    tenant_ids = [name.removesuffix(SUFFIX) for name in read]
    for name, tenant_id in zip(read, tenant_ids, strict=True):
        errors.extend(value_errors(name, "file name", tenant_id, "tenant_id"))
    for name, content in files.items():
        errors.extend(tenant_errors(name, content, tiers, prefix, tenant_ids))
    if errors:
        raise TenantFilesError(sorted(errors))
    return {
        tenant_id: Tenant(_policy(tenant_id, content, tiers[content["tier"]]), _keys(content))
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
    return Settings(tiers if isinstance(tiers, dict) else {}, _prefix(content, errors))


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


def _merged(shape: str, *sources: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of the shape, from the first source that has it; None where none has."""
    return {
        name: _first(*(source.get(name) for source in sources)) for name in SCHEMA["shapes"][shape]
    }


def _budget(*sources: Mapping[str, Any]) -> dict[str, Any]:
    return _merged("budget", *sources, {"mode": "hard"})


def _first(*values: Any) -> Any:  # noqa: ANN401
    return next((value for value in values if value is not None), None)


def _policy(tenant_id: str, content: Mapping[str, Any], tier: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": POLICY_SCHEMA_VERSION,
        "tenant_id": tenant_id,
        "name": content["name"],
        "kind": content["kind"],
        "cost_center": content["cost_center"],
        "tier": content["tier"],
        "status": content.get("status") or "active",
        "isolation": content.get("isolation") or "pool",
        "silo": content.get("silo"),
        "models": content["models"],
        "deny_models": content.get("deny_models") or [],
        "tags": content.get("tags") or {},
        "budget": _budget(section(content, "budget"), section(tier, "budget")),
        "limits": _merged("limits", section(content, "limits"), section(tier, "limits")),
        "max_tokens": _merged(
            "max_tokens",
            section(content, "max_tokens"),
            section(tier, "max_tokens"),
            {"clamp": False, "count": "bytes"},
        ),
        "shards": content.get("shards") or 1,
        "markup": _first(content.get("markup"), tier.get("markup"), "1"),
        "alert_thresholds": _first(
            content.get("alert_thresholds"),
            tier.get("alert_thresholds"),
            list(DEFAULT_ALERT_THRESHOLDS),
        ),
        "guardrail": content.get("guardrail"),
        "system_preamble": content.get("system_preamble"),
        "teams": content.get("teams") or [],
        "retention_minutes": content.get("retention_minutes") or DEFAULT_RETENTION_MINUTES,
        "own_kms_key": content.get("own_kms_key") or False,
        "model_arns": content.get("model_arns") or {},
        "prices": content.get("prices") or {},
        "unpriced": content.get("unpriced"),
        "apps": {
            app_id: {
                "status": app.get("status") or "active",
                "tags": app.get("tags") or {},
                "budget": _budget(section(app, "budget")),
                "limits": _merged("limits", section(app, "limits")),
                "inference_profiles": {
                    name: {
                        "model": profile["model"],
                        "description": profile.get("description") or "",
                        "tags": profile.get("tags") or {},
                    }
                    for name, profile in section(app, "inference_profiles").items()
                    if not _is_offboarded(content)
                },
            }
            for app_id, app in content["apps"].items()
        },
    }


def _is_offboarded(content: Mapping[str, Any]) -> bool:
    """Whether only the tenant's policy and its usage data stay: no keys, no profiles."""
    return content.get("status") == "offboarded"


def _keys(content: Mapping[str, Any]) -> dict[str, Key]:
    if _is_offboarded(content):
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


def _located(environment: str, error: str) -> str:
    folder = "" if error.startswith(f"{ENVIRONMENT_FILE}:") else "tenants/"
    return f"envs/{environment}/{folder}{error}"


def main(arguments: Sequence[str] | None = None, root: Path = REPOSITORY / "envs") -> int:
    """Print one line per environment or per broken rule; 0 when every file is valid, else 1."""
    parser = argparse.ArgumentParser(prog="scripts.tenants.files", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check env.tfvars and tenant files")
    validate.add_argument("environments", nargs="*", metavar="ENV", help="default: all of envs/")
    options = parser.parse_args(arguments)
    failed = False
    named = [root / name for name in options.environments]
    for folder in named or environments(root):
        try:
            tenants = load_environment(folder)
        except TenantFilesError as error:
            failed = True
            for message in error.errors:
                print(_located(folder.name, message), file=sys.stderr)
        else:
            keys = sum(len(tenant.keys) for tenant in tenants.values())
            print(f"{folder.name}: {len(tenants)} tenants with {keys} keys are valid")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
