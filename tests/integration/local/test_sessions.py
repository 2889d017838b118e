"""Pool, silo and both in one deployment: with whose role each tenant's model calls are made."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.ministack import ACCOUNT_ID
from scripts.local.stack import LocalStack
from tests.fakes.environments import SILO_ACCOUNT_ID, with_silo
from tests.waiting import PATIENCE_SECONDS, until_job_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "amazon.nova-lite-v1:0"
TENANTS = ("customer1", "customer2", "silo")

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", params=[False, True], ids=["own role", "pool sessions"])
def bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bool, LocalStack]]:
    """Tenants of the pool and a silo; before them, whether the pool has sessions."""
    environment = with_silo(tmp_path_factory.mktemp("environments"))
    with LocalStack(environment, delta_seconds=0.001, pool_sessions=request.param) as stack:
        yield request.param, stack


def call(stack: LocalStack, tenant: str, **headers: str) -> Any:  # noqa: ANN401
    response = requests.post(
        f"{stack.url}/invoke_model?model_id={MODEL}",
        json={"inputs": "hello", "parameters": {"maxTokens": 40}},
        headers={
            "x-api-key": stack.keys[f"{tenant}/websearch/primary"],
            "team_id": tenant,
            **headers,
        },
        timeout=PATIENCE_SECONDS,
    )
    assert response.status_code == 200, response.text
    return response.json()[0]


def wait_for(stack: LocalStack, tenant: str, job: str) -> None:
    key = stack.keys[f"{tenant}/websearch/primary"]
    poll = partial(
        requests.get,
        f"{stack.url}/v1/jobs/{job}?wait=5",
        headers={"Authorization": f"Bearer {key}"},
        timeout=PATIENCE_SECONDS,
    )
    view = until_job_ends(poll)
    assert view["status"] == "succeeded", view


def test_each_tenants_calls_and_jobs_are_made_with_its_own_role(
    bridge: tuple[bool, LocalStack],
) -> None:
    sessions, stack = bridge
    for tenant in TENANTS:
        for _ in range(2):
            call(stack, tenant)
            wait_for(stack, tenant, call(stack, tenant, streaming="true")["request_id"])

    keys: dict[str, set[str]] = defaultdict(set)
    for made in stack.calls():
        keys[made["requestMetadata"]["tenant"]].add(made["accessKeyId"])
    if not sessions:
        assert keys["customer1"] == keys["customer2"] == {"test"}
    # `invoke` and `stream` keep a session each, and use it again.
    sts = stack.client("sts")
    for tenant in ("customer1", "customer2", "silo") if sessions else ("silo",):
        assert len(keys[tenant]) == 2
        wanted = SILO_ACCOUNT_ID if tenant == "silo" else ACCOUNT_ID
        for key in keys[tenant]:
            assert key.startswith("ASIA")
            assert sts.get_access_key_info(AccessKeyId=key)["Account"] == wanted
    assert not keys["customer1"] & keys["silo"]


def test_a_silos_jobs_are_no_other_tenants(bridge: tuple[bool, LocalStack]) -> None:
    _, stack = bridge
    job = call(stack, "silo", streaming="true")["request_id"]
    wait_for(stack, "silo", job)

    stolen = requests.get(
        f"{stack.url}/v1/jobs/{job}?wait=0",
        headers={"Authorization": f"Bearer {stack.keys['customer1/websearch/primary']}"},
        timeout=PATIENCE_SECONDS,
    )

    assert stolen.status_code == 404


def test_an_answer_is_repeated_in_a_session_too(bridge: tuple[bool, LocalStack]) -> None:
    _, stack = bridge
    key = {"Idempotency-Key": "sessions-1"}

    assert call(stack, "customer1", **key) == call(stack, "customer1", **key)
