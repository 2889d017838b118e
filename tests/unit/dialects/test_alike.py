"""Every API's package has the same rooms, and the same names in them for the same work."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tollgate.dialects

ROOT = Path(tollgate.dialects.__file__).parent
APIS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
# What a module must have; one that is not here is the API's own business.
NAMES = {
    "request": {"CHAT", "HEADERS"},
    "answer": set(),
    "stream": {"ChatStream"},
    "errors": {"error_body", "refusal"},
    "messages": set(),
    "tools": {"tool_config"},
}
STREAM = {"headers", "keep_alive", "event", "end", "error"}


def modules(name: str) -> list[Any]:
    """The modules of a name, in every package that has one."""
    return [
        importlib.import_module(f"tollgate.dialects.{api}.{name}")
        for api in APIS
        if (ROOT / api / f"{name}.py").is_file()
    ]


@pytest.mark.parametrize("api", APIS)
def test_every_api_has_requests_and_answers(api: str) -> None:
    rooms = {path.stem for path in ROOT.joinpath(api).glob("*.py")}

    assert {"request", "answer"} <= rooms
    assert "stream" not in rooms or "errors" in rooms


@pytest.mark.parametrize("name", NAMES)
def test_the_same_work_has_the_same_name(name: str) -> None:
    found = modules(name)

    assert len(found) > 1
    for module in found:
        assert NAMES[name] <= vars(module).keys(), module.__name__


def test_what_a_request_is_called_says_whose_it_is() -> None:
    for module in modules("request"):
        api = module.__name__.split(".")[-2]
        assert f"{api}.chat" == module.CHAT
        assert isinstance(module.HEADERS, Sequence)
        assert all(header == header.lower() for header in module.HEADERS)


def test_streams_are_written_by_the_same_calls() -> None:
    for module in modules("stream"):
        assert set(dir(module.ChatStream)) >= STREAM, module.__name__


@pytest.mark.parametrize("api", APIS)
def test_tests_lie_where_the_code_does(api: str) -> None:
    own = Path(__file__).parent / api
    tested = {path.stem.removeprefix("test_") for path in own.glob("test_*.py")}

    assert {"request", "answer"} <= tested
    assert tested <= {path.stem for path in ROOT.joinpath(api).glob("*.py")}
