"""The policy of a bucket, a queue or a topic refuses what does not come over TLS."""

from __future__ import annotations

import json
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck


class OnlyOverTls(BaseResourceCheck):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(
            name="A resource's policy refuses requests that do not come over TLS",
            id="CKV2_TOLLGATE_9",
            categories=[CheckCategories.NETWORKING],
            supported_resources=[
                "aws_s3_bucket_policy",
                "aws_sns_topic_policy",
                "aws_sqs_queue_policy",
            ],
        )

    def scan_resource_conf(self, conf: dict[str, list[Any]]) -> CheckResult:
        policy = conf.get("policy", [None])[0]
        if isinstance(policy, str):
            try:
                policy = json.loads(policy)
            except json.JSONDecodeError:
                return CheckResult.UNKNOWN
        if not isinstance(policy, dict) or "Statement" not in policy:
            return CheckResult.UNKNOWN
        statements = policy["Statement"]
        listed = statements if isinstance(statements, list) else [statements]
        return CheckResult.PASSED if any(map(self._refuses, listed)) else CheckResult.FAILED

    @staticmethod
    def _refuses(statement: dict[str, Any]) -> bool:
        # A list in some policies; and checkov makes "False" of a "false" in the source.
        asked = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        over_tls = asked[0] if isinstance(asked, list) else asked
        return (
            statement.get("Effect") == "Deny"
            and statement.get("Principal") in ("*", {"AWS": "*"})
            and str(over_tls).lower() == "false"
        )


check = OnlyOverTls()
