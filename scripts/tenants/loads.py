"""Whether DynamoDB can write an account as often as its limits allow.

An account is one item, and its running calls lie in it. A call writes it twice; while it runs, once
every 40 seconds; and once more where a minute ends before the call. So with R calls at once and P a
minute over n shards, one shard takes a second

    writes  (2 * P / 60 + R / 24) / n
    units   writes * ceil((256 + 192 * R / n) bytes / 1024)

of which DynamoDB takes 1000 for one item. Half of that is left to bursts, and to shards that get
more than their part. A call lasts 15 minutes at most, so that R is never above 15 * P; where
nothing limits R, calls of ten seconds are reckoned with. Where nothing limits P, nothing can be
said.

modules/tenant_files/loads.tf is the same in Terraform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.tenants.rules import fits, related, section, tier_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_SHARDS = 64
# Half of the units, over what the fractions above are multiplied with.
_ROOM = 500 * 120
_LONGEST_MINUTES = 15
_USUAL_CALLS_A_MINUTE = 6


@dataclass(frozen=True)
class Load:
    """What an account's limits allow: calls a minute, and at once."""

    per_minute: int
    at_once: int

    def fits(self, shards: int) -> bool:
        """Whether each of so many accounts can be written."""
        kilobytes = -(-(4 * shards + 3 * self.at_once) // (16 * shards))
        return kilobytes * (4 * self.per_minute + 5 * self.at_once) <= _ROOM * shards

    def least_shards(self) -> int | None:
        """The fewest shards that would do; None where the most do not."""
        return next((n for n in range(1, MAX_SHARDS + 1) if self.fits(n)), None)


def load_together(policies: Iterable[Mapping[str, Any]]) -> Load | None:
    """What the limits of several tenants allow together; None where one of them has none."""
    loads = [
        _load(policy["limits"]["requests_per_minute"], policy["limits"]["concurrent_requests"])
        for policy in policies
    ]
    known = [load for load in loads if load is not None]
    if len(known) < len(loads):
        return None
    return Load(sum(load.per_minute for load in known), sum(load.at_once for load in known))


def tier_load_errors(file: str, tiers: Mapping[str, Any]) -> Iterator[str]:
    """Check what a tier's tenants may ask for without limits of their own."""
    for name in tiers:
        tier = section(tiers, name)
        yield from _shards_errors(file, f"tiers.{name}.", tier, {})


def tenant_load_errors(
    file: str, content: Mapping[str, Any], tiers: Mapping[str, Any]
) -> Iterator[str]:
    """Check what a tenant may ask for, and what of it goes through an account of a part of it."""
    tier = tier_of(content, tiers)
    limits = section(content, "limits")
    own = (
        content.get("shards"),
        limits.get("requests_per_minute"),
        limits.get("concurrent_requests"),
    )
    if any(value is not None for value in own):
        yield from _shards_errors(file, "", content, tier)
    whole = (limits, section(tier, "limits"))
    for app_id, app in section(content, "apps").items():
        budget, parts = section(app, "budget"), section(app, "limits")
        given = (*parts.values(), budget.get("month_usd"), budget.get("day_usd"))
        if any(value is not None for value in given):
            yield from _part_errors(file, f"apps.{app_id}.limits.", parts, whole)
    for pattern in section(content, "model_limits"):
        parts = section(section(content, "model_limits"), pattern)
        yield from _part_errors(file, f"model_limits.{pattern}.", parts, whole)


def _shards_errors(
    file: str, prefix: str, value: Mapping[str, Any], tier: Mapping[str, Any]
) -> Iterator[str]:
    sources = (section(value, "limits"), section(tier, "limits"))
    load = _load(_first("requests_per_minute", *sources), _first("concurrent_requests", *sources))
    shards = value.get("shards")
    if load is None or load.fits(_first("shards", value, tier, rule="shards") or 1):
        return
    least, path = load.least_shards(), f"{prefix}shards"
    figures = (load.per_minute, load.at_once)
    if least is None:
        yield related(file, path, shards, "load_beyond_shards", *figures)
    else:
        yield related(file, path, shards, "shards_of_load", least, *figures)


def _part_errors(
    file: str, prefix: str, parts: Mapping[str, Any], whole: tuple[Mapping[str, Any], ...]
) -> Iterator[str]:
    """Check an account that is one item always: it is asked for no more than its tenant is."""
    name = "requests_per_minute"
    load = _load(
        _lesser(_first(name, parts), _first(name, *whole)),
        _lesser(_first("concurrent_requests", parts), _first("concurrent_requests", *whole)),
    )
    if load is not None and not load.fits(1):
        figures = (load.per_minute, load.at_once)
        yield related(file, f"{prefix}{name}", parts.get(name), "load_of_one", *figures)


def _load(per_minute: int | None, at_once: int | None) -> Load | None:
    if per_minute is None:
        return None
    if at_once is None:
        return Load(per_minute, -(-per_minute // _USUAL_CALLS_A_MINUTE))
    return Load(per_minute, min(at_once, _LONGEST_MINUTES * per_minute))


def _first(name: str, *sources: Mapping[str, Any], rule: str = "count") -> int | None:
    for source in sources:
        value: Any = source.get(name)
        if fits(value, rule):
            return int(value)
    return None


def _lesser(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
