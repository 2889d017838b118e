"""The documents' examples, run as a newcomer would: against the local stack, in a fresh copy.

An example that is not run here says so in the line before it (`needs AWS`, `needs npm`, `run by`).
A block that follows at once shows what is printed, and has to be what is printed: figures and ids
may differ, `…` stands for any text, and of JSON members may be left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest
import sqlglot

from scripts.deploy import summary
from scripts.local.stack import LocalStack
from scripts.tenants import files as tenants
from tests.e2e import documents
from tests.e2e.documents import ROOT, Example
from tests.e2e.outputs import assert_like, check_output
from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeUsageReader, FakeWatermark
from tests.fakes.usage_rows import usage_row
from tollgate_aggregate.service import Aggregator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# One stack for all of them, so one worker.
pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("examples")]

EXAMPLES = [
    example
    for name in documents.documents()
    if not name.startswith("terraform/adr/")
    for example in documents.examples(name)
]
RUN = [item for item in EXAMPLES if item.mark is None]
_COPIED = ("envs", "functions", "modules", "scripts", "terraform", "Makefile")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "*.tfstate")


def of(language: str) -> list[Example]:
    """The examples in a language that are run."""
    return [item for item in RUN if item.language == language]


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A running gateway, over https because the AWS SDKs send keys over nothing else."""
    with LocalStack(tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def environment(stack: LocalStack) -> Mapping[str, str]:
    """The variables that the examples use."""
    return {
        **{name: value for name, value in os.environ.items() if name not in {"ENV", "MAKELEVEL"}},
        # Where curl, requests, the AWS SDKs, Node and Python itself look up whom to trust.
        **dict.fromkeys(
            (
                "AWS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "NODE_EXTRA_CA_CERTS",
                "REQUESTS_CA_BUNDLE",
                "SSL_CERT_FILE",
            ),
            str(stack.ca_file),
        ),
        # The environments are there: see `clone`.
        "MAKEFLAGS": "--no-print-directory -- SETUP=true",
        "TOLLGATE_URL": stack.url,
        "TOLLGATE_KEY": stack.keys["customer1/websearch/primary"],
        "TOLLGATE_TEAM": "customer1",
    }


def _write_lake(folder: Path) -> None:
    """A lake with usage of this month, and of tomorrow's in case that the month ends meanwhile."""
    now = datetime.now(UTC)
    prices = {"input_cost": 7_500_000_000, "output_cost": 7_200_000_000}
    rows = [
        usage_row(
            started_at=now + timedelta(days=day, seconds=-second),
            tenant_id=tenant,
            input_tokens=125_000,
            output_tokens=30_000,
            total_cost=sum(prices.values()),
            **prices,
        )
        for day in (0, 1)
        for tenant, second in (("acme", 1), ("acme", 2), ("globex", 3))
    ]
    lake, first = FakeLake(), min(row.started_at for row in rows)
    last = max(row.started_at for row in rows)
    start = first.replace(minute=0, second=0, microsecond=0)
    Aggregator(
        FakeUsageReader(rows),
        FakeWatermark(start),
        FakeOpenHolds(),
        lake,
        lambda: last,
        FakeWatermark(),
    ).run({})
    for key, data in lake.objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "tenants").mkdir()
    for tenant, kind, cost_center in (
        ("acme", "team", "CC-1001"),
        ("globex", "department", "CC-2040"),
    ):
        facts = {
            "tenant_id": tenant,
            "kind": kind,
            "cost_center": cost_center,
            "markup": "1.20",
            "tags": {"Division": "retail"},
        }
        (folder / "tenants" / f"{tenant}.json").write_text(json.dumps(facts) + "\n")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a lake, as `aws s3 sync` makes it."""
    folder = tmp_path_factory.mktemp("lake")
    _write_lake(folder)
    return folder


def clone(tmp_path: Path, lake: Path) -> Path:
    """The repository as it comes from a clone, with its environments and a copy of the lake."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=_NOT_COPIED)
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "lake").symlink_to(lake)
    (tmp_path / ".tools").mkdir()
    for environment in (".venv", ".tools/run"):
        (tmp_path / environment).symlink_to(sys.prefix)
    return tmp_path


def run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("example", of("bash"), ids=str)
def test_bash(example: Example, environment: Mapping[str, str], tmp_path: Path, lake: Path) -> None:
    is_of_the_repository = re.search(r"^(make |\.tools/)", example.text, re.MULTILINE)
    folder = clone(tmp_path, lake) if is_of_the_repository else tmp_path

    printed = run(["bash", "-euo", "pipefail", "-c", example.text], environment, folder)

    check_output(example, printed)


@pytest.mark.parametrize("example", of("python"), ids=str)
def test_python(example: Example, environment: Mapping[str, str], tmp_path: Path) -> None:
    printed = run([sys.executable, "-c", example.text], environment, tmp_path)

    *text, receipt = printed.strip().splitlines()
    assert "".join(text)
    assert re.search(r"0\.000\d+", receipt)
    check_output(example, printed)


@pytest.mark.parametrize("example", of("js"), ids=str)
def test_javascript(example: Example, environment: Mapping[str, str], tmp_path: Path) -> None:
    program = tmp_path / "example.mjs"
    program.write_text(example.text)

    check_output(example, run(["node", str(program)], environment, tmp_path))


MARKED_JS = [item for item in EXAMPLES if item.language == "js" and item.mark is not None]


@pytest.mark.parametrize("example", MARKED_JS, ids=str)
def test_javascript_that_needs_a_package_is_javascript(
    example: Example, environment: Mapping[str, str], tmp_path: Path
) -> None:
    program = tmp_path / "example.mjs"
    program.write_text(example.text)

    run(["node", "--check", str(program)], environment, tmp_path)


@pytest.mark.parametrize("example", of("sql"), ids=str)
def test_sql(example: Example, lake: Path) -> None:
    [query] = sqlglot.transpile(example.text, read="athena", write="duckdb")
    with duckdb.connect(":memory:") as database:
        database.read_parquet(
            str(lake / "usage" / "*" / "*" / "*.parquet"), hive_partitioning=True
        ).create_view("usage")
        database.read_json(str(lake / "tenants" / "*.json")).create_view("tenants")
        result = database.execute(query)
        lines = [[column[0] for column in result.description], *result.fetchall()]
    printed = "\n".join(" ".join(_cell(value) for value in line) for line in lines)
    check_output(example, printed)


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_retries_outlast_a_refusal_and_cost_one_call(
    stack: LocalStack, environment: Mapping[str, str], tmp_path: Path
) -> None:
    [retries] = [item for item in of("python") if "Idempotency-Key" in item.text]
    stack.stub.fault(times=1, error="ThrottlingException")
    before = len(stack.calls())

    printed = run([sys.executable, "-c", retries.text], environment, tmp_path)

    assert printed.splitlines()[-1].startswith("false 0.0000")
    assert [call["http_status"] for call in stack.calls()[before:]] == [429, 200]


def test_the_summary_is_that_of_the_sample_tenant(tmp_path: Path) -> None:
    guide = documents.examples("envs/README.md")
    [shown] = [item for item in guide if item.output and "plan-summary" in item.text]
    [sample] = [item for item in guide if item.text.startswith("name ")]
    (tmp_path / "hooli.tfvars").write_text(sample.text)
    settings = tenants.load_settings(ROOT / "envs" / "dev")
    declared = tenants.load(tmp_path, settings.tiers, settings.prefix)
    document = json.dumps(declared["hooli"].policy, default=float)
    items = (
        ("aws_dynamodb_table_item.policy", {"document": {"S": document}}),
        ('aws_dynamodb_table_item.key["websearch/primary"]', {"status": {"S": "active"}}),
    )
    changes = [
        {
            "address": f'module.tenant["hooli"].{address}',
            "change": {"actions": ["create"], "before": None, "after": {"item": json.dumps(item)}},
        }
        for address, item in items
    ]

    check_output(shown, summary.summarise({"resource_changes": changes}, "dev", declared))


@pytest.mark.parametrize(
    ("shown", "printed", "is_like"),
    [
        ("a…c 12\n", "a b c 7\n", True),
        ("12 rows\n", "12 columns\n", False),
        (
            "id 01a22cdb-2fa1-7d3c-91e2-1854a2ac475c\n",
            "id 6c7d7520-9e17-43db-a166-80f9779aef08\n",
            True,
        ),
    ],
)
def test_an_output_is_like_another(shown: str, printed: str, is_like: bool) -> None:
    block = Example("x.md", 1, "text", shown, None, None, is_output=True)
    example = Example("x.md", 1, "bash", "", None, block, is_output=False)

    if is_like:
        check_output(example, printed)
    else:
        with pytest.raises(AssertionError):
            check_output(example, printed)


def test_json_is_like_another() -> None:
    assert_like({"a": [{"b": 1}]}, {"a": [{"b": 2, "c": 3}, {}], "d": None})
    for wrong in ({}, {"a": "text"}, {"a": []}, {"a": [{"b": "1"}]}):
        with pytest.raises(AssertionError):
            assert_like({"a": [{"b": 1}]}, wrong)
