"""What a plan changes, tenant by tenant, read from Terraform's JSON.

A plan holds what the state holds. Nothing but addresses, names and the fields of policies leaves
this module: no key and no hash of one, no attribute of any other resource, no external id.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.deploy import policies
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TENANT = re.compile(r'^module\.tenant\["(?P<id>[^"]+)"\]\.(?P<resource>.+)$')
_POLICY = "aws_dynamodb_table_item.policy"
_KEY = re.compile(
    r"(?:aws_api_gateway_api_key\.this|aws_dynamodb_table_item\.key)"
    r'\["(?P<id>[^"]+)"\]'
)
_INDEX = re.compile(r"\[[^\]]*\]")
# Terraform's actions, in the words of a reader; an action that is not here changes nothing.
_VERBS = {
    ("create",): "add",
    ("update",): "change",
    ("delete",): "remove",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}
# What a status stops, in the order of a comment's first lines.
STOPS = ("removed", "offboarded", "suspended")


@dataclass
class Changes:
    """What happens to one tenant, or to everything outside of the tenants.

    Lines are Markdown: those of the policy, those of each key by its id, and one for each other
    resource. `kinds` counts the others by type.
    """

    verbs: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    policy: list[str] = field(default_factory=list)
    keys: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    is_new: bool = False

    def add(self, verb: str, address: str) -> None:
        """Note a resource of which no more is told than its address."""
        self.verbs[verb] += 1
        self.kinds[_INDEX.sub("", address).split(".")[-2]] += 1
        self.others.append(f"{verb} {policies.code(address)}")


@dataclass
class Plan:
    """All changes; and by the status that stops it, such as "suspended", the kind and the name."""

    tenants: defaultdict[str, Changes] = field(default_factory=lambda: defaultdict(Changes))
    platform: Changes = field(default_factory=Changes)
    stopped: defaultdict[str, list[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )


def of(plan: Mapping[str, Any], declared: Mapping[str, tenants.Tenant]) -> Plan:
    """Read a plan. ``declared`` tells of policies that the plan does not know before the apply."""
    found = Plan()
    for resource in plan.get("resource_changes", []):
        verb = _verb(resource["change"])
        if verb is None:
            continue
        match = _TENANT.match(resource["address"])
        if match:
            tenant = _Tenant(found, match["id"], declared.get(match["id"]))
            tenant.note(verb, match["resource"], resource["change"])
        else:
            found.platform.add(verb, resource["address"])
    return found


def _verb(change: Mapping[str, Any]) -> str | None:
    if change.get("importing"):
        return "adopt"
    return _VERBS.get(tuple(change["actions"]))


class _Tenant:
    """Notes what happens to one tenant."""

    def __init__(self, plan: Plan, tenant_id: str, declared: tenants.Tenant | None) -> None:
        self._plan = plan
        self._id = tenant_id
        self._declared = declared
        self._changes = plan.tenants[tenant_id]

    def note(self, verb: str, resource: str, change: Mapping[str, Any]) -> None:
        key = _KEY.fullmatch(resource)
        if resource == _POLICY:
            self._changes.verbs[verb] += 1
            self._changes.policy.extend(self._policy(verb, change))
        elif key:
            self._changes.verbs[verb] += 1
            self._key(verb, key["id"], change)
        else:
            self._changes.add(verb, resource)

    def _policy(self, verb: str, change: Mapping[str, Any]) -> Iterator[str]:
        before, after = _document(change.get("before")), _document(change.get("after"))
        if verb == "remove":
            self._stop("removed", "tenant", self._id)
            yield "remove policy"
            return
        is_known = after is not None
        if after is None and self._declared is not None:
            after = json.loads(tenants.policy_document(self._declared.policy))
        if after is None:
            yield f"{verb} policy, some of it known after the apply only"
        elif verb == "change" and before is not None:
            yield from self._changed_policy(before, after, is_known=is_known)
        else:
            yield f"{verb} policy"
            if verb == "add":
                self._changes.is_new = True
                yield from policies.facts(after)

    def _changed_policy(
        self, before: Mapping[str, Any], after: Mapping[str, Any], *, is_known: bool
    ) -> Iterator[str]:
        if after.get("status") != before.get("status"):
            self._stop(after.get("status"), "tenant", self._id)
        earlier, later = before.get("apps", {}), after.get("apps", {})
        for app_id in sorted({*earlier, *later}):
            statuses = [apps.get(app_id, {}).get("status") for apps in (earlier, later)]
            if app_id not in later:
                self._stop("removed", "app", f"{self._id}/{app_id}")
            elif app_id in earlier and statuses[0] != statuses[1]:
                self._stop(statuses[1], "app", f"{self._id}/{app_id}")
        lines = list(policies.differences(before, after, is_computed=is_known))
        if not is_known:
            lines.append("policy: ARNs that are known after the apply only")
        # Another release may write a field for which this one has no value.
        yield from lines or ["change policy, but none of what it says"]

    def _key(self, verb: str, key_id: str, change: Mapping[str, Any]) -> None:
        """Both the API key and its item carry the key's name; the item says what changes of it."""
        shown = policies.code(key_id)
        before, after = _item(change.get("before")), _item(change.get("after"))
        lines = list(self._changed_key(key_id, before, after)) if before and after else []
        declared = self._declared.keys.get(key_id) if self._declared else None
        last_day = declared.expires if declared and verb in ("add", "replace") else ""
        if lines:
            self._changes.keys[key_id] = lines
        else:
            line = f"{verb} key {shown}" + (
                f", last day {policies.plain(last_day)}" if last_day else ""
            )
            self._changes.keys.setdefault(key_id, [line])

    def _changed_key(
        self, key_id: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Iterator[str]:
        old, new = (_attribute(item, "expires") or "none" for item in (before, after))
        if old != new:
            days = f"{policies.plain(old)} → {policies.plain(new)}"
            yield f"key {policies.code(key_id)}: last day {days}"
        status = _attribute(after, "status")
        if status != _attribute(before, "status"):
            self._stop(status, "key", f"{self._id}/{key_id}")
            yield f"key {policies.code(key_id)}: {policies.plain(status)}"

    def _stop(self, status: str | None, kind: str, name: str) -> None:
        if status in STOPS:
            self._plan.stopped[status].append((kind, name))


def _document(attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The policy of an item, or None when it is not known yet."""
    try:
        document: dict[str, Any] = json.loads(_item(attributes)["document"]["S"])
    except (KeyError, TypeError, ValueError):
        return None
    return document


def _item(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """An item in DynamoDB's JSON; empty when it is not known yet, or for another resource."""
    try:
        item: dict[str, Any] = json.loads((attributes or {})["item"])
    except (KeyError, TypeError, ValueError):
        return {}
    return item


def _attribute(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
