"""Every variable says what it is, and refuses what it cannot take with a message that helps.

Fixtures: folders under variables, one that passes and one for each rule that fails.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.contract.hcl import plain

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(__file__).parent / "variables"
# Types without a value that could be wrong.
_ANY_VALUE_IS_FINE = {"bool", "${bool}"}


def problems(text: str) -> list[str]:
    """What is wrong with the variables of a file, as `<variable>: <rule>`."""
    blocks = plain(hcl2.loads(text)).get("variable", [])
    return [
        f"{name}: {problem}"
        for block in blocks
        for name, variable in block.items()
        for problem in _problems(name, variable)
    ]


def _problems(name: str, variable: dict[str, Any]) -> list[str]:
    messages = [validation["error_message"] for validation in variable.get("validation", [])]
    checks = {
        "no type": "type" not in variable,
        "no description": not str(variable.get("description", "")).strip(),
        "no validation": not messages and not _takes_anything(name, variable),
        "a message does not begin with its name": not all(
            re.match(rf"{name}[:.\[]", message) for message in messages
        ),
        "a message does not tell what was given": not all(
            re.search(r"\b(got|given)\b|\$\{", message) for message in messages
        ),
    }
    return [problem for problem, found in checks.items() if found]


def _takes_anything(name: str, variable: dict[str, Any]) -> bool:
    """Tags and folders are for AWS and Terraform to refuse, which name them as well as we could.

    Tiers and business units are checked with the tenant files, by the same rules.
    """
    return (
        str(variable.get("type")) in _ANY_VALUE_IS_FINE
        or name in {"business_units", "tags", "tiers"}
        or name.endswith(("_dir", "directory"))
    )


@pytest.mark.parametrize("folder", sorted(FIXTURES.iterdir()), ids=lambda folder: folder.name)
def test_what_counts_as_a_good_variable(folder: Path) -> None:
    expected = [] if folder.name == "pass" else [f"retention_days: {folder.name.replace('_', ' ')}"]

    assert problems((folder / "variables.tf").read_text("utf-8")) == expected


def test_every_rule_has_a_failing_fixture() -> None:
    rules = set(re.findall(r'^        "([a-z ]+)":', Path(__file__).read_text("utf-8"), re.M))

    assert {folder.name for folder in FIXTURES.iterdir()} == {
        "pass",
        *(rule.replace(" ", "_") for rule in rules),
    }


def test_every_variable_is_a_good_one() -> None:
    files = [
        file
        for pattern in ("terraform/**/variables*.tf", "modules/*/variables*.tf")
        for file in ROOT.glob(pattern)
        if ".terraform" not in file.parts
    ]
    found = {f.relative_to(ROOT).as_posix(): problems(f.read_text("utf-8")) for f in files}

    assert found
    assert {file: wrong for file, wrong in found.items() if wrong} == {}


def test_variables_are_declared_where_the_rules_look() -> None:
    elsewhere = [
        file.relative_to(ROOT).as_posix()
        for folder in ("terraform", "modules")
        for file in (ROOT / folder).rglob("*.tf")
        if not {".terraform", "examples", "tests"} & set(file.parts)
        and not file.name.startswith("variables")
        and re.search(r'^variable "', file.read_text("utf-8"), re.M)
    ]

    assert elsewhere == []
