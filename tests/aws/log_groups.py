"""CloudWatch Logs as moto has it, with what moto lacks: another key for a log group."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.aws.rest_api import Refused

if TYPE_CHECKING:
    from tests.aws.service import Request

_SERVICE = "Logs_20140328."
_FORWARDED = ("authorization", "content-type", "x-amz-date", "x-amz-target")


@dataclass
class LogGroups:
    """The service; `keys` are those of log groups that were given another since they were made."""

    moto: str
    keys: dict[str, str | None] = field(default_factory=dict)

    def answer(self, request: Request) -> tuple[int, dict[str, Any] | None]:
        """Status and document; raises Refused."""
        operation = request.headers["X-Amz-Target"].removeprefix(_SERVICE)
        given = json.loads(request.body)
        if operation in ("AssociateKmsKey", "DisassociateKmsKey"):
            self._find(request, given["logGroupName"])
            self.keys[given["logGroupName"]] = given.get("kmsKeyId")
            return 200, {}
        status, document = self._forward(request, request.headers["X-Amz-Target"], request.body)
        if operation in ("CreateLogGroup", "DeleteLogGroup"):
            self.keys.pop(given["logGroupName"], None)
        for group in document.get("logGroups", ()):
            if group["logGroupName"] in self.keys:
                group["kmsKeyId"] = self.keys[group["logGroupName"]]
        return status, document

    def _find(self, request: Request, name: str) -> None:
        asked = json.dumps({"logGroupNamePrefix": name}).encode()
        _, found = self._forward(request, f"{_SERVICE}DescribeLogGroups", asked)
        if name not in [group["logGroupName"] for group in found["logGroups"]]:
            message = "The specified log group does not exist."
            raise Refused(400, "ResourceNotFoundException", message)

    def _forward(self, request: Request, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {name: request.headers[name] or "" for name in _FORWARDED}
        headers["x-amz-target"] = target
        try:
            with urllib.request.urlopen(  # noqa: S310 - moto, on loopback
                urllib.request.Request(self.moto, body, headers)  # noqa: S310
            ) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            told = json.loads(error.read())
            raise Refused(error.code, told["__type"], told.get("message", "")) from None
