"""The failure policy in functions/shared/README.md, line by line, against the local stack.

What the table says of the answer, of the ledger and of the money is what is compared; a line
without a test fails, and so does a test without a line.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch
from uuid import uuid4

import pytest
import requests

import tollgate_invoke.handler
import tollgate_stream.handler
from scripts.local import deployment
from scripts.local.lambda_runtime import FunctionError
from scripts.local.stack import LocalStack
from tests.fakes.environments import with_silo
from tests.fakes.sdk_faults import (
    Fault,
    answer_changed,
    answer_cut,
    answer_lost,
    at_bucket,
    faults,
    in_table,
    refused,
    silent,
    unreachable,
)
from tests.fakes.stored import change_policy, items
from tests.waiting import PATIENCE_SECONDS, until, until_job_ends
from tollgate import observability
from tollgate.adapters import aws
from tollgate.domain.endpoints import endpoint_rates
from tollgate.domain.jobs import RETRY_SECONDS, VISIBILITY_SECONDS
from tollgate.domain.models import resolve_model
from tollgate.domain.prices import TokenUsage, cost, load_default
from tollgate.domain.usage import UsageRow, from_item
from tollgate.entry.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

README = Path(__file__).parents[2] / "functions" / "shared" / "README.md"
MODEL = "amazon.nova-lite-v1:0"
TENANT_WITH_KEY = "customer2"
ENDPOINT, ENDPOINT_NAME = "mistral-7b-instruct", "mistral-7b"
# How often the SDK tries before a dependency counts as out of reach, and in front of a call.
SDK_TRIES, BRIEF_TRIES = 3, 2
API_GATEWAY_SECONDS = 29
MOMENT_SECONDS = 20


# --- What the gateway does --------------------------------------------------------------------


@dataclass
class Scene:
    """The gateway with one caller, whose books are read before and after."""

    stack: LocalStack
    database: Any
    known_rows: frozenset[str] = frozenset()
    tenant: str = "customer1"
    # Whether two sweeps run at once.
    twice: bool = False

    @property
    def key(self) -> str:
        return self.stack.keys[f"{self.tenant}/websearch/primary"]

    def chat(self, prompt: str = "hello [stub:tokens=9]", **headers: str) -> str:
        """The answer as the table writes it: status, and the code of an error."""
        return said(self.post(prompt, **headers))

    def post(self, prompt: str, **headers: str) -> requests.Response:
        return requests.post(
            f"{self.stack.url}/invoke_model?model_id={MODEL}",
            json={
                "inputs": [{"role": "user", "content": [{"text": prompt}]}],
                "parameters": {"maxTokens": 40},
            },
            headers={
                "x-api-key": self.key,
                "team_id": self.tenant,
                "messages_api": "true",
                **headers,
            },
            timeout=PATIENCE_SECONDS,
        )

    def start(self, prompt: str = "hello [stub:tokens=9]") -> str:
        return str(self.post(prompt, streaming="true").json()[0]["request_id"])

    def ask_endpoint(self, prompt: str = "hello [stub:tokens=9]", **headers: str) -> Any:
        return requests.post(
            f"{self.stack.url}/invoke_model",
            params={"model_id": ENDPOINT},
            json={"inputs": prompt, "parameters": {"max_new_tokens": 40}},
            headers={"x-api-key": self.key, "team_id": self.tenant, **headers},
            timeout=PATIENCE_SECONDS,
        )

    def complete(self, prompt: str = "hello [stub:tokens=9]", *, stream: bool = False) -> str:
        """The same in OpenAI's dialect, whose streams say in their last event what failed."""
        message = {"role": "user", "content": prompt}
        body = {"model": MODEL, "messages": [message], "max_tokens": 40, "stream": stream}
        answer = self.send("/v1/chat/completions", body)
        if not stream or answer.status_code != requests.codes.ok:
            return said(answer)
        *_, last, done = [line[6:] for line in answer.text.splitlines() if line.startswith("data")]
        assert done == "[DONE]"
        error = json.loads(last).get("error")
        return "200" if error is None else f"200, then `{error['code']}`"

    def send(self, path: str, body: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.stack.url}{path}"
        return requests.post(url, json=body, headers=headers, timeout=PATIENCE_SECONDS)

    def models(self) -> str:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.stack.url}/v1/models"
        return said(requests.get(url, headers=headers, timeout=PATIENCE_SECONDS))

    def count_exactly(self) -> None:
        """Lets the tenant's input be counted where it is large."""
        change_policy(
            self.database, self.tenant, lambda policy: policy["max_tokens"].update(count="exact")
        )

    def job(self, job_id: str) -> str:
        """How a job ended, as the table writes it."""
        view = until_job_ends(lambda: self.poll(job_id))
        return "200" if view["status"] == "succeeded" else f"job failed `{view['error']['code']}`"

    def job_again(self, passing: Fault) -> str:
        """How a job ends whose first delivery meets a fault that is over at the second.

        The message comes as soon as the producer lets it, which is long before the queue would.
        """
        delayed = threading.Event()

        def note(_: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
            answer = send()
            delayed.set()
            return answer

        with faults(passing, Fault("sqs", ("ChangeMessageVisibility",), note)):
            job_id = self.start()
            until(delayed.is_set, "a message that its producer has delayed")
            assert RETRY_SECONDS[1] < VISIBILITY_SECONDS
            self.stack.move_queue_clock(RETRY_SECONDS[1])
            return self.job(job_id)

    def poll(self, job_id: str) -> requests.Response:
        return requests.get(
            f"{self.stack.url}/v1/jobs/{job_id}?wait=2",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=PATIENCE_SECONDS,
        )

    def begin(self) -> None:
        """Forgets what was before."""
        self.known_rows = frozenset()
        self.known_rows = frozenset(row.request_id for row in self.rows())
        self.stack.stub.log.clear()
        self.stack.sagemaker.log.clear()

    def enter_a_minute(self) -> None:
        """Lets the account be in a minute that lasts, so that its next write takes effect."""
        left = 60 - time.time() % 60
        if left < MOMENT_SECONDS:
            time.sleep(left)
        assert self.chat() == "200"
        self.begin()

    def rows(self) -> list[UsageRow]:
        """The rows that are new since the scene began."""
        found = [item for item in self._items("usage") if "request_id" in item]
        return [from_item(item) for item in found if item["request_id"] not in self.known_rows]

    def holds(self) -> dict[str, tuple[str, int]]:
        """Account and picodollars of each open hold by request."""
        return {
            request_id: (item["account_id"], hold["u"])
            for item in self._items("accounts")
            for request_id, hold in item["holds"].items()
        }

    def _items(self, table: str) -> list[dict[str, Any]]:
        return items(self.database, f"tollgate-local-{table}")

    def expire_holds(self) -> None:
        """Ends the lease of every open hold now."""
        past = str(int(time.time()) - 1)
        for request_id, (account_id, _) in self.holds().items():
            self.database.update_item(
                TableName="tollgate-local-accounts",
                Key={"account_id": {"S": account_id}},
                UpdateExpression="SET holds.#rid.e = :past",
                ExpressionAttributeNames={"#rid": request_id},
                ExpressionAttributeValues={":past": {"N": past}},
            )

    def billed(self) -> int:
        """What the provider bills for the calls since the scene began, in picodollars."""
        rates = load_default().rates(resolve_model(MODEL), region="us-east-1", at=utc_now())
        assert rates is not None
        machines = endpoint_rates({"per_1m_input": "0.4", "per_1m_output": "0.8"})
        assert machines is not None
        bills = [(rates, call["usage"]) for call in self.stack.calls()]
        bills += [(machines, call["usage"]) for call in self.stack.sagemaker.calls()]
        return sum(
            cost(priced, TokenUsage(usage["inputTokens"], usage["outputTokens"])).total
            for priced, usage in bills
        )

    def ledger(self) -> str:
        """What the ledger says of the calls, as the table writes it."""
        states = []
        for row in self.rows():
            if row.total_cost == 0:
                states.append("row at 0")
            else:
                source = {"provider": "cost", "estimated": "estimate"}.get(row.usage_source, "hold")
                states.append(f"row at the {source}")
        if self.holds():
            states.append("hold")
        return ", ".join(dict.fromkeys(states)) or "nothing"


def said(response: requests.Response) -> str:
    if response.status_code == requests.codes.ok:
        return "200"
    body = response.json()
    code = body.get("code") or body.get("error", {}).get("code")
    return f"{response.status_code} `{code}`" if code else str(response.status_code)


CASES: dict[tuple[str, str], Callable[[Scene], str]] = {}
LOGGED: set[tuple[str, str]] = set()
POOLED: set[tuple[str, str]] = set()


def case(
    dependency: str, fault: str, *, logs: bool = False, pool: bool = False
) -> Callable[[Callable[[Scene], str]], None]:
    """Registers the test of a line of the table; it returns the caller's answer.

    `logs` says whether Bedrock's invocation logs are on, `pool` whether there are pool sessions.
    """

    def register(run: Callable[[Scene], str]) -> None:
        assert (dependency, fault) not in CASES
        CASES[dependency, fault] = run
        if logs:
            LOGGED.add((dependency, fault))
        if pool:
            POOLED.add((dependency, fault))

    return register


# --- Tenants, accounts, usage -----------------------------------------------------------------


@case("tenants table", "down, key not cached")
def _(scene: Scene) -> str:
    with faults(in_table("tenants", unreachable, "KEY#")):
        return scene.chat()


@case("tenants table", "down, policy not cached")
def _(scene: Scene) -> str:
    with faults(in_table("tenants", unreachable, "TENANT#")):
        return scene.chat()


@case("tenants table", "slow, policy not cached")
def _(scene: Scene) -> str:
    with faults(in_table("tenants", silent, "TENANT#")):
        return scene.chat()


@case("tenants table", "down, policy cached")
def _(scene: Scene) -> str:
    assert scene.chat() == "200"
    with faults(in_table("tenants", unreachable, "TENANT#"), unmet=True):
        return scene.chat()


@case("tenants table", "down at the producer, then back")
def _(scene: Scene) -> str:
    # From here on the policy is cached where jobs are started, and not yet where they run.
    assert scene.chat() == "200"
    fault = in_table("tenants", refused("InternalServerError", 500), "TENANT#", times=SDK_TRIES)
    return scene.job_again(fault)


@case("accounts table", "down")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", unreachable)):
        return scene.chat()


@case("accounts table", "throttled")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", refused("ProvisionedThroughputExceededException"))):
        return scene.chat()


@case("accounts table", "slow: one answer lost")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", answer_lost, "#holds.#rid = :hold", times=1)):
        return scene.chat()


@case("accounts table", "slow: all answers lost at admission")
def _(scene: Scene) -> str:
    scene.enter_a_minute()
    with faults(
        in_table("accounts", answer_lost, "#holds.#rid = :hold"),
        in_table("accounts", silent, "REMOVE #holds.#rid"),
    ):
        return scene.chat()


@case("accounts table", "down at settlement")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", refused("InternalServerError", 500), "REMOVE #holds.#rid")):
        return scene.chat()


@case("accounts table", "down beyond a running call's lease, then back")
def _(scene: Scene) -> str:
    # No renewal came through, and the sweep is earlier than the next one.
    prompt = "hello [stub:gate=long] [stub:tokens=9]"
    with scene.stack.stub.gate("long") as gate, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(scene.chat, prompt)
        until(lambda: gate.waiting == 1, "a call at its model")
        scene.expire_holds()
        scene.stack.sweep()
        gate.open()
        return waiting.result()


@case("accounts table", "down at the producer, then back")
def _(scene: Scene) -> str:
    renewal = "#holds.#rid.#expires = :expires"
    with faults(
        in_table("accounts", refused("InternalServerError", 500), renewal, times=SDK_TRIES)
    ):
        return scene.job(scene.start())


@case("usage table", "down")
def _(scene: Scene) -> str:
    with faults(in_table("usage", refused("InternalServerError", 500))):
        return scene.chat()


@case("usage table", "slow: one answer lost")
def _(scene: Scene) -> str:
    with faults(in_table("usage", answer_lost, "PutItem", times=1)):
        return scene.chat()


# --- Bedrock ----------------------------------------------------------------------------------


@case("Bedrock", "throttled")
def _(scene: Scene) -> str:
    return scene.chat("[stub:error=ThrottlingException]")


@case("Bedrock", "fails")
def _(scene: Scene) -> str:
    return scene.chat("[stub:error=InternalServerException]")


@case("Bedrock", "down")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), unreachable)):
        return scene.chat()


@case("Bedrock", "slow: no answer in time")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_lost)):
        return scene.chat()


@case("Bedrock", "answer cut off")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        return scene.chat()


@case("Bedrock", "answer that cannot be read")
def _(scene: Scene) -> str:
    def stop(document: Any) -> None:
        del document["stopReason"]

    with faults(Fault("bedrock-runtime", ("/converse",), answer_changed(stop))):
        return scene.complete()


@case("Bedrock", "answer that cannot be read and does not count")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_changed(dict.clear))):
        return scene.chat()


@case("Bedrock", "half of a character in an answer, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    def halve(document: Any) -> None:
        document["output"]["message"]["content"] = [{"text": "half: \ud83d"}]

    key = {"Idempotency-Key": str(uuid.uuid4())}
    with faults(Fault("bedrock-runtime", ("/converse",), answer_changed(halve))):
        first = scene.post("hello [stub:tokens=9]", **key)
    again = scene.post("hello [stub:tokens=9]", **key)
    assert first.json() == again.json()
    assert first.json()[0]["generated_text"] == "half: \ufffd"
    return f"{said(first)}, again: {said(again)}"


@case("Bedrock", "stream cut off")
def _(scene: Scene) -> str:
    return scene.job(scene.start("[stub:tokens=20] [stub:cut=mid-stream]"))


@case("Bedrock", "throttled, answer streamed")
def _(scene: Scene) -> str:
    return scene.complete("[stub:error=ThrottlingException]", stream=True)


@case("Bedrock", "answer cut off, a dialect of its own")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        return scene.complete()


@case("Bedrock", "streamed answer cut off")
def _(scene: Scene) -> str:
    return scene.complete("[stub:tokens=20] [stub:cut=mid-stream]", stream=True)


@case("Bedrock", "streamed answer cut off, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    return scene.complete("[stub:tokens=20] [stub:cut=mid-stream]", stream=True)


@case("usage table", "down, answer streamed")
def _(scene: Scene) -> str:
    with faults(in_table("usage", refused("InternalServerError", 500))):
        return scene.complete(stream=True)


@case("CountTokens", "down, large input of a tenant with exact counts")
def _(scene: Scene) -> str:
    scene.count_exactly()
    with faults(Fault("bedrock-runtime", ("/count-tokens",), unreachable)):
        return scene.chat("hello " * 6_000 + "[stub:tokens=9]")


@case("CountTokens", "down, request for a count")
def _(scene: Scene) -> str:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    with faults(Fault("bedrock-runtime", ("/count-tokens",), unreachable)):
        return said(scene.send("/v1/messages/count_tokens", asked))


@case("model catalogue", "down, not cached")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock", ("/foundation-models",), unreachable)):
        return scene.models()


@case("model catalogue", "down, cached")
def _(scene: Scene) -> str:
    assert scene.models() == "200"
    with faults(Fault("bedrock", ("/foundation-models",), unreachable), unmet=True):
        return scene.models()


# --- SageMaker --------------------------------------------------------------------------------


def at_endpoint(how: Any) -> Fault:
    return Fault("runtime.sagemaker", (f"/endpoints/{ENDPOINT_NAME}/",), how)


@case("SageMaker", "throttled")
def _(scene: Scene) -> str:
    with faults(at_endpoint(refused("ThrottlingException"))):
        return said(scene.ask_endpoint())


@case("SageMaker", "container fails")
def _(scene: Scene) -> str:
    return said(scene.ask_endpoint("[stub:error=ModelError]"))


@case("SageMaker", "down")
def _(scene: Scene) -> str:
    with faults(at_endpoint(unreachable)):
        return said(scene.ask_endpoint())


@case("SageMaker", "slow: no answer in time")
def _(scene: Scene) -> str:
    with faults(at_endpoint(answer_lost)):
        return said(scene.ask_endpoint())


@case("SageMaker", "answer cut off")
def _(scene: Scene) -> str:
    with faults(at_endpoint(answer_cut)):
        return said(scene.ask_endpoint())


@case("SageMaker", "stream cut off")
def _(scene: Scene) -> str:
    asked = scene.ask_endpoint("[stub:tokens=20] [stub:cut=mid-stream]", streaming="true")
    return scene.job(str(asked.json()[0]["request_id"]))


# --- Logs of calls ----------------------------------------------------------------------------


@case("Bedrock", "answer cut off, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        return scene.chat()


@case("Bedrock", "stream cut off, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    return scene.job(scene.start("[stub:tokens=20] [stub:cut=mid-stream]"))


@case("usage table", "down, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    with faults(in_table("usage", refused("InternalServerError", 500))):
        return scene.chat()


@case("invocation logs", "down, then back", logs=True)
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        answer = scene.chat()
    scene.expire_holds()
    with (
        faults(at_bucket("invocation-logs", unreachable)),
        pytest.raises(FunctionError, match="cannot reach its invocation logs"),
    ):
        scene.stack.sweep()
    return answer


@case("Scheduler", "a sweep is missed, the next ones run twice", logs=True)
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        answer = scene.chat()
    scene.twice = True
    return answer


@case("Scheduler", "a run of the aggregation is missed, the next one runs twice")
def _(scene: Scene) -> str:
    assert scene.chat() == "200"
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: scene.stack.aggregate(), range(2)))
    # Both read all there is and write one file.
    assert len({run["rows"] for run in runs}) == 1
    assert runs[0]["rows"] >= 1
    return "—"


@case("EMF", "a line of metrics cannot be written")
def _(scene: Scene) -> str:
    broken = SimpleNamespace(
        metric_set={"Calls": 1},
        flush_metrics=Mock(side_effect=OSError("standard output is closed")),
        clear_metrics=Mock(),
        add_metric=Mock(),
    )
    with patch.object(observability, "metrics", broken):
        answers = {scene.chat(), scene.complete(), scene.complete(stream=True)}
        assert scene.job(scene.start()) == "200"
    # Both kinds of handlers try, and forget what they could not write.
    assert broken.flush_metrics.call_count == broken.clear_metrics.call_count > len(answers)
    (answer,) = answers
    return answer


# --- Jobs and keys of requests ----------------------------------------------------------------


@case("streams table", "down at submission")
def _(scene: Scene) -> str:
    with faults(in_table("streams", unreachable)):
        return scene.chat(streaming="true")


@case("streams table", "down while the text arrives")
def _(scene: Scene) -> str:
    with faults(in_table("streams", unreachable, "PutItem", "CHUNK#")):
        return scene.job(scene.start())


@case("streams table", "down at the claim, then back")
def _(scene: Scene) -> str:
    fault = in_table("streams", refused("InternalServerError", 500), "claim_id", times=SDK_TRIES)
    return scene.job_again(fault)


@case("streams table", "slow: one answer of the claim lost")
def _(scene: Scene) -> str:
    with faults(in_table("streams", answer_lost, "claim_id", times=1)):
        return scene.job(scene.start())


@case("streams table", "down at a job's end, then back")
def _(scene: Scene) -> str:
    end = "#available_until = :available_until"
    with faults(in_table("streams", refused("InternalServerError", 500), end, times=SDK_TRIES)):
        return scene.job(scene.start())


@case("streams table", "down at a poll")
def _(scene: Scene) -> str:
    job_id = scene.start()
    assert scene.job(job_id) == "200"
    with faults(in_table("streams", unreachable)):
        return said(scene.poll(job_id))


@case("streams table", "down, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    with faults(in_table("streams", unreachable)):
        return scene.chat(**{"Idempotency-Key": uuid4().hex})


@case("S3 payloads", "down at submission")
def _(scene: Scene) -> str:
    with faults(at_bucket("payloads", unreachable, "PUT")):
        return scene.chat(streaming="true")


@case("S3 payloads", "down at the producer, then back")
def _(scene: Scene) -> str:
    return scene.job_again(
        at_bucket("payloads", refused("InternalError", 500), "GET", times=SDK_TRIES)
    )


@case("S3 payloads", "the request of a queued job deleted")
def _(scene: Scene) -> str:
    def deleted(_: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
        storage = scene.stack.client("s3")
        bucket = scene.stack.deployment.environment["PAYLOADS_BUCKET"]
        for item in storage.list_objects_v2(Bucket=bucket, Prefix="jobs/")["Contents"]:
            storage.delete_object(Bucket=bucket, Key=item["Key"])
        return send()

    with faults(at_bucket("payloads", deleted, "GET", times=1)):
        return scene.job(scene.start())


@case("S3 payloads", "down, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    key = {"Idempotency-Key": uuid4().hex}
    with faults(at_bucket("payloads", unreachable, "PUT")):
        first = scene.chat(**key)
    return f"{first}, again: {scene.chat(**key)}"


@case("SQS", "down")
def _(scene: Scene) -> str:
    with faults(Fault("sqs", ("SendMessage",), unreachable)):
        return scene.chat(streaming="true")


@case("SQS", "slow: all answers lost")
def _(scene: Scene) -> str:
    with faults(Fault("sqs", ("SendMessage",), answer_lost)):
        return scene.chat(streaming="true")


# --- Keys, lake, roles ------------------------------------------------------------------------


@case("KMS", "key disabled: tables")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", refused("AccessDeniedException"))):
        return scene.chat()


@case("KMS", "key disabled: payloads")
def _(scene: Scene) -> str:
    with faults(at_bucket("payloads", refused("KMS.DisabledException"), "PUT")):
        return scene.chat(streaming="true")


@case("KMS", "key disabled: queue")
def _(scene: Scene) -> str:
    with faults(Fault("sqs", ("SendMessage",), refused("KmsDisabled"))):
        return scene.chat(streaming="true")


@case("KMS", "tenant's key disabled at submission")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    with faults(at_bucket("payloads", refused("KMS.DisabledException"), "PUT")):
        return scene.chat(streaming="true")


@case("KMS", "tenant's key disabled, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    key = {"Idempotency-Key": uuid4().hex}
    with faults(at_bucket("payloads", refused("KMS.DisabledException"), "PUT")):
        first = scene.chat(**key)
    return f"{first}, again: {scene.chat(**key)}"


@case("KMS", "tenant's key disabled while the text arrives")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    with faults(Fault("kms", ("TrentService.Encrypt ",), refused("DisabledException"))):
        return scene.job(scene.start())


@case("KMS", "down at a poll of a tenant with a key of its own")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    job_id = scene.start()
    assert scene.job(job_id) == "200"
    with faults(Fault("kms", ("TrentService.Decrypt ",), unreachable)):
        return said(scene.poll(job_id))


@case("S3 lake", "down")
def _(scene: Scene) -> str:
    assert scene.chat() == "200"
    with faults(at_bucket("lake", unreachable)), pytest.raises(FunctionError):
        scene.stack.aggregate()
    # The rows and the watermark are where they were: the next run writes what this one did not.
    assert scene.stack.aggregate()["rows"] >= 1
    return "—"


@case("STS", "down, tenant with an account of its own")
def _(scene: Scene) -> str:
    scene.tenant = "silo"
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.chat()


@case("STS", "down at the producer, then back, tenant with an account of its own")
def _(scene: Scene) -> str:
    scene.tenant = "silo"
    return scene.job_again(Fault("sts", ("AssumeRole",), unreachable, times=BRIEF_TRIES))


@case("STS", "the tenant's account refuses its role")
def _(scene: Scene) -> str:
    scene.tenant = "silo"
    with faults(Fault("sts", ("AssumeRole", "silo"), refused("AccessDenied", 403))):
        return scene.chat()


@case("STS", "down, pool sessions", pool=True)
def _(scene: Scene) -> str:
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.chat()


@case("STS", "down at submission, pool sessions", pool=True)
def _(scene: Scene) -> str:
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.chat(streaming="true")


# --- The table --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    dependency: str
    fault: str
    answer: str
    at_once: str
    after_sweep: str
    exposure: str


def policy() -> dict[tuple[str, str], Line]:
    section = README.read_text("utf-8").partition("## When a dependency fails")[2]
    table = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    return {(line[0], line[1]): Line(*line) for line in cells}


@pytest.fixture(scope="class")
def database(stack: LocalStack) -> Any:
    return stack.client("dynamodb")


@pytest.fixture
def scene(stack: LocalStack, database: Any) -> Scene:
    """Functions composed anew: with cold caches, and none of the SDK's retries spent."""
    stack.cold_start()
    scene = Scene(stack, database)
    scene.begin()
    assert scene.holds() == {}
    return scene


def test_every_line_has_a_test_and_every_test_a_line() -> None:
    assert set(CASES) == set(policy())


def lines(*, logs: bool = False, pool: bool = False) -> Any:
    chosen = [line for line in CASES if (line in LOGGED, line in POOLED) == (logs, pool)]
    names = [re.sub(r"[^A-Za-z0-9]+", "-", " ".join(line)) for line in chosen]
    return pytest.mark.parametrize(("dependency", "fault"), chosen, ids=names)


@pytest.mark.stack
@pytest.mark.xdist_group("failures")
class TestWithoutInvocationLogs:
    """A class per stack, because one process runs one local stack at a time."""

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
        environment = with_silo(tmp_path_factory.mktemp("environments"))
        with LocalStack(environment, delta_seconds=0.001) as running:
            yield running

    @lines()
    def test_a_failure_has_its_lines_outcome(
        self, scene: Scene, dependency: str, fault: str
    ) -> None:
        check(scene, dependency, fault)


@pytest.mark.stack
@pytest.mark.xdist_group("failures-logged")
class TestWithInvocationLogs:
    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls) -> Iterator[LocalStack]:
        with LocalStack(delta_seconds=0.001, invocation_logs=True) as running:
            yield running

    @lines(logs=True)
    def test_a_failure_has_its_lines_outcome(
        self, scene: Scene, dependency: str, fault: str
    ) -> None:
        check(scene, dependency, fault)


@pytest.mark.stack
@pytest.mark.xdist_group("failures-pool")
class TestWithPoolSessions:
    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls) -> Iterator[LocalStack]:
        with LocalStack(delta_seconds=0.001, pool_sessions=True) as running:
            yield running

    @lines(pool=True)
    def test_a_failure_has_its_lines_outcome(
        self, scene: Scene, dependency: str, fault: str
    ) -> None:
        check(scene, dependency, fault)


def check(scene: Scene, dependency: str, fault: str) -> None:
    line = policy()[dependency, fault]

    answer = CASES[dependency, fault](scene)
    at_once = scene.ledger()
    held = sum(picodollars for _, picodollars in scene.holds().values())
    held += sum(row.held for row in scene.rows())
    scene.expire_holds()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: scene.stack.sweep(), range(2 if scene.twice else 1)))

    booked = sum(row.total_cost for row in scene.rows())
    known = {"hold": held, "estimate": booked, "cost": scene.billed(), "0": 0}
    assert (answer, at_once) == (line.answer, line.at_once)
    assert scene.ledger() == (line.at_once if line.after_sweep == "—" else line.after_sweep)
    above, _, below = line.exposure.partition(" − ")
    assert booked - known["cost"] == known[above] - known[below or "0"]
    assert booked >= known["cost"], "the provider bills what the ledger does not know"


# --- Time -------------------------------------------------------------------------------------


def test_a_hung_dependency_is_given_up_before_api_gateway_gives_the_caller_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for client in (aws.dynamodb(), aws.kms(), aws.s3(), aws.sqs(), aws.sts()):
        config = client.meta.config
        tries = config.retries["total_max_attempts"]
        # The standard mode pauses for up to 1, 2, 4 ... seconds before it tries again.
        longest = tries * config.read_timeout + sum(2**n for n in range(tries - 1))
        # A failed admission and its withdrawal.
        assert 2 * longest < API_GATEWAY_SECONDS


def test_a_silent_model_is_given_up_before_the_function_ends() -> None:
    functions = deployment.described().functions
    assert functions["invoke"].timeout_seconds > tollgate_invoke.handler.MODEL_SECONDS
    assert functions["stream"].timeout_seconds > tollgate_stream.handler.MODEL_SECONDS
