"""The operations of an OpenAPI document: what a caller sends where, and where its key goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from scripts.build.tables.markdown import cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HEADS = ("operation", "key in", "what it does", "answer", "parameters")


def render(openapi: Path) -> str:
    """The operations in the order of the document, in Markdown."""
    document = yaml.safe_load(openapi.read_text(encoding="utf-8"))
    schemes = document["components"]["securitySchemes"]
    return table(
        HEADS,
        [
            _row(f"{method.upper()} {path}", operation, schemes)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ],
    )


def _row(name: str, operation: Mapping[str, Any], schemes: Mapping[str, Any]) -> tuple[str, ...]:
    is_streamed = operation.get("x-tollgate-response-transfer-mode") == "STREAM"
    return (
        f"`{name}`",
        " or ".join(f"`{header}`" for header in key_headers(operation, schemes)),
        cell(operation["summary"]),
        "streamed" if is_streamed else "buffered",
        "; ".join(_parameters(operation.get("parameters", ()))) or "none",
    )


def key_headers(operation: Mapping[str, Any], schemes: Mapping[str, Any]) -> list[str]:
    """The headers that may have the key of an operation, in the order of its security schemes."""
    return [schemes[scheme]["name"] for place in operation["security"] for scheme in place]


def _parameters(parameters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """By where they go; those in the path are in the operation's name."""
    for place in ("query", "header"):
        names = [
            f"`{item['name']}`{' (required)' if item.get('required') else ''}"
            for item in parameters
            if item["in"] == place
        ]
        if names:
            yield f"{place} {', '.join(names)}"
