"""What many tenants cost: time to check and to plan them, graph, tenants table, and AWS's quotas.

    make bench                     plans up to a thousand generated tenants; takes many minutes
    make bench ARGS=--quick        a few tenants; only to see that it works

A plan by the real provider, of a deployment that does not exist yet, against an emulated AWS that
answers at once: what is measured is Terraform's own work. Refreshing what exists adds one call and
more for each resource, and API Gateway takes only ten a second; the report works that out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.bench import generated_tenants
from scripts.deploy import terraform
from scripts.tenants import files as tenants
from tests.stack import moto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PREFIX = "tollgate-bench"
REGION = "us-east-1"
SIZES = (10, 100, 1000)
QUICK_SIZES = (2, 4)
PER_TIER = "tier"

USAGE_PLAN_QUOTA = 300
API_GATEWAY_CALLS_PER_SECOND = 10
ROLE_POLICY_CHARACTERS = 4096
"""What terraform/tenants.tf leaves tenants of the 10,240 that IAM allows one role."""
_EDGE = " -> "
_NODE = re.compile(r'^\t+"((?:[^"\\]|\\.)*)" \[label', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many AWS allows of one type of resource in an account and region."""

    name: str
    resource_type: str
    allowed: int
    can_be_raised: bool


# API Gateway, Amazon Bedrock, Systems Manager and DynamoDB, as their quota pages say.
QUOTAS = (
    Quota("inference profiles", "aws_bedrock_inference_profile", 1000, can_be_raised=True),
    Quota("API keys", "aws_api_gateway_api_key", 10000, can_be_raised=False),
    Quota("standard SSM parameters", "aws_ssm_parameter", 10000, can_be_raised=True),
)
_API_GATEWAY_TYPES = (
    "aws_api_gateway_api_key",
    "aws_api_gateway_usage_plan",
    "aws_api_gateway_usage_plan_key",
)


@dataclass(frozen=True, slots=True)
class Table:
    """The tenants table: how many items, and bytes as DynamoDB counts them."""

    items: int
    total_bytes: int
    largest_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of tenants: seconds, size of the saved file, resources by type, and its graph."""

    wall_seconds: float
    cpu_seconds: float
    file_bytes: int
    resources_by_type: Mapping[str, int]
    nodes: int
    edges: int

    @property
    def resources(self) -> int:
        """How many resources it makes."""
        return sum(self.resources_by_type.values())


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything about one number of tenants."""

    count: int
    check_seconds: float
    table: Table
    plan: Plan


def table_of(loaded: Mapping[str, tenants.Tenant]) -> Table:
    """The tenants table that these tenants fill."""
    sizes = [
        item_bytes(item)
        for tenant in loaded.values()
        for item in tenants.tenant_items(tenant, _hashes(tenant), _computed(tenant))
    ]
    return Table(items=len(sizes), total_bytes=sum(sizes), largest_bytes=max(sizes))


def item_bytes(item: tenants.Item) -> int:
    """Size of an item whose attributes are strings: names and values in UTF-8."""
    return sum(len(name.encode()) + len(value["S"].encode()) for name, value in item.items())


def _computed(tenant: tenants.Tenant) -> tenants.Computed:
    """What AWS would add to the policy, as long as AWS makes it."""
    arn = f"arn:aws:bedrock:{REGION}:111122223333:application-inference-profile/a1b2c3d4e5f6"
    return tenants.Computed(
        kms_key_arn=None,
        profile_arns={
            f"{app_id}/{name}": arn
            for app_id, app in tenant.policy["apps"].items()
            for name in app["inference_profiles"]
        },
    )


def _hashes(tenant: tenants.Tenant) -> dict[str, str]:
    """Hashes as long as those of real keys."""
    return {
        key_id: hashlib.sha256(f"{tenant.tenant_id}/{key_id}".encode()).hexdigest()
        for key_id in tenant.keys
    }


def graph_of(dot: str) -> tuple[int, int]:
    """Nodes and edges of a graph as Terraform prints it."""
    return len(set(_NODE.findall(dot))), dot.count(_EDGE)


def resources_of(plan: Mapping[str, Any]) -> Counter[str]:
    """Resources by type that a plan, as JSON, makes."""
    return Counter(
        change["type"]
        for change in plan["resource_changes"]
        if change["mode"] == "managed" and change["change"]["actions"] == ["create"]
    )


def tenants_until(quota: Quota, small: Measured, large: Measured) -> int | None:
    """How many tenants of this mix fill a quota; None when tenants take nothing of it.

    What a deployment without tenants takes is the part that does not grow.
    """
    counts = [m.plan.resources_by_type.get(quota.resource_type, 0) for m in (small, large)]
    per_tenant = (counts[1] - counts[0]) / (large.count - small.count)
    if per_tenant <= 0:
        return None
    fixed = counts[1] - per_tenant * large.count
    return int((quota.allowed - fixed) / per_tenant)


def tenants_with_own_models() -> int:
    """How many tenants with one ARN in `model_arns` the policies of one role have room for."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "CallTenantModels",
                "Effect": "Allow",
                "Action": ["bedrock:InvokeModelWithResponseStream"],
                "Resource": [
                    f"arn:aws:bedrock:{REGION}:111122223333:provisioned-model/a1b2c3d4e5f6"
                ],
            }
        ],
    }
    return ROLE_POLICY_CHARACTERS // len(json.dumps(document, separators=(",", ":")))


class Bench:
    """A copy of the Terraform code with a moto server, to plan tenants in."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        """Copy the code to ``folder`` and initialise it."""
        moto.copy_code(folder, "terraform__*.tf")
        self._root = folder / "terraform"
        self._tenants = folder / "generated"
        self._variables = moto.Stack(folder, endpoint).variables()
        settings = {
            "environment": "bench",
            "prefix": PREFIX,
            "region": REGION,
            "tenants_dir": "../generated",
            "tiers": generated_tenants.TIERS,
            "usage_plans": {"per": PER_TIER},
        }
        file = self._root / "bench.auto.tfvars.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
        self._terraform("init", "-no-color")

    def measure(self, count: int) -> Measured:
        """Check and plan ``count`` tenants."""
        generated_tenants.write(self._tenants, "load", count)
        started = time.perf_counter()
        loaded = tenants.load(self._tenants, generated_tenants.TIERS, PREFIX)
        return Measured(
            count=count,
            check_seconds=time.perf_counter() - started,
            table=table_of(loaded),
            plan=self._plan(),
        )

    def _plan(self) -> Plan:
        saved = self._root / "bench.tfplan"
        started, cpu = time.perf_counter(), _children_cpu_seconds()
        self._terraform("plan", "-no-color", f"-out={saved.name}")
        wall, cpu = time.perf_counter() - started, _children_cpu_seconds() - cpu
        nodes, edges = graph_of(self._terraform("graph", f"-plan={saved.name}"))
        return Plan(
            wall_seconds=wall,
            cpu_seconds=cpu,
            file_bytes=saved.stat().st_size,
            resources_by_type=resources_of(
                json.loads(self._terraform("show", "-json", saved.name))
            ),
            nodes=nodes,
            edges=edges,
        )

    def _terraform(self, *arguments: str) -> str:
        return terraform.run(self._root, *arguments, variables=self._variables, capture=True).stdout


def _children_cpu_seconds() -> float:
    """Processor time of every process that was started from here and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# --- Report -----------------------------------------------------------------------------------


def report(bench: Bench, sizes: Sequence[int]) -> Iterator[str]:
    """The report's lines, as they become known."""
    yield "Tenants with two apps, a key each, and an inference profile for every fourth tenant:"
    yield ""
    yield (
        f"{'tenants':>8}{'check s':>9}{'plan s':>8}{'CPU s':>8}{'resources':>11}{'nodes':>8}"
        f"{'edges':>8}{'plan KiB':>10}{'items':>7}{'KiB':>7}{'largest':>9}"
    )
    measured = []
    for count in sizes:
        measured.append(bench.measure(count))
        yield _size(measured[-1])
    yield ""
    yield "What ends first, and at how many such tenants in one account and region:"
    yield ""
    yield from limits(measured[0], measured[-1])


def limits(small: Measured, large: Measured) -> Iterator[str]:
    """What AWS allows, in tenants, from the growth between two measurements."""
    yield _limit("usage plans, one per tenant", USAGE_PLAN_QUOTA, True, USAGE_PLAN_QUOTA)
    yield _limit("usage plans, one per tier", USAGE_PLAN_QUOTA, True, None)
    for quota in QUOTAS:
        room = tenants_until(quota, small, large)
        yield _limit(quota.name, quota.allowed, quota.can_be_raised, room)
    room = tenants_with_own_models()
    yield _limit("a role's policies (model_arns)", ROLE_POLICY_CHARACTERS, False, room)
    calls = sum(large.plan.resources_by_type.get(name, 0) for name in _API_GATEWAY_TYPES)
    minutes = calls / API_GATEWAY_CALLS_PER_SECOND / 60
    yield ""
    yield (
        f"API Gateway answers {API_GATEWAY_CALLS_PER_SECOND} calls a second of those who deploy: "
        f"{large.count} tenants take {calls}, which is {minutes:.1f} minutes for a first apply and "
        "for the refresh before every plan."
    )


def _size(measured: Measured) -> str:
    plan, table = measured.plan, measured.table
    return (
        f"{measured.count:>8}{measured.check_seconds:>9.1f}{plan.wall_seconds:>8.0f}"
        f"{plan.cpu_seconds:>8.0f}{plan.resources:>11}{plan.nodes:>8}{plan.edges:>8}"
        f"{plan.file_bytes / 1024:>10.0f}{table.items:>7}{table.total_bytes / 1024:>7.0f}"
        f"{table.largest_bytes:>9}"
    )


def _limit(name: str, allowed: int, can_be_raised: bool, tenants_at_most: int | None) -> str:
    how = "can be raised" if can_be_raised else "fixed"
    room = "no limit" if tenants_at_most is None else f"{tenants_at_most} tenants"
    return f"{name:<34}{allowed:>7} {how:<14}{room:>14}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.tenants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="measure hardly anything")
    sizes = QUICK_SIZES if parser.parse_args(arguments).quick else SIZES
    missing = terraform.unavailable()
    if missing:
        print(f"error: {missing}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        with moto.serve(Path(folder) / "moto.log") as endpoint:
            for line in report(Bench(copy, endpoint), sizes):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
