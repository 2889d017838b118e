"""`make aws-check` against the emulated stack: what it can tell here it tells, and no more."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from scripts.awscheck import report
from scripts.awscheck.__main__ import PROBES, CheckError, chosen
from scripts.awscheck.gateway import Gateway
from scripts.awscheck.probes import NotChecked, Outcome, Probe, Seen, run_all
from scripts.local.ministack import ACCOUNT_ID, REGION
from scripts.local.provision import PREFIX
from scripts.local.stack import LocalStack
from tests.fakes.environments import with_guardrail

if TYPE_CHECKING:
    from collections.abc import Iterator

NOVA = "amazon.nova-lite-v1:0"
NOT_EMULATED = {
    "Athena query",
    "EMF arrival",
    "call after idle minutes",
    "dashboard",
    "log line",
    "resource policy",
}
NARROW = """
name        = "Narrow"
kind        = "team"
cost_center = "CC-1"
tier        = "pro"
models      = ["amazon.nova-*"]
limits      = { requests_per_minute = 2 }
apps        = { websearch = { keys = { primary = {} } } }
"""
pytestmark = pytest.mark.xdist_group("aws-check")


def gateway_at(url: str, key: str, **settings: Any) -> Gateway:
    values: dict[str, Any] = {
        "tenant_id": "customer1",
        "prefix": PREFIX,
        "region": REGION,
        "rest_api_id": "abcde12345",
        "model": NOVA,
        "clients": lambda _: _Nothing(),
        "burst": 5,
        "guardrail": True,
        "profile": "nova-lite",
        "sleep": lambda _: None,
        "patience_seconds": 5,
        **settings,
    }
    return Gateway(url, key, **values)


class _Nothing:
    """A client of an account in which nothing is."""

    exceptions = type("exceptions", (), {"ConditionalCheckFailedException": KeyError})

    def __getattr__(self, operation: str) -> Any:
        def refuse(*_: object, **__: object) -> None:
            error = {"Code": "AccessDenied", "Message": f"account {ACCOUNT_ID}"}
            raise ClientError({"Error": error}, operation)

        return refuse


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack with a tenant that has all there is, and one with a narrow usage plan."""
    environment = with_guardrail(tmp_path_factory.mktemp("environments"), "customer1")
    (environment / "tenants" / "narrow.tfvars").write_text(NARROW)
    with LocalStack(environment, delta_seconds=0.01) as running:
        yield running


def run_on(stack: LocalStack, one: Probe) -> Outcome:
    """What comes of a probe on the local stack."""
    tenant_id = "narrow" if one.name == "429 by plan" else "customer1"
    key = stack.keys[f"{tenant_id}/websearch/primary"]
    gateway = gateway_at(
        stack.url,
        key,
        tenant_id=tenant_id,
        clients=stack.client,
        burst=stack.deployment.usage_plans[key].burst,
        sleep=threading.Event().wait,
    )
    (outcome,) = run_all([one], gateway, is_emulated=True)
    assert key not in outcome.seen
    return outcome


@pytest.mark.parametrize(
    "one",
    [
        # Twice a functions' whole cache of the policy.
        pytest.param(
            one, id=one.name, marks=[pytest.mark.soak] if one.name == "policy change" else []
        )
        for one in PROBES
    ],
)
def test_a_probe_passes_here_or_says_that_only_aws_can_tell(stack: LocalStack, one: Probe) -> None:
    outcome = run_on(stack, one)
    wanted = "not emulated" if one.name in NOT_EMULATED else "as expected"

    assert outcome.verdict == wanted, outcome.seen


def test_what_the_calls_cost_is_counted(stack: LocalStack) -> None:
    gateway = gateway_at(stack.url, stack.keys["customer1/websearch/primary"])

    list(run_all(chosen(["headers under STREAM"], []), gateway))

    assert 0 < gateway.cost < Decimal("0.01")


class _Wrong(BaseHTTPRequestHandler):
    """Answers every request with what no probe expects."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"data": [], "scopes": [], "message": self.headers["Authorization"]})
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing to tell."""


@pytest.fixture(scope="module")
def wrong() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Wrong) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.name)
def test_no_probe_passes_where_nothing_is_right(one: Probe, wrong: str) -> None:
    (outcome,) = run_all([one], gateway_at(wrong, "secret-key"))

    assert outcome.verdict in ("different", "failed")
    assert "secret-key" not in outcome.seen


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.name)
def test_no_probe_ends_the_others_where_nobody_answers(one: Probe) -> None:
    (outcome,) = run_all([one], gateway_at("http://127.0.0.1:9/v1", "secret-key"))

    assert outcome.verdict == "failed"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"guardrail": False}, "guardrail"),
        ({"profile": None}, "inference profile"),
        ({"burst": None}, "429 by plan"),
        ({"idle_seconds": 0}, "call after idle minutes"),
    ],
)
def test_what_is_not_there_is_not_checked(settings: dict[str, Any], name: str, wrong: str) -> None:
    (outcome,) = run_all(chosen([name], []), gateway_at(wrong, "k", **settings))

    assert outcome.verdict == "not checked"


def test_a_probe_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(CheckError, match="given \\['weather'\\]; allowed: 429 by plan, "):
        chosen([], ["weather"])


def test_a_report_can_be_pasted_and_holds_neither_key_nor_account() -> None:
    def see(gateway: Gateway) -> Seen:
        return Seen(False, f"403 | key {gateway.key}\nof arn:aws:iam::{ACCOUNT_ID}:role/x")

    def skip(_: Gateway) -> Seen:
        raise NotChecked("nothing here")

    probes = [Probe("one", "200", see), Probe("two", "200", skip)]
    found = list(run_all(probes, gateway_at("http://127.0.0.1:9", "secret-key")))

    text = report.markdown(
        found,
        region=REGION,
        model=NOVA,
        at=datetime(2026, 12, 1, 8, 30, tzinfo=UTC),
        cost=Decimal("0.000012"),
    )

    assert text == (
        "# AWS check\n\n"
        f"2026-12-01 08:30 UTC, {REGION}, {NOVA}: 1 different, 1 not checked.\n"
        "The calls that were not streamed cost $0.000012.\n\n"
        "| probe | expected | seen | verdict |\n"
        "| --- | --- | --- | --- |\n"
        "| one | 200 | 403 / key <key> of arn:aws:iam::<account>:role/x | different |\n"
        "| two | 200 | nothing here | not checked |\n"
    )
