"""Kinds of calls: who makes which, on what kind of thing, whatever its name and whoever's it is.

known_calls.json lists those that the replay decides. What any other test makes the functions call
is of one of these kinds, or the replay would not know of it: tests/integration/local/conftest.py
sees to that.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.catalogue import GEO_REGIONS
from tests.aws.authorizations import MODEL_ACTIONS, by_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.aws.recorder import Call

FILE = Path(__file__).with_name("known_calls.json")
_BUCKETS = ("payloads", "invocation-logs", "lake")
# Where policies tell keys apart: what those begin with.
_TOLD_APART = ("invocation-logs", "payloads", "streams")
_PREFIX = re.compile(r"[A-Za-z]+")


def known() -> dict[str, list[str]]:
    """The kinds that the replay decides, by its run."""
    found: dict[str, list[str]] = json.loads(FILE.read_text("utf-8"))
    return found


def kinds_of(call: Call) -> set[str]:
    """What a call is, by each thing that AWS asks IAM about for it."""
    caller, given = call.function, call.parameters
    if call.session is not None:
        caller = "session" if call.session.role_arn.endswith("-pool-session") else "silo"
    action = MODEL_ACTIONS.get(call.operation, f"{call.service}:{call.operation}")
    asked = [f"{action} {_what(given)}"]
    if given.keys() & {"guardrailConfig", "guardrailIdentifier"}:
        asked.append("bedrock:ApplyGuardrail")
    if "SSEKMSKeyId" in given:
        asked.append("kms:GenerateDataKey")
    return {f"{caller}: {one}".rstrip() for one in asked}


def _what(given: Mapping[str, Any]) -> str:
    if "TableName" in given or "RequestItems" in given:
        return _items(given)
    if "Bucket" in given:
        bucket = next(name for name in _BUCKETS if f"-{name}-" in given["Bucket"])
        return _place(bucket, given.get("Key") or given.get("Prefix", ""))
    if "QueueUrl" in given:
        return str(given["QueueUrl"].rpartition("-")[2])
    if "RoleArn" in given:
        return "pool session" if given["RoleArn"].endswith("-pool-session") else "silo"
    if "modelId" in given:
        return _model(given["modelId"])
    return "component" if "InferenceComponentName" in given else ""


def _items(given: Mapping[str, Any]) -> str:
    tables = [given["TableName"]] if "TableName" in given else list(given["RequestItems"])
    key = given.get("Key") or given.get("Item") or {}
    return _place(tables[0].rpartition("-")[2], key.get("pk", {"S": ""})["S"])


def _place(name: str, key: str) -> str:
    begins = _PREFIX.match(key) if name in _TOLD_APART else None
    return f"{name} {begins[0]}" if begins else name


def _model(named: str) -> str:
    model_id = by_id(named)
    if model_id.startswith("arn:"):
        return str(model_id.split(":", 5)[5].partition("/")[0])
    area = model_id.partition(".")[0]
    if area == "global":
        return "profile of all regions"
    return "profile of several regions" if area in GEO_REGIONS else "model"
