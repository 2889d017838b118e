"""What each way to deploy makes, as files to review: ``python -m tests.stack.inventories``.

A shape is one environment with some variables on top. Its inventory, from a plan of the real
provider, holds the number of resources by type and the attributes that a reviewer must see change.
The tests compare; this program writes the files in inventories/ anew, all or those that are named.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.stack import moto

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(__file__).parent / "inventories"
SHAPES_FOLDER = Path(__file__).parent / "shapes"
_UNKNOWN = "(known after apply)"
# One for each file of modules/analytics/queries, which that module's own test holds.
_COUNTED_BY_FILE = frozenset({"aws_athena_named_query"})

# By type: the attributes that cost money, keep data, or open or close a door.
KEY_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "aws_api_gateway_api_key": ("tags",),
    "aws_api_gateway_rest_api": ("endpoint_configuration",),
    "aws_api_gateway_usage_plan": ("name", "quota_settings", "throttle_settings"),
    "aws_bedrock_inference_profile": ("model_source", "name", "tags"),
    "aws_cloudtrail": ("enable_log_file_validation", "is_multi_region_trail"),
    "aws_cloudwatch_log_group": ("retention_in_days",),
    "aws_dynamodb_table": ("deletion_protection_enabled", "name", "point_in_time_recovery"),
    "aws_iam_role": ("name", "path", "permissions_boundary"),
    "aws_kms_alias": ("name",),
    "aws_kms_key": ("deletion_window_in_days", "enable_key_rotation"),
    "aws_lambda_function": (
        "memory_size",
        "reserved_concurrent_executions",
        "timeout",
        "vpc_config",
    ),
    "aws_s3_bucket": ("bucket", "force_destroy"),
    "aws_s3_bucket_lifecycle_configuration": ("rule",),
    "aws_scheduler_schedule": ("schedule_expression",),
    "aws_ssm_parameter": ("name", "type"),
    "aws_vpc": ("cidr_block",),
    "aws_vpc_endpoint": ("private_dns_enabled", "service_name", "vpc_endpoint_type"),
}


@dataclass(frozen=True)
class Shape:
    """One way to deploy: an environment, the root that it is planned with, and what is on top."""

    environment: str
    root: str = "terraform"
    # A folder of shapes/: its shape.tfvars comes after the environment's own variables, and its
    # tenants, if it has any, come instead of the environment's own.
    folder: str | None = None


SHAPES = {
    "dev": Shape("dev"),
    "private": Shape("dev", folder="private"),
    "prod": Shape("prod"),
    "silo": Shape("dev", folder="silo"),
    "tenants-only": Shape("dev-labs", root="terraform/tenants_only"),
}
# What the parent of the tenants-only shape says about itself once it has been applied.
_PARENT = "tollgate-dev"
_PUBLISHED = {
    "api_url": "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1",
    "caller_roles": json.dumps(
        {
            name: {"role_name": f"{_PARENT}-{name}", "actions": [action], "is_session_role": False}
            for name, action in (
                ("converse", "bedrock:InvokeModel"),
                ("invoke", "bedrock:InvokeModel"),
                ("stream", "bedrock:InvokeModelWithResponseStream"),
            )
        }
    ),
    "key_store": "ssm",
    "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000",
    "lake_bucket_name": f"{_PARENT}-lake-123456789012",
    "rest_api_id": "abcde12345",
    "stage_name": "v1",
    "tenants_table_name": f"{_PARENT}-tenants",
    "tier_usage_plans": "{}",
    "usage_plan_ceiling": json.dumps({"rate_limit": 125, "burst_limit": 250}),
    "usage_plan_methods": "{}",
    "usage_plans_most": "100",
}


def inventory(plan: dict[str, Any]) -> dict[str, Any]:
    """Counts and key attributes of what a plan creates.

    Raises ValueError when the plan does anything but create: an inventory starts from nothing.
    """
    changes = [c for c in plan["resource_changes"] if c["mode"] == "managed"]
    others = [c["address"] for c in changes if c["change"]["actions"] != ["create"]]
    if others:
        raise ValueError(f"an inventory is of a plan that only creates; got {', '.join(others)}")
    types = [change["type"] for change in changes]
    counts = Counter(name for name in types if name not in _COUNTED_BY_FILE)
    return {
        "attributes": {
            change["address"]: _attributes(change)
            for change in sorted(changes, key=lambda c: str(c["address"]))
            if change["type"] in KEY_ATTRIBUTES
        },
        "counts": dict(sorted(counts.items())),
        "tags_of_everything": _common_tags(changes),
    }


def _attributes(change: dict[str, Any]) -> dict[str, Any]:
    after, unknown = change["change"]["after"], change["change"]["after_unknown"]
    return {
        name: _UNKNOWN if unknown.get(name) is True else _short(after.get(name))
        for name in KEY_ATTRIBUTES[change["type"]]
    }


def _short(value: Any) -> Any:
    """A value without the parts of its blocks that are not set."""
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        short = {key: _short(item) for key, item in value.items()}
        return {key: item for key, item in short.items() if item not in (None, "", [], {})}
    return value


def _common_tags(changes: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The tags that every resource has that can have any."""
    tagged = [
        set(change["change"]["after"]["tags_all"].items())
        for change in changes
        if change["change"]["after"].get("tags_all") is not None
    ]
    return dict(sorted(set.intersection(*tagged))) if tagged else {}


class Planner:
    """Plans shapes against one moto server, from one copy of the code that has no state."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self._initialised: set[tuple[str, str]] = set()
        self._plans: dict[str, dict[str, Any]] = {}
        ssm = moto.Stack(folder, endpoint).client("ssm")
        for name, value in _PUBLISHED.items():
            ssm.put_parameter(Name=f"/{_PARENT}/outputs/{name}", Value=value, Type="String")

    def plan(self, name: str) -> dict[str, Any]:
        """The plan of a shape as Terraform's JSON; each is made once."""
        if name not in self._plans:
            self._plans[name] = self._plan(name)
        return self._plans[name]

    def _plan(self, name: str) -> dict[str, Any]:
        shape = SHAPES[name]
        stack = moto.Stack(
            self.folder,
            self.endpoint,
            environment=shape.environment,
            root=shape.root,
            options=self._options(shape),
        )
        if (shape.root, shape.environment) not in self._initialised:
            initialised = stack.terraform("init", "-no-color")
            assert initialised.returncode == 0, initialised.stdout + initialised.stderr
            self._initialised.add((shape.root, shape.environment))
        return stack.plan()

    def _options(self, shape: Shape) -> tuple[str, ...]:
        if shape.folder is None:
            return ()
        folder = SHAPES_FOLDER / shape.folder
        options = [f"-var-file={folder / 'shape.tfvars'}"]
        if (folder / "tenants").is_dir():
            # The root takes it from its own folder.
            tenants = os.path.relpath(folder / "tenants", self.folder / shape.root)
            options.append(f"-var=tenants_dir={tenants}")
        return tuple(options)


def text(found: dict[str, Any]) -> str:
    """An inventory as its file holds it."""
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the inventories; returns 0."""
    parser = argparse.ArgumentParser(description="Write the inventories of shapes anew.")
    parser.add_argument("shapes", nargs="*", help=f"some of {', '.join(SHAPES)}; all by default")
    names = parser.parse_args(arguments).shapes or list(SHAPES)
    if unknown := set(names) - set(SHAPES):
        parser.error(f"got {', '.join(sorted(unknown))}; allowed: {', '.join(SHAPES)}")
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        moto.copy_code(folder / "code")
        endpoint = resources.enter_context(moto.serve(folder / "moto.log"))
        planner = Planner(folder / "code", endpoint)
        for name in names:
            found = inventory(planner.plan(name))
            (FOLDER / f"{name}.json").write_text(text(found), encoding="utf-8")
            print(f"{name}: {sum(found['counts'].values())} resources")
    return 0


if __name__ == "__main__":
    sys.exit(main())
