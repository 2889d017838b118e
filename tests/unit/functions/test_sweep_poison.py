"""One hold that cannot be ended, whatever is wrong with it, keeps no other from being ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from tests.fakes.world import app, caller, tenant
from tests.unit.functions.test_sweep import SweepWorld, counts
from tests.unit.services.test_calls import chat_call
from tollgate.domain.errors import UnavailableError
from tollgate.domain.tenants import Budget
from tollgate.observability import metrics
from tollgate.ports import Unreadable
from tollgate_sweep import handler

if TYPE_CHECKING:
    from collections.abc import Callable

# What a table says of an item that is too large is the same as of a table that is not reached.
FAULTS = [ValueError("not readable"), UnavailableError("too large"), KeyError("document")]


def poison(port: Any, method: str, fault: Exception, *marks: str) -> Callable[[], None]:
    """Let a port fail at what carries one of these marks; returns what heals it."""
    healthy = getattr(port, method)

    def fail(*arguments: Any, **named: Any) -> Any:
        if any(mark in repr(arguments) for mark in marks):
            raise fault
        return healthy(*arguments, **named)

    setattr(port, method, fail)
    return lambda: setattr(port, method, healthy)


def two_tenants(**given: Any) -> tuple[SweepWorld, str, list[str]]:
    """A world with an expired hold of tenant evil, and two of acme, one before and one after it."""
    world = SweepWorld(**given)
    for name in ("acme", "evil"):
        limited = app(budget=Budget(month=10**15))
        world.tenants.tenants[name] = tenant(tenant_id=name, apps={"web": limited})
    ids = [admit(world, name) for name in ("acme", "evil", "acme")]
    world.clock.advance(seconds=301)
    return world, ids.pop(1), ids


def admit(world: SweepWorld, tenant_id: str) -> str:
    whose = caller(tenant_id)
    call = chat_call()
    admitted = world.admission.admit(whose, call, lease_seconds=300, streamed=False)
    return admitted.request_id


def open_ids(world: SweepWorld) -> set[str]:
    return {request_id for account in world.accounts.scan() for request_id in account.holds}


PLACES = [
    ("usage", "get"),
    ("usage", "put"),
    ("tenants", "tenant"),
    ("accounts", "settle"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize(("port", "method"), PLACES)
def test_a_hold_that_cannot_be_ended_stops_no_other(
    port: str, method: str, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world, evil, good = two_tenants()
    heal = poison(getattr(world, port), method, fault, evil, "evil")

    assert world.sweep.sweep() == counts(orphaned=2, failed=1)

    assert open_ids(world) == {evil}
    assert set(good) <= set(world.usage.rows)
    assert any(getattr(record, "request_id", None) == evil for record in caplog.records)
    # Nothing is lost: what was in the way is gone, and the next run ends it.
    heal()
    done = world.sweep.sweep()
    assert done["failed"] == 0
    assert done["orphaned"] + done["settled"] == 1
    assert open_ids(world) == set()
    assert len(world.usage.rows) == 3


@pytest.mark.parametrize(("port", "method"), [("usage", "put"), ("tenants", "tenant")])
def test_the_logs_book_all_others(port: str, method: str) -> None:
    world, evil, good = two_tenants(logged=True)
    for request_id in (evil, *good):
        world.log(request_id)
    poison(getattr(world, port), method, FAULTS[0], evil, "evil")

    assert world.sweep.sweep() == counts(resolved=2, failed=1)
    assert open_ids(world) == {evil}


def test_a_job_that_cannot_be_failed_stops_no_other() -> None:
    world = SweepWorld()
    poisoned, other = world.start(), world.start()
    world.clock.advance(seconds=2000)
    poison(world.jobs, "abandon", FAULTS[0], poisoned)

    assert world.sweep.sweep() == counts(released=1, failed=1)
    assert open_ids(world) == {poisoned}
    assert world.usage.get(other) is not None


@pytest.mark.parametrize("is_whole_account", [True, False])
def test_what_cannot_be_read_is_never_taken_for_a_call_that_was_not_made(
    is_whole_account: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Only the app's hold of the poisoned call can be read: it looks as if nothing was called."""
    world, evil, _ = two_tenants()
    account = world.accounts.get("tenant#evil")
    assert account is not None
    world.accounts.settle("tenant#evil", account.holds[evil], 0, None)
    unreadable = Unreadable("tenant#evil", None if is_whole_account else evil, "ValueError: odd")
    world.accounts.unreadable = [unreadable]

    assert world.sweep.sweep() == counts(orphaned=2, failed=1)

    assert open_ids(world) == {evil}
    world.accounts.unreadable = []
    assert world.sweep.sweep() == counts(released=1)


def test_a_run_says_that_it_failed_and_at_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    world, evil, _ = two_tenants()
    poison(world.usage, "put", FAULTS[0], evil)

    metrics.clear_metrics()
    with (
        patch.object(handler, "build_service", lambda: world.sweep),
        pytest.raises(handler.IncompleteError, match="'orphaned': 2.*'failed': 1}; ValueError$"),
    ):
        handler.lambda_handler({}, FakeContext())  # type: ignore[arg-type]

    (written,) = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert '"FailedHolds":[1.0]' in written
    assert '"OrphanedCalls":[2.0]' in written


class FakeContext:
    """What the logger reads of an invocation."""

    function_name = "sweep"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:sweep"
    aws_request_id = "r-1"
