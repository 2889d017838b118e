from __future__ import annotations

import ast
import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from scripts.bench import mutation
from scripts.bench.mutation import MutationError, Verdict, score, table, verdicts

if TYPE_CHECKING:
    from pathlib import Path

KILLED, SURVIVED, UNTESTED, SKIPPED, TIMEOUT = 1, 0, 33, 34, 36


def found(*exit_codes: int | None, module: str = "money") -> list[Verdict]:
    return [
        Verdict(f"tollgate.domain.{module}.x_usd__mutmut_{number}", code)
        for number, code in enumerate(exit_codes, 1)
    ]


def workspace_with(folder: Path, exit_codes: dict[str, int | None], module: str = "money") -> Path:
    meta = folder / "mutants" / "src" / "tollgate" / "domain" / f"{module}.py.meta"
    meta.parent.mkdir(parents=True, exist_ok=True)
    meta.write_text(json.dumps({"exit_code_by_key": exit_codes}), "utf-8")
    return folder


def test_the_score_is_what_the_tests_noticed_of_what_was_tried() -> None:
    assert score(found(KILLED, KILLED, TIMEOUT, SURVIVED)) == 75.0
    assert score(found(KILLED, UNTESTED)) == 50.0
    assert score(found(KILLED, SKIPPED)) == 100.0
    assert score([]) == 100.0


def test_the_table_has_a_line_for_each_module_and_one_for_all() -> None:
    lines = table(
        [*found(KILLED, SURVIVED), *found(KILLED, UNTESTED, KILLED, module="ids")]
    ).splitlines()

    assert [line.split() for line in lines[1:]] == [
        ["ids", "3", "2", "0", "1", "66.7%"],
        ["money", "2", "1", "1", "0", "50.0%"],
        ["all", "5", "3", "1", "1", "60.0%"],
    ]


def test_verdicts_come_from_what_mutmut_left(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path, {"tollgate.domain.money.x_usd__mutmut_1": SURVIVED})

    (verdict,) = verdicts(workspace)

    assert (verdict.module, verdict.outcome) == ("money", "survived")


def test_a_package_of_the_domain_is_walked_too(tmp_path: Path) -> None:
    workspace_with(tmp_path, {"tollgate.domain.money.x_usd__mutmut_1": KILLED})
    nova = {"tollgate.domain.families.nova.x__usage__mutmut_1": SURVIVED}
    workspace_with(tmp_path, nova, module="families/nova")

    assert [(verdict.module, verdict.outcome) for verdict in verdicts(tmp_path)] == [
        ("families.nova", "survived"),
        ("money", "killed"),
    ]
    assert "families.nova" in mutation.modules()
    assert mutation.tests_of(["families.nova"]) == [
        "tests/unit/domain/families/test_nova.py",
        "tests/unit/domain/test_domain_edges.py",
    ]
    document = tomllib.loads(mutation.configuration(["families.nova"], []))
    mutated = document["tool"]["mutmut"]["only_mutate"]
    assert mutated == ["src/tollgate/domain/families/nova.py"]


def test_a_table_has_nothing_to_change() -> None:
    assert "families.qwen" not in mutation.modules()


@pytest.mark.parametrize(
    ("exit_codes", "problem"),
    [({}, "no mutants"), ({"a.b.c": KILLED, "a.b.d": None}, "1 mutants were not tried, a.b.d")],
)
def test_an_unfinished_run_gives_no_score(
    tmp_path: Path, exit_codes: dict[str, int | None], problem: str
) -> None:
    with pytest.raises(MutationError, match=problem):
        verdicts(workspace_with(tmp_path, exit_codes))


def test_every_module_of_the_domain_has_tests_of_its_own() -> None:
    for module in mutation.modules():
        own = f"/test_{module.rpartition('.')[2]}"
        assert any(own in file for file in mutation.tests_of([module])), module


@pytest.mark.parametrize("module", mutation.OTHER_TESTS)
def test_tests_of_another_name_are_found(module: str) -> None:
    names = [file.rpartition("/")[2] for file in mutation.tests_of([module])]

    assert module in mutation.modules()
    assert set(mutation.OTHER_TESTS[module]) <= set(names)


def test_the_workspace_mutates_the_chosen_modules_with_their_tests() -> None:
    document = tomllib.loads(mutation.configuration(["money"], mutation.tests_of(["money"])))

    assert document["tool"]["mutmut"]["only_mutate"] == ["src/tollgate/domain/money.py"]
    selection = document["tool"]["mutmut"]["pytest_add_cli_args_test_selection"]
    assert "tests/unit/domain/test_money.py" in selection


def test_the_workspace_has_what_its_tests_share(tmp_path: Path) -> None:
    mutation.prepare(["money"], tmp_path)

    files = [file for folder in mutation.TESTS for file in (tmp_path / folder).rglob("*.py")]
    shared = {
        node.module
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests.")
    }
    assert "tests.waiting" in shared
    assert [
        name for name in shared if not (tmp_path / f"{name.replace('.', '/')}.py").is_file()
    ] == []
    assert (tmp_path / "scripts" / "whatif" / "accounts.py").is_file()


def test_an_unknown_module_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mutation.main(["money", "nonsense"])
    assert "no such module: nonsense" in capsys.readouterr().err
