"""The main job end to end on this machine: tenants call models, finance gets the bill.

    python -m scripts.local.demo

Starts the local stack, sends real HTTP requests as four apps of two tenants, has the four kinds
of forbidden requests refused, aggregates, prints the chargeback table and checks it to the
picodollar against the Bedrock stub's own call log, and writes it as a page. Exits 0 only when
everything agrees. Logs, the lake and the page stay in `.local/demo` until the next run.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.local.demo.bill import BillError, check, over_months
from scripts.local.demo.client import TIMEOUT_SECONDS, Client, UnexpectedAnswerError, expect
from scripts.local.logs import FUNCTIONS_LOG, REQUESTS_LOG, logs_in
from scripts.local.ministack import ROOT, MiniStackError
from scripts.local.screen import INDENT, Screen
from scripts.local.stack import EMULATOR_LOG, STUB_LOG, LocalStack
from scripts.reports import report
from scripts.reports.page.__main__ import from_lake
from scripts.reports.periods import Period, month_after, month_of
from tollgate.domain.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests

FOLDER = ROOT / ".local" / "demo"
PAGE = "model-spending.html"
NOVA_LITE = "amazon.nova-lite-v1:0"
NOVA_PRO = "us.amazon.nova-pro-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOT_ALLOWED = "meta.llama3-70b-instruct-v1:0"
# The app whose budget is small enough to be used up here: envs/local/tenants/customer2.tfvars.
SMALL_BUDGET_APP = "customer2/codingbot"
MAX_CALLS_TO_EXHAUST = 40
POLL_SECONDS = 0.3
_OK = 200
# Model, tokens in and out, what it cost, what is left.
_RECEIPT = (49, -9, -4, -12, -14)
# Team or model, tokens in and out, calls, costs in, out and in total.
_BILL = (42, -5, -5, -5, -10, -10, -10)
_COUNTS = ("input_tokens", "output_tokens", "invocations")
_COSTS = ("input_cost", "output_cost", "total")


class DemoError(Exception):
    """Something did not go as it must."""


def snippet(text: str, width: int) -> str:
    """The beginning of a text on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else f"{flat[: width - 1]}…"


def show_models(screen: Screen, clients: Sequence[Client]) -> None:
    """Lists the models of each tenant, once a tenant."""
    for client in {client.tenant: client for client in clients}.values():
        models = client.list_models()
        if NOVA_LITE not in models or NOT_ALLOWED in models:
            raise DemoError(f"{client.tenant} sees the wrong models: {models}")
        screen.say(f"{client.tenant}: {len(models)} models, {', '.join(models[:3])}, …")


def show_chats(screen: Screen, clients: Sequence[Client]) -> None:
    """Every app asks every model it uses, as a chat; the first one sends a plain prompt too."""
    head = (f"{INDENT}app, model", "tokens in", "out", "cost", "budget left")
    screen.row(head, _RECEIPT, "dim")
    for client in clients:
        screen.say(client.name)
        for model in (NOVA_LITE, NOVA_PRO, HAIKU):
            if model == HAIKU and client.name == SMALL_BUDGET_APP:
                continue
            question = f"What does {client.name} need to know about tokens?"
            show_receipt(screen, model, client.chat(model, question))
    prompt = {"inputs": "Write one sentence about rivers.", "parameters": {"max_tokens": 60}}
    answer = clients[0].post(prompt, model=NOVA_LITE)
    screen.say(f"{clients[0].name}, a plain prompt: {prompt['inputs']}")
    show_receipt(screen, NOVA_LITE, answer)
    screen.say(f"answered: {snippet(answer.json()[0]['generated_text'], 80)}", indent=INDENT + "  ")


def show_receipt(screen: Screen, model: str, answer: requests.Response) -> None:
    """What an answer cost."""
    (body,) = expect(answer, _OK)
    usage, headers = body["usage"], answer.headers
    cells = (
        f"{INDENT}  {model}",
        str(usage["inputTokens"]),
        str(usage["outputTokens"]),
        f"${headers['x-tollgate-cost-usd']}",
        f"${headers['x-tollgate-remaining-usd']}",
    )
    screen.row(cells, _RECEIPT)


def show_stream(screen: Screen, client: Client) -> None:
    """Starts a job and polls it; the text must grow before it is complete."""
    message = {"role": "user", "content": [{"text": "Tell a story. [stub:tokens=120]"}]}
    body = {"inputs": [message], "parameters": {"maxTokens": 400}}
    started = client.post(body, model=NOVA_LITE, messages_api="true", streaming="true")
    job = expect(started, _OK)[0]["request_id"]
    screen.say(f"{client.name} starts job {job}, then polls:")
    text, cursor, grew = "", 0, 0
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        answer = client.post({}, job=job, cursor=cursor)
        (view,) = expect(answer, _OK)
        if "generated_text" in view:
            text += view["generated_text"]
            if grew == 0:
                raise DemoError("the stream came all at once; it must grow between polls")
            (whole,) = expect(client.post({}, job=job), _OK)
            if whole["generated_text"] != text:
                raise DemoError("the pieces of the stream are not the whole answer")
            screen.say(
                f"complete: {view['usage']['outputTokens']} tokens, {len(text)} characters, "
                f"cost ${answer.headers['x-tollgate-cost-usd']}"
            )
            return
        if view["partial_text"]:
            grew += 1
            text += view["partial_text"]
            cursor = view["cursor"]
            screen.say(f"{len(text):5} characters: …{' '.join(text[-60:].split())}")
        time.sleep(POLL_SECONDS)
    raise DemoError("the job did not end in time")


def show_refusals(screen: Screen, stack: LocalStack, client: Client, poor: Client) -> None:
    """The four kinds of requests that must not reach a model."""
    calls_before = len(stack.calls())
    answer = client.chat(NOT_ALLOWED, "hi")
    show_refusal(screen, "a model off the tenant's list", answer, 403, "model_not_allowed")
    question = {"inputs": "hi"}
    answer = client.post(question, model=NOVA_LITE, team_id="customer2")
    show_refusal(screen, "another tenant's team_id", answer, 403, "tenant_mismatch")
    stranger = Client(stack.url, {f"{client.name}/primary": "0" * 40}, *client.name.split("/"))
    answer = stranger.post(question, model=NOVA_LITE)
    show_refusal(screen, "a key that nobody issued", answer, 403, "invalid_api_key")
    if len(stack.calls()) != calls_before:
        raise DemoError("a refused request reached the model")
    for calls in range(MAX_CALLS_TO_EXHAUST):
        answer = poor.chat(HAIKU, "How much is left?", max_tokens=300)
        if answer.status_code != _OK:
            what = f"what {poor.name} has left after {calls} more calls is too little"
            show_refusal(screen, what, answer, 402, "budget_exceeded")
            return
    raise DemoError(f"{poor.name} still has budget after {MAX_CALLS_TO_EXHAUST} calls")


def show_refusal(
    screen: Screen, what: str, answer: requests.Response, status: int, code: str
) -> None:
    """Shows why a request was refused."""
    body = expect(answer, status)
    if body["code"] != code:
        raise DemoError(f"{what} was refused as {body['code']}, not as {code}")
    screen.say(f"{status} {code}: {what}", "red")
    screen.say(body["message"], indent=INDENT + "  ")


def show_bill(screen: Screen, rows: Sequence[report.ChargebackRow]) -> None:
    """The chargeback table by team; costs in US dollars, exact."""
    screen.say()
    screen.row(("", "tokens", "", "", "cost $", "", ""), _BILL, "dim")
    head = ("team, model", "in", "out", "calls", "in", "out", "total")
    screen.row(head, _BILL, "dim")
    # As many decimals as the longest amount has, so that the points are below each other.
    amounts = [format_usd(getattr(row, cost)) for row in rows for cost in _COSTS]
    decimals = max((len(amount.partition(".")[2]) for amount in amounts), default=0)
    for team in dict.fromkeys(row.team_id for row in rows):
        of_team = [row for row in rows if row.team_id == team]
        screen.row(_figures(team, of_team, decimals), _BILL, "bold")
        for row in of_team:
            screen.row(_figures(f"  {row.model_id}", [row], decimals), _BILL)
    screen.row(_figures("total", rows, decimals), _BILL, "bold")
    screen.say()


def _sum(rows: Sequence[report.ChargebackRow], column: str) -> int:
    return sum(getattr(row, column) for row in rows)


def _figures(name: str, rows: Sequence[report.ChargebackRow], decimals: int) -> list[str]:
    counts = [str(_sum(rows, column)) for column in _COUNTS]
    costs = [f"{Decimal(_sum(rows, cost)).scaleb(-12):.{decimals}f}" for cost in _COSTS]
    return [name, *counts, *costs]


def write_page(folder: Path, lake: Path, began: datetime) -> None:
    """Write the page of this month, and of the one in which the demonstration began."""
    now = datetime.now(UTC)
    period = Period(month_of(began.date()), month_after(now.date()))
    (folder / PAGE).write_text(from_lake(lake, period, now), "utf-8")


def shown_from_here(path: Path) -> str:
    """A path as one would type it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def run(screen: Screen, folder: Path) -> None:
    """The demonstration. Raises where something is not as it must be."""
    screen.say("Two tenants with two apps each call models; finance gets the bill.", indent="")
    began = datetime.now(UTC)
    stack = LocalStack(delta_seconds=0.06, folder=folder)
    with screen.step("1/6", "Start the gateway here: its functions, AWS and Bedrock as stand-ins"):
        stack.start()
        screen.say(f"It answers at {stack.url}")
    try:
        clients = [
            Client(stack.url, stack.keys, tenant, app)
            for tenant in ("customer1", "customer2")
            for app in ("websearch", "codingbot")
        ]
        with screen.step("2/6", "Each tenant lists the models it may call"):
            show_models(screen, clients)
        with screen.step("3/6", "Two apps of each tenant ask; every answer has a receipt"):
            show_chats(screen, clients)
        with screen.step("4/6", "A long answer is a job, polled while it grows"):
            show_stream(screen, clients[0])
        with screen.step("5/6", "What must not happen is refused, and says why"):
            poor = next(client for client in clients if client.name == SMALL_BUDGET_APP)
            show_refusals(screen, stack, clients[0], poor)
        with screen.step("6/6", "Finance gets the bill, and it is the provider's own log"):
            stack.aggregate()
            lake = stack.lake_copy(folder / "lake")
            lake.update()
            # One may have ended meanwhile.
            months = dict.fromkeys(f"{moment:%Y-%m}" for moment in (began, datetime.now(UTC)))
            bills = [row for month in months for row in report.chargeback(lake.folder, month)]
            rows = over_months(bills)
            show_bill(screen, rows)
            agreed = check(rows, stack.calls(), stack.deployment.models_by_profile_arn)
            screen.say(
                f"{agreed.calls} calls in {agreed.rows} rows: billed {agreed.cost} picodollars, "
                f"the provider's log says {agreed.cost}; difference 0",
                "green",
            )
            write_page(folder, lake.folder, began)
            screen.say("The same figures as a page for a browser:")
            screen.say(shown_from_here(folder / PAGE), "bold", indent=INDENT + "  ")
    finally:
        stack.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for logs and the lake")
    folder = parser.parse_args(arguments).folder
    screen = Screen(sys.stdout)
    # A shell lets what it starts in the background ignore Ctrl-C; whoever sends one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.monotonic()
    failure = None
    with logs_in(folder):
        try:
            run(screen, folder)
        except (DemoError, BillError, UnexpectedAnswerError, MiniStackError) as error:
            failure = error
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
            return 128 + signal.SIGINT
    if failure is None:
        screen.say()
        screen.say(
            f"Done in {time.monotonic() - started:.0f} s: every request metered once, every "
            "refusal explained, the bill exact.",
            "bold",
            indent="",
        )
    place = shown_from_here(folder)
    screen.say(
        f"Logs in {place}: {FUNCTIONS_LOG} (the functions), {REQUESTS_LOG}, {STUB_LOG} (what the "
        f"provider would bill), {EMULATOR_LOG} (AWS); the lake in {place}/lake",
        indent="",
    )
    if failure is None:
        screen.say("Next: `make local` keeps a gateway running for you to call.", indent="")
        return 0
    print(f"\nFAILED: {failure}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
