"""Reads Terraform files as plain Python values."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).resolve().parents[2]
_LOCAL = re.compile(r"\$\{local\.(_\w+)\}")


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever the HCL holds
    """Take away the quotes that python-hcl2 leaves around strings and keys."""
    if isinstance(value, str):
        return value.strip('"')
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


def load(folder: str) -> dict[str, list[Any]]:
    """All blocks of a folder's *.tf files, by block type."""
    merged: dict[str, list[Any]] = {}
    for path in sorted((ROOT / folder).glob("*.tf")):
        for block, bodies in _parsed(path).items():
            if isinstance(bodies, list):
                merged.setdefault(block, []).extend(plain(bodies))
    return merged


# The root's files take two seconds, and a test worker reads them dozens of times.
@functools.cache
def _parsed(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as source:
        document: dict[str, Any] = hcl2.load(source)
        return document


def locals_of(folder: str) -> dict[str, Any]:
    """The local values of a folder, unevaluated."""
    return {name: value for block in load(folder)["locals"] for name, value in block.items()}


def functions(
    *, invocation_logs: bool = False, pool_sessions: bool = False, endpoints: bool = False
) -> dict[str, Any]:
    """The root's function definitions, references to other locals put in place.

    With `invocation_logs`, what functions get where Bedrock's invocation logs are on is theirs.
    With `pool_sessions`, what they do on a tenant's behalf is not. With `endpoints` they are told
    of SageMaker's; what they may do there is theirs all the same.
    """
    values = locals_of("terraform")
    found: dict[str, Any] = _resolve(values["functions"], values)
    additions = [
        *([values["_with_invocation_logs"]] if invocation_logs else ()),
        values["_with_pool_sessions"] if pool_sessions else _behalf(values),
        *([values["_with_endpoints"]] if endpoints else ()),
    ]
    for addition in additions:
        for name, more in _resolve(addition, values).items():
            function = found[name]
            found[name] = {
                **function,
                "environment": {**function["environment"], **more.get("environment", {})},
                "statements": [*function["statements"], *more.get("statements", ())],
            }
    return found


def session_statements() -> list[dict[str, Any]]:
    """What the role of pool sessions may do."""
    values = locals_of("terraform")
    found: list[dict[str, Any]] = _resolve(values["_pool_session_statements"], values)
    return found


def _behalf(values: dict[str, Any]) -> dict[str, Any]:
    return {name: {"statements": s} for name, s in values["_on_tenants_behalf"].items()}


def _resolve(value: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401
    def resolve(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and (name := _LOCAL.fullmatch(value)):
            # Text stays a reference: tests go by its name.
            target = values[name[1]]
            return value if isinstance(target, str) else resolve(target)
        if isinstance(value, list):
            return [resolve(item) for item in value]
        if isinstance(value, dict):
            return {key: resolve(item) for key, item in value.items()}
        return value

    return resolve(value)
