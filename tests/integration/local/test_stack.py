"""The composed stack: made as Terraform would, answering over HTTP, leaving nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local import __main__ as program
from scripts.local import deployment
from scripts.local.logs import REQUESTS_LOG
from scripts.local.ministack import ROOT, MiniStack, MiniStackError
from scripts.local.provision import PREFIX
from scripts.local.stack import ENVIRONMENTS, LocalStack
from scripts.local.usage_plans import (
    HTTP_REQUESTS_PER_MODEL_CALL,
    MAX_BURST,
    UsagePlan,
    usage_plan,
)
from scripts.tenants import files as tenant_files
from tests.waiting import PATIENCE_SECONDS, until, until_job_ends
from tollgate.adapters import tables
from tollgate.domain.jobs import MAX_RECEIVES, VISIBILITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.local.deployment import Deployment

pytestmark = pytest.mark.stack

MODEL = "amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    before = dict(os.environ)
    with LocalStack() as running:
        yield running
    assert dict(os.environ) == before


@pytest.fixture
def headers(stack: LocalStack) -> dict[str, str]:
    return {"x-api-key": stack.keys["customer1/websearch/primary"], "team_id": "customer1"}


def invoke(stack: LocalStack, headers: dict[str, str], text: str) -> requests.Response:
    return requests.post(
        f"{stack.url}/invoke_model?model_id={MODEL}",
        json={"inputs": text, "parameters": {"maxTokens": 200}},
        headers=headers,
        timeout=PATIENCE_SECONDS,
    )


def test_tables_have_the_adapters_keys(stack: LocalStack) -> None:
    database = stack.client("dynamodb")
    for spec in tables.TABLES:
        table = database.describe_table(TableName=f"{PREFIX}-{spec.name}")["Table"]
        keys = {element["KeyType"]: element["AttributeName"] for element in table["KeySchema"]}
        assert keys.get("HASH") == spec.hash_key
        assert keys.get("RANGE") == spec.range_key
        ttl = database.describe_time_to_live(TableName=f"{PREFIX}-{spec.name}")
        assert ttl["TimeToLiveDescription"].get("AttributeName") == spec.ttl


def test_tenants_are_loaded_with_hashes_only(stack: LocalStack) -> None:
    items = stack.client("dynamodb").scan(TableName=f"{PREFIX}-tenants")["Items"]
    text = json.dumps(items)
    tenants = tenant_files.load_environment(ENVIRONMENTS / "local")
    assert set(stack.keys) == {
        f"{tenant_id}/{key_id}" for tenant_id, tenant in tenants.items() for key_id in tenant.keys
    }
    for key in stack.keys.values():
        assert re.fullmatch("[a-z0-9]{40}", key)
        assert key not in text
        assert f"KEY#{hashlib.sha256(key.encode()).hexdigest()}" in text


def test_queue_redrives_to_the_dead_letters(stack: LocalStack) -> None:
    attributes = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.deployment.queues["jobs"].url, AttributeNames=["All"]
    )["Attributes"]
    assert int(attributes["VisibilityTimeout"]) == VISIBILITY_SECONDS
    redrive = json.loads(attributes["RedrivePolicy"])
    assert int(redrive["maxReceiveCount"]) == MAX_RECEIVES
    assert redrive["deadLetterTargetArn"].endswith(f"{PREFIX}-jobs-dead")


def test_usage_plan_is_wider_than_the_limits_and_ends_below_the_stages() -> None:
    ceiling = UsagePlan(rate_per_second=125, burst=250)
    plan = usage_plan({"requests_per_minute": 12, "requests_per_day": 1_000}, ceiling)
    assert plan == UsagePlan(rate_per_second=2, burst=120, requests_per_day=10_000)
    wide = usage_plan({"requests_per_minute": 1_200, "requests_per_day": None}, ceiling)
    free = usage_plan({"requests_per_minute": None, "requests_per_day": None}, ceiling)
    assert wide == free == ceiling


def test_a_call_is_answered_and_in_the_providers_log(
    stack: LocalStack, headers: dict[str, str]
) -> None:
    response = invoke(stack, headers, "Hello [stub:tokens=12]")
    assert response.status_code == 200, response.text
    [answer] = response.json()
    call = stack.calls()[-1]
    assert call["requestMetadata"]["tenant"] == "customer1"
    assert call["requestMetadata"]["request_id"] == response.headers["x-request-id"]
    assert call["usage"] == answer["usage"]
    assert json.loads(stack.stub_log.read_text("utf-8").splitlines()[-1]) == call


def test_a_stream_grows_while_it_is_polled(stack: LocalStack, headers: dict[str, str]) -> None:
    started = invoke(
        stack, {**headers, "streaming": "true"}, "Go [stub:tokens=60] [stub:delta_ms=80]"
    )
    job_id = started.json()[0]["request_id"]
    bearer = {"Authorization": f"Bearer {headers['x-api-key']}"}
    seen: list[dict[str, Any]] = [{"cursor": 0, "status": "queued"}]

    def poll() -> requests.Response:
        answer = requests.get(
            f"{stack.url}/v1/jobs/{job_id}?cursor={seen[-1]['cursor']}&wait=5",
            headers=bearer,
            timeout=PATIENCE_SECONDS,
        )
        seen.append(answer.json())
        return answer

    assert until_job_ends(poll)["status"] == "succeeded"
    assert sum(1 for view in seen if view.get("text")) >= 3
    assert seen[-1]["usage"]["outputTokens"] == 60
    queue = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.deployment.queues["jobs"].url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    assert set(queue.values()) == {"0"}


def test_a_fault_reaches_the_client(stack: LocalStack, headers: dict[str, str]) -> None:
    stack.stub.fault(match={"tenant": "customer1"}, error="ThrottlingException")
    assert invoke(stack, headers, "Hello").status_code == 429
    assert invoke(stack, headers, "Hello").status_code == 200


def test_schedules(stack: LocalStack, headers: dict[str, str]) -> None:
    invoke(stack, headers, "Hello")
    assert stack.sweep() is not None
    assert stack.aggregate() is not None
    lake = stack.client("s3").list_objects_v2(Bucket=stack.deployment.environment["LAKE_BUCKET"])
    assert lake["KeyCount"] > 0


def test_unknown_key(stack: LocalStack) -> None:
    response = requests.get(
        f"{stack.url}/list_foundation_models",
        headers={"x-api-key": "x" * 40},
        timeout=PATIENCE_SECONDS,
    )
    assert response.status_code == 403
    assert response.json()["code"] == "invalid_api_key"


def test_a_broken_tenant_file_stops_what_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env.tfvars").write_text("tiers = {}\n", "utf-8")
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.tfvars").write_text('name = "Acme"\n', "utf-8")
    pids: list[int | None] = []
    start = MiniStack.start

    def record(self: MiniStack) -> None:
        start(self)
        pids.append(self.pid)

    monkeypatch.setattr(MiniStack, "start", record)
    with pytest.raises(tenant_files.TenantFilesError, match="acme.tfvars"):
        LocalStack(tmp_path).start()
    [pid] = pids
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()


def test_the_program_says_why_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(_: LocalStack) -> None:
        raise MiniStackError("MiniStack is not installed")

    monkeypatch.setattr(LocalStack, "start", fail)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert program.main(["--folder", str(tmp_path)]) == 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "local: MiniStack is not installed" in capsys.readouterr().err


def in_batches(made: Deployment) -> Deployment:
    return replace(made, triggers=[replace(t, batch_size=10) for t in made.triggers])


def with_a_stream(made: Deployment) -> Deployment:
    usage = replace(made.tables["usage"], stream="NEW_IMAGE")
    return replace(made, tables={**made.tables, "usage": usage})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (in_batches, "stream: got batches of 10; allowed: 1"),
        (with_a_stream, "tollgate-local-usage: got indexes or a stream; allowed: keys and a TTL"),
    ],
)
def test_what_the_stand_ins_cannot_do_is_refused(
    change: Callable[[Deployment], Deployment], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = change(deployment.described())
    monkeypatch.setattr(deployment, "described", lambda: changed)

    with pytest.raises(ValueError, match=said):
        LocalStack().start()


def test_a_port_in_use_is_named(stack: LocalStack) -> None:
    port = int(stack.url.rpartition(":")[2])

    with pytest.raises(OSError, match=f"port {port}: Address already in use"):
        LocalStack(port=port).start()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--env", "nowhere"), "choose from "),
        (("--env", "sandbox"), "choose from "),
        (("--port", "65536"), "given 65536; allowed: 0 to 65535"),
        (("--port", "-1"), "given -1; allowed: 0 to 65535"),
        (("--port", "http"), "given http; allowed: 0 to 65535"),
    ],
)
def test_bad_options_are_told_what_is_allowed(
    arguments: tuple[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        program.main(arguments)

    assert told in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_leaves_its_folder_and_nothing_else(
    tmp_path: Path, number: signal.Signals
) -> None:
    kept, temporary = tmp_path / "kept", tmp_path / "temporary"
    temporary.mkdir()
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "scripts.local", "--folder", str(kept)),
            *("--sweep-seconds", "0.2", "--aggregate-seconds", "0.2"),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    first = running.stdout.readline()
    assert first.startswith("Tollgate answers at http://127.0.0.1:")
    url = first.split()[3]
    assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 403
    assert list(temporary.iterdir())
    # The emulator is a child of a thread that may have ended, so look at all of them.
    tasks = Path(f"/proc/{running.pid}/task").iterdir()
    started = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    assert started
    requests_log = kept / REQUESTS_LOG
    until(
        lambda: {"sweep: ", "aggregate: "} <= set(re.findall("[a-z]+: ", read(requests_log))),
        "a run of both schedules",
    )
    running.send_signal(number)
    printed, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, errors
    assert errors == ""
    assert not re.search(r"^\{", printed, re.MULTILINE)
    assert "Traceback" not in read(requests_log)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not list(temporary.iterdir())
    assert (kept / "lake" / "tenants" / "customer1.json").is_file()
    assert (kept / "lake" / "prices" / "book.json").is_file()


def read(file: Path) -> str:
    return file.read_text("utf-8")


def hcl_number(path: str, name: str) -> int:
    [value] = re.findall(rf"^\s*{name}\s*=\s*(\d+)\s*$", (ROOT / path).read_text("utf-8"), re.M)
    return int(value)


def test_constants_are_those_of_terraform() -> None:
    fence = "modules/usage_plan/usage_plan.tf"
    assert hcl_number(fence, "max_burst") == MAX_BURST
    assert hcl_number(fence, "http_requests_per_model_call") == HTTP_REQUESTS_PER_MODEL_CALL
