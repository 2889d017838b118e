"""The policy of a tenant: its file, merged with its tier's defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.tenants.rules import SCHEMA, section

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY_SCHEMA_VERSION = 1
DEFAULT_ALERT_THRESHOLDS = (50, 80, 100)
DEFAULT_RETENTION_MINUTES = 1440


def merged_policy(
    tenant_id: str, content: Mapping[str, Any], tier: Mapping[str, Any]
) -> dict[str, Any]:
    """The policy of a valid file: its own fields win over its tier's, field by field."""
    return {
        "schema_version": POLICY_SCHEMA_VERSION,
        "tenant_id": tenant_id,
        "name": content["name"],
        "kind": content["kind"],
        "cost_center": content["cost_center"],
        "business_unit": content.get("business_unit"),
        "tier": content["tier"],
        "status": content.get("status") or "active",
        "isolation": content.get("isolation") or "pool",
        "silo": content.get("silo"),
        "models": content["models"],
        "deny_models": content.get("deny_models") or [],
        "compliance": content.get("compliance") or [],
        "tags": content.get("tags") or {},
        "budget": _budget(section(content, "budget"), section(tier, "budget")),
        "limits": _merged("limits", section(content, "limits"), section(tier, "limits")),
        "model_limits": {
            pattern: _merged("limits", limits)
            for pattern, limits in section(content, "model_limits").items()
        },
        "max_tokens": _merged(
            "max_tokens",
            section(content, "max_tokens"),
            section(tier, "max_tokens"),
            {"clamp": False, "count": "auto"},
        ),
        "shards": _first(content.get("shards"), tier.get("shards"), 1),
        "markup": _first(content.get("markup"), tier.get("markup"), "1"),
        "subscription_usd": _first(
            content.get("subscription_usd"), tier.get("subscription_usd"), "0"
        ),
        "sla": _merged("sla", section(tier, "sla")),
        "alert_thresholds": _first(
            content.get("alert_thresholds"),
            tier.get("alert_thresholds"),
            list(DEFAULT_ALERT_THRESHOLDS),
        ),
        "guardrail": content.get("guardrail"),
        "system_preamble": content.get("system_preamble"),
        "teams": content.get("teams") or [],
        "allow_fields": content.get("allow_fields") or [],
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
                    if not is_offboarded(content)
                },
            }
            for app_id, app in content["apps"].items()
        },
    }


def business_unit_policy(unit_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a business unit that an environment names."""
    return {
        "schema_version": POLICY_SCHEMA_VERSION,
        "id": unit_id,
        "name": content["name"],
        "owner": content["owner"],
        "budget": _budget(section(content, "budget")),
        "shards": content.get("shards") or 1,
    }


def is_offboarded(content: Mapping[str, Any]) -> bool:
    """Whether only the tenant's policy and its usage data stay: no keys, no profiles."""
    return content.get("status") == "offboarded"


def _merged(shape: str, *sources: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of the shape, from the first source that has it; None where none has."""
    return {
        name: _first(*(source.get(name) for source in sources)) for name in SCHEMA["shapes"][shape]
    }


def _budget(*sources: Mapping[str, Any]) -> dict[str, Any]:
    return _merged("budget", *sources, {"mode": "hard"})


def _first(*values: Any) -> Any:  # noqa: ANN401
    return next((value for value in values if value is not None), None)
