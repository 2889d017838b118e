"""One fault of DynamoDB, of any kind and at any of its calls, is nothing that a caller notices.

Each request is made as often as it calls DynamoDB, and each time another call fails once. All are
answered, booked at what the provider bills, and hold nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from scripts.local.stack import LocalStack
from tests.fakes.sdk_faults import Fault, faults, refused
from tests.integration.test_failures import Scene
from tollgate.adapters import aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("dynamodb-faults")]

# What DynamoDB answers where the same request, sent again, is right.
FAULTS = {
    "InternalServerError": 500,
    "ProvisionedThroughputExceededException": 400,
    "RequestLimitExceeded": 400,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "TransactionConflictException": 400,
}
# Those that every test run knows; the others are as good as one of them to the SDK.
USUAL = {"ProvisionedThroughputExceededException", "TransactionConflictException"}
# An admission, a row and a settlement.
LEAST_CALLS = 3
REQUESTS: dict[str, Callable[[Scene], str]] = {
    "chat": lambda scene: scene.chat(),
    "chat under an idempotency key": lambda scene: scene.chat(**{"Idempotency-Key": uuid4().hex}),
    "stream": lambda scene: scene.complete(stream=True),
    "job": lambda scene: scene.job(scene.start()),
}


@dataclass
class Nth(Fault):
    """The one call of DynamoDB with this number fails; numbers start at 0."""

    number: int = 0
    calls: int = field(default=0, init=False)

    def strikes(self, service: str, text: str) -> bool:
        if service != self.service:
            return False
        self.calls += 1
        self.hits += 1
        return self.calls == self.number + 1


def nth(number: int, code: str) -> Nth:
    return Nth("dynamodb", (), refused(code, FAULTS[code]), number=number)


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(delta_seconds=0.001) as running:
        yield running


@pytest.fixture
def scene(stack: LocalStack) -> Scene:
    return Scene(stack, stack.client("dynamodb"))


@pytest.mark.parametrize(
    "code",
    [code if code in USUAL else pytest.param(code, marks=pytest.mark.soak) for code in FAULTS],
)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_fault_at_any_call_is_tried_again(scene: Scene, request_: str, code: str) -> None:
    make = REQUESTS[request_]
    # What the first one makes and caches is there from then on.
    make(scene)
    for number in count():
        scene.begin()
        fault = nth(number, code)
        with faults(fault):
            assert make(scene) == "200", f"call {number}"
        assert scene.holds() == {}
        (row,) = scene.rows()
        assert row.total_cost == scene.billed()
        if fault.calls <= number:
            # No call of that number any more: all have failed once.
            assert number > LEAST_CALLS
            return


def test_a_conflict_that_stays_is_given_up(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "_CONFLICT_PAUSE", 0.0)
    for brief, tries in ((False, 3), (True, 2)):
        client = aws.dynamodb(brief=brief)
        conflict = Fault("dynamodb", ("UpdateItem",), refused("TransactionConflictException"))
        with (
            faults(conflict),
            pytest.raises(client.exceptions.TransactionConflictException),
        ):
            client.update_item(TableName="any", Key={"account_id": {"S": "a"}})
        assert conflict.hits == tries
