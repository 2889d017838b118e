"""What the documents name exists: files, headings, commands, options, codes, words of the code."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import re
import shlex
import tomllib
from importlib.util import find_spec
from typing import TYPE_CHECKING

import hcl2
import pytest
import yaml

from scripts.build.tables import errors
from scripts.statements.inputs import Finance
from scripts.tenants import files as tenants
from tests.contract.hcl import plain
from tests.e2e import documents
from tests.e2e.documents import GUIDES, ROOT, Example

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = documents.documents()
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
# What a target runs, and so what its ARGS go to.
MODULES = dict(
    re.findall(
        r"^([a-z-]+):[^\n]*\n\t@\$\(\w+\) -m (scripts[\w.]*)[^\n]* \$\(ARGS\)",
        MAKEFILE,
        re.MULTILINE,
    )
)
ENVIRONMENTS = {path.name for path in (ROOT / "envs").iterdir() if path.is_dir()}
# Written down once, not kept up: decisions and changes speak of their own day.
DATED = ("CHANGELOG.md", "terraform/adr/")
PRESENT = [name for name in DOCUMENTS if not name.startswith(DATED)]
RUN = ("bash", "python", "js", "sql")
CHECKED = ("hcl", "json", "text", "toml")
# Names in code type that are others': of LangChain and of IAM.
OF_OTHERS = {
    "AdministratorAccess",
    "BedrockEmbeddings",
    "ChatBedrockConverse",
    "OpenAIEmbeddings",
}
SOURCES = ("functions", "modules", "terraform", "scripts", "envs", "Makefile", ".github")
EXAMPLES = [example for name in PRESENT for example in documents.examples(name)]


def test_the_guides_are_documents() -> None:
    assert set(GUIDES) <= set(DOCUMENTS)


def test_the_readme_stays_a_page() -> None:
    assert len(documents.read("README.md").splitlines()) <= 170


CHANGES = (
    "a model family",
    "a field of an API",
    "an error code",
    "a route",
    "a key of tenant files",
    "a Terraform option",
    "a variable of a function",
    "an alarm",
    "a price",
    "a report",
    "a probe of a deployed gateway",
    "a benchmark",
    "a behaviour of the stand-ins for model services",
    "a line of the failure policy",
)


def test_a_stranger_finds_the_one_folder_of_a_change() -> None:
    rows = re.findall(r"^\| (an? [^|]+) \| ([^|]+) \|", documents.read("README.md"), re.MULTILINE)
    folders = {change: re.findall(r"\]\(([^)#]+)", place) for change, place in rows}

    assert set(folders) == set(CHANGES)
    for change, named in folders.items():
        assert len(named) == 1, change
        assert (ROOT / named[0]).exists(), change


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for file, anchor in documents.links(document):
        assert file.exists(), file
        if anchor:
            assert anchor in documents.anchors(file), f"{file}#{anchor}"


def test_an_anchor_is_what_github_makes_of_a_heading(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# How do I `POST /v1/jobs`, or [link](x.md)?\n```bash\n# no heading\n```\n")

    assert documents.anchors(page) == {"how-do-i-post-v1jobs-or-link"}


@pytest.mark.parametrize("document", PRESENT)
def test_every_make_target_and_environment_exists(document: str) -> None:
    for text in documents.code(document):
        for target, rest in re.findall(r"\bmake ([a-z][a-z-]*)([^\n#]*)", text):
            assert target in TARGETS, text
            for environment in re.findall(r"\bENV=([\w-]+)", rest):
                assert environment in ENVIRONMENTS, text


def commands(document: str) -> list[tuple[str, tuple[str, ...]]]:
    """The programs of `scripts` that a document runs, by themselves or by make, and with what."""
    found = []
    for text in documents.code(document):
        joined = text.replace("\\\n", " ")
        for module, rest in re.findall(r"python -m (scripts[.\w]*)([^\n#`|>]*)", joined):
            found.append((module, tuple(shlex.split(rest))))
        for target, given in re.findall(r"\bmake ([a-z-]+)[^\n#]*?ARGS=\"([^\"]+)\"", joined):
            if target in MODULES:
                found.append((MODULES[target], tuple(shlex.split(given))))
    return found


COMMANDS = sorted({command for document in PRESENT for command in commands(document)})


@functools.cache
def help_of(module: str, *subcommands: str) -> str | None:
    """What a program prints of its options, None where it does not know the subcommand."""
    out = io.StringIO()
    program = importlib.import_module(module)
    if hasattr(program, "__path__"):
        program = importlib.import_module(f"{module}.__main__")
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        pytest.raises(SystemExit) as exit_status,
    ):
        program.main([*subcommands, "--help"])
    return out.getvalue() if exit_status.value.code in (0, None) else None


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_every_program_takes_what_it_is_given(module: str, arguments: tuple[str, ...]) -> None:
    assert find_spec(module) is not None
    if not arguments or module == "scripts.deploy.terraform":  # hands all of them to Terraform
        return
    words = [word for word in arguments[:1] if re.fullmatch(r"[a-z][a-z-]*", word)]
    shown = (help_of(module, *words) if words else None) or help_of(module)

    assert shown is not None
    for option in (word for word in arguments if word.startswith("--")):
        assert option in shown, shown


def test_every_example_is_run_checked_or_marked() -> None:
    unknown = [str(item) for item in EXAMPLES if item.language not in (*RUN, *CHECKED)]
    assert unknown == []
    for example in EXAMPLES:
        if example.mark is not None and example.mark.startswith("run by "):
            assert (ROOT / example.mark.removeprefix("run by ")).is_file(), example


@pytest.mark.parametrize("document", PRESENT)
def test_code_is_fenced(document: str) -> None:
    # What is only indented says no language, and so would not be checked.
    assert re.findall(r"\n\n {4,}\S.*", documents.prose(document)) == []


def of(language: str) -> list[Example]:
    """The examples in a language."""
    return [item for item in EXAMPLES if item.language == language]


@pytest.mark.parametrize("example", of("json"), ids=str)
def test_json_is_json(example: Example) -> None:
    json.loads(example.text)


@pytest.mark.parametrize("example", of("toml"), ids=str)
def test_toml_is_what_finance_may_say(example: Example) -> None:
    Finance(tomllib.loads(example.text))


def module_variables(folder: Path) -> set[str]:
    """The inputs of a Terraform module."""
    text = (folder / "variables.tf").read_text("utf-8")
    return set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))


@pytest.mark.parametrize("example", of("hcl"), ids=str)
def test_hcl_names_what_there_is(example: Example, tmp_path: Path) -> None:
    content = plain(hcl2.loads(example.text))
    if "module" in content:
        for block in content["module"]:
            for body in block.values():
                given = {name for name in body if not name.startswith("__")}
                given -= {"providers", "source"}
                assert given <= module_variables(ROOT / "terraform" / body["source"])
        return
    # Variables of an environment, or a tenant file or keys of one over the least that it needs.
    least = 'name="A"\nkind="team"\ncost_center="C"\ntier="pro"\nmodels=["*"]\napps={a={}}\n'
    rest = "".join(
        f"{line}\n" for line in least.splitlines() if line.partition("=")[0] not in content
    )
    (tmp_path / "tenants").mkdir()
    environment = "prod" if "tollgate-prod" in example.text else "dev"
    variables = (ROOT / "envs" / environment / "env.tfvars").read_text()
    of_tenant, of_environment = example.text, ""
    if content.keys() <= module_variables(ROOT / "terraform") - {"tags"}:
        of_tenant, of_environment = of_environment, of_tenant
    (tmp_path / "tenants" / "hooli.tfvars").write_text(of_tenant + rest)
    (tmp_path / "env.tfvars").write_text(f"{variables}\n{of_environment}")
    assert set(tenants.load_environment(tmp_path)) == {"hooli"}


STATUS_AND_CODE = re.compile(r"\b([45]\d\d) `([a-z_]+)`")
CODES = errors.codes()


@pytest.mark.parametrize("document", PRESENT)
def test_every_error_that_is_named_exists(document: str) -> None:
    named = {
        (int(status), code) for status, code in STATUS_AND_CODE.findall(documents.prose(document))
    }
    shown = {
        code
        for example in documents.examples(document)
        for code in re.findall(r'"code": "([a-z_]+)"', example.text)
    }

    assert named <= CODES
    assert shown <= {code for _, code in CODES}


@functools.cache
def words_of_the_code() -> frozenset[str]:
    """Every word of the code and of the data beside it; the documents do not count."""
    files = (
        path
        for source in SOURCES
        for path in ([ROOT / source] if (ROOT / source).is_file() else (ROOT / source).rglob("*"))
        if path.is_file()
        and path.suffix in {"", ".py", ".sql", ".tf", ".yaml", ".yml", ".json", ".tfvars"}
    )
    return frozenset(
        word
        for path in files
        for word in re.findall(r"\w+", path.read_text("utf-8", errors="ignore"))
    )


@pytest.mark.parametrize("document", PRESENT)
def test_every_name_in_code_type_exists(document: str) -> None:
    named = {span for span in documents.spans(document) if re.fullmatch(r"[A-Za-z]\w*", span)}

    assert named - words_of_the_code() - OF_OTHERS == set()


CONTRACT = yaml.safe_load((ROOT / "modules" / "gateway" / "openapi.yaml").read_text("utf-8"))


@pytest.mark.parametrize("path", CONTRACT["paths"])
def test_every_route_has_an_example(path: str) -> None:
    shown = "\n".join(
        example.text
        for example in documents.examples("modules/gateway/CALLING.md")
        if example.language in RUN
    )
    pattern = re.sub(r"\\{\w+\\}", r"[^/\"]+", re.escape(path))

    assert re.search(rf"{pattern}[\"?`]", shown)
