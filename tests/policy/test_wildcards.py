"""Where a policy names every resource, or every account, a comment beside it says why it must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_KEY = r"(?i:resources?|not_?resources?|principal|aws)"
# `Resource = "*"`, `resources = ["*", ...]`, and an ARN whose account or whole name is a wildcard.
_WIDE = re.compile(
    rf"""\b{_KEY}"?\s*=\s*(\[\s*)?"\*"|"arn:[^"]*:(?:iam|sts)::\*:[^"]*"|"arn:[^"]*:key/\*\""""
)
_COMMENT = re.compile(r"^\s*#\s*\S+(\s+\S+){2,}")
_DENY = re.compile(r"(?i)^\s*effect\s*=\s*\"Deny\"")


def unexplained(text: str) -> list[int]:
    """Numbers of the lines that are wide and have no reason.

    The reason is a comment of three words or more: at the end of the line, or before it in the same
    statement. A denial needs none: the wider, the better.
    """
    lines = text.splitlines()
    return [
        number
        for number, line in enumerate(lines, start=1)
        if _WIDE.search(line) and not _is_explained(lines, number - 1)
    ]


def _is_explained(lines: list[str], index: int) -> bool:
    if re.search(r"[\]\"],?\s*#\s*\S+(\s+\S+){2,}", lines[index]):
        return True
    statement = _statement(lines, index)
    return any(_COMMENT.match(line) or _DENY.match(line) for line in statement)


def _statement(lines: list[str], index: int) -> list[str]:
    """The lines of the innermost braces around a line, with the comment right above them."""
    start = _opening(lines, index)
    end = index
    depth = 1
    while end < len(lines) - 1 and depth > 0:
        end += 1
        depth += _depth(lines[end])
    above = start
    while above > 0 and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    return lines[above : end + 1]


def _opening(lines: list[str], index: int) -> int:
    depth = 0
    for start in range(index - 1, -1, -1):
        depth += _depth(lines[start])
        if depth > 0:
            return start
    return 0


def _depth(line: str) -> int:
    code = re.sub(r"\$\{[^}]*\}", "", line.partition("#")[0])
    return code.count("{") - code.count("}")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('x = {\n  Resource = "*"\n}\n', [2]),
        ('x = {\n  # The action knows no resources.\n  Resource = "*"\n}\n', []),
        ('# The action knows no resources.\nx = {\n  Resource = "*"\n}\n', []),
        ('x = {\n  resources = ["*"] # the action knows no resources\n}\n', []),
        ('x = {\n  resources = ["*"] # checkov\n}\n', [2]),
        ('x = {\n  Effect = "Deny"\n  Resource = ["*"]\n}\n', []),
        ('x = {\n  Resource = ["*"]\n  effect = "Deny"\n}\n', []),
        (
            "x = [\n  {\n    # Something about the first one.\n    a = 1\n  },\n"
            '  {\n    resources = ["*"]\n  },\n]\n',
            [7],
        ),
        ('x = {\n  resources = ["arn:aws:iam::*:role/tollgate/*"]\n}\n', [2]),
        ('x = {\n  resources = ["arn:aws:kms:us-east-1:${local.id}:key/*"]\n}\n', [2]),
        ('x = {\n  Principal = { AWS = "*" }\n}\n', [2]),
        ('x = {\n  Principal = "*"\n}\n', [2]),
        ('x = {\n  resources = ["arn:aws:s3:::lake/*"]\n}\n', []),
    ],
)
def test_what_counts_as_explained(text: str, lines: list[int]) -> None:
    assert unexplained(text) == lines


def test_every_wide_statement_has_its_reason() -> None:
    found = {
        file.relative_to(ROOT).as_posix(): unexplained(file.read_text("utf-8"))
        for folder in ("terraform", "modules", "envs")
        for file in (ROOT / folder).rglob("*.tf")
        if ".terraform" not in file.parts
    }

    assert found
    assert {file: lines for file, lines in found.items() if lines} == {}
