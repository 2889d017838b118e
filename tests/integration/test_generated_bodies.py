"""Whatever a body asks for, its hold covers the bill, and what is booked is the bill.

Generated requests of every route and family go through the functions in this process to stand-ins
that bill the most that a body allows. `python -m scripts.bench.oracle --seed <seed>` runs the same
ones again. What the checks find is tested here as well, on answers that are wrong on purpose.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scripts.bench.oracle.__main__ import main
from scripts.bench.oracle.bill import PriceList
from scripts.bench.oracle.bodies import KINDS, Bodies
from scripts.bench.oracle.checks import faults
from scripts.bench.oracle.gateway import Asked, Gateway
from scripts.bench.oracle.run import Oracle
from scripts.bench.oracle.shrink import shrunk
from scripts.local.ministack import REGION
from tests.fakes.world import NOVA_LITE, NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.bench.oracle.gateway import Outcome
    from scripts.bench.oracle.run import Report

SAMPLE = 400
SOAK = 20_000
CONVERSE = "POST /model/{modelId}/converse"
PRICES = PriceList(REGION, NOW.date())


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway() as running:
        yield running


def assert_sound(report: Report) -> None:
    assert not report.faults, str(report)
    # Those that are refused prove nothing about money.
    assert report.billed > report.bodies / 5, str(report)


def test_a_sample_of_bodies(gateway: Gateway) -> None:
    assert_sound(Oracle(gateway, seed=7).run(range(SAMPLE)))


@pytest.mark.soak
def test_many_bodies(gateway: Gateway) -> None:
    report = Oracle(gateway, seed=secrets.randbelow(10**6)).run(range(SOAK))

    print(report)
    assert_sound(report)


def test_the_guides_command_runs_some_of_them_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7", "--from", "113", "--bodies", "9"]) == 0

    assert "9 bodies" in capsys.readouterr().out


def test_a_request_comes_again(gateway: Gateway) -> None:
    one, other = Bodies(gateway.catalogue, 3), Bodies(gateway.catalogue, 3)

    assert [one.request(n) for n in range(50)] == [other.request(n) for n in range(50)]
    assert one.request(1) != Bodies(gateway.catalogue, 4).request(1)


def test_every_route_is_asked(gateway: Gateway) -> None:
    bodies = Bodies(gateway.catalogue, 5)
    routes = {bodies.request(number).route for number in range(400)}

    assert routes == {kind.route for kind in KINDS}


# --- What the checks find ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def answered(gateway: Gateway) -> Outcome:
    """What became of a right call."""
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    body = {"messages": messages, "inferenceConfig": {"maxTokens": 100}}
    outcome = gateway.send(Asked(CONVERSE, NOVA_LITE, "open", body))
    assert list(faults(outcome, PRICES)) == []
    return outcome


def kinds(outcome: Outcome) -> set[str]:
    return {fault.kind for fault in faults(outcome, PRICES)}


def with_row(outcome: Outcome, **changes: Any) -> Outcome:
    rows = {key: replace(row, **changes) for key, row in outcome.rows.items()}
    return replace(outcome, rows=rows)


def with_entry(outcome: Outcome, **changes: Any) -> Outcome:
    return replace(outcome, models=[{**entry, **changes} for entry in outcome.models])


def test_a_bill_above_the_hold_is_found(answered: Outcome) -> None:
    (row,) = answered.rows.values()

    assert kinds(with_row(answered, held=row.total_cost - 1)) == {"held < billed", "booked > held"}


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_row_that_is_not_the_bill_is_found(answered: Outcome, difference: int) -> None:
    (row,) = answered.rows.values()

    changed = with_row(answered, total_cost=row.total_cost + difference)
    assert "booked != billed" in kinds(changed)


def test_an_estimate_below_the_bill_is_found(answered: Outcome) -> None:
    (row,) = answered.rows.values()
    below = {"usage_source": "estimated", "total_cost": row.total_cost - 1}
    above = {"usage_source": "estimated", "total_cost": row.total_cost + 1, "held": row.held + 1}

    assert kinds(with_row(answered, **below)) == {"booked < billed"}
    assert kinds(with_row(answered, **above)) == set()


def test_a_call_without_a_row_and_a_row_without_a_call_are_found(answered: Outcome) -> None:
    assert kinds(replace(answered, rows={})) == {"billed, no row"}
    assert kinds(replace(answered, models=[])) == {"booked, not called"}


def test_what_passes_unknown_or_unread_is_found(answered: Outcome) -> None:
    assert kinds(with_entry(answered, unknown_member="a")) == {"unknown member passed"}
    assert kinds(with_entry(answered, is_narrowed=True)) == {"guardrail narrowed"}


def test_failures_and_holds_that_are_left_are_found(answered: Outcome) -> None:
    assert kinds(replace(answered, status=502)) == {"failed"}
    assert kinds(with_row(answered, http_status=500)) == {"failed"}
    assert kinds(replace(answered, held=["r-1"])) == {"hold left"}


def test_a_failing_body_becomes_small() -> None:
    body = {
        "messages": [{"role": "user", "content": "x" * 500}, {"role": "assistant"}],
        "settings": {"n": 8, "other": [1, 2, 3]},
    }
    asked = Asked(CONVERSE, NOVA_LITE, "guarded", body, {"a": "b"})

    smallest = shrunk(asked, lambda candidate: "n" in candidate.body.get("settings", {}))

    assert smallest == Asked(CONVERSE, NOVA_LITE, "open", {"settings": {"n": 8}})
