"""Edges of the domain that changing one operator, number or name in it showed to be untested."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOW, app, tenant
from tollgate.domain.errors import InvalidRequestError, UpstreamFailedError
from tollgate.domain.holds import Bound, chat_input_tokens
from tollgate.domain.ids import new_request_id, request_time, usage_key, usage_partition
from tollgate.domain.invocation_logs import hour_folders
from tollgate.domain.jobs import Job
from tollgate.domain.ledger import (
    Account,
    Hold,
    Scope,
    Windows,
    account_owner,
    is_tenant_account,
    new_account,
    refusal,
    refusal_of_all,
    scopes_of,
)
from tollgate.domain.models import matches, resolve_model
from tollgate.domain.money import round_usd
from tollgate.domain.output import max_tokens_of
from tollgate.domain.prices import ModelCard, PriceBook, PriceBookError
from tollgate.domain.tenants import App, Budget, Limits, Tenant, parse_tenant
from tollgate.domain.usage import to_item, to_json_row

if TYPE_CHECKING:
    from collections.abc import Iterator

CARD = ModelCard("amazon.nova-lite-v1:0", "chat", 300_000, 10_000, None)


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose own time zone is half a day from UTC."""
    monkeypatch.setenv("TZ", "XXX-12")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# --- Time zones -------------------------------------------------------------------------------


@pytest.mark.usefixtures("far_from_utc")
def test_windows_partitions_rows_and_prices_are_utc_wherever_the_process_runs() -> None:
    evening = datetime(2026, 11, 30, 18, 5, tzinfo=UTC)

    assert Windows.at(evening) == Windows("2026-11", "2026-11-30", "2026-11-30T18:05")
    assert usage_partition(evening, 3) == "USAGE#2026-11-30T18#03"
    assert request_time(new_request_id(evening)) == evening
    assert hour_folders("logs/", "us-east-1", evening, evening) == ["logs/us-east-1/2026/11/30/18/"]
    assert to_json_row(usage_row(started_at=evening))["started_at"] == (
        "2026-11-30T18:05:00.000000Z"
    )
    book = price_book(
        periods=[
            {"from": "2026-11-01", "to": "2026-12-01", "input": "1"},
            {"from": "2026-12-01", "to": None, "input": "2"},
        ]
    )
    assert price_of(book, evening) == 1_000_000


# --- Prices -----------------------------------------------------------------------------------


def price_book(periods: list[dict[str, Any]], **model: Any) -> PriceBook:
    """A book of one model, `p.m`, with an in-region price per period."""
    return PriceBook(
        {
            "schema_version": 1,
            "currency": "USD",
            "unit": "1M tokens",
            "version": "v7",
            "models": {
                "p.m": {
                    "mode": "chat",
                    **model,
                    "effective": [
                        {
                            "from": period["from"],
                            "to": period["to"],
                            "rates": {"in_region": {"default": {"input": period["input"]}}},
                        }
                        for period in periods
                    ],
                }
            },
        }
    )


def price_of(book: PriceBook, at: datetime, model: str = "p.m") -> int | None:
    rates = book.rates(resolve_model(model), region="us-east-1", at=at)
    return None if rates is None else rates.input


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_of_overlapping_periods_wins_in_any_order(newest_first: bool) -> None:
    periods = [
        {"from": "2026-01-01", "to": None, "input": "1"},
        {"from": "2026-11-22", "to": None, "input": "2"},
    ]
    book = price_book(periods[::-1] if newest_first else periods)

    assert price_of(book, datetime(2026, 11, 21, 23, 59, tzinfo=UTC)) == 1_000_000
    assert price_of(book, datetime(2026, 11, 22, tzinfo=UTC)) == 2_000_000


def test_a_period_ends_before_its_last_day_named() -> None:
    book = price_book([{"from": "2026-11-01", "to": "2026-11-22", "input": "1"}])

    assert price_of(book, datetime(2026, 11, 21, 23, 59, tzinfo=UTC)) == 1_000_000
    assert price_of(book, datetime(2026, 11, 22, tzinfo=UTC)) is None
    assert price_of(book, datetime(2026, 10, 31, tzinfo=UTC)) is None


def test_the_book_has_the_version_the_aliases_and_the_limits_it_was_written_with() -> None:
    period = {"from": "2026-11-01", "to": None, "input": "1"}
    book = price_book([period], aliases=["q.n"], max_input_tokens=7, max_output_tokens=9)

    assert book.version == "v7"
    assert book.card("q.n") == ModelCard("p.m", "chat", 7, 9, None)
    assert price_of(book, NOW, "q.n") == 1_000_000
    assert price_book([period]).card("q.n") is None


def test_an_unusable_book_says_what_is_wrong() -> None:
    with pytest.raises(PriceBookError, match="^price book schema_version 2: only 1$"):
        PriceBook({"schema_version": 2})
    with pytest.raises(PriceBookError, match="^price book must be in USD per 1M tokens$"):
        PriceBook({"schema_version": 1, "currency": "EUR", "unit": "1M tokens"})
    book = price_book([{"from": "2026-11-01", "to": None, "input": "0.0000001"}])
    with pytest.raises(PriceBookError, match="^price of p.m: '0.0000001' per 1M tokens is not a w"):
        price_of(book, NOW)
    with pytest.raises(ValueError, match="^prices are looked up at a timezone-aware moment$"):
        price_of(book, NOW.replace(tzinfo=None))


def test_zero_dollars_have_no_sign() -> None:
    assert round_usd(0, 2) == "0"
    assert round_usd(10**12, 0) == "1"
    assert round_usd(1, 0) == "0"


# --- Models -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "model_id", "expected"),
    [
        ("a*b*b*c", "abbc", True),
        ("a*b*b*c", "abc", False),  # one b is not both
        ("a*bc*c", "abc", False),  # nor does the c count twice
        ("a*b*c", "acb", False),
        ("*b*c*", "cb", False),
        ("*b*c*", "bc", True),
        ("*b*", "b", True),
        ("a*ab*b*", "aabb", True),
        ("*x*y*x*", "xyyx", True),
        ("*ab*ba*", "aba", False),
    ],
)
def test_pieces_between_stars_follow_each_other(
    pattern: str, model_id: str, expected: bool
) -> None:
    assert matches([pattern], model_id) is expected


# --- Ids --------------------------------------------------------------------------------------


def test_the_random_bits_of_an_id_use_their_whole_field_and_nothing_else() -> None:
    ids = [uuid.UUID(new_request_id(NOW)).int for _ in range(400)]
    seen_set, seen_clear = 0, 0
    for value in ids:
        seen_set |= value
        seen_clear |= ~value
    moves = seen_set & seen_clear & (2**128 - 1)

    # Twelve bits after the version, 62 after the variant; the rest is the same in all.
    assert moves == (2**12 - 1) << 64 | (2**62 - 1)


def test_a_text_that_is_no_id_is_quoted_no_longer_than_an_id_needs() -> None:
    with pytest.raises(ValueError, match="^not a request id: '8c5f2f0e-3c1b-4d59-9a52-"):
        request_time("8c5f2f0e-3c1b-4d59-9a52-0f6f0f3f1a77")
    longer = "{" * 40 + "019aa9d5-7a10-7c3e-8f6e-0b8f4f7f2a11" + "}" * 40
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - any text; its length matters
        request_time(longer)
    assert str(refused.value) == f"not a request id: {longer[:64]!r}"


def test_the_partition_of_an_id_never_moves() -> None:
    request_id = "019aa9d5-7a10-7c3e-8f6e-0b8f4f7f2a11"
    shard = int(hashlib.sha256(request_id.encode()).hexdigest()[:2], 16) % 16

    assert usage_key(request_id)[0] == f"USAGE#{request_time(request_id):%Y-%m-%dT%H}#{shard:02d}"


def hold(usd: int) -> Hold:
    return Hold("r1", usd, 10, 0, "m.x", "web", "web/k", "d", streamed=False)


# --- Accounts ---------------------------------------------------------------------------------


def test_accounts_say_whose_they_are() -> None:
    assert is_tenant_account("tenant#acme")
    assert not is_tenant_account("app#acme/web")
    assert account_owner("tenant#acme") == account_owner("app#acme/web") == "acme"


def test_an_apps_scope_has_the_apps_own_limits() -> None:
    own = app(budget=Budget(day=7), limits=Limits(requests_per_minute=3))

    leaf, root = scopes_of(tenant(budget=Budget(month=9)), own)

    assert leaf == Scope("app#acme/web", own.budget, own.limits)
    assert (root.account_id, root.budget) == ("tenant#acme", Budget(month=9))


@pytest.mark.parametrize(
    ("limits", "counters", "used", "asked"),
    [
        ({"requests_per_day": 5}, {"day_requests": 5}, 5, 1),
        ({"requests_per_minute": 5}, {"minute_requests": 5}, 5, 1),
        ({"tokens_per_minute": 100}, {"minute_tokens": 95}, 95, 10),
    ],
)
def test_a_refused_rate_has_figures_of_its_own_and_nothing_held(
    limits: dict[str, int], counters: dict[str, int], used: int, asked: int
) -> None:
    account = replace(new_account("tenant#acme", Windows.at(NOW)), **counters)  # type: ignore[arg-type]
    scope = Scope("tenant#acme", Budget(), Limits(**limits))

    refused = refusal(account, scope, hold(100))

    assert refused is not None
    assert (refused.used, refused.asked, refused.held) == (used, asked, 0)


@pytest.mark.parametrize(
    ("day", "resets_at"),
    [("2026-01-31", "2026-02-01"), ("2027-02-28", "2027-03-01"), ("2026-12-01", "2027-01-01")],
)
def test_a_month_resets_on_the_first_of_the_next(day: str, resets_at: str) -> None:
    now = datetime.fromisoformat(f"{day}T23:59:00+00:00")
    account = new_account("tenant#acme", Windows.at(now))

    refused = refusal(account, Scope("tenant#acme", Budget(month=1), Limits()), hold(2))

    assert refused is not None
    assert refused.resets_at == datetime.fromisoformat(f"{resets_at}T00:00:00+00:00")


def shard(month: tuple[int, int], day: tuple[int, int]) -> tuple[Scope, Account]:
    """A shard's share of two budgets, each with what is committed of it."""
    account = replace(
        new_account("tenant#acme#1.0", Windows.at(NOW)),
        month_committed=month[1],
        day_committed=day[1],
    )
    return Scope("tenant#acme#1.0", Budget(month=month[0], day=day[0]), Limits()), account


def test_a_limit_that_all_shards_reach_exactly_refuses_nothing() -> None:
    whole = Scope("tenant#acme", Budget(month=20, day=10), Limits())
    shards = [shard(month=(10, 6), day=(5, 4)), shard(month=(10, 9), day=(5, 4))]

    refused = refusal_of_all(whole, shards, hold(5))

    assert (refused.account_id, refused.limit_name) == ("tenant#acme", "day_usd")
    assert (refused.limit, refused.used, refused.asked) == (10, 8, 5)


def test_of_limits_in_pieces_it_is_the_one_that_the_first_shard_exceeds() -> None:
    whole = Scope("tenant#acme", Budget(month=20, day=20), Limits())
    shards = [shard(month=(10, 5), day=(5, 3)), shard(month=(10, 9), day=(15, 4))]

    assert refusal_of_all(whole, shards, hold(5)).limit_name == "day_usd"


@pytest.mark.parametrize("may_be_billed", [True, False])
def test_an_error_keeps_whether_its_call_may_be_billed(may_be_billed: bool) -> None:
    error = UpstreamFailedError("gone", may_be_billed=may_be_billed)

    assert error.may_be_billed is may_be_billed
    assert UpstreamFailedError("gone").may_be_billed is False


# --- Holds ------------------------------------------------------------------------------------


def test_affordable_tokens_are_whole_even_for_sums_no_float_can_carry() -> None:
    bound = Bound(input_tokens=1, max_tokens=1, input_usd=1, output_rate=3)

    affordable = bound.affordable_max_tokens(3 * 10**17 + 3)

    assert affordable == 10**17
    assert isinstance(affordable, int)


@pytest.mark.parametrize("requested", [1, 2])
def test_one_token_may_be_asked_for(requested: int) -> None:
    assert max_tokens_of(requested, tenant(), CARD) == requested


def test_asking_for_too_much_says_what_is_allowed() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        max_tokens_of(10_001, tenant(), CARD)

    assert refused.value.details == {"max_tokens": 10_001, "allowed": 10_000}


@pytest.mark.parametrize("kind", ["image", "document", "video", "audio"])
def test_every_kind_of_media_counts_as_the_models_context(kind: str) -> None:
    request = {"messages": [{"role": "user", "content": [{kind: {"source": {"bytes": b"1"}}}]}]}

    assert chat_input_tokens(request, CARD) == CARD.max_input_tokens


def test_each_message_adds_its_framing() -> None:
    message = {"role": "user", "content": [{"text": "x"}]}
    one, three = ({"messages": [message] * count} for count in (1, 3))

    grown = chat_input_tokens(three, CARD) - chat_input_tokens(one, CARD)

    assert grown > len(json.dumps([message] * 3)) - len(json.dumps([message]))


# --- Jobs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "running"])
def test_an_unfinished_job_is_lost_after_its_deadline_and_not_at_it(status: Any) -> None:
    at = int(NOW.timestamp())
    job = Job("j", "acme", "web", status, NOW, at, at, "k")
    on_time = NOW.replace(microsecond=0)

    assert (job.is_lost(on_time), job.is_expired(on_time)) == (False, False)
    late = on_time + timedelta(seconds=1)
    assert (job.is_lost(late), job.is_expired(late)) == (True, True)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_finished_job_is_never_lost(status: Any) -> None:
    assert not Job("j", "acme", "web", status, NOW, 0, 0, "k").is_lost(NOW)


# --- Tenants and rows -------------------------------------------------------------------------


def test_a_policy_is_read_field_by_field() -> None:
    limits = {
        "requests_per_minute": 1,
        "requests_per_day": 2,
        "tokens_per_minute": 3,
        "concurrent_requests": 4,
    }
    document = {
        "schema_version": 1,
        "tenant_id": "acme",
        "name": "Acme",
        "kind": "team",
        "cost_center": "CC-9",
        "tier": "pro",
        "status": "suspended",
        "models": ["a.*", "b.*"],
        "tags": {"t": "1"},
        "budget": {"month_usd": "2", "day_usd": "1", "mode": "soft"},
        "limits": limits,
        "max_tokens": {"default": 5, "maximum": 6, "clamp": True, "count": "exact"},
        "apps": {
            "web": {
                "status": "paused",
                "tags": {"a": "2"},
                "budget": {"month_usd": None, "day_usd": "3", "mode": "hard"},
                "limits": dict.fromkeys(limits),
            }
        },
        "shards": 4,
        "model_arns": {"arn:x": "a.b"},
        "prices": {"a.b": {"in_region": {"default": {"input": "1"}}}},
        "unpriced": {"input": "9", "output": "99"},
    }

    assert parse_tenant(json.dumps(document)) == Tenant(
        tenant_id="acme",
        name="Acme",
        kind="team",
        cost_center="CC-9",
        tier="pro",
        status="suspended",
        models=("a.*", "b.*"),
        budget=Budget(month=2 * 10**12, day=10**12, is_hard=False),
        limits=Limits(1, 2, 3, 4),
        default_max_tokens=5,
        maximum_max_tokens=6,
        tags={"t": "1"},
        apps={"web": App("web", "paused", Budget(day=3 * 10**12), Limits(), {"a": "2"})},
        shards=4,
        clamp_max_tokens=True,
        count_tokens="exact",
        model_arns={"arn:x": "a.b"},
        prices={"a.b": {"in_region": {"default": {"input": "1"}}}},
        unpriced={"input": "9", "output": "99"},
    )


def test_a_rows_tags_are_a_copy() -> None:
    tags = {"team": "a"}
    item = to_item(usage_row(tags=tags))
    tags["team"] = "b"

    assert item["tags"] == {"team": "a"}
