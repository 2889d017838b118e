"""Where Python and Terraform must agree about the functions, both are read."""

from __future__ import annotations

import importlib
from dataclasses import MISSING, fields
from typing import Any

import pytest
import yaml

from scripts.build.package import WRAPPER
from tests.contract import hcl
from tollgate.domain.jobs import RUN_SECONDS
from tollgate.services.leases import LEASE_SECONDS, RENEW_SECONDS
from tollgate_converse.routes import KEY_SECONDS
from tollgate_converse.service import ROUTES
from tollgate_invoke.service import MOST_SECONDS

FUNCTIONS = hcl.functions()
OPENAPI = yaml.safe_load((hcl.ROOT / "modules/gateway/openapi.yaml").read_text())
# Lambda sets these itself and refuses to have them set.
RESERVED = {"AWS_REGION"}

every_function = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in OPENAPI["paths"].items()
        for method, operation in item.items()
    ]


def test_every_function_of_the_repository_is_deployed() -> None:
    packages = {path.parent.name for path in hcl.ROOT.glob("functions/*/tollgate_*")}

    assert packages == set(FUNCTIONS)


@every_function
def test_the_environment_is_the_settings(name: str) -> None:
    settings = importlib.import_module(f"tollgate_{name}.settings").Settings

    wanted = {f.name.upper() for f in fields(settings) if f.default is MISSING} - RESERVED
    assert set(FUNCTIONS[name]["environment"]) == wanted
    # Settings that may be absent are those of the invocation logs, pool sessions and endpoints.
    functions = hcl.functions(invocation_logs=True, pool_sessions=True, endpoints=True)
    whole = functions[name]["environment"]
    assert set(whole) == {field.name.upper() for field in fields(settings)} - RESERVED


@every_function
def test_each_variable_names_the_resource_it_is_called_after(name: str) -> None:
    for variable, value in FUNCTIONS[name]["environment"].items():
        kind, _, noun = variable.lower().rpartition("_")
        assert f"{kind}_{noun}_" in value or f"{kind}_{noun}}}" in value or noun == "url"


@every_function
def test_the_handler_exists_under_its_packaged_name(name: str) -> None:
    module = importlib.import_module(f"tollgate_{name}.handler")

    assert callable(module.lambda_handler)


def test_routes_name_functions_that_exist() -> None:
    served = {operation["x-tollgate-function"] for _, _, operation in operations()}

    assert served <= set(FUNCTIONS)
    assert served == {"converse", "invoke", "models", "stream"}


def test_every_operation_is_behind_a_credential() -> None:
    for path, method, operation in operations():
        allowed = ([{"x_api_key": []}], [{"bearer": []}], [{"x_api_key": []}, {"bearer": []}])
        assert operation["security"] in allowed, (path, method)


def test_functions_that_stream_have_a_runtime_of_their_own_for_all_they_serve() -> None:
    modes: dict[str, set[str]] = {}
    for _, _, operation in operations():
        mode = operation.get("x-tollgate-response-transfer-mode", "BUFFERED")
        modes.setdefault(operation["x-tollgate-function"], set()).add(mode)

    streaming = {name for name, used in modes.items() if "STREAM" in used}
    assert all(modes[name] == {"STREAM"} for name in streaming)
    for name in FUNCTIONS:
        wrapper = hcl.ROOT / "functions" / name / WRAPPER
        is_streaming = name in streaming
        assert (FUNCTIONS[name].get("exec_wrapper") == f"/var/task/{WRAPPER}") == is_streaming
        assert wrapper.is_file() == is_streaming
        if is_streaming:
            assert f"-m tollgate_{name}" in wrapper.read_text()


def test_every_route_of_converse_is_served() -> None:
    described = {
        f"{method.upper()} {path}"
        for path, method, operation in operations()
        if operation["x-tollgate-function"] == "converse"
    }

    assert described == set(ROUTES)


def test_keys_and_jobs_outlive_the_functions_that_answer_them() -> None:
    assert FUNCTIONS["converse"]["timeout_seconds"] < KEY_SECONDS
    assert FUNCTIONS["invoke"]["timeout_seconds"] < MOST_SECONDS
    assert FUNCTIONS["stream"]["timeout_seconds"] <= RUN_SECONDS


def test_a_hold_whose_process_died_is_ended_within_three_minutes() -> None:
    assert FUNCTIONS["sweep"]["schedule"] == "rate(1 minute)"
    assert LEASE_SECONDS + 60 <= 180
    assert 3 * RENEW_SECONDS <= LEASE_SECONDS
