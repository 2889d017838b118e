"""Under which policies, prices and models calls are replayed."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.prices.reprice import declared_policy
from scripts.tenants import files as tenant_files
from scripts.tenants.rules import terraform_json
from tollgate.domain.models import UnsupportedModelId, resolve_model
from tollgate.domain.tenants import parse_business_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tollgate.domain.prices import PriceBook
    from tollgate.domain.tenants import BusinessUnit, Tenant

EVERY = "*"


class ScenarioError(ValueError):
    """What was asked for cannot be; the message names what was given and what is allowed."""


@dataclass(frozen=True)
class Change:
    """Another value in tenants' files: whose, where in the file, and what."""

    tenant_id: str
    path: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        """As it is given on a command line."""
        return f"{self.tenant_id}.{'.'.join(self.path)}={json.dumps(self.value)}"


@dataclass(frozen=True)
class Policies:
    """What an environment's files say: tenants, their business units, and markups by tenant.

    Markups are factors, as decimal strings.
    """

    tenants: Mapping[str, Tenant]
    business_units: Mapping[str, BusinessUnit] = field(default_factory=dict)
    markups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """What decides and prices a replayed call.

    `models` are called in place of others, by
    the id that was asked for. `is_repriced` says that `book` prices all calls anew; otherwise a
    call keeps what is booked for it, unless its model or its tenant's contract is another one than
    `contracts` has.
    """

    policies: Policies
    book: PriceBook
    contracts: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, str] = field(default_factory=dict)
    is_repriced: bool = False


def change(text: str) -> Change:
    """Read `<tenant>.<key>[.<key>…]=<value>`, the value as JSON or a plain text.

    `*` is every tenant. Raises ScenarioError.
    """
    place, equals, given = text.partition("=")
    tenant_id, *path = place.split(".")
    if not equals or not path or not all((tenant_id, *path)):
        raise ScenarioError(
            f"--set: given {text!r}; allowed: <tenant or *>.<key of its file>=<value>"
        )
    return Change(tenant_id, tuple(path), _value(path[-1], given))


def _value(key: str, given: str) -> Any:  # noqa: ANN401 - as a file may say it
    # Amounts are texts in the files, and nobody wants to quote them twice on a command line.
    if key == "markup" or key.endswith("_usd"):
        return given.strip('"')
    try:
        return json.loads(given)
    except ValueError:
        return given


def mapping(texts: Sequence[str]) -> dict[str, str]:
    """Read `<model>=<model>` each. Raises ScenarioError."""
    found: dict[str, str] = {}
    for text in texts:
        asked, _, instead = text.partition("=")
        try:
            for model_id in (asked, instead):
                resolve_model(model_id, {})
        except UnsupportedModelId:
            raise ScenarioError(
                f"--model: given {text!r}; allowed: <model id>=<model id>"
            ) from None
        found[asked] = instead
    return found


def policies(folder: Path, changes: Sequence[Change] = ()) -> Policies:
    """What an environment's files say once changes are made to them.

    Raises ScenarioError for a tenant that has no file, and TenantFilesError for a value that the
    rules of tenant files forbid.
    """
    found = tenant_files.load_environment(
        folder, lambda tenant_id, content: _amended(tenant_id, content, changes)
    )
    for each in changes:
        if each.tenant_id not in (EVERY, *found):
            raise ScenarioError(
                f"{each}: given tenant {each.tenant_id!r}; allowed: {EVERY}, {', '.join(found)}"
            )
    units = tenant_files.load_business_units(folder)
    return Policies(
        {tenant_id: declared_policy(tenant) for tenant_id, tenant in found.items()},
        {name: parse_business_unit(terraform_json(unit)) for name, unit in units.items()},
        {tenant_id: str(tenant.policy["markup"]) for tenant_id, tenant in found.items()},
    )


def _amended(tenant_id: str, content: dict[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    amended = copy.deepcopy(content)
    for each in changes:
        if each.tenant_id not in (EVERY, tenant_id):
            continue
        place = amended
        for key in each.path[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ScenarioError(f"{each}: {key!r} of {tenant_id} holds no keys")
            place = inner
        place[each.path[-1]] = each.value
    return amended
