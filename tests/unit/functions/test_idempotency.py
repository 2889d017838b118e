"""The header `Idempotency-Key` over fakes: one call, one charge, one answer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.world import NOVA_LITE, app, tenant
from tests.unit.functions.test_invoke import AUTHORIZER, Gateway, body_of
from tests.unit.services.test_jobs import KEY_ARN
from tests.waiting import PATIENCE_SECONDS
from tollgate.domain.errors import (
    TollgateError,
    UnavailableError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.idempotency import REPLAY_SECONDS
from tollgate.domain.tenants import Budget
from tollgate.entry.http import answer
from tollgate.entry.idempotency import WAIT_SECONDS, Idempotency
from tollgate.services.free_work import FreeWork
from tollgate.services.jobs import SUBMIT_LEASE_SECONDS
from tollgate.services.policy import CACHE_SECONDS
from tollgate_invoke.service import MOST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tollgate.domain.idempotency import IdempotencyRecord
    from tollgate.entry.http import Response

KEY = "order-4711-attempt"
HEADER = {"Idempotency-Key": KEY}


def post(gateway: Gateway, body: object = None, **arguments: Any) -> Response:
    return gateway.post(body, **{**HEADER, **arguments})


def code_of(response: Response) -> tuple[int, str]:
    return response["statusCode"], body_of(response)["code"]


def the_record(gateway: Gateway) -> IdempotencyRecord:
    (record,) = gateway.records.records.values()
    return record


def suspend(gateway: Gateway) -> str:
    gateway.tenants.tenants["acme"] = tenant(status="suspended")
    gateway.clock.advance(seconds=CACHE_SECONDS)
    return "tenant_suspended"


def suspend_app(gateway: Gateway) -> str:
    gateway.tenants.tenants["acme"] = tenant(apps={"web": app(status="suspended")})
    gateway.clock.advance(seconds=CACHE_SECONDS)
    return "app_suspended"


# --- The same answer again ----------------------------------------------------------------------


def test_a_request_that_comes_again_gets_the_first_answer_and_is_charged_once() -> None:
    gateway = Gateway()
    gateway.tenants.tenants["acme"] = tenant(budget=Budget(month=10**12))

    first = post(gateway)
    again = post(gateway)

    assert first["statusCode"] == 200
    assert "x-tollgate-replayed" not in first["headers"]
    assert again == {**first, "headers": {**first["headers"], "x-tollgate-replayed": "true"}}
    assert again["headers"]["x-request-id"] == gateway.row.request_id
    assert len(gateway.runtime.requests) == len(gateway.usage.rows) == 1


def test_without_a_key_every_request_is_a_call() -> None:
    gateway = Gateway()

    gateway.post()
    gateway.post()

    assert len(gateway.runtime.requests) == len(gateway.usage.rows) == 2
    assert gateway.records.records == {}
    assert gateway.answers.documents == {}


def test_a_start_that_comes_again_returns_the_same_job() -> None:
    gateway = Gateway()

    first = post(gateway, streaming="true")
    again = post(gateway, streaming="true")

    assert body_of(first) == body_of(again)
    (body,) = body_of(again)
    assert gateway.queue.sent == [("acme", body["request_id"])]
    assert again["headers"]["x-tollgate-replayed"] == "true"
    assert gateway.open_holds == 1


def test_the_record_names_the_call_of_the_ledger() -> None:
    gateway = Gateway()

    post(gateway)

    record = the_record(gateway)
    assert record.request_id == gateway.row.request_id
    assert record.payload_key == f"idempotency/acme/{record.request_id}.json"
    assert list(gateway.answers.documents) == [record.payload_key]


def test_an_answer_is_repeated_for_a_day() -> None:
    gateway = Gateway()
    post(gateway)

    gateway.clock.advance(seconds=REPLAY_SECONDS)
    last = post(gateway)
    gateway.clock.advance(seconds=2)
    fresh = post(gateway)

    assert last["headers"]["x-tollgate-replayed"] == "true"
    assert "x-tollgate-replayed" not in fresh["headers"]
    assert len(gateway.usage.rows) == 2


def test_an_answer_is_repeated_for_as_long_as_the_tenant_keeps_texts() -> None:
    gateway = Gateway()
    gateway.keep(retention_minutes=5, kms_key_arn=KEY_ARN)
    post(gateway)
    assert gateway.answers.kms_keys == {the_record(gateway).payload_key: KEY_ARN}

    gateway.clock.advance(seconds=300)
    last = post(gateway)
    gateway.clock.advance(seconds=1)
    fresh = post(gateway)

    assert last["headers"]["x-tollgate-replayed"] == "true"
    assert "x-tollgate-replayed" not in fresh["headers"]


@pytest.mark.parametrize("stop", [suspend, suspend_app])
def test_an_answer_is_repeated_to_who_may_call_now(stop: Callable[[Gateway], str]) -> None:
    gateway = Gateway()
    before = gateway.tenants.tenants["acme"]
    first = post(gateway)

    code = stop(gateway)
    refused = post(gateway)
    gateway.tenants.tenants["acme"] = before
    gateway.clock.advance(seconds=CACHE_SECONDS)
    again = post(gateway)

    assert code_of(refused) == (403, code)
    assert (again["statusCode"], again["body"]) == (200, first["body"])


@pytest.mark.parametrize("stop", [suspend, suspend_app])
def test_a_job_is_told_to_who_may_call_now(stop: Callable[[Gateway], str]) -> None:
    gateway = Gateway()
    before = gateway.tenants.tenants["acme"]
    (body,) = body_of(gateway.post(streaming="true"))
    job_id = body["request_id"]
    gateway.runner.run("acme", job_id)

    code = stop(gateway)
    refused = gateway.job(job_id), gateway.post("{}", query={"requestId": job_id})
    gateway.tenants.tenants["acme"] = before
    gateway.clock.advance(seconds=CACHE_SECONDS)

    assert [code_of(response) for response in refused] == [(403, code)] * 2
    assert body_of(gateway.job(job_id))["text"] == "hello"


def test_another_app_of_the_tenant_finds_neither_the_job_nor_the_answer() -> None:
    gateway = Gateway()
    gateway.keep(apps={"web": app(), "other": app(app_id="other")})
    other = {**AUTHORIZER, "app_id": "other", "key_id": "other/primary"}
    first = post(gateway)
    (body,) = body_of(gateway.post(streaming="true"))
    query = {"requestId": body["request_id"]}

    polled = gateway.post("{}", query=query, authorizer=other)
    fresh = post(gateway, authorizer=other)

    assert code_of(polled) == (404, "job_not_found")
    assert "x-tollgate-replayed" not in fresh["headers"]
    assert fresh["headers"]["x-request-id"] != first["headers"]["x-request-id"]


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({"inputs": "hello!"}, {}),
        (None, {"query": {"model_id": "amazon.nova-lite-v1:0", "x": "1"}}),
        (None, {"streaming": "true"}),
        (None, {"streaming": "false"}),
        (None, {"type": "text"}),
    ],
    ids=["body", "query", "streaming", "streaming-named", "type"],
)
def test_another_request_under_the_same_key_is_refused(
    body: object, changes: dict[str, Any]
) -> None:
    gateway = Gateway()
    post(gateway)

    response = post(gateway, body, **changes)

    assert code_of(response) == (422, "idempotency_mismatch")
    assert len(gateway.runtime.requests) == 1
    assert gateway.queue.sent == []


def test_another_route_under_the_same_key_is_refused() -> None:
    gateway = Gateway()
    post(gateway)
    event = gateway.event({"model_id": NOVA_LITE}, AUTHORIZER)
    event |= {"headers": {"team_id": "acme", **HEADER}, "body": '{"inputs": "hello"}'}

    same = answer(event, gateway.invoke.handle)
    other = answer({**event, "resource": "/v2/invoke_model"}, gateway.invoke.handle)

    assert same["headers"]["x-tollgate-replayed"] == "true"
    assert code_of(other) == (422, "idempotency_mismatch")


def test_a_mismatch_is_told_at_once_while_the_first_runs() -> None:
    gateway = Gateway()
    seen: list[Response] = []
    gateway.runtime.during_call = lambda: seen.append(post(gateway, {"inputs": "other"}))
    before = gateway.clock.now

    post(gateway)

    assert code_of(seen[0]) == (422, "idempotency_mismatch")
    assert gateway.clock.now == before


@pytest.mark.parametrize(
    "other",
    [{**AUTHORIZER, "tenant_id": "globex"}, {**AUTHORIZER, "app_id": "mobile"}],
    ids=["tenant", "app"],
)
def test_the_same_key_of_another_is_another_key(other: dict[str, str]) -> None:
    gateway = Gateway()
    apps = {"web": app(), "mobile": app(app_id="mobile")}
    gateway.tenants.tenants["acme"] = tenant(apps=apps)
    gateway.tenants.tenants["globex"] = tenant(tenant_id="globex", apps=apps)
    gateway.runtime.content = [{"text": "for acme's web alone"}]
    post(gateway)
    gateway.runtime.content = [{"text": "for the other"}]

    response = post(gateway, authorizer=other, team_id=other["tenant_id"])

    assert response["statusCode"] == 200
    assert "alone" not in response["body"]
    assert "x-tollgate-replayed" not in response["headers"]
    assert len(gateway.records.records) == len(gateway.usage.rows) == 2


def test_another_key_of_the_same_app_shares_its_requests() -> None:
    gateway = Gateway()
    post(gateway)

    response = post(gateway, authorizer={**AUTHORIZER, "key_id": "web/secondary"})

    assert response["headers"]["x-tollgate-replayed"] == "true"


def test_a_poll_ignores_the_key() -> None:
    gateway = Gateway()
    job_id = body_of(post(gateway, streaming="true"))[0]["request_id"]
    gateway.runner.run("acme", job_id)

    polled = post(gateway, "{}", query={"requestId": job_id})

    assert body_of(polled)[0]["generated_text"] == "hello"
    assert "x-tollgate-replayed" not in polled["headers"]


# --- Two at once --------------------------------------------------------------------------------


def test_a_duplicate_waits_and_then_is_told_to_come_back() -> None:
    gateway = Gateway()
    seen: list[Response] = []
    gateway.runtime.during_call = lambda: seen.append(post(gateway))
    before = gateway.clock.now

    first = post(gateway)

    assert code_of(seen[0]) == (409, "idempotency_in_progress")
    assert int(seen[0]["headers"]["Retry-After"]) > 0
    assert body_of(seen[0])["details"] == {"first_request_id": gateway.row.request_id}
    waited = (gateway.clock.now - before).total_seconds()
    assert WAIT_SECONDS <= waited < WAIT_SECONDS + 1.5
    assert first["statusCode"] == 200
    assert len(gateway.runtime.requests) == 1


def test_of_many_duplicates_one_waits_and_the_others_are_told_at_once() -> None:
    gateway = Gateway()
    seen: list[Response] = []
    waited: list[float] = []

    def duplicate() -> None:
        """While the second request waits, more come."""
        if len(seen) < 24:
            before = gateway.clock.now
            seen.append(post(gateway))
            waited.append((gateway.clock.now - before).total_seconds())

    gateway.while_waiting = duplicate
    gateway.runtime.during_call = lambda: seen.append(post(gateway))

    first = post(gateway)

    assert first["statusCode"] == 200
    assert {code_of(response) for response in seen} == {(409, "idempotency_in_progress")}
    assert all(int(response["headers"]["Retry-After"]) > 0 for response in seen)
    assert set(waited) == {0.0}
    assert gateway.free_counters.waits["acme"] == {}


def test_a_tenants_duplicates_wait_only_while_few_of_its_requests_do() -> None:
    gateway = Gateway()
    waits = gateway.free_counters.waits["acme"]
    later = int(gateway.clock.now.timestamp()) + 60
    waits.update({f"poll/{index}": later for index in range(FreeLimits().waiting_requests)})
    seen: list[Response] = []
    gateway.runtime.during_call = lambda: seen.append(post(gateway))
    before = gateway.clock.now

    post(gateway)

    assert code_of(seen[0]) == (409, "idempotency_in_progress")
    assert gateway.clock.now == before


def test_repeats_of_a_minute_are_bounded() -> None:
    gateway = Gateway()
    limits = FreeLimits(polls_per_minute=2)
    gateway.free_work = FreeWork(gateway.free_counters, limits, gateway.clock)
    gateway.repeat()
    first = post(gateway)
    again = [post(gateway) for _ in range(2)]
    refused = post(gateway)
    gateway.clock.advance(seconds=int(refused["headers"]["Retry-After"]))
    late = post(gateway)

    assert {response["body"] for response in (*again, late)} == {first["body"]}
    assert code_of(refused) == (429, "polls_per_minute_exceeded")
    assert len(gateway.runtime.requests) == 1


class Pair:
    """A first request that a second one meets while it runs; it ends while the second waits."""

    def __init__(self, error: TollgateError | None = None) -> None:
        self.gateway = Gateway()
        self.first: list[Response] = []
        self._started, self._may_end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: self.first.append(post(self.gateway)))
        self.gateway.runtime.error = error
        self.gateway.runtime.during_call = self._during_call
        self.gateway.idempotency = Idempotency(
            self.gateway.records,
            self.gateway.answers,
            self.gateway.policies,
            self.gateway.free_work,
            self.gateway.clock,
            self._sleep,
        )
        self.gateway.compose()

    def run(self) -> Response:
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)
        return post(self.gateway)

    def _during_call(self) -> None:
        self._started.set()
        assert self._may_end.wait(PATIENCE_SECONDS)

    def _sleep(self, _: float) -> None:
        self._may_end.set()
        self._thread.join(PATIENCE_SECONDS)
        self.gateway.runtime.error = None


def test_a_duplicate_that_waits_gets_the_first_answer() -> None:
    pair = Pair()

    second = pair.run()

    (first,) = pair.first
    assert second["headers"] == {**first["headers"], "x-tollgate-replayed": "true"}
    assert second["body"] == first["body"]
    assert len(pair.gateway.runtime.requests) == 1


def test_a_duplicate_calls_itself_when_the_first_failed_at_no_cost() -> None:
    pair = Pair(UpstreamThrottledError("slow down"))

    second = pair.run()

    assert pair.first[0]["statusCode"] == 429
    assert second["statusCode"] == 200
    assert len(pair.gateway.runtime.requests) == 2
    assert sorted(row.status for row in pair.gateway.usage.rows.values()) == ["error", "ok"]


def test_a_duplicate_is_told_when_the_first_answer_is_lost() -> None:
    pair = Pair(UpstreamTimeoutError("no answer", may_be_billed=True))

    second = pair.run()

    assert pair.first[0]["statusCode"] == 504
    assert code_of(second) == (409, "idempotency_unknown")
    assert len(pair.gateway.runtime.requests) == 1


# --- What leaves the key free, and what does not -------------------------------------------------


def over_budget(gateway: Gateway) -> Callable[[], None]:
    gateway.tenants.tenants["acme"] = tenant(budget=Budget(month=1))
    return lambda: gateway.tenants.tenants.update(acme=tenant())


def suspended(gateway: Gateway) -> Callable[[], None]:
    gateway.tenants.tenants["acme"] = tenant(status="suspended")
    return lambda: gateway.tenants.tenants.update(acme=tenant())


def throttled(gateway: Gateway) -> Callable[[], None]:
    gateway.runtime.error = UpstreamThrottledError("slow down")
    return lambda: setattr(gateway.runtime, "error", None)


@pytest.mark.parametrize(
    ("fail", "status"), [(over_budget, 402), (suspended, 403), (throttled, 429)]
)
def test_a_request_that_cost_nothing_can_be_sent_again(
    fail: Callable[[Gateway], Callable[[], None]], status: int
) -> None:
    gateway = Gateway()
    repair = fail(gateway)

    refused = post(gateway)
    assert gateway.records.records == {}
    repair()
    gateway.clock.advance(minutes=1)
    response = post(gateway)

    assert refused["statusCode"] == status
    assert response["statusCode"] == 200
    assert "x-tollgate-replayed" not in response["headers"]


def test_an_invalid_request_leaves_no_record() -> None:
    gateway = Gateway()

    assert post(gateway, "[").get("statusCode") == 400
    assert post(gateway)["statusCode"] == 200


def test_a_submission_that_failed_can_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway()

    def down(tenant_id: str, job_id: str) -> None:
        raise UnavailableError("queue down")

    with monkeypatch.context() as patch:
        patch.setattr(gateway.queue, "send", down)
        refused = post(gateway, streaming="true")
    response = post(gateway, streaming="true")

    assert refused["statusCode"] == 503
    assert response["statusCode"] == 200
    assert gateway.open_holds == 1


def test_a_submission_that_may_have_arrived_keeps_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway()

    def lose_the_answer(tenant_id: str, job_id: str) -> None:
        now = gateway.clock.now
        gateway.jobs.claim(tenant_id, job_id, now, int(now.timestamp()) + 60, "c1")
        raise UnavailableError("answer lost")

    monkeypatch.setattr(gateway.queue, "send", lose_the_answer)
    post(gateway, streaming="true")
    response = post(gateway, streaming="true")

    assert code_of(response) == (409, "idempotency_unknown")
    # The job can be read under the id that the answer names.
    job_id = body_of(response)["details"]["first_request_id"]
    assert gateway.jobs.get("acme", job_id) is not None
    assert int(response["headers"]["Retry-After"]) == SUBMIT_LEASE_SECONDS + 1


def test_a_lost_answer_keeps_the_key_until_its_hold_ends() -> None:
    gateway = Gateway()
    gateway.runtime.error = UpstreamTimeoutError("no answer", may_be_billed=True)

    first = post(gateway)
    gateway.runtime.error = None
    gateway.clock.advance(seconds=60)
    early = post(gateway)
    gateway.clock.advance(seconds=int(early["headers"]["Retry-After"]))
    late = post(gateway)

    assert first["statusCode"] == 504
    assert code_of(early) == (409, "idempotency_unknown")
    assert int(early["headers"]["Retry-After"]) == MOST_SECONDS - 60 + 1
    assert late["statusCode"] == 200
    assert len(gateway.runtime.requests) == 2
    assert gateway.usage.rows[late["headers"]["x-request-id"]].status == "ok"


def test_a_fault_of_ours_during_the_call_keeps_the_key() -> None:
    gateway = Gateway()

    def bug() -> None:
        raise KeyError("bug")

    gateway.runtime.during_call = bug

    assert code_of(post(gateway)) == (502, "upstream_unreadable")
    assert code_of(post(gateway)) == (409, "idempotency_unknown")
    assert len(gateway.runtime.requests) == 1


class KilledError(BaseException):
    """The process ends here: nothing catches this."""


def test_a_process_that_dies_leaves_a_lease() -> None:
    gateway = Gateway()

    def die() -> None:
        raise KilledError

    gateway.runtime.during_call = die
    with pytest.raises(KilledError):
        post(gateway)
    gateway.runtime.during_call = lambda: None
    early = post(gateway)
    gateway.clock.advance(seconds=MOST_SECONDS - WAIT_SECONDS)
    late = post(gateway)
    again = post(gateway)

    assert code_of(early) == (409, "idempotency_in_progress")
    assert late["statusCode"] == 200
    assert again["headers"]["x-tollgate-replayed"] == "true"
    assert len(gateway.usage.rows) == gateway.open_holds == 1


# --- Dependencies down --------------------------------------------------------------------------


class Down:
    """Stands for every method of a port whose dependency is down."""

    def __call__(self, *_: object) -> None:
        raise UnavailableError("down", details={"dependency": "streaming table"}, retry_after=5)


def test_nothing_is_called_when_the_key_cannot_be_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway()
    monkeypatch.setattr(gateway.records, "claim", Down())
    monkeypatch.setattr(gateway.records, "release", Down())

    response = post(gateway)

    assert code_of(response) == (503, "unavailable")
    assert response["headers"]["Retry-After"] == "5"
    assert gateway.runtime.requests == []
    assert gateway.usage.rows == {}
    assert gateway.open_holds == 0


def test_a_claim_whose_answer_was_lost_does_not_block_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway()
    claim = gateway.records.claim

    def lose_the_answer(*arguments: Any) -> None:
        claim(*arguments)
        raise UnavailableError("answer lost")

    with monkeypatch.context() as patch:
        patch.setattr(gateway.records, "claim", lose_the_answer)
        assert post(gateway)["statusCode"] == 503

    assert post(gateway)["statusCode"] == 200


@pytest.mark.parametrize("broken", ["bucket", "table", "both"])
def test_an_answer_that_cannot_be_stored_reaches_its_caller(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway()
    if broken in ("bucket", "both"):
        monkeypatch.setattr(gateway.answers, "put", Down())
    if broken in ("table", "both"):
        monkeypatch.setattr(gateway.records, "finish", Down())

    first = post(gateway)
    again = post(gateway)

    assert first["statusCode"] == 200
    assert body_of(first)[0]["generated_text"] == "hello"
    # Never a second charge: the answer is gone, so the lease has to end first.
    expected = "idempotency_unknown" if broken == "bucket" else "idempotency_in_progress"
    assert code_of(again) == (409, expected)
    assert len(gateway.runtime.requests) == len(gateway.usage.rows) == 1
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    messages = {record.message for record in errors}
    assert ("answer not stored" in messages) == (broken in ("bucket", "both"))
    assert ("key not finished" in messages) == (broken in ("table", "both"))
    assert {record.__dict__["request_id"] for record in errors} == {gateway.row.request_id}


def test_an_answer_that_outlived_its_lease_reaches_its_caller() -> None:
    gateway = Gateway()
    later: list[Response] = []

    def outlive() -> None:
        gateway.runtime.during_call = lambda: None
        gateway.clock.advance(seconds=MOST_SECONDS + 1)
        later.append(post(gateway))

    gateway.runtime.during_call = outlive

    first = post(gateway)
    again = post(gateway)

    assert first["statusCode"] == later[0]["statusCode"] == 200
    assert again["headers"]["x-request-id"] == later[0]["headers"]["x-request-id"]
    assert len(gateway.usage.rows) == 2


def test_a_key_that_cannot_be_released_does_not_hide_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway()
    gateway.runtime.error = UpstreamThrottledError("slow down")
    monkeypatch.setattr(gateway.records, "release", Down())

    assert code_of(post(gateway)) == (429, "upstream_throttled")


def test_an_answer_that_cannot_be_read_is_not_called_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway()
    post(gateway)

    with monkeypatch.context() as patch:
        patch.setattr(gateway.answers, "get", Down())
        down = post(gateway)
    gateway.answers.documents.clear()
    gone = post(gateway)

    assert down["statusCode"] == 503
    assert code_of(gone) == (409, "idempotency_unknown")
    assert int(gone["headers"]["Retry-After"]) == REPLAY_SECONDS + 1
    assert len(gateway.runtime.requests) == 1


# --- The key itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "k" * 256, "clé", "a\tb", "a\x7f", "日"])
def test_a_bad_key_is_refused_without_being_quoted(key: str) -> None:
    gateway = Gateway()

    response = post(gateway, **{"Idempotency-Key": key})

    assert code_of(response) == (400, "invalid_request")
    assert "1 to 255 printable ASCII" in response["body"]
    assert not key or key not in response["body"]
    assert gateway.runtime.requests == []


@pytest.mark.parametrize("key", ["k", "k" * 255, "a b/c~!", "../../x"])
def test_any_printable_key_is_taken(key: str) -> None:
    gateway = Gateway()

    post(gateway, **{"Idempotency-Key": key})
    again = post(gateway, **{"idempotency-key": key})

    assert again["headers"]["x-tollgate-replayed"] == "true"


def test_keys_reach_no_log_error_or_record(
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG")
    gateway = Gateway()
    shown: list[Response] = [post(gateway), post(gateway), post(gateway, {"inputs": "secret"})]
    for port, method in (("answers", "put"), ("records", "finish"), ("records", "claim")):
        other = Gateway()
        monkeypatch.setattr(getattr(other, port), method, Down())
        shown += [post(other), post(other)]
    third = Gateway()
    third.runtime.error = UpstreamTimeoutError("no answer", may_be_billed=True)
    shown += [post(third), post(third)]

    logged = caplog.text + repr([record.__dict__ for record in caplog.records])
    text = logged + "".join(capsys.readouterr()) + repr(shown)
    assert "replayed" in text
    assert KEY not in text
    assert "secret" not in text
    kept = repr(gateway.records.records) + repr(gateway.usage.rows)
    assert KEY not in kept + repr(gateway.answers.documents)
    assert "hello" not in kept


def test_the_record_of_two_equal_requests_differs_with_the_key() -> None:
    gateway = Gateway()
    post(gateway, **{"Idempotency-Key": "a"})
    post(gateway, **{"Idempotency-Key": "b"})

    first, second = gateway.records.records.values()
    assert first.body_hash != second.body_hash
    assert NOVA_LITE not in repr(first)
