"""Reads the repository's Markdown: its documents, their headings, links, code and examples."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
# The page for newcomers, the guides of its four doors, and what the shared package does.
GUIDES = (
    "README.md",
    "terraform/README.md",
    "terraform/tenants_only/README.md",
    "envs/README.md",
    "modules/gateway/CALLING.md",
    "modules/analytics/README.md",
    "functions/shared/README.md",
)
OUTPUTS = ("text", "json")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (needs AWS|needs npm: \S+|run by \S+) -->\n\Z")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fenced block: where it is, its language and text, and what is said of how it is run.

    `output` is the block that follows it at once and shows what it prints, None without one.
    """

    document: str
    line: int
    language: str
    text: str
    mark: str | None
    output: Example | None
    is_output: bool

    def __str__(self) -> str:
        """Where it is, for people and as the id of a test."""
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    """Every Markdown file under version control, or all of them outside of it."""
    done = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return sorted(done.stdout.split()) or sorted(
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )


@functools.cache
def read(document: str) -> str:
    """The text of a document."""
    return (ROOT / document).read_text(encoding="utf-8")


def prose(document: str) -> str:
    """A document without its fenced blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", read(document)))


@functools.cache
def examples(document: str) -> tuple[Example, ...]:
    """The fenced blocks of a document, in order."""
    text = read(document)
    found: list[Example] = []
    following: Example | None = None
    for match in reversed(list(_FENCE.finditer(text))):
        before = text[: match.start()]
        mark = _MARK.search(before)
        is_output = match[1] in OUTPUTS and before.endswith("```\n\n")
        example = Example(
            document=document,
            line=before.count("\n") + 1,
            language=match[1],
            text=match[2],
            mark=mark[1] if mark else None,
            output=following if following is not None and following.is_output else None,
            is_output=is_output,
        )
        following = example
        found.append(example)
    return tuple(reversed(found))


def links(document: str) -> Iterator[tuple[Path, str]]:
    """File and anchor of every link of a document that leads into the repository."""
    for target in _LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        yield file.resolve(), anchor


def anchors(file: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    text = _FENCE.sub("", file.read_text(encoding="utf-8"))
    return {_slug(heading) for heading in _HEADING.findall(text)}


def _slug(heading: str) -> str:
    shown = _LINK.sub(lambda match: match[0].partition("]")[0][1:], heading)
    return re.sub(r"[^\w -]", "", shown.lower()).strip().replace(" ", "-")


def code(document: str) -> list[str]:
    """What a document shows as code: its blocks, and the spans in its prose."""
    return [example.text for example in examples(document)] + _SPAN.findall(prose(document))


def spans(document: str) -> list[str]:
    """What the prose of a document shows as code."""
    return _SPAN.findall(prose(document))
