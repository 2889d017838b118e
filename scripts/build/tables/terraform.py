"""The inputs and outputs of a Terraform module, as tables of its README.

The files are read as ``terraform fmt`` leaves them: a block starts and ends in column 0 and its own
attributes start in column 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.build.tables.markdown import DocsError, cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = re.compile(r'^(variable|output) "([^"]+)" \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"^  (\w+) += ", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One input or output: texts as written in HCL, except for the unquoted description."""

    name: str
    description: str
    type: str | None = None
    default: str | None = None


def entries(text: str, kind: str, origin: Path) -> list[Entry]:
    """The ``variable`` or ``output`` blocks of a file, in its order."""
    return [
        _entry(name, dict(_attributes(body)), origin)
        for found, name, body in _BLOCK.findall(text)
        if found == kind
    ]


def _entry(name: str, attributes: dict[str, str], origin: Path) -> Entry:
    description = attributes.get("description", "")
    if len(description) < 2 or description[0] != '"' or description[-1] != '"':  # noqa: PLR2004
        raise DocsError(f'{origin}: "{name}" needs a description in one pair of quotes')
    return Entry(
        name=name,
        description=description[1:-1].replace('\\"', '"'),
        type=attributes.get("type"),
        default=attributes.get("default"),
    )


def _attributes(body: str) -> Iterator[tuple[str, str]]:
    """Name and text of each attribute; a value goes on while its lines are indented deeper."""
    for match in _ATTRIBUTE.finditer(body):
        lines = body[match.end() :].split("\n")
        value = [lines[0]]
        for line in lines[1:]:
            closes = line[2:3] in {"}", "]", ")"}
            if not (line.startswith("   ") or closes):
                break
            value.append(line)
            if closes:
                break
        yield match[1], "\n".join(line.removeprefix("  ") for line in value)


def render(directory: Path) -> str:
    """Both tables in Markdown."""
    inputs = entries(_read(directory / "variables.tf"), "variable", directory / "variables.tf")
    outputs = entries(_read(directory / "outputs.tf"), "output", directory / "outputs.tf")
    input_rows = [
        (
            f"`{item.name}`",
            cell(item.description),
            _code(item.type),
            "required" if item.default is None else _code(item.default),
        )
        for item in inputs
    ]
    output_rows = [(f"`{item.name}`", cell(item.description)) for item in outputs]
    return "\n".join(
        [
            "### Inputs",
            "",
            table(("name", "description", "type", "default"), input_rows),
            "",
            "### Outputs",
            "",
            table(("name", "description"), output_rows),
        ]
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _code(text: str | None) -> str:
    """HCL in one table cell: line breaks become spaces."""
    if text is None:
        return ""
    flat = re.sub(r"\s+", " ", re.sub(r"\n\s*(\w+) +=", r" \1 =", text))
    flat = re.sub(r"(?<=[\w)\]}\"]) (?=\w+ = )", ", ", flat)
    return f"`{flat}`".replace("|", "\\|")
