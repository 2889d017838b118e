"""Tell by tenant what a plan changes: ``python -m scripts.deploy.summary --env dev``.

Prints Markdown for a comment on a pull request: what the plan stops, then per tenant what a new
policy says or which fields of one change, its keys, and its other resources; then what changes
outside of the tenants. ``--plan-json`` reads the output of ``terraform show -json`` instead of the
environment's saved plan.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.deploy import changes, environments, plans, policies, terraform
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.deploy.changes import Changes
    from scripts.deploy.environments import Environment

# GitHub takes 65,536 characters; what follows this is said to be missing.
_LONGEST = 60_000
# What fits a terminal's page; a deployment may have thousands of tenants.
_MOST_TENANTS = 20
_MOST_KINDS = 8


def summarise(
    plan: Mapping[str, Any], environment: str, declared: Mapping[str, tenants.Tenant]
) -> str:
    """The Markdown for one plan; its first line lets a later comment find and replace it.

    ``declared`` are the tenants of the environment's files, by id.
    """
    return _shortened("\n".join(_markdown(environment, changes.of(plan, declared))))


def tell(plan: Mapping[str, Any], environment: str) -> str:
    """The last lines of a long plan on a terminal: what is counted, by tenant and by kind."""
    return "\n".join(_text(environment, changes.of(plan, {})))


def marker(environment: str) -> str:
    """The first line of an environment's summary."""
    return f"<!-- tollgate plan: {environment} -->"


def _markdown(environment: str, plan: changes.Plan) -> Iterable[str]:
    yield marker(environment)
    for status in changes.STOPS:
        if plan.stopped[status]:
            named = (f"{kind} {policies.code(name)}" for kind, name in plan.stopped[status])
            yield f"**{status.capitalize()}: {', '.join(named)}**"
            yield ""
    yield f"### Plan for `{environment}`"
    yield ""
    if not plan.tenants and not plan.platform.others:
        yield "Nothing changes."
        return
    if plan.tenants:
        yield "| tenant | what happens |"
        yield "| --- | --- |"
        for name, tenant in sorted(plan.tenants.items()):
            new = "new: " if tenant.is_new else ""
            yield f"| {policies.cell(name)} | {new}{_counted(tenant.verbs)} |"
    else:
        yield "No tenant changes."
    for name, tenant in sorted(plan.tenants.items()):
        yield from _details(f"Tenant {policies.tagged(name)}", tenant)
    if plan.platform.others:
        yield ""
        yield f"**Outside of the tenants:** {_counted(plan.platform.verbs)}"
        yield from _details("Outside of the tenants", plan.platform)


def _details(title: str, part: Changes) -> Iterable[str]:
    yield ""
    # What a new tenant may do is what a reviewer is asked about.
    yield f"<details{' open' if part.is_new else ''}><summary>{title}</summary>"
    yield ""
    keys = [line for _, lines in sorted(part.keys.items()) for line in lines]
    yield from (f"- {line}" for line in (*part.policy, *keys, *part.others))
    yield ""
    yield "</details>"


def _text(environment: str, plan: changes.Plan) -> Iterable[str]:
    total = sum((tenant.verbs for tenant in plan.tenants.values()), start=plan.platform.verbs)
    yield f"Plan for {environment}: {_counted(total) or 'nothing changes'}"
    for status in changes.STOPS:
        if plan.stopped[status]:
            stopped = (f"{kind} {policies.visible(name)}" for kind, name in plan.stopped[status])
            yield f"  {status}: {', '.join(stopped)}"
    named = sorted(plan.tenants.items())
    for name, tenant in named[:_MOST_TENANTS]:
        yield f"  tenant {policies.visible(name)}: {_counted(tenant.verbs)}"
    if len(named) > _MOST_TENANTS:
        yield f"  and {len(named) - _MOST_TENANTS} more tenants"
    if plan.platform.others:
        yield f"  outside of the tenants: {_counted(plan.platform.verbs)}"
        # The same plan has the same order, also among those that are as many.
        kinds = sorted(plan.platform.kinds.items(), key=lambda kind: (-kind[1], kind[0]))
        yield from (f"    {count:>4} {kind}" for kind, count in kinds[:_MOST_KINDS])
        others = sum(count for _, count in kinds[_MOST_KINDS:])
        if others:
            yield f"    {others:>4} of {len(kinds) - _MOST_KINDS} other kinds"


def _counted(verbs: Counter[str]) -> str:
    return ", ".join(f"{count} to {verb}" for verb, count in sorted(verbs.items()))


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    kept = text[:_LONGEST].rpartition("\n")[0]
    missing = text.count("\n") - kept.count("\n")
    return f"{kept}\n\n… and {missing} more lines; the whole plan is in the job's log."


def _declared(environment: Environment) -> dict[str, tenants.Tenant]:
    try:
        return tenants.load_environment(environment.folder)
    except tenants.TenantFilesError:
        # There is a plan, so Terraform took them; it is told without what only the files know.
        return {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = environments.parser("scripts.deploy.summary", __doc__)
    parser.add_argument("--plan-json", type=Path, help="a plan as JSON, instead of the saved one")
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        plan = (
            json.loads(options.plan_json.read_text(encoding="utf-8"))
            if options.plan_json
            else plans.saved(environment)
        )
    except (
        OSError,
        ValueError,
        plans.DeployError,
        environments.SettingsError,
        terraform.TerraformError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(summarise(plan, options.env, _declared(environment)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
