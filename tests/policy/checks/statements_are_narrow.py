"""A role's policy allows named actions, and every resource only where none can be named.

Checkov's own checks look at the policies that it can read in the source. Most of ours are built
from lists of statements, so it is the plan, where they are JSON, that shows them.
"""

from __future__ import annotations

import json
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck

# Actions without a resource to name: those that the service authorization reference lists without
# one, and logs:DescribeLogGroups, which is asked of all groups whatever prefix it is called with.
WITHOUT_RESOURCE = {
    "bedrock:listfoundationmodels",
    "bedrock:listinferenceprofiles",
    "cloudwatch:getmetricdata",
    "cloudwatch:listmetrics",
    "cloudwatch:putmetricdata",
    "ec2:assignprivateipaddresses",
    "ec2:createnetworkinterface",
    "ec2:deletenetworkinterface",
    "ec2:describenetworkinterfaces",
    "ec2:describesubnets",
    "ec2:unassignprivateipaddresses",
    "logs:describeloggroups",
    "logs:getqueryresults",
    "logs:stopquery",
    "xray:puttelemetryrecords",
    "xray:puttracesegments",
}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def document_of(conf: dict[str, list[Any]]) -> dict[str, Any] | None:
    """The policy of a resource, or None where it is not known yet."""
    policy = conf.get("policy", [None])[0]
    if isinstance(policy, str):
        try:
            policy = json.loads(policy)
        except json.JSONDecodeError:
            return None
    return policy if isinstance(policy, dict) and "Statement" in policy else None


class StatementsAreNarrow(BaseResourceCheck):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(
            name="A policy allows named actions, and every resource only where none can be named",
            id="CKV2_TOLLGATE_8",
            categories=[CheckCategories.IAM],
            supported_resources=["aws_iam_policy", "aws_iam_role_policy"],
        )

    def scan_resource_conf(self, conf: dict[str, list[Any]]) -> CheckResult:
        document = document_of(conf)
        if document is None:
            return CheckResult.UNKNOWN
        statements = [s for s in _as_list(document["Statement"]) if isinstance(s, dict)]
        wide = [s for s in statements if s.get("Effect") == "Allow" and self._is_wide(s)]
        return CheckResult.FAILED if wide else CheckResult.PASSED

    @staticmethod
    def _is_wide(statement: dict[str, Any]) -> bool:
        actions = [str(action).lower() for action in _as_list(statement.get("Action", "*"))]
        if any("*" in action for action in actions):
            return True
        every = "*" in _as_list(statement.get("Resource", "*"))
        return every and not set(actions) <= WITHOUT_RESOURCE


check = StatementsAreNarrow()
