"""The adapters' expressions mean the same to a second implementation of DynamoDB.

The contract tests of the ports run once more, on Dynalite. It knows no transactions, which we do
not use, and no TTL.
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

import tollgate.adapters
from tests.aws.dynalite import UNAVAILABLE, Dynalite
from tests.fakes.lake import FakeLake
from tests.integration import test_aggregate_ports, test_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tollgate.adapters.tables import TableSpec

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(UNAVAILABLE is not None, reason=f"NOT CHECKED: {UNAVAILABLE}"),
    # The last test looks at what all others have sent.
    pytest.mark.xdist_group("second-dynamodb"),
]

_PORTS = {"accounts", "free_counters", "jobs", "records", "tenants", "texts", "usage"}
# What they are about is not in the table.
_OF_OTHERS = {
    "test_a_run_carries_rows_from_the_table_to_the_reports",
    "test_texts_under_a_tenants_own_key_open_for_nothing_else",
}
_LONG = {"test_an_hour_larger_than_a_page_is_read_whole"}
_OPERATIONS = {
    "batch_get_item",
    "batch_write_item",
    "delete_item",
    "get_item",
    "paginate",
    "put_item",
    "query",
    "scan",
    "update_item",
}
# The adapters' functions that have sent something, as module:name.
_sent: set[str] = set()


def _there(test: FunctionType) -> FunctionType | None:
    """A copy of a test of the ports that takes the adapter; None where it takes no table."""
    taken = set(inspect.signature(test).parameters)
    if test.__name__ in _OF_OTHERS or not taken & {*_PORTS, "make_table", "world"}:
        return None
    copy = FunctionType(test.__code__, test.__globals__, test.__name__, None, test.__closure__)
    copy.__dict__.update(test.__dict__)
    for name in _PORTS & taken:
        copy = pytest.mark.parametrize(name, ["aws"], indirect=True)(copy)
    if test.__name__ in _LONG:
        copy = pytest.mark.soak(copy)
    return copy


_TESTS = {
    name: copy
    for module in (test_ports, test_aggregate_ports)
    for name, value in vars(module).items()
    if name.startswith("test_") and (copy := _there(value)) is not None
}
globals().update(_TESTS)
globals().update({name: vars(test_ports)[name] for name in _PORTS})


def note_sender(**_: Any) -> None:
    """Remember which functions of the adapters a call comes from."""
    frame = sys._getframe()  # noqa: SLF001 - who calls is known to the interpreter alone
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("tollgate.adapters."):
            _sent.add(f"{module.rpartition('.')[2]}:{frame.f_code.co_name}")
        frame = frame.f_back


@pytest.fixture(scope="module")
def server() -> Iterator[Dynalite]:
    with Dynalite() as running:
        yield running


@pytest.fixture
def aws_client(server: Dynalite) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        client = server.client()
        client.meta.events.register("before-parameter-build.dynamodb", note_sender)
        # Texts without a key of the tenant's make no call of KMS.
        return client if service == "dynamodb" else None

    return make


@pytest.fixture
def make_table(server: Dynalite) -> Callable[[TableSpec], str]:
    return server.make_table


@pytest.fixture
def world(aws_client: Callable[[str], Any]) -> Iterator[test_aggregate_ports.World]:
    tables = aws_client("dynamodb")
    yield test_aggregate_ports.world_of(tables, FakeLake())
    for name in tables.list_tables()["TableNames"]:
        tables.delete_table(TableName=name)


def senders() -> set[str]:
    """The adapters' functions that send something to DynamoDB, as their source says."""
    found = set()
    for path in Path(tollgate.adapters.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef) and _sends(function):
                found.add(f"{path.stem}:{function.name}")
    return found


def _sends(function: ast.FunctionDef) -> bool:
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            names = {keyword.arg for keyword in call.keywords}
            if call.func.attr in {*_OPERATIONS, "paginate"} and names & {
                "TableName",
                "RequestItems",
            }:
                return True
    return False


def test_every_function_that_sends_an_expression_has_sent_it_there(
    request: pytest.FixtureRequest,
) -> None:
    here = {item.originalname for item in request.session.items if item.path == request.path}
    if not set(_TESTS) - _LONG <= here:
        pytest.skip("says something about all tests of this file only")

    assert len(senders()) > 20
    assert senders() - _sent == set()
