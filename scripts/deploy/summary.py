"""Tell by tenant what a plan changes: ``python -m scripts.deploy.summary --env dev``.

Prints Markdown for a comment on a pull request: per tenant the fields of its policy that change,
its keys, and its other resources; then what changes outside of the tenants. ``--plan-json`` reads
the output of ``terraform show -json`` instead of the environment's saved plan.

A plan holds what the state holds. Nothing but addresses, names and the fields of policies leaves
this program: no key and no hash of one, no attribute of any other resource, no external id.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.deploy import commands as deploy
from scripts.deploy import environments, terraform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TENANT = re.compile(r'^module\.tenant\["(?P<id>[^"]+)"\]\.(?P<resource>.+)$')
_POLICY = "aws_dynamodb_table_item.policy"
_KEYS = ("aws_api_gateway_api_key.", "aws_dynamodb_table_item.key")
# Terraform's actions, in the words of a reader; an action that is not here changes nothing.
_VERBS = {
    ("create",): "add",
    ("update",): "change",
    ("delete",): "remove",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}
_HIDDEN_FIELDS = ("external_id",)
# GitHub takes 65,536 characters; what follows this is said to be missing.
_LONGEST = 60_000
_ABSENT = object()


@dataclass
class Changes:
    """What happens to one tenant, or to everything outside of the tenants."""

    verbs: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def add(self, verb: str, line: str) -> None:
        """Note one resource."""
        self.verbs[verb] += 1
        self.lines.append(line)


def summarise(plan: Mapping[str, Any], environment: str) -> str:
    """The Markdown for one plan; its first line lets a later comment find and replace it."""
    tenants: defaultdict[str, Changes] = defaultdict(Changes)
    platform = Changes()
    for resource in plan.get("resource_changes", []):
        verb = _verb(resource["change"])
        if verb is None:
            continue
        found = _TENANT.match(resource["address"])
        if found:
            _note_tenant(tenants[found["id"]], verb, found["resource"], resource["change"])
        else:
            platform.add(verb, f"{verb} `{resource['address']}`")
    return _shortened("\n".join(_markdown(environment, tenants, platform)))


def marker(environment: str) -> str:
    """The first line of an environment's summary."""
    return f"<!-- tollgate plan: {environment} -->"


def _verb(change: Mapping[str, Any]) -> str | None:
    if change.get("importing"):
        return "adopt"
    return _VERBS.get(tuple(change["actions"]))


def _note_tenant(changes: Changes, verb: str, resource: str, change: Mapping[str, Any]) -> None:
    if resource == _POLICY:
        changes.verbs[verb] += 1
        changes.lines.extend(_policy_lines(verb, change))
    elif resource.startswith(_KEYS):
        # Both the key and its item carry its name; the item's says nothing that the key's does not.
        changes.verbs[verb] += 1
        line = f"{verb} key `{_index(resource)}`"
        if line not in changes.lines:
            changes.lines.append(line)
    else:
        changes.add(verb, f"{verb} `{resource}`")


def _index(resource: str) -> str:
    index = re.search(r'\["([^"]+)"\]$', resource)
    return index[1] if index else resource


def _policy_lines(verb: str, change: Mapping[str, Any]) -> list[str]:
    before, after = _document(change.get("before")), _document(change.get("after"))
    if verb != "change" or before is None or after is None:
        known = after is not None or verb == "remove"
        return [f"{verb} policy" + ("" if known else ", some of it known after the apply only")]
    lines = []
    for path in sorted({*before, *after}):
        old, new = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if old != new:
            hidden = path.rpartition(".")[2] in _HIDDEN_FIELDS
            lines.append(
                f"policy `{path}`: " + ("changed" if hidden else f"{_shown(old)} → {_shown(new)}")
            )
    return lines or ["change policy"]


def _shown(value: object) -> str:
    return "nothing" if value is _ABSENT or value is None else f"`{json.dumps(value)}`"


def _document(attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A policy's fields by dotted path, or None when the item is not known yet."""
    try:
        item = json.loads((attributes or {})["item"])
        return dict(_flat(json.loads(item["document"]["S"]), ""))
    except (KeyError, TypeError, ValueError):
        return None


def _flat(value: object, path: str) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _markdown(environment: str, tenants: Mapping[str, Changes], platform: Changes) -> Iterable[str]:
    yield marker(environment)
    yield f"### Plan for `{environment}`"
    yield ""
    if not tenants and not platform.lines:
        yield "Nothing changes."
        return
    if tenants:
        yield "| tenant | what happens |"
        yield "| --- | --- |"
        for name in sorted(tenants):
            yield f"| `{name}` | {_counted(tenants[name])} |"
    else:
        yield "No tenant changes."
    for name in sorted(tenants):
        yield from _details(f"Tenant {name}", tenants[name])
    if platform.lines:
        yield ""
        yield f"**Outside of the tenants:** {_counted(platform)}"
        yield from _details("Outside of the tenants", platform)


def _counted(changes: Changes) -> str:
    return ", ".join(f"{count} to {verb}" for verb, count in sorted(changes.verbs.items()))


def _details(title: str, changes: Changes) -> Iterable[str]:
    yield ""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from (f"- {line}" for line in changes.lines)
    yield ""
    yield "</details>"


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    kept = text[:_LONGEST].rpartition("\n")[0]
    missing = text.count("\n") - kept.count("\n")
    return f"{kept}\n\n… and {missing} more lines; the whole plan is in the job's log."


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.deploy.summary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--env", required=True, choices=environments.deployable(), help="folder in envs/"
    )
    parser.add_argument("--plan-json", type=Path, help="a plan as JSON, instead of the saved one")
    options = parser.parse_args(arguments)
    try:
        plan = (
            json.loads(options.plan_json.read_text(encoding="utf-8"))
            if options.plan_json
            else deploy.saved_plan(environments.load(options.env))
        )
    except (
        OSError,
        ValueError,
        deploy.DeployError,
        environments.SettingsError,
        terraform.TerraformError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(summarise(plan, options.env))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
