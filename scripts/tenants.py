"""Tenant files: validate them, merge tier defaults, and build the items of the tenants table.

``python -m scripts.tenants validate [ENV...]`` checks ``envs/<ENV>/env.tfvars`` (its tiers) and
``envs/<ENV>/tenants/*.tfvars``. The rules are data in ``modules/tenant_files/schema.json``, which
Terraform reads too; the two engines that apply them are held together by a contract test.

Python is stricter in one way: a file holds literal values only, and no key twice.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import tfvars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
SCHEMA_FILE = REPOSITORY / "modules" / "tenant_files" / "schema.json"
ENVIRONMENT_FILE = "env.tfvars"
SUFFIX = ".tfvars"
POLICY_SCHEMA_VERSION = 1

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
    settings = _read(folder / ENVIRONMENT_FILE, errors)
    tiers = None if settings is None else settings.get("tiers")
    if settings is not None and not isinstance(tiers, dict):
        errors.append(_message(ENVIRONMENT_FILE, "tiers", tiers, _rules()["object"]["allowed"]))
    try:
        tenants = load(folder / "tenants", tiers if isinstance(tiers, dict) else {})
    except TenantFilesError as error:
        errors.extend(error.errors)
    if errors:
        raise TenantFilesError(errors)
    return tenants


def load(directory: Path, tiers: Mapping[str, Any]) -> dict[str, Tenant]:
    """Read every ``*.tfvars`` of ``directory`` and merge ``tiers`` in; tenants by id, sorted.

    A missing folder means no tenants. Raises TenantFilesError with every broken rule.
    """
    errors: list[str] = []
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    read = {path.name: _read(path, errors) for path in paths}
    files = {name: content for name, content in read.items() if content is not None}
    for name in read:
        errors.extend(_value_errors(name, "file name", name.removesuffix(SUFFIX), "tenant_id"))
    for tier_name, tier in tiers.items():
        path = f"tiers.{tier_name}"
        errors.extend(_value_errors(ENVIRONMENT_FILE, f"{path} (name)", tier_name, "tier_name"))
        errors.extend(_value_errors(ENVIRONMENT_FILE, path, tier, "object"))
        errors.extend(_object_errors(ENVIRONMENT_FILE, f"{path}.", tier, "tier"))
    for name, content in files.items():
        errors.extend(_object_errors(name, "", content, "tenant"))
        errors.extend(_tier_errors(name, content, tiers))
        errors.extend(_max_tokens_errors(name, content, tiers))
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


def tenant_item(tenant: Tenant) -> Item:
    """The item with the tenant's policy."""
    return {
        "pk": {"S": f"TENANT#{tenant.tenant_id}"},
        "document": {"S": policy_document(tenant.policy)},
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


def tenant_items(tenant: Tenant, key_hashes_by_key: Mapping[str, str]) -> list[Item]:
    """All items of a tenant: its policy, then its keys by ``<app>/<key name>``.

    Raises KeyError when a key has no hash.
    """
    keys = [
        key_item(key_hashes_by_key[key_id], tenant, tenant.keys[key_id])
        for key_id in sorted(tenant.keys)
    ]
    return [tenant_item(tenant), *keys]


def terraform_json(value: Any) -> str:  # noqa: ANN401 - any value of a variable file
    """JSON exactly as Terraform's ``jsonencode``: sorted, compact, with <, > and & escaped."""
    if isinstance(value, dict):
        pairs = (f"{_json_string(key)}:{terraform_json(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(terraform_json(item) for item in value) + "]"
    if isinstance(value, str):
        return _json_string(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return json.dumps(value)


def _json_string(text: str) -> str:
    encoded = json.dumps(text, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return encoded


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


_SCHEMA = _schema()


def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = _SCHEMA["rules"]
    return rules


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


def _message(file: str, path: str, value: Any, allowed: str) -> str:  # noqa: ANN401
    given = "nothing" if value is None else terraform_json(value)
    return f"{file}: {path}: given {given}; allowed: {allowed}"


def _value_errors(file: str, path: str, value: Any, rule_name: str) -> Iterator[str]:  # noqa: ANN401
    rule = _rules()[rule_name]
    if rule["text"]:
        subject = value if isinstance(value, str) else None
    else:
        subject = None if value is None else terraform_json(value)
    matches = subject is not None and re.fullmatch(rule["pattern"], subject) is not None
    if not matches or (rule_name == "date" and not _is_calendar_date(value)):
        yield _message(file, path, value, rule["allowed"])


def _is_calendar_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _object_errors(file: str, prefix: str, value: Any, shape_name: str) -> Iterator[str]:  # noqa: ANN401
    """Check an object's own keys and, below it, everything that its shape describes."""
    if not isinstance(value, dict):
        return
    shape = _SCHEMA["shapes"][shape_name]
    if "*" in shape:
        shape = dict.fromkeys(value, shape["*"])
    for key in value:
        if key not in shape:
            allowed = ", ".join(sorted(shape))
            yield f"{file}: {prefix}{key}: given an unknown key; allowed: {allowed}"
    for field, spec in shape.items():
        path = f"{prefix}{field}"
        if "name_rule" in spec:
            yield from _value_errors(file, f"{path} (name)", field, spec["name_rule"])
        given = value.get(field)
        if given is None and not spec.get("required"):
            continue
        yield from _value_errors(file, path, given, spec["rule"])
        yield from _nested_errors(file, path, given, spec)


def _nested_errors(file: str, path: str, given: Any, spec: Mapping[str, Any]) -> Iterator[str]:  # noqa: ANN401
    if "shape" in spec:
        yield from _object_errors(file, f"{path}.", given, spec["shape"])
    if "item_rule" in spec and isinstance(given, list):
        for index, item in enumerate(given):
            yield from _value_errors(file, f"{path}[{index}]", item, spec["item_rule"])


def _tier_errors(file: str, content: Mapping[str, Any], tiers: Mapping[str, Any]) -> Iterator[str]:
    tier = content.get("tier")
    if not any(_value_errors(file, "tier", tier, "tier")) and tier not in tiers:
        names = ", ".join(sorted(tiers))
        yield _message(file, "tier", tier, f"one of the environment's tiers: {names}")


def _max_tokens_errors(
    file: str, content: Mapping[str, Any], tiers: Mapping[str, Any]
) -> Iterator[str]:
    tier = content.get("tier")
    tier_values = _section(tiers.get(tier) if isinstance(tier, str) else None, "max_tokens")
    own_values = _section(content, "max_tokens")
    merged: dict[str, int] = {}
    for field in ("default", "maximum"):
        for value in (own_values.get(field), tier_values.get(field)):
            if isinstance(value, int) and not any(_value_errors(file, field, value, "count")):
                merged.setdefault(field, value)
    if len(merged) == 2 and merged["default"] > merged["maximum"]:  # noqa: PLR2004 - both fields
        allowed = f"at most max_tokens.maximum, which is {merged['maximum']}"
        yield _message(file, "max_tokens.default", merged["default"], allowed)


def _section(value: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401
    section = value.get(name) if isinstance(value, dict) else None
    return section if isinstance(section, dict) else {}


def _merged(shape: str, *sections: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of the shape, from the first section that has it; None where none has."""
    return {
        field: next((s[field] for s in sections if s.get(field) is not None), None)
        for field in _SCHEMA["shapes"][shape]
    }


def _budget(*sections: Mapping[str, Any]) -> dict[str, Any]:
    return _merged("budget", *sections, {"mode": "hard"})


def _policy(tenant_id: str, content: Mapping[str, Any], tier: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": POLICY_SCHEMA_VERSION,
        "tenant_id": tenant_id,
        "name": content["name"],
        "kind": content["kind"],
        "cost_center": content["cost_center"],
        "tier": content["tier"],
        "status": content.get("status") or "active",
        "models": content["models"],
        "tags": content.get("tags") or {},
        "budget": _budget(_section(content, "budget"), _section(tier, "budget")),
        "limits": _merged("limits", _section(content, "limits"), _section(tier, "limits")),
        "max_tokens": _merged(
            "max_tokens",
            _section(content, "max_tokens"),
            _section(tier, "max_tokens"),
            {"clamp": False, "count": "bytes"},
        ),
        "shards": content.get("shards") or 1,
        "model_arns": content.get("model_arns") or {},
        "prices": content.get("prices") or {},
        "unpriced": content.get("unpriced"),
        "apps": {
            app_id: {
                "status": app.get("status") or "active",
                "tags": app.get("tags") or {},
                "budget": _budget(_section(app, "budget")),
                "limits": _merged("limits", _section(app, "limits")),
            }
            for app_id, app in content["apps"].items()
        },
    }


def _keys(content: Mapping[str, Any]) -> dict[str, Key]:
    keys = [
        Key(
            app_id=app_id,
            key_name=key_name,
            status=key.get("status") or "active",
            expires=key.get("expires") or "",
        )
        for app_id, app in content["apps"].items()
        for key_name, key in _section(app, "keys").items()
    ]
    return {key.key_id: key for key in sorted(keys, key=lambda key: key.key_id)}


def _environments(root: Path, names: Sequence[str]) -> list[Path]:
    if names:
        return [root / name for name in names]
    return sorted(path.parent for path in root.glob(f"*/{ENVIRONMENT_FILE}"))


def _located(environment: str, error: str) -> str:
    folder = "" if error.startswith(f"{ENVIRONMENT_FILE}:") else "tenants/"
    return f"envs/{environment}/{folder}{error}"


def main(arguments: Sequence[str] | None = None, root: Path = REPOSITORY / "envs") -> int:
    """Print one line per environment or per broken rule; 0 when every file is valid, else 1."""
    parser = argparse.ArgumentParser(prog="scripts.tenants", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check env.tfvars and tenant files")
    validate.add_argument("environments", nargs="*", metavar="ENV", help="default: all of envs/")
    options = parser.parse_args(arguments)
    failed = False
    for folder in _environments(root, options.environments):
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
