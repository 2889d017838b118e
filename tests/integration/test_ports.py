"""One contract for each port, held by the in-memory fake and by the adapter on the emulator."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from botocore.stub import Stubber

from tests.fakes.free_work import FakeFreeCounters
from tests.fakes.idempotency import FakeIdempotencyRecords
from tests.fakes.jobs import FakeJobs, FakeJobTexts, FakePayloads, FakeQueue
from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOW
from tests.unit.domain.test_tenants import DOCUMENT
from tollgate.adapters import tables
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.free_work import DynamoFreeCounters
from tollgate.adapters.idempotency import DynamoIdempotencyRecords
from tollgate.adapters.jobs import DynamoJobs, DynamoJobTexts, S3Payloads, SqsJobQueue
from tollgate.adapters.kms import KmsTexts
from tollgate.adapters.tenants import DynamoTenants
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.custody import Custody
from tollgate.domain.errors import UnavailableError
from tollgate.domain.idempotency import IdempotencyRecord
from tollgate.domain.ids import new_request_id
from tollgate.domain.jobs import JOB_EXPIRED, Job, parse_queue_message
from tollgate.domain.ledger import Hold, Layout, Scope, Windows, new_account, roll_over
from tollgate.domain.money import usd
from tollgate.domain.tenants import (
    Budget,
    BusinessUnit,
    KeyRecord,
    Limits,
    parse_business_unit,
    parse_tenant,
)
from tollgate.ports import (
    Accounts,
    Admitted,
    FreeCounters,
    IdempotencyRecords,
    JobQueue,
    Jobs,
    JobTexts,
    Payloads,
    Rejected,
    Tenants,
    TokenRefund,
    Unreadable,
    Usage,
)

_DENIED = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: {} on resource: x"
WINDOWS = Windows.at(NOW)
Client = Callable[[str], Any]
MakeTable = Callable[[tables.TableSpec], str]


# --- Free work ----------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "aws"])
def free_counters(request: pytest.FixtureRequest) -> FreeCounters:
    if request.param == "fake":
        return FakeFreeCounters()
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    database, table = client("dynamodb"), make_table(tables.STREAMS)
    return DynamoFreeCounters(lambda _: database, table)


def test_a_count_stops_at_its_limit_in_each_minute(free_counters: FreeCounters) -> None:
    def take(amount: int, minute: str = WINDOWS.minute, kind: str = "polls") -> bool:
        return free_counters.take("acme", kind, minute, amount, 5)

    assert [take(6), take(3), take(3), take(2), take(1)] == [False, True, False, True, False]
    assert take(5, "2026-11-22T10:31")
    assert take(5, kind="token_counts/web")
    assert free_counters.take("globex", "polls", WINDOWS.minute, 5, 5)


def test_many_at_once_count_no_more_than_the_limit(free_counters: FreeCounters) -> None:
    def take(_: int) -> bool:
        return free_counters.take("acme", "polls", WINDOWS.minute, 2, 25)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(40))) == 12


def test_so_many_wait_and_none_twice_under_a_name(free_counters: FreeCounters) -> None:
    def enter(name: str, now: int = 100) -> bool:
        return free_counters.enter("acme", name, now, now + 30, 2)

    assert [enter("a"), enter("a"), enter("b"), enter("c")] == [True, False, True, False]
    assert free_counters.enter("globex", "a", 100, 130, 2)
    free_counters.leave("acme", "a", 129)  # another's wait under the name
    assert not enter("c")
    free_counters.leave("acme", "a", 130)
    free_counters.leave("acme", "a", 130)
    assert enter("c")


def test_a_wait_that_is_over_keeps_nobody_out(free_counters: FreeCounters) -> None:
    def enter(name: str, now: int) -> bool:
        return free_counters.enter("acme", name, now, now + 30, 2)

    assert enter("poll/a", 100)
    assert enter("key/b", 101)
    assert not enter("c", 130)
    assert enter("c", 131)
    assert enter("key/b", 132)
    assert not enter("d", 132)


def test_many_at_once_get_no_more_places_than_there_are(free_counters: FreeCounters) -> None:
    def enter(index: int) -> bool:
        return free_counters.enter("acme", f"poll/{index}", 100, 130, 5)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(enter, range(20))) == 5


# --- Accounts -----------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "aws"])
def accounts(request: pytest.FixtureRequest) -> Accounts:
    if request.param == "fake":
        return FakeAccounts()
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    return DynamoAccounts(client("dynamodb"), make_table(tables.ACCOUNTS))


def hold(usd: int = 100, tokens: int = 10, **changes: Any) -> Hold:  # noqa: ANN401
    made = Hold(
        new_request_id(NOW), usd, tokens, 1000, "m.x", "web", "web/k", "legacy.chat", streamed=False
    )
    return replace(made, **{"minute": WINDOWS.minute, **changes})


def scope(budget: Budget | None = None, **limits: int) -> Scope:
    return Scope("tenant#acme", budget or Budget(), Limits(**limits))


def opened(accounts: Accounts) -> Accounts:
    assert accounts.create(new_account("tenant#acme", WINDOWS))
    return accounts


def test_an_account_that_is_not_there_rejects(accounts: Accounts) -> None:
    assert accounts.admit(scope(), hold(), WINDOWS) == Rejected(None)
    assert accounts.get("tenant#acme") is None


def test_an_account_is_created_once(accounts: Accounts) -> None:
    opened(accounts)

    assert not accounts.create(new_account("tenant#acme", WINDOWS))
    assert accounts.get("tenant#acme") == new_account("tenant#acme", WINDOWS)


def test_admitting_counts_and_holds(accounts: Accounts) -> None:
    first, second = hold(streamed=True), hold(7, 3)
    opened(accounts).admit(scope(), first, WINDOWS)

    outcome = accounts.admit(scope(), second, WINDOWS)

    assert isinstance(outcome, Admitted)
    account = outcome.account
    assert account == accounts.get("tenant#acme")
    assert (account.month_committed, account.day_committed) == (107, 107)
    assert (account.month_spent, account.day_spent) == (0, 0)
    assert (account.day_requests, account.minute_requests, account.minute_tokens) == (2, 2, 13)
    assert account.holds == {first.request_id: first, second.request_id: second}
    assert account.rev == 2


@pytest.mark.parametrize(
    ("limits", "fits", "exceeds"),
    [
        (scope(Budget(month=250)), hold(150), hold(151)),
        (scope(Budget(day=250)), hold(150), hold(151)),
        (scope(tokens_per_minute=30), hold(tokens=20), hold(tokens=21)),
    ],
)
def test_an_amount_that_reaches_a_limit_fits_and_one_more_does_not(
    accounts: Accounts, limits: Scope, fits: Hold, exceeds: Hold
) -> None:
    opened(accounts).admit(scope(), hold(100, 10), WINDOWS)

    refused = accounts.admit(limits, exceeds, WINDOWS)
    admitted = accounts.admit(limits, fits, WINDOWS)

    assert isinstance(refused, Rejected)
    assert refused.account is not None
    assert len(refused.account.holds) == 1
    assert isinstance(admitted, Admitted)


@pytest.mark.parametrize(
    "limits",
    [scope(requests_per_day=2), scope(requests_per_minute=2), scope(concurrent_requests=2)],
)
def test_counts_stop_at_their_limit(accounts: Accounts, limits: Scope) -> None:
    opened(accounts)

    outcomes = [accounts.admit(limits, hold(), WINDOWS) for _ in range(4)]

    assert [isinstance(outcome, Admitted) for outcome in outcomes] == [True, True, False, False]


def test_a_hold_larger_than_the_limit_never_fits(accounts: Accounts) -> None:
    opened(accounts)

    assert isinstance(accounts.admit(scope(Budget(month=99)), hold(100), WINDOWS), Rejected)


def test_the_same_request_is_held_once(accounts: Accounts) -> None:
    held = hold()
    opened(accounts).admit(scope(), held, WINDOWS)

    again = accounts.admit(scope(), held, WINDOWS)

    assert isinstance(again, Rejected)
    assert again.account is not None
    assert again.account.month_committed == 100


@pytest.mark.parametrize("span", [{"minutes": 1}, {"days": 1}, {"days": 30}])
def test_stale_windows_reject(accounts: Accounts, span: dict[str, int]) -> None:
    opened(accounts)

    later = Windows.at(NOW + timedelta(**span))
    assert isinstance(accounts.admit(scope(), hold(), later), Rejected)


def test_windows_that_have_passed_reject(accounts: Accounts) -> None:
    opened(accounts)

    outcome = accounts.admit(scope(), hold(), Windows.at(NOW - timedelta(minutes=1)))

    assert outcome == Rejected(new_account("tenant#acme", WINDOWS))


def test_a_hold_names_the_minute_that_it_counts_in(accounts: Accounts) -> None:
    later = Windows.at(NOW + timedelta(minutes=1))
    early, late = hold(minute=""), hold(minute="")
    opened(accounts).admit(scope(), early, WINDOWS)
    before = accounts.get("tenant#acme")
    assert before is not None
    accounts.replace(before, roll_over(before, later))

    outcome = accounts.admit(scope(), late, later)

    assert isinstance(outcome, Admitted)
    minutes = {rid: held.minute for rid, held in outcome.account.holds.items()}
    assert minutes == {early.request_id: WINDOWS.minute, late.request_id: later.minute}
    assert accounts.get("tenant#acme") == outcome.account


def test_a_soft_budget_is_no_limit(accounts: Accounts) -> None:
    opened(accounts)

    outcome = accounts.admit(scope(Budget(month=1, day=1, is_hard=False)), hold(100), WINDOWS)

    assert isinstance(outcome, Admitted)
    assert outcome.account.month_committed == 100


def test_a_frozen_account_admits_nothing_but_settles(accounts: Accounts) -> None:
    held = hold()
    opened(accounts).admit(scope(), held, WINDOWS)
    assert accounts.freeze("tenant#globex") is None

    frozen = accounts.freeze("tenant#acme")
    again = accounts.freeze("tenant#acme")

    assert frozen is not None
    assert again is not None
    assert frozen.frozen
    assert frozen.rev == 2
    assert again == replace(frozen, rev=3) == accounts.get("tenant#acme")
    assert accounts.admit(scope(), hold(), WINDOWS) == Rejected(again)
    assert accounts.extend("tenant#acme", held.request_id, 7)
    settled = accounts.settle("tenant#acme", held, 30, None)
    assert settled is not None
    assert settled.frozen
    assert (settled.month_committed, settled.month_spent) == (30, 30)


def layout(generation: int, **changes: Any) -> Layout:
    opening = replace(
        new_account("tenant#acme", WINDOWS), month_committed=9, month_spent=9, month_carried=9
    )
    made = Layout(generation, 8, 1_795_343_415_123, Budget(month=80, is_hard=False), opening)
    return replace(made, **changes)


def test_a_layout_is_written_once_a_generation(accounts: Accounts) -> None:
    assert not accounts.lay_out("tenant#acme", 0, layout(1))
    opened(accounts)
    assert not accounts.lay_out("tenant#acme", 0, layout(1))
    accounts.freeze("tenant#acme")

    assert not accounts.lay_out("tenant#acme", 1, layout(2))
    assert accounts.lay_out("tenant#acme", 0, layout(1))
    assert not accounts.lay_out("tenant#acme", 0, layout(1, shards=4))

    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.layout == layout(1)
    assert account.rev == 2
    watched = layout(2, shards=1, budget=Budget(day=5, is_observed=True))
    assert accounts.lay_out("tenant#acme", 1, watched)
    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.layout == watched
    outcome = accounts.admit(scope(), hold(), WINDOWS)
    assert isinstance(outcome, Rejected)
    assert outcome.account is not None
    assert outcome.account.layout == watched


def test_what_an_account_carries_is_kept_until_its_window_ends(accounts: Accounts) -> None:
    carrying = replace(
        new_account("tenant#acme#1.0", WINDOWS),
        month_committed=9,
        month_spent=9,
        month_carried=9,
        day_committed=4,
        day_spent=4,
        day_carried=4,
    )
    assert accounts.create(carrying)
    assert accounts.get("tenant#acme#1.0") == carrying
    rolled = roll_over(carrying, Windows.at(NOW + timedelta(days=1)))

    assert accounts.replace(carrying, rolled)

    assert accounts.get("tenant#acme#1.0") == rolled
    assert (rolled.month_carried, rolled.day_carried) == (9, 0)


def test_replacing_needs_the_same_revision(accounts: Accounts) -> None:
    held = hold()
    opened(accounts).admit(scope(), held, WINDOWS)
    before = accounts.get("tenant#acme")
    assert before is not None
    rolled = roll_over(before, Windows.at(NOW + timedelta(days=1)))

    assert accounts.replace(before, rolled)
    assert accounts.get("tenant#acme") == rolled
    assert not accounts.replace(before, rolled)


def test_settling_ends_the_hold_once(accounts: Accounts) -> None:
    held, other = hold(), hold(50)
    opened(accounts).admit(scope(), held, WINDOWS)
    accounts.admit(scope(), other, WINDOWS)

    settled = accounts.settle("tenant#acme", held, 30, None)

    assert settled is not None
    assert settled == accounts.get("tenant#acme")
    assert (settled.month_committed, settled.month_spent) == (80, 30)
    assert (settled.day_committed, settled.day_spent) == (80, 30)
    assert settled.holds == {other.request_id: other}
    assert accounts.settle("tenant#acme", held, 30, None) is None
    assert accounts.settle("tenant#globex", held, 30, None) is None


def test_tokens_are_refunded_in_their_own_minute_only(accounts: Accounts) -> None:
    first, second = hold(tokens=10), hold(tokens=20)
    opened(accounts).admit(scope(), first, WINDOWS)
    accounts.admit(scope(), second, WINDOWS)

    same = accounts.settle("tenant#acme", first, 1, TokenRefund(WINDOWS.minute, 8))
    other = accounts.settle("tenant#acme", second, 1, TokenRefund("2026-11-22T10:29", 15))

    assert same is not None
    assert same.minute_tokens == 22
    assert other is not None
    assert other.minute_tokens == 22


# What is left of the day's requests, the minute's and its tokens: a withdrawal gives all back in
# the minute that it was taken in, and nothing of it to another one.
@pytest.mark.parametrize(
    ("span", "counted"),
    [({}, (1, 1, 5)), ({"minutes": 1}, (1, 0, 0)), ({"days": 1}, (0, 0, 0))],
)
def test_withdrawing_gives_back_what_its_own_windows_counted(
    accounts: Accounts, span: dict[str, int], counted: tuple[int, int, int]
) -> None:
    withdrawn, other = hold(100, 10), hold(50, 5)
    opened(accounts).admit(scope(), withdrawn, WINDOWS)
    accounts.admit(scope(), other, WINDOWS)
    before = accounts.get("tenant#acme")
    assert before is not None
    accounts.replace(before, roll_over(before, Windows.at(NOW + timedelta(**span))))

    for _ in range(2):  # a repeat finds nothing
        accounts.withdraw("tenant#acme", withdrawn)
        accounts.withdraw("tenant#globex", withdrawn)

    account = accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.day_committed) == (50, 50)
    assert (account.month_spent, account.day_spent) == (0, 0)
    assert account.holds == {other.request_id: other}
    assert (account.day_requests, account.minute_requests, account.minute_tokens) == counted


def test_what_was_sent_for_an_earlier_try_ends_no_hold_of_a_later_one(accounts: Accounts) -> None:
    first = hold(100, 10)
    second = replace(first, usd=60, tokens=6)
    opened(accounts).admit(scope(), first, WINDOWS)
    accounts.withdraw("tenant#acme", first)
    accounts.admit(scope(), second, WINDOWS)

    accounts.withdraw("tenant#acme", first)
    assert accounts.settle("tenant#acme", first, 40, TokenRefund(WINDOWS.minute, 4)) is None

    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.holds == {first.request_id: second}
    assert (account.month_committed, account.day_requests, account.minute_tokens) == (60, 1, 6)
    settled = accounts.settle("tenant#acme", second, 40, None)
    assert settled is not None
    assert settled.month_committed == 40


def test_withdrawing_takes_nothing_from_the_requests_of_a_later_window(accounts: Accounts) -> None:
    withdrawn, tomorrow = hold(), Windows.at(NOW + timedelta(days=1))
    opened(accounts).admit(scope(), withdrawn, WINDOWS)
    before = accounts.get("tenant#acme")
    assert before is not None
    accounts.replace(before, roll_over(before, tomorrow))
    accounts.admit(scope(), hold(7, 3), tomorrow)
    accounts.freeze("tenant#acme")

    accounts.withdraw("tenant#acme", withdrawn)

    account = accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.day_requests) == (7, 1)
    assert (account.minute_requests, account.minute_tokens) == (1, 3)


def test_a_hold_keeps_whom_its_call_is_for_and_whose_it_is(accounts: Accounts) -> None:
    held = replace(hold(), end_user="u-é", business_unit="retail", tenant_id="acme")
    opened(accounts).admit(scope(), held, WINDOWS)

    account = accounts.get("tenant#acme")

    assert account is not None
    assert account.holds == {held.request_id: replace(held, minute=WINDOWS.minute)}


@pytest.mark.parametrize("output_tokens", [0, 2])
def test_extending_moves_the_expiry_of_an_open_hold(accounts: Accounts, output_tokens: int) -> None:
    held = replace(hold(), output_tokens=output_tokens)
    opened(accounts).admit(scope(), held, WINDOWS)

    assert accounts.extend("tenant#acme", held.request_id, 5000)
    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.holds == {held.request_id: replace(held, expires_at=5000)}
    assert not accounts.extend("tenant#acme", new_request_id(NOW), 5000)
    assert not accounts.extend("tenant#globex", held.request_id, 5000)


def test_scanning_sees_all_accounts(accounts: Accounts) -> None:
    opened(accounts).create(new_account("app#acme/web", WINDOWS))

    assert {account.account_id for account in accounts.scan()} == {"tenant#acme", "app#acme/web"}


POISON = {
    "usd": {"u": {"S": "much"}},
    "tokens": {"t": {"N": "-1"}},
    "expiry": {"e": {"N": "1" + "0" * 30}},
    "model": {"m": {"M": {}}},
    "streamed": None,
}


@pytest.mark.parametrize("kind", POISON)
def test_a_scan_goes_on_past_what_nobody_can_read(
    kind: str, aws_client: Client, make_table: MakeTable
) -> None:
    client, table = aws_client("dynamodb"), make_table(tables.ACCOUNTS)
    accounts = DynamoAccounts(client, table)
    good, bad = hold(), hold()
    opened(accounts)
    for held in (good, bad):
        accounts.admit(scope(), held, WINDOWS)
    (item,) = client.scan(TableName=table)["Items"]
    poisoned = POISON[kind]
    holds = item["holds"]["M"]
    holds["no id"] = dict(holds[bad.request_id])
    if poisoned is None:
        del holds[bad.request_id]["M"]["s"]
    else:
        holds[bad.request_id]["M"] |= poisoned
    client.put_item(TableName=table, Item=item)
    client.put_item(TableName=table, Item={"account_id": {"S": "tenant#broken"}})
    told: list[Unreadable] = []

    (account,) = accounts.scan(told.append)

    assert account.holds == {good.request_id: good}
    assert sorted((item.account_id, item.request_id or "") for item in told) == [
        ("tenant#acme", bad.request_id),
        ("tenant#acme", "no id"),
        ("tenant#broken", ""),
    ]
    with pytest.raises(KeyError):
        list(accounts.scan())
    # The tenant's other calls are admitted and settled beside it.
    after = hold()
    assert isinstance(accounts.admit(scope(), after, WINDOWS), Admitted)
    settled = accounts.settle("tenant#acme", good, 40, None)
    assert settled is not None
    assert settled.holds == {after.request_id: after}
    assert accounts.get("tenant#acme") == settled
    (left,) = [i for i in client.scan(TableName=table)["Items"] if "holds" in i]
    assert set(left["holds"]["M"]) == {after.request_id, bad.request_id, "no id"}


# --- Usage --------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "aws"])
def usage(request: pytest.FixtureRequest) -> Usage:
    if request.param == "fake":
        return FakeUsage()
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    return DynamoUsage(client("dynamodb"), make_table(tables.USAGE))


def test_a_row_is_written_once_and_never_changed(usage: Usage) -> None:
    row = usage_row(tags={"a": "b"}, error_code="x", first_token_ms=5)
    late = replace(row, status="orphaned", total_cost=1)

    assert usage.put(row) == row
    assert usage.put(late) == row
    assert usage.get(row.request_id) == row


def test_an_unknown_request_has_no_row(usage: Usage) -> None:
    assert usage.get(new_request_id(NOW)) is None


# --- Tenants ------------------------------------------------------------------------------------

KEY_ITEM = {
    "pk": "KEY#abc",
    "tenant_id": "acme",
    "app_id": "web",
    "key_id": "web/primary",
    "tier": "pro",
    "status": "active",
    "expires": "2026-12-31",
}
RECORD = KeyRecord("acme", "web", "web/primary", "pro", "active", date(2026, 12, 31))


OVERRIDE = json.dumps({"expires": NOW.timestamp() + 60, "budget": {"month_usd": "900"}})


BUSINESS_UNIT = {
    "schema_version": 1,
    "id": "retail",
    "name": "Retail",
    "owner": "Jo",
    "budget": {"month_usd": "500", "day_usd": None, "mode": "soft"},
    "shards": 3,
}
WEB_UNIT = {**BUSINESS_UNIT, "id": "web"}


@pytest.fixture(params=["fake", "aws"])
def tenants(request: pytest.FixtureRequest) -> Tenants:
    if request.param == "fake":
        policy = parse_tenant(json.dumps(DOCUMENT))
        fake = FakeTenants(
            policy,
            replace(policy, tenant_id="initech"),
            keys={"abc": RECORD, "def": replace(RECORD, expires=None)},
        )
        fake.overrides = {"initech": OVERRIDE, "globex": OVERRIDE}
        fake.units = {
            document["id"]: parse_business_unit(json.dumps(document))
            for document in (BUSINESS_UNIT, WEB_UNIT)
        }
        fake.unit_overrides = {"web": OVERRIDE}
        return fake
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    name = make_table(tables.TENANTS)
    dynamodb = client("dynamodb")
    for item in (
        KEY_ITEM,
        {**KEY_ITEM, "pk": "KEY#def", "expires": ""},
        {"pk": "TENANT#acme", "document": json.dumps(DOCUMENT)},
        {
            "pk": "TENANT#initech",
            "document": json.dumps({**DOCUMENT, "tenant_id": "initech"}),
        },
        {"pk": "OVERRIDE#initech", "document": OVERRIDE},
        {"pk": "OVERRIDE#globex", "document": OVERRIDE},
        {"pk": "BUSINESS_UNIT#retail", "document": json.dumps(BUSINESS_UNIT)},
        {"pk": "BUSINESS_UNIT#web", "document": json.dumps(WEB_UNIT)},
        {"pk": "OVERRIDE#BUSINESS_UNIT#web", "document": OVERRIDE},
    ):
        values = {attribute: {"S": value} for attribute, value in item.items()}
        dynamodb.put_item(TableName=name, Item=values)
    return DynamoTenants(dynamodb, name)


def test_keys_are_found_by_their_hash(tenants: Tenants) -> None:
    assert tenants.key("abc") == RECORD
    assert tenants.key("def") == replace(RECORD, expires=None)
    assert tenants.key("xyz") is None


def test_policies_are_found_by_tenant(tenants: Tenants) -> None:
    assert tenants.tenant("acme") == parse_tenant(json.dumps(DOCUMENT))
    assert tenants.tenant("globex") is None
    assert tenants.policy("acme", NOW) == parse_tenant(json.dumps(DOCUMENT))
    assert tenants.policy("globex", NOW) is None


def test_an_override_changes_a_policy_until_it_expires(tenants: Tenants) -> None:
    deployed = tenants.tenant("initech")
    assert deployed is not None

    current = tenants.policy("initech", NOW)
    later = tenants.policy("initech", NOW + timedelta(seconds=60))

    assert current == replace(deployed, budget=Budget(month=usd("900")))
    assert later == deployed


def test_business_units_are_found_with_the_override_in_force(tenants: Tenants) -> None:
    retail = BusinessUnit("retail", "Retail", "Jo", Budget(month=usd("500"), is_hard=False), 3)
    web = replace(retail, unit_id="web")

    assert tenants.business_unit("retail", NOW) == retail
    assert tenants.business_unit("web", NOW + timedelta(seconds=60)) == web
    overridden = replace(web, budget=Budget(month=usd("900"), is_hard=False))
    assert tenants.business_unit("web", NOW) == overridden
    assert tenants.business_unit("acme", NOW) is None


def test_a_batch_answered_in_part_is_asked_for_again(aws_client: Client) -> None:
    dynamodb = aws_client("dynamodb")
    asked: list[Any] = []
    acme, override = ({"pk": {"S": f"{kind}#acme"}} for kind in ("TENANT", "OVERRIDE"))
    rest = {"tenants": {"Keys": [override], "ConsistentRead": True}}

    def answer(**request: Any) -> dict[str, Any]:
        asked.append(request["RequestItems"])
        if len(asked) > 1:
            return {"Responses": {"tenants": []}, "UnprocessedKeys": {}}
        item = {**acme, "document": {"S": json.dumps(DOCUMENT)}}
        return {"Responses": {"tenants": [item]}, "UnprocessedKeys": rest}

    with patch.object(dynamodb, "batch_get_item", answer):
        policy = DynamoTenants(dynamodb, "tenants").policy("acme", NOW)

    assert policy == parse_tenant(json.dumps(DOCUMENT))
    assert asked == [{"tenants": {"Keys": [acme, override], "ConsistentRead": True}}, rest]


def test_a_batch_that_is_never_complete_is_unavailable(aws_client: Client) -> None:
    dynamodb = aws_client("dynamodb")
    throttled = {"Responses": {}, "UnprocessedKeys": {"tenants": {"Keys": [{"pk": {"S": "x"}}]}}}

    with (
        patch.object(dynamodb, "batch_get_item", return_value=throttled) as asked,
        pytest.raises(UnavailableError, match="cannot read all of its tenants table"),
    ):
        DynamoTenants(dynamodb, "tenants").policy("acme", NOW)
    assert asked.call_count == 5


# --- Jobs ---------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "aws"])
def jobs(request: pytest.FixtureRequest) -> Jobs:
    if request.param == "fake":
        return FakeJobs()
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    dynamodb = client("dynamodb")
    return DynamoJobs(lambda _: dynamodb, make_table(tables.STREAMS))


NOW_SECONDS = int(NOW.timestamp())


def job(**changes: Any) -> Job:  # noqa: ANN401
    made = Job(
        job_id=new_request_id(NOW),
        tenant_id="acme",
        app_id="web",
        status="queued",
        created_at=NOW,
        deadline=NOW_SECONDS + 10,
        available_until=NOW_SECONDS + 100,
        payload_key="jobs/acme/x.json",
        custody=Custody(60, "arn:aws:kms:us-east-1:111122223333:key/k1"),
    )
    return replace(made, **changes)


def test_a_job_is_read_as_it_was_written(jobs: Jobs) -> None:
    made = job()
    jobs.create(made)

    plain = job(custody=Custody())
    jobs.create(plain)

    assert jobs.get("acme", made.job_id) == made
    assert jobs.get("acme", plain.job_id) == plain
    assert jobs.get("acme", new_request_id(NOW)) is None


def test_a_job_is_not_found_under_another_tenant(jobs: Jobs) -> None:
    made = job()
    jobs.create(made)

    assert jobs.get("globex", made.job_id) is None
    assert jobs.claim("globex", made.job_id, NOW, NOW_SECONDS + 50, "c1") is None
    assert not jobs.abandon("globex", made.job_id)
    assert jobs.get("acme", made.job_id) == made


def test_a_job_is_claimed_once_and_in_time(jobs: Jobs) -> None:
    made, late = job(), job()
    jobs.create(made)
    jobs.create(late)

    claimed = jobs.claim("acme", made.job_id, NOW, NOW_SECONDS + 50, "c1")

    assert claimed == replace(made, status="running", claimed=True, deadline=NOW_SECONDS + 50)
    assert jobs.claim("acme", made.job_id, NOW, NOW_SECONDS + 50, "c2") is None
    later = NOW + timedelta(seconds=11)
    assert jobs.claim("acme", late.job_id, later, NOW_SECONDS + 50, "c1") is None
    assert jobs.claim("acme", new_request_id(NOW), NOW, NOW_SECONDS + 50, "c1") is None


def test_a_claim_that_is_sent_again_finds_its_own(jobs: Jobs) -> None:
    made = job()
    jobs.create(made)
    claimed = jobs.claim("acme", made.job_id, NOW, NOW_SECONDS + 50, "c1")

    assert claimed is not None
    assert jobs.claim("acme", made.job_id, NOW, NOW_SECONDS + 50, "c1") == claimed
    jobs.finish(claimed.ended("failed", JOB_EXPIRED, NOW))
    assert jobs.claim("acme", made.job_id, NOW, NOW_SECONDS + 50, "c1") is None


def test_only_a_queued_job_is_abandoned(jobs: Jobs) -> None:
    made, running = job(), job()
    jobs.create(made)
    jobs.create(running)
    jobs.claim("acme", running.job_id, NOW, NOW_SECONDS + 50, "c1")

    assert jobs.abandon("acme", made.job_id)
    assert not jobs.abandon("acme", made.job_id)
    assert not jobs.abandon("acme", running.job_id)
    abandoned = jobs.get("acme", made.job_id)
    assert abandoned is not None
    assert (abandoned.status, abandoned.claimed, abandoned.result) == ("failed", False, JOB_EXPIRED)
    assert jobs.claim("acme", made.job_id, NOW, NOW_SECONDS + 50, "c1") is None


def test_a_finished_job_stays_as_it_is(jobs: Jobs) -> None:
    made = job()
    jobs.create(made)
    result = {"stop_reason": "end_turn", "usage": {"inputTokens": 1}, "cost_usd": "0.1"}

    jobs.finish(made.ended("succeeded", result, NOW))
    jobs.finish(made.ended("failed", JOB_EXPIRED, NOW + timedelta(seconds=1)))

    finished = jobs.get("acme", made.job_id)
    assert finished is not None
    assert (finished.status, finished.result) == ("succeeded", result)
    assert finished.available_until == NOW_SECONDS + 60


def make_key(kms: Any) -> str:  # noqa: ANN401
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@dataclass
class Texts:
    """Texts of jobs, and the key that the jobs' tenant has."""

    texts: JobTexts
    key_arn: str | None

    def job(self) -> Job:
        return job(custody=Custody(60, self.key_arn))


@pytest.fixture(params=["fake", "aws", "aws, own key"])
def texts(request: pytest.FixtureRequest) -> Texts:
    if request.param == "fake":
        return Texts(FakeJobTexts(), None)
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    dynamodb, kms = client("dynamodb"), client("kms")
    made = DynamoJobTexts(lambda _: dynamodb, make_table(tables.STREAMS), KmsTexts(lambda _: kms))
    return Texts(made, make_key(kms) if "key" in request.param else None)


def test_chunks_come_in_order_from_the_cursor_on(texts: Texts) -> None:
    made, other = texts.job(), texts.job()
    for index in range(12):
        texts.texts.append(made, index, f"<{index}>")
    texts.texts.append(other, 0, "other")

    assert texts.texts.chunks(made, 0) == [f"<{index}>" for index in range(12)]
    assert texts.texts.chunks(made, 10) == ["<10>", "<11>"]
    assert texts.texts.chunks(made, 12) == []


def test_the_content_of_an_answer_is_kept_apart_from_its_text(texts: Texts) -> None:
    made = texts.job()
    for part, text in (("text", "said"), ("content", "[blocks"), ("content", "]")):
        index = len(texts.texts.chunks(made, 0, part))  # type: ignore[arg-type]
        texts.texts.append(made, index, text, part)  # type: ignore[arg-type]

    assert texts.texts.chunks(made, 0) == ["said"]
    assert texts.texts.chunks(made, 0, "content") == ["[blocks", "]"]


def test_texts_are_not_found_under_another_tenant(texts: Texts) -> None:
    made = texts.job()
    texts.texts.append(made, 0, "text")

    assert texts.texts.chunks(replace(made, tenant_id="globex"), 0) == []


def test_a_long_answer_is_read_whole(texts: Texts) -> None:
    made = texts.job()
    for index in range(30):
        # Of two bytes each, at odd places: no piece of 4096 bytes ends between two characters.
        texts.texts.append(made, index, "x" + "é" * 25_000)

    assert "".join(texts.texts.chunks(made, 0)) == ("x" + "é" * 25_000) * 30


def test_texts_under_a_tenants_own_key_open_for_nothing_else(
    aws_client: Client, make_table: MakeTable
) -> None:
    dynamodb, kms = aws_client("dynamodb"), aws_client("kms")
    table = make_table(tables.STREAMS)
    texts = DynamoJobTexts(lambda _: dynamodb, table, KmsTexts(lambda _: kms))
    made = job(custody=Custody(60, make_key(kms)))
    texts.append(made, 0, "secret")

    (item,) = dynamodb.scan(TableName=table)["Items"]
    assert b"secret" not in repr(item).encode()
    assert item["expires_at"] == {"N": str(NOW_SECONDS + 100)}
    assert texts.chunks(made, 0) == ["secret"]
    for thief in (replace(made, tenant_id="globex"), job(custody=made.custody)):
        stolen = {**item, "pk": {"S": f"JOB#{thief.tenant_id}#{thief.job_id}"}}
        dynamodb.put_item(TableName=table, Item=stolen)
        with pytest.raises(UnavailableError) as refused:
            texts.chunks(thief, 0)
        assert refused.value.details["dependency"] == "tenant's key"


@pytest.fixture(params=["fake", "aws"])
def payloads(request: pytest.FixtureRequest) -> Payloads:
    if request.param == "fake":
        return FakePayloads()
    s3 = request.getfixturevalue("aws_client")("s3")
    s3.create_bucket(Bucket="payloads-contract")
    return S3Payloads(lambda _: s3, "payloads-contract")


def test_a_payload_comes_back_and_an_unknown_one_does_not(payloads: Payloads) -> None:
    payloads.put("acme", "jobs/a.json", b'{"a": 1}', None)

    assert payloads.get("acme", "jobs/a.json") == b'{"a": 1}'
    assert payloads.get("acme", "jobs/b.json") is None


@pytest.mark.parametrize(
    ("message", "is_absent"),
    [
        ("Access Denied", True),
        (_DENIED.format("s3:ListBucket"), True),
        (_DENIED.format("s3:GetObject"), False),
        (_DENIED.format("kms:Decrypt"), False),
    ],
)
def test_a_denial_is_an_absence_unless_it_is_of_something_else(
    aws_client: Client, message: str, is_absent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Who may not list a bucket is denied what it has not; the log says what was asked for."""
    s3 = aws_client("s3")
    payloads = S3Payloads(lambda _: s3, "payloads-denied")
    with Stubber(s3) as stubber:
        stubber.add_client_error("get_object", "AccessDenied", message, http_status_code=403)
        if is_absent:
            assert payloads.get("acme", "jobs/acme/a.json") is None
            (told,) = [record for record in caplog.records if record.message == "no document"]
            assert (told.key, told.error_code) == ("jobs/acme/a.json", "AccessDenied")
        else:
            with pytest.raises(UnavailableError):
                payloads.get("acme", "jobs/acme/a.json")


def test_a_deleted_payload_is_gone(payloads: Payloads) -> None:
    payloads.put("acme", "jobs/c.json", b"{}", None)

    payloads.delete("acme", "jobs/c.json")
    payloads.delete("acme", "jobs/c.json")

    assert payloads.get("acme", "jobs/c.json") is None


def test_a_payload_lies_under_the_tenants_own_key_and_context(aws_client: Client) -> None:
    s3 = aws_client("s3")
    key_arn = make_key(aws_client("kms"))
    s3.create_bucket(Bucket="payloads-keyed")
    payloads = S3Payloads(lambda _: s3, "payloads-keyed")
    sent: list[dict[str, Any]] = []
    s3.meta.events.register(
        "before-parameter-build.s3.PutObject", lambda params, **_: sent.append(dict(params))
    )

    payloads.put("acme", "jobs/a.json", b"{}", key_arn)
    payloads.put("acme", "jobs/b.json", b"{}", None)

    keyed, plain = sent
    context = json.loads(base64.b64decode(keyed["SSEKMSEncryptionContext"]))
    assert context == {"tenant": "acme"}
    assert (keyed["ServerSideEncryption"], keyed["SSEKMSKeyId"]) == ("aws:kms", key_arn)
    # A bucket key would put the bucket's context in the place of the tenant's.
    assert keyed["BucketKeyEnabled"] is False
    assert not {"ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"} & set(plain)
    assert s3.head_object(Bucket="payloads-keyed", Key="jobs/a.json")["SSEKMSKeyId"] == key_arn
    assert payloads.get("acme", "jobs/a.json") == b"{}"


def test_a_queued_job_names_its_tenant_as_its_group(aws_client: Client) -> None:
    sqs = aws_client("sqs")
    url = sqs.create_queue(QueueName="jobs-contract")["QueueUrl"]
    queue: JobQueue = SqsJobQueue(lambda: sqs, url)
    fake = FakeQueue()

    for each in (queue, fake):
        each.send("acme", "job-1")

    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "acme"
    assert parse_queue_message(message["Body"]) == fake.sent[0] == ("acme", "job-1")


def test_a_message_is_away_for_as_long_as_it_is_told(aws_client: Client) -> None:
    sqs = aws_client("sqs")
    url = sqs.create_queue(QueueName="jobs-again")["QueueUrl"]
    queue: JobQueue = SqsJobQueue(lambda: sqs, url)
    queue.send("acme", "job-1")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]

    queue.retry(message["ReceiptHandle"], 600)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    queue.retry(message["ReceiptHandle"], 0)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["MessageId"] == message["MessageId"]
    with pytest.raises(UnavailableError, match="job queue"):
        queue.retry("none", 10)


# --- Idempotency --------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "aws"])
def records(request: pytest.FixtureRequest) -> IdempotencyRecords:
    if request.param == "fake":
        return FakeIdempotencyRecords()
    client: Client = request.getfixturevalue("aws_client")
    make_table: MakeTable = request.getfixturevalue("make_table")
    dynamodb = client("dynamodb")
    return DynamoIdempotencyRecords(lambda _: dynamodb, make_table(tables.STREAMS))


def record(record_id: str = "r1", **changes: Any) -> IdempotencyRecord:  # noqa: ANN401
    made = IdempotencyRecord(
        tenant_id="acme",
        record_id=record_id,
        body_hash="h1",
        request_id=new_request_id(NOW),
        status="running",
        lease=NOW_SECONDS + 10,
        expires_at=NOW_SECONDS + 100,
    )
    return replace(made, **changes)


def test_a_key_is_claimed_once(records: IdempotencyRecords) -> None:
    first = record()

    assert records.claim(first, NOW) is None
    assert records.claim(record(body_hash="h2"), NOW) == first
    assert records.claim(record("r2"), NOW) is None


def test_a_claim_that_is_sent_twice_is_ours(records: IdempotencyRecords) -> None:
    first = record()
    records.claim(first, NOW)

    assert records.claim(first, NOW) is None


def test_a_key_is_free_when_its_lease_has_ended(records: IdempotencyRecords) -> None:
    first, early, late = record(), record(), record()
    records.claim(first, NOW)

    assert records.claim(early, NOW + timedelta(seconds=10)) == first
    assert records.claim(late, NOW + timedelta(seconds=11)) is None
    assert not records.finish(replace(first, status="done"))
    records.release(first)
    assert records.claim(early, NOW) == late


def test_an_answer_stands_beyond_the_lease_until_it_expires(records: IdempotencyRecords) -> None:
    first = record()
    records.claim(first, NOW)
    done = replace(first, status="done", payload_key="p", expires_at=NOW_SECONDS + 200)

    assert records.finish(done)
    assert records.finish(done)
    assert not records.finish(replace(first, status="unknown"))
    records.release(first)

    assert records.claim(record(), NOW + timedelta(seconds=200)) == done
    assert records.claim(record(), NOW + timedelta(seconds=201)) is None


def test_an_unknown_end_keeps_the_key_until_the_lease_ends(records: IdempotencyRecords) -> None:
    first = record()
    records.claim(first, NOW)
    unknown = replace(first, status="unknown")

    assert records.finish(unknown)
    records.release(first)

    assert records.claim(record(), NOW + timedelta(seconds=10)) == unknown
    assert records.claim(record(), NOW + timedelta(seconds=11)) is None


def test_a_released_key_is_free(records: IdempotencyRecords) -> None:
    first, second = record(), record()
    records.claim(first, NOW)

    records.release(second)
    assert records.claim(second, NOW) == first
    records.release(first)
    records.release(first)
    assert records.claim(second, NOW) is None


def test_one_of_many_claims_at_once_wins(records: IdempotencyRecords) -> None:
    asks = [record() for _ in range(20)]

    with ThreadPoolExecutor(20) as pool:
        standing = list(pool.map(lambda ask: records.claim(ask, NOW), asks))

    winner = asks[standing.index(None)]
    assert standing.count(None) == 1
    assert standing.count(winner) == len(asks) - 1


# --- Failures -----------------------------------------------------------------------------------


def test_a_missing_table_is_a_dependency_that_cannot_be_reached(aws_client: Client) -> None:
    dynamodb = aws_client("dynamodb")
    gone = "no-such-table"
    kms = aws_client("kms")
    texts = DynamoJobTexts(lambda _: dynamodb, gone, KmsTexts(lambda _: kms))
    payloads = S3Payloads(lambda _: aws_client("s3"), gone)
    records = DynamoIdempotencyRecords(lambda _: dynamodb, gone)

    for attempt in (
        lambda: DynamoAccounts(dynamodb, gone).admit(scope(), hold(), WINDOWS),
        lambda: DynamoAccounts(dynamodb, gone).get("tenant#acme"),
        lambda: list(DynamoAccounts(dynamodb, gone).scan()),
        lambda: DynamoUsage(dynamodb, gone).put(usage_row()),
        lambda: DynamoTenants(dynamodb, gone).tenant("acme"),
        lambda: DynamoTenants(dynamodb, gone).policy("acme", NOW),
        lambda: DynamoJobs(lambda _: dynamodb, gone).create(job()),
        lambda: texts.append(job(custody=Custody()), 0, "text"),
        lambda: texts.append(job(), 0, "text"),
        lambda: texts.chunks(job(), 0),
        lambda: records.claim(record(), NOW),
        lambda: records.finish(record()),
        lambda: records.release(record()),
        lambda: payloads.put("acme", "k", b"", None),
        lambda: payloads.get("acme", "k"),
        lambda: payloads.delete("acme", "k"),
        lambda: SqsJobQueue(lambda: aws_client("sqs"), f"{gone}/queue").send("acme", "j"),
    ):
        with pytest.raises(UnavailableError) as error:
            attempt()  # type: ignore[no-untyped-call]
        assert error.value.details["dependency"]
