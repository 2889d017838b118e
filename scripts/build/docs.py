"""Write the inputs and outputs of every Terraform module into its README.

A module with an ``openapi.yaml`` gets a table of its operations before them.

``python -m scripts.build.docs`` rewrites what lies between the two markers; ``--check`` changes
nothing and fails when a README is stale. It reads the files as ``terraform fmt`` leaves them: a
block starts and ends in column 0 and its own attributes start in column 2.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
BEGIN = "<!-- BEGIN_TF_DOCS -->"
END = "<!-- END_TF_DOCS -->"
_BLOCK = re.compile(r'^(variable|output) "([^"]+)" \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"^  (\w+) += ", re.MULTILINE)


class DocsError(Exception):
    """A README or a Terraform file is not in the expected form; the message names it."""


@dataclass(frozen=True)
class Entry:
    """One input or output: texts as written in HCL, except for the unquoted description."""

    name: str
    description: str
    type: str | None = None
    default: str | None = None


def module_directories(repository: Path = REPOSITORY) -> list[Path]:
    """The root modules and every module with variables."""
    return [
        repository / "terraform",
        repository / "terraform" / "tenants_only",
        *sorted(path.parent for path in repository.glob("modules/*/variables.tf")),
    ]


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
    """The Markdown between the markers, without them."""
    inputs = entries(_read(directory / "variables.tf"), "variable", directory / "variables.tf")
    outputs = entries(_read(directory / "outputs.tf"), "output", directory / "outputs.tf")
    lines = []
    if (directory / "openapi.yaml").is_file():
        lines += ["### Operations", "", operations_table(directory), ""]
    lines += [
        "### Inputs",
        "",
        "| name | description | type | default |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{item.name}` | {_cell(item.description)} | {_code(item.type)} | "
        f"{'required' if item.default is None else _code(item.default)} |"
        for item in inputs
    ]
    lines += ["", "### Outputs", "", "| name | description |", "| --- | --- |"]
    lines += [f"| `{item.name}` | {_cell(item.description)} |" for item in outputs]
    return "\n".join(lines)


def operations_table(directory: Path) -> str:
    """The operations of a module's OpenAPI document, in its order."""
    document = yaml.safe_load(_read(directory / "openapi.yaml"))
    schemes = document["components"]["securitySchemes"]
    rows = [
        "| operation | what it does | parameters | key in | answer | statuses |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            headers = [schemes[name]["name"] for place in operation["security"] for name in place]
            is_streamed = operation.get("x-tollgate-response-transfer-mode") == "STREAM"
            cells = (
                f"`{method.upper()} {path}`",
                _cell(operation["summary"]),
                ", ".join(_parameter(item) for item in operation.get("parameters", ())) or "none",
                " or ".join(f"`{name}`" for name in headers),
                "streamed" if is_streamed else "buffered",
                ", ".join(operation["responses"]),
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _parameter(parameter: Mapping[str, Any]) -> str:
    required = " (required)" if parameter.get("required") else ""
    return f"{parameter['in']} `{parameter['name']}`{required}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _cell(text: str) -> str:
    # A bare <name> would vanish as an unknown HTML tag; inside code it is shown.
    parts = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace(">", "&gt;")
        for part in parts
    )


def _code(text: str | None) -> str:
    """HCL in one table cell: line breaks become spaces."""
    if text is None:
        return ""
    flat = re.sub(r"\s+", " ", re.sub(r"\n\s*(\w+) +=", r" \1 =", text))
    flat = re.sub(r"(?<=[\w)\]}\"]) (?=\w+ = )", ", ", flat)
    return f"`{flat}`".replace("|", "\\|")


def updated(readme: str, docs: str, origin: Path) -> str:
    """``readme`` with ``docs`` between its markers; raises DocsError without exactly one pair."""
    if (
        readme.count(BEGIN) != 1
        or readme.count(END) != 1
        or readme.index(BEGIN) > readme.index(END)
    ):
        raise DocsError(f"{origin}: needs {BEGIN} and, after it, {END} once each")
    head, _, rest = readme.partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n{docs}\n{END}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 when a README is stale (``--check``) or cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m scripts.build.docs")
    parser.add_argument("--check", action="store_true", help="only say which READMEs are stale")
    options = parser.parse_args(arguments)
    problems = []
    for directory in module_directories():
        readme = directory / "README.md"
        try:
            old = _read(readme)
            new = updated(old, render(directory), readme)
        except DocsError as error:
            problems.append(str(error))
            continue
        if new == old:
            continue
        if options.check:
            problems.append(f"{readme}: stale; run `make docs`")
        else:
            readme.write_text(new, encoding="utf-8")
            print(f"wrote {readme.relative_to(REPOSITORY)}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
