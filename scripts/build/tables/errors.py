"""The callers' table of errors: every status and code that the gateway can answer with.

The codes are read from the source: from the classes of ``tollgate.domain.errors`` and from wherever
one is raised with a code of its own, and from what API Gateway answers by itself
(``modules/gateway/gateway_responses.yaml``). What a caller does about each is
``tollgate.domain.errors.ADVICE``. A code without advice, advice without its code and a code that
cannot be read from the source are errors, so that the table has all of them and no other.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "functions" / "shared"))

from scripts.build.tables.markdown import DocsError, table  # noqa: E402
from tollgate.domain import errors  # noqa: E402
from tollgate.domain.free_work import FreeLimits  # noqa: E402
from tollgate.domain.tenants import Limits  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FUNCTIONS = REPOSITORY / "functions"
GATEWAY_RESPONSES = REPOSITORY / "modules" / "gateway" / "gateway_responses.yaml"
CLASSES: dict[str, type[errors.TollgateError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.TollgateError)
}
# Codes that are put together at run time, by how the source writes them.
_COMPUTED = {
    "f'{refused.limit_name}_exceeded'": [
        f"{field.name}_exceeded" for field in dataclasses.fields(Limits)
    ],
    "f'{limit_name}_exceeded'": [
        f"{field.name}_exceeded" for field in dataclasses.fields(FreeLimits) if "per_" in field.name
    ],
    "f'tenant_{status}'": ["tenant_suspended", "tenant_offboarded"],
}


def codes(functions: Path = FUNCTIONS, responses: Path = GATEWAY_RESPONSES) -> set[tuple[int, str]]:
    """Every status with a code that a caller can see beside it."""
    found = set(_gateway_codes(responses))
    for path in sorted(functions.rglob("*.py")):
        found |= set(_source_codes(ast.parse(path.read_text(encoding="utf-8")), path))
    return found


def render() -> str:
    """The table in Markdown, by status; codes that ask for the same share a row."""
    found = codes()
    _check(code for _, code in found)
    rows: dict[tuple[int, str], list[str]] = {}
    for status, code in sorted(found):
        rows.setdefault((status, errors.ADVICE[code]), []).append(f"`{code}`")
    return table(
        ("status", "code", "what to do"),
        [(str(status), ", ".join(names), advice) for (status, advice), names in rows.items()],
    )


def _check(found: Iterable[str]) -> None:
    given = set(found)
    without = sorted(given - errors.ADVICE.keys())
    if without:
        raise DocsError(f"tollgate.domain.errors.ADVICE has nothing on {', '.join(without)}")
    unknown = sorted(errors.ADVICE.keys() - given)
    if unknown:
        raise DocsError(
            f"tollgate.domain.errors.ADVICE is on {', '.join(unknown)}, which nothing answers with"
        )


def _gateway_codes(path: Path) -> Iterator[tuple[int, str]]:
    for response in yaml.safe_load(path.read_text(encoding="utf-8")).values():
        yield response["status"], response["code"]


def _source_codes(tree: ast.Module, path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _call_codes(node, path)
        elif isinstance(node, ast.Dict):
            yield from _stored_codes(node)


def _call_codes(node: ast.Call, path: Path) -> Iterator[tuple[int, str]]:
    """Of `SomeError(..., code=...)`, and of `anything(SomeError, "code", ...)`: it names both."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    raised = _error_class(node.func)
    if raised is None:
        if len(node.args) > 1 and (named := _error_class(node.args[0])) is not None:
            yield from ((named.http_status, code) for code in _texts(node.args[1], path))
    elif "code" in given:
        yield from ((raised.http_status, code) for code in _texts(given["code"], path))
    else:
        yield raised.http_status, raised.code


def _stored_codes(node: ast.Dict) -> Iterator[tuple[int, str]]:
    """Of an error that is kept as data, as a failed job keeps its own."""
    items = {
        key.value: value.value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    }
    code, status = items.get("code"), items.get("http_status")
    if isinstance(code, str) and isinstance(status, int):
        yield status, code


def _error_class(node: ast.expr) -> type[errors.TollgateError] | None:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return CLASSES.get(name)


def _texts(node: ast.expr, path: Path) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    source = ast.unparse(node)
    if source in _COMPUTED:
        return _COMPUTED[source]
    place = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    raise DocsError(
        f"{place}:{node.lineno}: the code {source} is computed; give it as a text, or "
        "name what it can be in scripts/build/tables/errors.py"
    )
