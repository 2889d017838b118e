"""The main job end to end on this machine: tenants call models, finance gets the bill.

    python -m scripts.local.demo

Starts the local stack, sends real HTTP requests as four apps of two tenants, has the four kinds
of forbidden requests refused, aggregates, prints the chargeback table and checks it to the
picodollar against the Bedrock stub's own call log. Exits 0 only when everything agrees.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from scripts.local.stack import LocalStack
from scripts.reports import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PRICES = Path(__file__).resolve().parents[1] / "prices" / "data" / "bedrock_prices.csv"
NOVA_LITE = "amazon.nova-lite-v1:0"
NOVA_PRO = "us.amazon.nova-pro-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOT_ALLOWED = "meta.llama3-70b-instruct-v1:0"
# The app whose budget is small enough to be used up here: envs/local/tenants/customer2.tfvars.
SMALL_BUDGET_APP = ("customer2", "codingbot")
MAX_CALLS_TO_EXHAUST = 40
PICO_PER_USD = 10**12
_TIMEOUT_SECONDS = 30


class DemoError(Exception):
    """Something did not go as it must."""


class Client:
    """An app's own view of the gateway, as a tenant developer would write it."""

    def __init__(self, url: str, keys: Mapping[str, str], tenant: str, app: str) -> None:
        self.name = f"{tenant}/{app}"
        self.tenant = tenant
        self._url = url
        self._key = keys[f"{tenant}/{app}/primary"]

    def list_models(self) -> list[str]:
        """Ids of the models this app may call."""
        answer = requests.get(
            f"{self._url}/list_foundation_models",
            headers={"x-api-key": self._key},
            timeout=_TIMEOUT_SECONDS,
        )
        (page,) = expect(answer, 200)
        return [summary["modelId"] for summary in page["modelSummaries"]]

    def post(
        self,
        body: object,
        *,
        model: str | None = None,
        job: str | None = None,
        cursor: int | None = None,
        **headers: str,
    ) -> requests.Response:
        """One `POST /invoke_model`."""
        query = {"model_id": model, "requestId": job, "cursor": cursor}
        return requests.post(
            f"{self._url}/invoke_model",
            params={name: str(value) for name, value in query.items() if value is not None},
            headers={"x-api-key": self._key, "team_id": self.tenant, **headers},
            json=body,
            timeout=_TIMEOUT_SECONDS,
        )

    def chat(self, model: str, question: str, max_tokens: int = 200) -> requests.Response:
        """One question in chat mode."""
        message = {"role": "user", "content": [{"text": question}]}
        body = {"inputs": [message], "parameters": {"maxTokens": max_tokens, "temperature": 0.2}}
        return self.post(body, model=model, messages_api="true")


def expect(answer: requests.Response, status: int) -> Any:  # noqa: ANN401 - any JSON
    """The JSON of an answer that must have this status."""
    if answer.status_code != status:
        raise DemoError(
            f"{answer.request.method} {answer.url} answered {answer.status_code}, "
            f"not {status}: {answer.text}"
        )
    return answer.json()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Names what happens and how long it took."""
    print(f"\n== {title}", flush=True)
    started = time.monotonic()
    yield
    print(f"   ({time.monotonic() - started:.1f} s)", flush=True)


def say(text: str) -> None:
    """One line of progress."""
    print(f"   {text}", flush=True)


def snippet(text: str, width: int = 76) -> str:
    """The beginning of a text on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else f"{flat[: width - 1]}…"


def show_models(clients: Sequence[Client]) -> None:
    """Lists the models of each tenant, once a tenant."""
    for client in {client.tenant: client for client in clients}.values():
        models = client.list_models()
        if NOVA_LITE not in models or NOT_ALLOWED in models:
            raise DemoError(f"{client.tenant} sees the wrong models: {models}")
        say(f"{client.tenant}: {len(models)} models, {', '.join(models[:3])}, …")


def show_chats(clients: Sequence[Client]) -> None:
    """Every app asks every model it uses, as a chat or a plain prompt."""
    for client in clients:
        for model in (NOVA_LITE, NOVA_PRO, HAIKU):
            if model == HAIKU and client.name == "/".join(SMALL_BUDGET_APP):
                continue
            answer = client.chat(model, f"What does {client.name} need to know about tokens?")
            show_answer(client, model, answer)
    prompt = {"inputs": "Write one sentence about rivers.", "parameters": {"max_tokens": 60}}
    show_answer(clients[0], f"{NOVA_LITE} (plain prompt)", clients[0].post(prompt, model=NOVA_LITE))


def show_answer(client: Client, model: str, answer: requests.Response) -> None:
    """An answer and its receipt."""
    (body,) = expect(answer, 200)
    usage = body["usage"]
    say(f"{client.name} → {model}: {snippet(body['generated_text'], 48)}")
    say(
        f"    {usage['inputTokens']} in, {usage['outputTokens']} out, "
        f"cost ${answer.headers['x-tollgate-cost-usd']}, "
        f"remaining ${answer.headers['x-tollgate-remaining-usd']}"
    )


def show_stream(client: Client) -> None:
    """Starts a job and polls it; the text must grow before it is complete."""
    message = {"role": "user", "content": [{"text": "Tell a story. [stub:tokens=120]"}]}
    body = {"inputs": [message], "parameters": {"maxTokens": 400}}
    started = client.post(body, model=NOVA_LITE, messages_api="true", streaming="true")
    job = expect(started, 200)[0]["request_id"]
    say(f"job {job} started by {client.name}")
    text, cursor, grew = "", 0, 0
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        answer = client.post({}, job=job, cursor=cursor)
        (view,) = expect(answer, 200)
        if "generated_text" in view:
            text += view["generated_text"]
            if grew == 0:
                raise DemoError("the stream came all at once; it must grow between polls")
            (whole,) = expect(client.post({}, job=job), 200)
            if whole["generated_text"] != text:
                raise DemoError("the pieces of the stream are not the whole answer")
            say(f"complete, {view['usage']['outputTokens']} tokens: {snippet(text)}")
            say(f"cost ${answer.headers['x-tollgate-cost-usd']}")
            return
        if view["partial_text"]:
            grew += 1
            text += view["partial_text"]
            cursor = view["cursor"]
            say(f"{view['status']:>8} {len(text):4} characters: …{text[-50:]!r}")
        time.sleep(0.3)
    raise DemoError("the job did not end in time")


def show_refusals(stack: LocalStack, client: Client, poor: Client) -> None:
    """The four kinds of requests that must not reach a model."""
    calls_before = len(stack.calls())
    refused("a model off the tenant's list", client.chat(NOT_ALLOWED, "hi"), 403)
    question = {"inputs": "hi"}
    refused(
        "another tenant's team_id", client.post(question, model=NOVA_LITE, team_id="customer2"), 403
    )
    stranger = Client(stack.url, {f"{client.name}/primary": "0" * 40}, *client.name.split("/"))
    refused("a key nobody issued", stranger.post(question, model=NOVA_LITE), 403)
    if len(stack.calls()) != calls_before:
        raise DemoError("a refused request reached the model")
    for calls in range(1, MAX_CALLS_TO_EXHAUST):
        answer = poor.chat(HAIKU, "How much is left?", max_tokens=300)
        if answer.status_code != 200:  # noqa: PLR2004
            say(f"{poor.name} spent its budget in {calls - 1} calls")
            refused("a call the budget cannot cover", answer, 402)
            return
    raise DemoError(f"{poor.name} still has budget after {MAX_CALLS_TO_EXHAUST} calls")


def refused(what: str, answer: requests.Response, status: int) -> None:
    """Shows a refusal's body."""
    body = expect(answer, status)
    say(f"{what}: {status}")
    say(f"    {json.dumps(body, ensure_ascii=False)}")


def bill(stack: LocalStack, month: str) -> list[report.ChargebackRow]:
    """Aggregates, copies the lake and runs the chargeback query over it."""
    say(f"aggregate: {stack.aggregate()}")
    with tempfile.TemporaryDirectory(prefix="tollgate-lake-") as folder:
        lake = Path(folder)
        download(stack, lake)
        rows = report.chargeback(lake, month)
    print()
    print(report.render(rows), end="")
    return rows


def download(stack: LocalStack, folder: Path) -> None:
    """Copies the lake bucket into a folder."""
    storage = stack.client("s3")
    bucket = stack.deployment.environment["LAKE_BUCKET"]
    for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", ()):
            target = folder / entry["Key"]
            target.parent.mkdir(parents=True, exist_ok=True)
            storage.download_file(bucket, entry["Key"], str(target))


def ground_truth(
    calls: Sequence[Mapping[str, Any]], models_by_profile_arn: Mapping[str, str]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """What the provider's own log says, priced from the published table.

    Shares no code with the gateway: tokens from the stub, prices per token from the CSV. Calls of
    an app's inference profile are priced as the model behind it.
    Returns input tokens, output tokens, calls and picodollars by tenant and base model.
    """
    with PRICES.open() as file:
        prices = {
            row["key"]: (
                Decimal(row["input_cost_per_token"]),
                Decimal(row["output_cost_per_token"]),
            )
            for row in csv.DictReader(file)
            if row["input_cost_per_token"] and row["output_cost_per_token"]
        }
    totals: dict[tuple[str, str], Counter[str]] = {}
    for call in calls:
        if call["status"] != "ok":
            continue
        model_id = models_by_profile_arn.get(call["modelId"], call["modelId"])
        price_in, price_out = prices[model_id]
        tokens_in, tokens_out = call["usage"]["inputTokens"], call["usage"]["outputTokens"]
        cost = (price_in * tokens_in + price_out * tokens_out) * PICO_PER_USD
        if cost != int(cost):
            raise DemoError(f"{model_id} costs a fraction of a picodollar: {cost}")
        key = (call["requestMetadata"]["tenant"], model_id.removeprefix("us."))
        total = totals.setdefault(key, Counter())
        total.update(input=tokens_in, output=tokens_out, calls=1, cost=int(cost))
    return {
        key: (total["input"], total["output"], total["calls"], total["cost"])
        for key, total in totals.items()
    }


def check(
    rows: Sequence[report.ChargebackRow],
    calls: Sequence[Mapping[str, Any]],
    models_by_profile_arn: Mapping[str, str],
) -> None:
    """The bill must be the provider's log, row by row, to the picodollar."""
    billed = {
        (row.team_id, row.model_id): (
            row.input_tokens,
            row.output_tokens,
            row.invocations,
            row.total,
        )
        for row in rows
    }
    truth = ground_truth(calls, models_by_profile_arn)
    for key in sorted(billed.keys() | truth.keys()):
        if billed.get(key) != truth.get(key):
            raise DemoError(f"{key}: billed {billed.get(key)}, the provider's log {truth.get(key)}")
    total = sum(figures[-1] for figures in truth.values())
    say(
        f"{len(rows)} rows, {sum(figures[2] for figures in truth.values())} calls, "
        f"{total} picodollars: the bill and the provider's log agree, difference 0"
    )


def run() -> None:
    """The demonstration. Raises DemoError where something is not as it must be."""
    with step("Start the local stack (emulated AWS, Bedrock stub, front door)"):
        stack = LocalStack(delta_seconds=0.06)
        stack.start()
        say(stack.url)
    try:
        month = f"{datetime.now(UTC):%Y-%m}"
        clients = [
            Client(stack.url, stack.keys, tenant, app)
            for tenant in ("customer1", "customer2")
            for app in ("websearch", "codingbot")
        ]
        with step("List the models each tenant may call"):
            show_models(clients)
        with step("Chat as both apps of both tenants"):
            show_chats(clients)
        with step("Stream one answer by long poll"):
            show_stream(clients[0])
        with step("Refuse what must not happen"):
            poor = next(client for client in clients if client.name == "/".join(SMALL_BUDGET_APP))
            show_refusals(stack, clients[0], poor)
        with step("Aggregate usage and print the chargeback table"):
            rows = bill(stack, month)
        with step("Check the bill against the provider's own log"):
            check(rows, stack.calls(), stack.deployment.models_by_profile_arn)
    finally:
        stack.stop()


def main() -> int:
    """Runs the demonstration; returns the exit status."""
    logging.getLogger().setLevel(logging.WARNING)
    try:
        run()
    except DemoError as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    print("\nDone: every request metered once, every refusal explained, the bill exact.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
