"""What people see of API keys: one line for each that a tenant file declares or that was issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.tenants import files as tenants

_HEADING = ("TENANT", "KEY", "STATE", "API KEY ID", "VALUE LIES IN")
# Sorts after every date.
_NO_END = "~"


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


@dataclass(frozen=True, slots=True)
class Line:
    """A key as people see it; `api_key_id` and `place` are empty for one that was never issued."""

    tenant_id: str
    key_id: str
    state: str
    api_key_id: str = ""
    place: str = ""


def overview(
    declared: Mapping[str, tenants.Tenant], issued: Iterable[IssuedKey], today: date
) -> list[Line]:
    """A line for each issued key, and for each declared one that never was, by tenant and key.

    The last of several values of a key comes last, and those that end before it are rotating.
    """
    by_key: dict[tuple[str, str], list[IssuedKey]] = {
        (tenant_id, key_id): [] for tenant_id, tenant in declared.items() for key_id in tenant.keys
    }
    for key in issued:
        by_key.setdefault((key.tenant_id, key.key_id), []).append(key)
    lines = []
    for (tenant_id, key_id), values in sorted(by_key.items()):
        declaration = declared[tenant_id].keys.get(key_id) if tenant_id in declared else None
        if declaration is not None and not values:
            lines.append(Line(tenant_id, key_id, _declared_state(declaration, today)))
        lines += [
            Line(
                tenant_id,
                key_id,
                f"{state}{_remark(declaration, today)}",
                key.api_key_id,
                key.place,
            )
            for key, state in zip(values, issued_states(values, today), strict=True)
        ]
    return lines


def issued_states(values: Iterable[IssuedKey], today: date) -> list[str]:
    """The state of each value of one key: active, rotating, expired or revoked."""
    values = list(values)
    live = [key.expires or _NO_END for key in values if key.state(today) == "active"]
    return [_issued_state(key, today, max(live, default=_NO_END)) for key in values]


def _issued_state(key: IssuedKey, today: date, last_end: str) -> str:
    state = key.state(today)
    if state == "suspended":
        return "revoked"
    if state == "expired":
        return f"expired on {key.expires}"
    if (key.expires or _NO_END) < last_end:
        return f"rotating until {key.expires}"
    return f"active until {key.expires}" if key.expires else "active"


def _remark(declaration: tenants.Key | None, today: date) -> str:
    """Where an issued key's file disagrees with it: the file alone ends no key that was issued."""
    if declaration is None:
        return ", in no file"
    if declaration.status != "active":
        return f", {declaration.status} in its file"
    is_over = declaration.expires and date.fromisoformat(declaration.expires) < today
    return ", expired in its file" if is_over else ""


def _declared_state(key: tenants.Key, today: date) -> str:
    if key.status != "active":
        return f"declared, {key.status}"
    if key.expires and date.fromisoformat(key.expires) < today:
        return f"declared, expired on {key.expires}"
    return "declared"


def render(lines: Iterable[Line]) -> str:
    """One aligned row per line, with a heading; where values lie, never the values."""
    rows = [_HEADING]
    rows += [
        (line.tenant_id, line.key_id, line.state, line.api_key_id or "-", line.place or "-")
        for line in lines
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADING))]
    return "".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )
