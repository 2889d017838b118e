"""Tenant files made up by the number, for stacks that are thrown away and for measurements.

Only the standard library is imported: `envs/sandbox` runs in an environment of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_TENANTS = 9999
_KINDS = ("customer", "department", "project", "team", "user")
_APPS = ("chat", "search")
_ROTATING = 10
"""One tenant in so many is in the middle of a rotation and has two keys for its first app."""
_PROFILED = 4
"""One tenant in so many has an application inference profile for its first app."""

TIERS: Mapping[str, Mapping[str, Mapping[str, str | int]]] = {
    "standard": {
        "budget": {"month_usd": "100", "day_usd": "20"},
        "limits": {
            "requests_per_minute": 60,
            "requests_per_day": 5000,
            "tokens_per_minute": 50000,
            "concurrent_requests": 5,
        },
        "max_tokens": {"default": 512, "maximum": 4096},
    },
    "pro": {
        "budget": {"month_usd": "1000", "day_usd": "100"},
        "limits": {
            "requests_per_minute": 600,
            "requests_per_day": 50000,
            "tokens_per_minute": 500000,
            "concurrent_requests": 50,
        },
        "max_tokens": {"default": 1024, "maximum": 8192},
    },
}
"""The tiers that the generated tenants name."""


@dataclass(frozen=True, slots=True)
class GeneratedTenant:
    """The tenant of one name and number, which always give the same tenant."""

    name: str
    number: int

    @property
    def tenant_id(self) -> str:
        """Its id, which is the name of its file."""
        return f"{self.name}-{self.number:04d}"

    def text(self) -> str:
        """Its tenant file."""
        attributes: dict[str, object] = {
            "name": f"{self.name} {self.number}",
            "kind": _KINDS[self.number % len(_KINDS)],
            "cost_center": f"CC-{self.number:04d}",
            "tier": tuple(TIERS)[self.number % len(TIERS)],
            "models": ["amazon.nova-*", "us.amazon.nova-*"],
            "tags": {"sandbox": self.name},
            "apps": {app: self._app(app) for app in _APPS},
        }
        # An object of JSON is one of HCL, where a colon may stand for the equals sign.
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in attributes.items())

    def _app(self, app: str) -> dict[str, object]:
        content: dict[str, object] = {"keys": {"primary": {}}}
        if app == _APPS[0] and self.number % _ROTATING == 0:
            content["keys"] = {"old": {"expires": "2099-12-31"}, "primary": {}}
        if app == _APPS[0] and self.number % _PROFILED == 0:
            content["inference_profiles"] = {"lite": {"model": "amazon.nova-lite-v1:0"}}
        return content


def generate(name: str, count: int) -> Iterator[GeneratedTenant]:
    """The tenants number 1 to ``count`` of a name.

    Raises ValueError when there is no such number of tenants.
    """
    if not 1 <= count <= MOST_TENANTS:
        raise ValueError(f"tenants: got {count}; allowed: 1 to {MOST_TENANTS}")
    return (GeneratedTenant(name, number) for number in range(1, count + 1))


def write(folder: Path, name: str, count: int) -> None:
    """Write the files of ``count`` tenants to ``folder``, and remove those of others there.

    Raises ValueError when there is no such number of tenants.
    """
    tenants = list(generate(name, count))
    folder.mkdir(parents=True, exist_ok=True)
    for tenant in tenants:
        (folder / f"{tenant.tenant_id}.tfvars").write_text(tenant.text(), encoding="utf-8")
    kept = {f"{tenant.tenant_id}.tfvars" for tenant in tenants}
    for file in folder.glob("*.tfvars"):
        if file.name not in kept:
            file.unlink()
