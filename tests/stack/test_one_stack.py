"""What Terraform applied is what runs: the local front door and the functions on the applied state.

Every function is composed with the environment that the state has for it, requests go by the API
definition in it, jobs through the queue and trigger in it, and keys and usage plans are its own.
"""

from __future__ import annotations

import difflib
import json
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests

from scripts.local import deployment
from scripts.local.demo.bill import check, over_months
from scripts.local.provision import OF_ENDPOINTS, OF_INVOCATION_LOGS, Emulator
from scripts.local.stack import Gateway
from scripts.local.usage_plans import usage_plan
from scripts.reports import report
from scripts.tenants import files as tenants
from tests.stack.moto import UNAVAILABLE
from tests.waiting import PATIENCE_SECONDS, until_job_ends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.local.deployment import Deployment
    from tests.stack.moto import Stack

MODEL = "amazon.nova-lite-v1:0"
APP = "acme/websearch/primary"
# The tenant with the smallest limits has this one.
SMALL = "globex/assistant/primary"

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE)),
    # The apply is that of the other tests.
    pytest.mark.xdist_group("moto-stack"),
]


@pytest.fixture(scope="module")
def applied(stack: Stack) -> Deployment:
    return deployment.read(stack.state()["values"])


@contextmanager
def nobody_else_takes_messages(stack: Stack) -> Iterator[None]:
    """Moto would run the function of an event source mapping by itself, in a container."""
    functions = stack.client("lambda")
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    assert mappings
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        for mapping in mappings:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@pytest.fixture(scope="module")
def gateway(stack: Stack, applied: Deployment) -> Iterator[Gateway]:
    with (
        nobody_else_takes_messages(stack),
        Gateway(lambda *_: (Emulator(stack.endpoint), applied), delta_seconds=0) as running,
    ):
        yield running


def bearer(gateway: Gateway, key: str = APP) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.deployment.keys[key]}"}


def chat(gateway: Gateway, text: str, **more: object) -> requests.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}
    return requests.post(
        f"{gateway.url}/v1/chat/completions",
        json=body,
        headers=bearer(gateway),
        timeout=PATIENCE_SECONDS,
    )


def as_described(applied: Deployment) -> str:
    """The applied deployment under the names, and with the addresses, of the described one."""
    described = deployment.described()

    def account_of(made: Deployment) -> str:
        return made.kms_key_arn.split(":")[4]

    def queues_of(made: Deployment) -> str:
        return made.queues["jobs"].url.removesuffix(f"{made.prefix}-jobs")

    text = deployment.text(applied)
    for name in (lambda made: made.kms_key_arn, queues_of, account_of, lambda made: made.prefix):
        text = text.replace(name(applied), name(described))
    return text


def test_the_local_stack_is_made_of_what_an_apply_makes(applied: Deployment) -> None:
    """Every variable, table, queue, trigger, schedule, and the API's definition."""
    described = deployment.described()
    # The environment that is applied has neither invocation logs nor endpoints, and its own limits.
    off = {*OF_INVOCATION_LOGS, *OF_ENDPOINTS}
    functions = {
        name: replace(
            function,
            environment={k: v for k, v in function.environment.items() if k not in off},
        )
        for name, function in described.functions.items()
    }
    expected = replace(described, functions=functions, ceiling=applied.ceiling)

    texts = as_described(applied).splitlines(), deployment.text(expected).splitlines()
    if difference := "\n".join(difflib.unified_diff(*texts, "applied", "described", n=1)):
        pytest.fail(difference, pytrace=False)


def test_keys_and_usage_plans_are_those_of_the_tenants_files(
    stack: Stack, applied: Deployment
) -> None:
    declared = tenants.load_environment(stack.environment_folder)

    assert {name: applied.usage_plans[key] for name, key in sorted(applied.keys.items())} == {
        f"{tenant_id}/{name}": usage_plan(tenant.policy["limits"], applied.ceiling)
        for tenant_id, tenant in sorted(declared.items())
        for name in sorted(tenant.keys)
    }


def test_a_chat_is_answered(gateway: Gateway) -> None:
    answer = chat(gateway, "Hello [stub:tokens=12]")

    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] == 12
    assert gateway.calls()[-1]["requestMetadata"]["tenant"] == "acme"


def test_a_streamed_chat_ends_with_its_usage(gateway: Gateway) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = chat(gateway, "Hello [stub:tokens=12]", **options)

    assert answer.status_code == 200, answer.text
    *events, end = [line for line in answer.text.split("\n\n") if line]
    assert end == "data: [DONE]"
    assert json.loads(events[-1].removeprefix("data: "))["usage"]["completion_tokens"] == 12


def test_a_job_goes_through_the_queue_to_its_end(gateway: Gateway) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    started = requests.post(
        f"{gateway.url}/v1/jobs", json=body, headers=bearer(gateway), timeout=PATIENCE_SECONDS
    )
    assert started.status_code == 202, started.text
    job = f"{gateway.url}/v1/jobs/{started.json()['id']}?wait=5"

    ended = until_job_ends(
        lambda: requests.get(job, headers=bearer(gateway), timeout=PATIENCE_SECONDS)
    )

    assert ended["status"] == "succeeded"
    assert ended["usage"]["outputTokens"] > 0


def test_a_key_that_is_nobodys_is_refused(gateway: Gateway) -> None:
    answer = requests.get(
        f"{gateway.url}/list_foundation_models",
        headers={"x-api-key": "x" * 40},
        timeout=PATIENCE_SECONDS,
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "invalid_api_key")


def test_a_usage_plan_takes_its_burst_and_no_more(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = gateway.deployment.keys[SMALL]
    plan = gateway.deployment.usage_plans[key]
    now = time.time()
    monkeypatch.setattr(gateway.usage_plans, "clock", lambda: now)
    assert plan.burst is not None

    with requests.Session() as session:
        session.headers["x-api-key"] = key
        url = f"{gateway.url}/list_foundation_models"
        answers = [session.get(url, timeout=PATIENCE_SECONDS) for _ in range(plan.burst + 1)]

    *admitted, refused = answers
    assert {answer.status_code for answer in admitted} == {200}
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_exceeded")


def test_what_the_schedules_invoke_leaves_the_providers_log_as_the_bill(
    gateway: Gateway, tmp_path: Path
) -> None:
    assert chat(gateway, "Hello").status_code == 200
    assert set(gateway.deployment.schedules) == {"aggregate", "sweep"}
    for function in sorted(gateway.deployment.schedules, reverse=True):
        assert gateway.run_schedule(function) is not None
    with pytest.raises(ValueError, match="schedule: got invoke; allowed: aggregate, sweep"):
        gateway.run_schedule("invoke")

    lake = gateway.lake_copy(tmp_path)
    lake.update()
    # One may have ended meanwhile.
    months = dict.fromkeys(call["started_at"][:7] for call in gateway.calls())
    rows = [row for month in months for row in report.chargeback(lake.folder, month)]
    agreed = check(over_months(rows), gateway.calls(), gateway.deployment.models_by_profile_arn)
    assert agreed.calls == sum(call["status"] == "ok" for call in gateway.calls())
