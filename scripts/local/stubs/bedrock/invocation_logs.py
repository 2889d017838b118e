"""Write the Bedrock stub's calls into S3 as Bedrock's model invocation logs.

One small object for each call, in the folder of its hour, gzipped JSON lines of the real shape. A
record has the figures and the end of the answer, but no prompt and no text.
"""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tollgate.domain.invocation_logs import hour_folders, log_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

_OPERATIONS = {
    "converse": "Converse",
    "converse-stream": "ConverseStream",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}
_JSON = "application/json"


class InvocationLogs:
    """Delivers to one bucket, at once.

    Args:
        client: an S3 client; it is used by several threads.
        bucket: where to.
        account_id: the account that calls.
        region: where it calls.
        prefix: key prefix, as in the logging configuration of an account.
    """

    def __init__(
        self, client: S3Client, bucket: str, account_id: str, region: str, prefix: str = ""
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._account_id = account_id
        self._region = region
        self.root = log_root(prefix, account_id)

    def start(self) -> None:
        """Write the object by which Bedrock checks that it may deliver."""
        key = f"{self.root}amazon-bedrock-logs-permission-check"
        self._client.put_object(Bucket=self._bucket, Key=key, Body=b"")

    def write(self, entry: Mapping[str, Any]) -> None:
        """Deliver an entry of the stub's call log; counting tokens is no invocation."""
        if entry["operation"] not in _OPERATIONS:
            return
        ended = datetime.fromisoformat(entry["ended_at"]).astimezone(UTC)
        record = self._record(entry, ended)
        (folder,) = hour_folders(self.root, self._region, ended, ended)
        name = f"{ended:%Y%m%dT%H%M%S}{ended.microsecond // 1000:03d}Z_{uuid.uuid4().hex[:16]}"
        self._client.put_object(
            Bucket=self._bucket,
            Key=f"{folder}{name}.json.gz",
            Body=gzip.compress(json.dumps(record).encode() + b"\n"),
            ContentType=_JSON,
            ContentEncoding="gzip",
        )

    def _record(self, entry: Mapping[str, Any], ended: datetime) -> dict[str, Any]:
        role = f"arn:aws:sts::{self._account_id}:assumed-role/tollgate-local/functions"
        record: dict[str, Any] = {
            "timestamp": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
            "accountId": self._account_id,
            "identity": {"arn": role},
            "region": self._region,
            "requestId": str(uuid.uuid4()),
            "operation": _OPERATIONS[entry["operation"]],
            "modelId": entry["modelId"],
            "input": {"inputContentType": _JSON},
            "output": {"outputContentType": _JSON},
            "requestMetadata": dict(entry["requestMetadata"]),
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
        }
        if entry["error"] is not None:
            return {**record, "errorCode": entry["error"]}
        usage = entry["usage"]
        record["input"] |= {
            "inputTokenCount": usage["inputTokens"],
            "cacheReadInputTokenCount": usage.get("cacheReadInputTokens", 0),
            "cacheWriteInputTokenCount": usage.get("cacheWriteInputTokens", 0),
        }
        record["output"]["outputTokenCount"] = usage["outputTokens"]
        if entry["operation"].startswith("invoke"):
            # The provider's own body says the rest, where text delivery is on: here it is not.
            return record
        body = {"usage": dict(usage), "serviceTier": {"type": entry["service_tier"]}}
        if entry["stop_reason"] is not None:
            body["stopReason"] = entry["stop_reason"]
        record["output"]["outputBodyJson"] = body
        return record
