"""Every key of a tenant file: what is allowed, what holds where it is not set, what it means.

Keys and what they allow are ``modules/tenant_files/schema.json``; words, defaults and examples are
those of the file that ``make new-tenant`` writes, ``scripts/tenants/template.tfvars``.
"""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.build.tables.markdown import DocsError, cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMA = REPOSITORY / "modules" / "tenant_files" / "schema.json"
TEMPLATE = REPOSITORY / "scripts" / "tenants" / "template.tfvars"
HEADS = ("key", "allowed", "unless set", "meaning")

_HEADING = re.compile(r"# --- .* -+")
_COMMENT = re.compile(r"# (\S.*)")
_OPTION = re.compile(r"#? *(\w+) *= *(.+)")
_EXAMPLE = "Example: "
_REQUIRED = "FILL IN: "
# What the template calls the one app and the one key that it shows.
_IDS = {"FILL_IN": "<app_id>", "primary": "<key_name>"}
# What the template says of an environment, in words that hold for all of them.
_ANY = {"environment": "<env>", "tiers": "one of their names"}


@dataclass(frozen=True)
class Option:
    """What the template says of a key: its comment and its value as they are written."""

    comment: str
    value: str

    @property
    def is_example(self) -> bool:
        """Whether the value is an example, and not the default."""
        return self.comment.startswith(_EXAMPLE)


@dataclass(frozen=True)
class Row:
    """A key: its path from the top of the file, and the members of the object that it holds."""

    path: str
    spec: Mapping[str, Any]
    members: tuple[tuple[str, Mapping[str, Any]], ...]
    is_of_tier: bool


def render(schema: Path = SCHEMA, template: Path = TEMPLATE) -> str:
    """The table in Markdown, in the schema's order; raises DocsError for a key without words."""
    document = json.loads(schema.read_text(encoding="utf-8"))
    options = template_options(template.read_text(encoding="utf-8"))
    cells = []
    for row in _rows(document["shapes"]):
        option = options.get(row.path)
        if option is None or not option.comment:
            raise DocsError(f"{template}: has no comment on {row.path}, a key of tenant files")
        cells.append(
            (
                f"`{_full_path(row)}`",
                cell(_allowed(row, document["rules"])),
                _default(row, option),
                cell(_meaning(row, options)),
            )
        )
    return table(HEADS, cells)


def template_options(text: str) -> dict[str, Option]:
    """The template's options by path."""
    options: dict[str, Option] = {}
    comment: list[str] = []
    blocks: list[str] = []
    for line in map(str.strip, string.Template(text).safe_substitute(_ANY).splitlines()):
        said, found = _COMMENT.fullmatch(line), _OPTION.fullmatch(line)
        if said and not _HEADING.fullmatch(line):
            comment.append(said[1])
            continue
        if found:
            name = _IDS.get(found[1], found[1])
            options[".".join([*blocks, name])] = Option(" ".join(comment), found[2])
            if found[2] == "{":
                blocks.append(name)
        elif line.lstrip("#").strip() == "}":
            blocks.pop()
        comment = []
    return options


def _rows(shapes: Mapping[str, Any]) -> Iterator[Row]:
    """A row for each key of a tenant and of its apps, whose own keys are keys of the file too."""
    tier = shapes["tier"]
    for name, spec in shapes["tenant"].items():
        if name == "apps":
            continue
        yield Row(name, spec, tuple(_members(shapes, spec)), name in tier)
    apps = shapes["apps"]["*"]
    prefix = f"apps.<{apps['name_rule']}>"
    yield Row(prefix, apps, (), is_of_tier=False)
    for name, spec in shapes[apps["shape"]].items():
        yield Row(f"{prefix}.{name}", spec, tuple(_members(shapes, spec)), is_of_tier=False)


def _members(
    shapes: Mapping[str, Any], spec: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The values below a key with their paths below it; `<rule>` stands for a name that is free."""
    for name, below in shapes.get(spec.get("shape", ""), {}).items():
        path = f"{prefix}<{below['name_rule']}>" if name == "*" else prefix + name
        if "shape" in below:
            yield from _members(shapes, below, f"{path}.")
        else:
            yield path, below


def _full_path(row: Row) -> str:
    """The path with the names that all members share."""
    common = _common(row)
    return row.path + (f".{common}" if common else "")


def _common(row: Row) -> str:
    """The free names that the paths of all members begin with."""
    heads = {re.match(r"(<\w+>\.)*(<\w+>$)?", path)[0] for path, _ in row.members}  # type: ignore[index]
    return min(heads, key=len, default="").rstrip(".")


def _allowed(row: Row, rules: Mapping[str, Any]) -> str:
    own: str = rules[row.spec["rule"]]["allowed"]
    if "item_rule" in row.spec:
        return f"{own}; each {rules[row.spec['item_rule']]['allowed']}"
    if not row.members:
        return own
    common = _common(row)
    names_by_rule: dict[str, list[str]] = {}
    for path, spec in row.members:
        name = path.removeprefix(common).removeprefix(".")
        # A free name has a value, but need not be there.
        required = " (required)" if spec.get("required") and name[-1:] not in ("", ">") else ""
        allowed = rules[spec["rule"]]["allowed"]
        names_by_rule.setdefault(allowed, []).append(f"`{name}`{required}" if name else "")
    return "; ".join(
        f"{', '.join(names)}: {allowed}" if any(names) else allowed
        for allowed, names in names_by_rule.items()
    )


def _default(row: Row, option: Option) -> str:
    if row.spec.get("required"):
        return "required"
    if not option.is_example and option.value != "{" and "null" not in option.value:
        return f"`{option.value}`"
    return "the tier's, or none" if row.is_of_tier else "none"


def _meaning(row: Row, options: Mapping[str, Option]) -> str:
    option = options[row.path]
    text = option.comment.removeprefix(_REQUIRED).removeprefix(_EXAMPLE)
    if option.is_example and option.value != "{":
        text = f"{text.rstrip('.')}, as in `{option.value}`"
    below = [
        f"`{path.rpartition('.')[2]}`: {found.comment}"
        for path, found in options.items()
        if path.startswith(f"{row.path}.") and found.comment and row.members
    ]
    return " ".join([text[:1].upper() + text[1:], *below]).rstrip(".")
