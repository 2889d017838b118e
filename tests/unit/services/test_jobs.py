"""Submitting, running and reading long-poll jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.jobs import FakeJobs, FakeJobTexts, FakePayloads, FakeQueue
from tests.fakes.replies import text_piece
from tests.fakes.world import FakeRuntime, app, caller, tenant
from tests.unit.services.test_calls import World
from tollgate.domain.custody import Custody
from tollgate.domain.errors import (
    ForbiddenError,
    GoneError,
    NotFoundError,
    RateExceededError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UpstreamThrottledError,
)
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.ids import new_request_id
from tollgate.domain.jobs import (
    CONTENT_BYTES,
    JOB_EXPIRED,
    QUEUE_SECONDS,
    RUN_SECONDS,
    Job,
    JobPart,
)
from tollgate.domain.tenants import Limits
from tollgate.services.free_work import FreeWork
from tollgate.services.jobs import JobReader, JobRunner, JobSubmitter
from tollgate.services.leases import LEASE_SECONDS
from tollgate.services.policy import CACHE_SECONDS
from tollgate.services.queued_calls import decode_call, encode_call

if TYPE_CHECKING:
    from tollgate.services.calls import AdmittedCall


KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/k1"


class JobWorld(World):
    """A pipeline with its jobs over fakes."""

    def __init__(self, runtime: FakeRuntime | None = None) -> None:
        super().__init__(tenant(limits=Limits(tokens_per_minute=10_000)), runtime)
        self.jobs = FakeJobs()
        self.texts = FakeJobTexts()
        self.payloads = FakePayloads()
        self.queue = FakeQueue()
        self.wire()

    def wire(self) -> None:
        self.submitter = JobSubmitter(self.calls, self.jobs, self.payloads, self.queue)
        self.runner = JobRunner(
            calls=self.calls,
            jobs=self.jobs,
            texts=self.texts,
            payloads=self.payloads,
            policies=self.policies,
            clock=self.clock,
            sleep=lambda seconds: self.clock.advance(seconds=seconds),
        )
        self.reader = JobReader(
            self.jobs,
            self.texts,
            self.free_work,
            self.clock,
            lambda s: self.clock.advance(seconds=s),
        )

    def start(self) -> str:
        return self.submitter.submit(self.admit(streamed=True))

    def keep(self, **custody: Any) -> None:  # noqa: ANN401
        """Change how the tenant's texts are kept, before its first call."""
        self.tenants.tenants["acme"] = replace(self.tenants.tenants["acme"], **custody)

    def stored_job(self, job_id: str) -> Job:
        job = self.jobs.get("acme", job_id)
        assert job is not None
        return job


def test_a_call_travels_to_the_producer_unchanged() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00"}}}
    world = JobWorld()
    call = world.admit(body={"messages": [{"role": "user", "content": [image, {"text": "é"}]}]})

    assert decode_call(encode_call(call)) == call


def test_submitting_stores_and_queues_the_call() -> None:
    world = JobWorld()

    job_id = world.start()

    assert world.queue.sent == [("acme", job_id)]
    job = world.jobs.get("acme", job_id)
    assert job is not None
    assert (job.status, job.tenant_id, job.claimed) == ("queued", "acme", False)
    assert job.payload_key in world.payloads.documents
    assert world.open_holds == 1


def test_running_streams_the_text_and_settles() -> None:
    world = JobWorld()
    job_id = world.start()

    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert (view.job.status, view.text) == ("succeeded", "hello")
    assert view.job.result["usage"] == {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    assert view.job.result["cost_usd"] == "0.00007"
    assert world.open_holds == 0
    assert world.row.streamed


def test_a_job_that_asks_for_tools_keeps_every_block_of_its_answer() -> None:
    world = JobWorld()
    use = {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"text": "é" * CONTENT_BYTES}}}
    thought = {"reasoningContent": {"redactedContent": b"\x00"}}
    world.runtime.content = [thought, {"text": "hello"}, use]
    job_id = world.start()

    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=5, wait=0)
    assert (view.job.status, view.text) == ("succeeded", "")
    shown = {"reasoningContent": {"redactedContent": "AA=="}}
    assert view.content == [shown, {"text": "hello"}, use]
    assert view.result.keys() == {"stop_reason", "usage", "cost_usd"}
    pieces = world.texts.chunks(world.stored_job(job_id), 0, "content")
    assert len(pieces) > 1
    assert all(len(piece.encode()) <= CONTENT_BYTES for piece in pieces)


def test_a_job_whose_blocks_cannot_be_kept_fails_but_is_paid() -> None:
    world = JobWorld()
    world.runtime.content = [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}]
    job_id = world.start()
    append = world.texts.append

    def refuse(job: Job, index: int, text: str, part: JobPart = "text") -> None:
        if part == "content":
            raise UnavailableError("table down")
        append(job, index, text, part)

    world.texts.append = refuse  # type: ignore[method-assign]
    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert (view.job.status, view.content) == ("failed", None)
    assert world.row.status == "ok"


def test_a_job_of_text_alone_has_no_blocks() -> None:
    world = JobWorld()
    job_id = world.start()
    world.runner.run("acme", job_id)

    assert world.reader.read(caller(), job_id, cursor=0, wait=0).content is None


def test_a_message_delivered_again_never_calls_the_model_again() -> None:
    world = JobWorld()
    job_id = world.start()

    world.runner.run("acme", job_id)
    world.runner.run("acme", job_id)

    assert len(world.runtime.requests) == 1
    assert len(world.usage.rows) == 1


def test_a_job_past_its_deadline_is_not_run() -> None:
    world = JobWorld()
    job_id = world.start()
    world.clock.advance(seconds=QUEUE_SECONDS + 1)

    world.runner.run("acme", job_id)

    assert world.runtime.requests == []


def test_a_job_whose_hold_was_swept_is_not_run() -> None:
    world = JobWorld()
    job_id = world.start()
    account = world.accounts.get("tenant#acme")
    assert account is not None
    world.accounts.settle("tenant#acme", account.holds[job_id], 0, None)

    world.runner.run("acme", job_id)

    assert world.runtime.requests == []
    job = world.jobs.get("acme", job_id)
    assert job is not None
    assert job.status == "failed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "suspended"}, "tenant_suspended"),
        ({"status": "offboarded"}, "tenant_offboarded"),
        ({"apps": {"web": app(status="suspended")}}, "app_suspended"),
        ({"apps": {}}, "app_suspended"),
        ({"models": ("anthropic.*",)}, "model_not_allowed"),
        ({"denied_models": ("amazon.*",)}, "model_not_allowed"),
    ],
)
def test_a_queued_job_that_the_policy_no_longer_allows_is_not_called(
    change: dict[str, Any], code: str
) -> None:
    world = JobWorld()
    job_id = world.start()
    world.keep(**change)
    world.clock.advance(seconds=CACHE_SECONDS)

    world.runner.run("acme", job_id)

    assert world.runtime.requests == []
    assert (world.row.status, world.row.error_code, world.row.total_cost) == ("error", code, 0)
    assert world.open_holds == 0
    job = world.stored_job(job_id)
    assert (job.status, job.result["error"]["code"]) == ("failed", code)
    assert job.result["error"]["http_status"] == 403
    assert world.payloads.documents == {}


def test_a_queued_job_whose_tenants_account_refuses_its_role_is_not_called() -> None:
    world = JobWorld()
    job_id = world.start()

    def deny(_: object) -> None:
        raise ForbiddenError("no role", code="tenant_role_denied")

    world.runtime.prepare = deny  # type: ignore[method-assign]
    world.runner.run("acme", job_id)

    assert world.runtime.requests == []
    assert world.stored_job(job_id).result["error"]["code"] == "tenant_role_denied"
    assert (world.row.error_code, world.row.total_cost) == ("tenant_role_denied", 0)


def test_a_job_whose_policy_cannot_be_read_stays_queued_for_the_next_delivery() -> None:
    world = JobWorld()
    job_id = world.start()
    world.clock.advance(seconds=CACHE_SECONDS)
    read = world.tenants.policy

    def fail(*_: object) -> None:
        raise UnavailableError("table down")

    world.tenants.policy = fail  # type: ignore[assignment,method-assign]
    with pytest.raises(UnavailableError):
        world.runner.run("acme", job_id)
    assert world.stored_job(job_id).status == "queued"
    world.tenants.policy = read  # type: ignore[method-assign]
    world.runner.run("acme", job_id)

    assert world.stored_job(job_id).status == "succeeded"


def test_claiming_renews_the_hold() -> None:
    world = JobWorld()
    job_id = world.start()
    world.clock.advance(seconds=QUEUE_SECONDS - 1)
    expiries: list[int] = []

    def look() -> None:
        account = world.accounts.get("tenant#acme")
        assert account is not None
        expiries.append(account.holds[job_id].expires_at)

    world.runtime.during_call = look
    world.runner.run("acme", job_id)

    assert expiries == [int(world.clock.now.timestamp()) + LEASE_SECONDS]


def test_a_failed_call_fails_the_job_and_keeps_the_text_so_far() -> None:
    world = JobWorld()
    world.runtime.error = UpstreamThrottledError("slow down")
    job_id = world.start()

    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert (view.job.status, view.text) == ("failed", "hello")
    assert view.job.result["error"]["code"] == "upstream_throttled"
    assert view.job.result["error"]["http_status"] == 429


def test_a_poll_returns_what_is_new_and_where_to_go_on() -> None:
    world = JobWorld()
    job_id = world.start()
    for index, text in enumerate(["a", "b", "c"]):
        world.texts.append(world.stored_job(job_id), index, text)

    first = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert (first.text, first.cursor) == ("abc", 3)
    second = world.reader.read(caller(), job_id, cursor=2, wait=0)
    assert (second.text, second.cursor) == ("c", 3)


def test_a_poll_waits_for_news_and_no_longer() -> None:
    world = JobWorld()
    job_id = world.start()
    before = world.clock.now

    view = world.reader.read(caller(), job_id, cursor=0, wait=5)

    assert (view.text, view.cursor, view.job.status) == ("", 0, "queued")
    assert timedelta(seconds=5) <= world.clock.now - before < timedelta(seconds=6)


def test_a_poll_ends_as_soon_as_there_is_text() -> None:
    world = JobWorld()
    job_id = world.start()
    before = world.clock.now

    def sleep(seconds: float) -> None:
        world.clock.advance(seconds=seconds)
        if world.clock.now - before > timedelta(seconds=1):
            world.texts.append(world.stored_job(job_id), 0, "news")

    reader = JobReader(world.jobs, world.texts, world.free_work, world.clock, sleep)

    assert reader.read(caller(), job_id, cursor=0, wait=20).text == "news"
    assert world.clock.now - before < timedelta(seconds=2)


def test_a_poll_waits_only_while_few_of_the_tenants_requests_do() -> None:
    world = JobWorld()
    job_id = world.start()
    waits = world.free_counters.waits["acme"]
    later = int(world.clock.now.timestamp()) + 60
    waits.update({f"poll/{index}": later for index in range(FreeLimits().waiting_requests)})
    before = world.clock.now

    at_once = world.reader.read(caller(), job_id, cursor=0, wait=5)
    assert (at_once.job.status, world.clock.now) == ("queued", before)
    waits.popitem()
    world.reader.read(caller(), job_id, cursor=0, wait=5)
    assert world.clock.now - before >= timedelta(seconds=5)
    # Whoever has waited makes room.
    assert len(waits) == FreeLimits().waiting_requests - 1


def test_a_poll_that_finds_news_takes_no_place() -> None:
    world = JobWorld()
    job_id = world.start()
    world.runner.run("acme", job_id)
    world.reader.read(caller(), job_id, cursor=0, wait=0)
    written = world.free_counters.written

    world.reader.read(caller(), job_id, cursor=0, wait=20)

    assert world.free_counters.written == written + 1
    assert world.free_counters.waits["acme"] == {}


def test_polls_of_a_minute_are_bounded_whether_they_wait_or_not() -> None:
    world = JobWorld()
    job_id = world.start()
    world.free_work = FreeWork(world.free_counters, FreeLimits(polls_per_minute=3), world.clock)
    world.wire()
    for _ in range(3):
        world.reader.read(caller(), job_id, cursor=0, wait=0)

    with pytest.raises(RateExceededError) as refused:
        world.reader.read(caller(), job_id, cursor=0, wait=20)
    assert refused.value.code == "polls_per_minute_exceeded"
    assert refused.value.retry_after is not None
    world.clock.advance(seconds=refused.value.retry_after)
    world.reader.read(caller(), job_id, cursor=0, wait=0)


@pytest.mark.parametrize("job_id", ["nonsense", "", "../x"])
def test_an_unknown_job_is_not_found(job_id: str) -> None:
    world = JobWorld()
    with pytest.raises(NotFoundError):
        world.reader.read(caller(), job_id, cursor=0, wait=0)
    with pytest.raises(NotFoundError):
        world.reader.read(caller(), new_request_id(world.clock.now), cursor=0, wait=0)


def test_another_tenants_job_is_not_found() -> None:
    world = JobWorld()
    job_id = world.start()

    with pytest.raises(NotFoundError):
        world.reader.read(caller(tenant_id="globex"), job_id, cursor=0, wait=0)


def test_another_apps_job_is_not_found() -> None:
    world = JobWorld()
    job_id = world.start()
    world.runner.run("acme", job_id)

    with pytest.raises(NotFoundError):
        world.reader.read(caller(app_id="other"), job_id, cursor=0, wait=0)
    assert world.reader.read(caller(), job_id, cursor=0, wait=0).text == "hello"


def test_a_job_whose_producer_died_becomes_failed() -> None:
    world = JobWorld()
    job_id = world.start()
    now = world.clock.now
    world.jobs.claim("acme", job_id, now, int(now.timestamp()) + RUN_SECONDS, "c1")
    world.clock.advance(seconds=RUN_SECONDS + 2)

    view = world.reader.read(caller(), job_id, cursor=0, wait=20)

    assert view.job.status == "failed"
    assert view.job.result["error"]["code"] == "job_expired"


def test_an_old_result_is_gone() -> None:
    world = JobWorld()
    job_id = world.start()
    world.runner.run("acme", job_id)
    world.clock.advance(days=1, seconds=-1)
    world.reader.read(caller(), job_id, cursor=0, wait=0)
    world.clock.advance(seconds=2)

    with pytest.raises(GoneError):
        world.reader.read(caller(), job_id, cursor=0, wait=0)


def test_a_result_is_gone_when_the_tenant_wants_its_texts_gone() -> None:
    world = JobWorld()
    world.keep(retention_minutes=5)
    job_id = world.start()
    world.clock.advance(seconds=QUEUE_SECONDS - 1)
    world.runner.run("acme", job_id)

    world.clock.advance(seconds=299)
    assert world.reader.read(caller(), job_id, cursor=0, wait=0).text == "hello"
    world.clock.advance(seconds=2)
    with pytest.raises(GoneError):
        world.reader.read(caller(), job_id, cursor=0, wait=0)


def test_a_lost_job_found_late_is_not_readable_for_longer() -> None:
    world = JobWorld()
    world.keep(retention_minutes=5)
    job_id = world.start()
    world.clock.advance(seconds=QUEUE_SECONDS)
    now = world.clock.now
    world.jobs.claim("acme", job_id, now, int(now.timestamp()) + RUN_SECONDS, "c1")
    world.clock.advance(seconds=RUN_SECONDS + 299)
    last = world.stored_job(job_id).available_until

    assert world.reader.read(caller(), job_id, cursor=0, wait=0).job.status == "failed"
    assert world.stored_job(job_id).available_until == last
    world.clock.advance(seconds=2)
    with pytest.raises(GoneError):
        world.reader.read(caller(), job_id, cursor=0, wait=0)


def test_the_tenants_own_key_travels_with_its_job() -> None:
    world = JobWorld()
    world.keep(kms_key_arn=KEY_ARN)
    job_id = world.start()

    job = world.stored_job(job_id)
    assert job.custody == Custody(86_400, KEY_ARN)
    assert world.payloads.kms_keys == {job.payload_key: KEY_ARN}
    other = JobWorld()
    other.start()
    assert list(other.payloads.kms_keys.values()) == [None]


def test_a_request_is_deleted_when_its_job_has_ended() -> None:
    world = JobWorld()
    for error in (None, UpstreamThrottledError("slow down")):
        world.runtime.error = error
        job_id = world.start()
        assert len(world.payloads.documents) == 1

        world.runner.run("acme", job_id)

        assert world.payloads.documents == {}


def test_a_job_whose_request_is_gone_fails_at_once(caplog: pytest.LogCaptureFixture) -> None:
    world = JobWorld()
    job_id = world.start()
    world.payloads.documents.clear()

    world.runner.run("acme", job_id)

    job = world.stored_job(job_id)
    assert (job.status, job.claimed, job.result) == ("failed", False, JOB_EXPIRED)
    assert world.runtime.requests == []
    assert "job without payload" in caplog.text


def test_a_request_whose_submission_failed_is_deleted() -> None:
    world = JobWorld()
    world.queue = BrokenQueue()
    world.wire()

    with pytest.raises(UnavailableError):
        world.start()

    assert world.payloads.documents == {}


def test_a_request_that_cannot_be_deleted_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Undeletable(FakePayloads):
        def delete(self, tenant_id: str, key: str) -> None:
            raise UnavailableError("bucket down")

    world = JobWorld()
    world.payloads = Undeletable()
    world.wire()
    job_id = world.start()

    world.runner.run("acme", job_id)

    assert world.stored_job(job_id).status == "succeeded"
    assert "payload not deleted" in caplog.text


class BrokenQueue(FakeQueue):
    def send(self, tenant_id: str, job_id: str) -> None:
        raise UnavailableError("queue down")


class BrokenPayloads(FakePayloads):
    def put(self, tenant_id: str, key: str, document: bytes, kms_key_arn: str | None) -> None:
        raise UnavailableError("bucket down")


@pytest.mark.parametrize("broken", ["queue", "payloads"])
def test_a_submission_that_fails_costs_nothing(broken: str) -> None:
    world = JobWorld()
    if broken == "queue":
        world.queue = BrokenQueue()
    else:
        world.payloads = BrokenPayloads()
    world.wire()

    with pytest.raises(UnavailableError):
        world.start()

    assert world.open_holds == 0
    assert (world.row.status, world.row.total_cost) == ("error", 0)


def test_a_job_claimed_although_its_submission_seemed_to_fail_settles_itself() -> None:
    world = JobWorld()

    class Late(FakeQueue):
        """Delivers, the producer claims, and only then the sender is told of a failure."""

        def send(self, tenant_id: str, job_id: str) -> None:
            super().send(tenant_id, job_id)
            deadline = int(world.clock.now.timestamp()) + 60
            world.jobs.claim("acme", job_id, world.clock.now, deadline, "c1")
            raise UnavailableError("answer lost")

    world.queue = Late()
    world.wire()

    with pytest.raises(UnavailableError):
        world.start()

    assert world.usage.rows == {}
    assert world.open_holds == 1


def test_a_dependency_that_fails_before_the_claim_asks_for_redelivery() -> None:
    world = JobWorld()
    job_id = world.start()

    class Down(FakePayloads):
        def get(self, tenant_id: str, key: str) -> bytes | None:
            raise UnavailableError("bucket down")

    world.payloads = Down()
    world.wire()

    with pytest.raises(UnavailableError):
        world.runner.run("acme", job_id)
    job = world.jobs.get("acme", job_id)
    assert job is not None
    assert job.status == "queued"


def test_many_small_deltas_become_few_chunks() -> None:
    world = JobWorld()
    world.runtime.events = [text_piece("word ")] * 500
    job_id = world.start()

    world.runner.run("acme", job_id)

    chunks = world.texts.chunks(world.stored_job(job_id), 0)
    assert "".join(chunks) == "word " * 500
    assert len(chunks) < 20


@pytest.mark.parametrize(("key_arn", "chunks"), [(None, 50), (KEY_ARN, 10)])
def test_text_under_an_own_key_is_written_in_fewer_chunks(
    key_arn: str | None, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count(100, 0.1)
    monkeypatch.setattr("tollgate.services.jobs.time.monotonic", lambda: next(ticks))
    world = JobWorld()
    world.keep(kms_key_arn=key_arn)
    world.runtime.events = [text_piece("word ")] * 100
    job_id = world.start()

    world.runner.run("acme", job_id)

    written = world.texts.chunks(world.stored_job(job_id), 0)
    assert "".join(written) == "word " * 100
    # The first piece is written at once either way.
    assert written[0] == "word "
    assert chunks / 2 < len(written) <= chunks + 1


def make_job(now: datetime) -> Job:
    return Job(
        job_id=new_request_id(now),
        tenant_id="acme",
        app_id="web",
        status="running",
        created_at=now,
        deadline=int(now.timestamp()) + 10,
        available_until=int(now.timestamp()) + 100,
        payload_key="k",
    )


def test_lost_and_expired_follow_from_the_clock() -> None:
    world = JobWorld()
    now = world.clock.now
    job = make_job(now)

    assert not job.is_lost(now + timedelta(seconds=9))
    assert job.is_lost(now + timedelta(seconds=12))
    assert not replace(job, status="succeeded").is_lost(now + timedelta(seconds=12))
    assert not job.is_expired(now + timedelta(seconds=99))
    assert job.is_expired(now + timedelta(seconds=102))


def test_a_payload_that_is_not_json_cannot_be_built() -> None:
    world = JobWorld()
    call: AdmittedCall = world.admit()
    odd = replace(call, request=replace(call.request, body={"x": {1, 2}}))

    with pytest.raises(TypeError, match="cannot store set"):
        encode_call(odd)


def test_errors_of_the_gateway_are_errors_of_the_job() -> None:
    world = JobWorld()
    world.runtime.error = TollgateError("broken", may_be_billed=True)
    job_id = world.start()

    world.runner.run("acme", job_id)

    assert world.reader.read(caller(), job_id, cursor=0, wait=0).job.status == "failed"
    assert world.open_holds == 0


def test_a_job_whose_stream_broke_keeps_its_text_and_is_charged_for_it() -> None:
    world = JobWorld()
    world.runtime.error = StreamBrokenError("cut", may_be_billed=True)
    job_id = world.start()

    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert (view.job.status, view.text) == ("failed", "hello")
    assert view.job.result["error"]["code"] == "upstream_stream_broken"
    assert (world.row.status, world.row.output_tokens) == ("aborted", 5)


@pytest.mark.parametrize("place", ["payloads.put", "jobs.create", "queue.send"])
def test_a_fault_of_ours_while_a_job_is_submitted_costs_nothing(place: str) -> None:
    world = JobWorld()

    def fault(*_: object) -> None:
        raise LookupError("a bug")

    name, method = place.split(".")
    setattr(getattr(world, name), method, fault)
    with pytest.raises(TollgateError) as failed:
        world.start()

    assert (failed.value.code, failed.value.may_be_billed) == ("internal_error", False)
    assert (world.row.status, world.row.total_cost, world.open_holds) == ("error", 0, 0)
    assert world.runtime.requests == []


def test_a_job_is_run_though_the_ledger_is_out_of_reach_because_its_hold_outlasts_the_queue() -> (
    None
):
    world = JobWorld()
    job_id = world.start()
    world.clock.advance(seconds=QUEUE_SECONDS)

    def fail(*_: object) -> bool:
        raise UnavailableError("ledger down")

    world.accounts.extend = fail  # type: ignore[method-assign]
    world.runner.run("acme", job_id)

    assert world.stored_job(job_id).status == "succeeded"
    assert (world.row.status, world.open_holds) == ("ok", 0)


def test_a_fault_of_ours_before_the_call_costs_nothing() -> None:
    world = JobWorld()
    job_id = world.start()

    def fail(*_: object) -> bool:
        raise LookupError("a bug")

    world.accounts.extend = fail  # type: ignore[method-assign]
    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert view.job.status == "failed"
    assert (world.row.status, world.row.total_cost, world.open_holds) == ("error", 0, 0)
    assert world.runtime.requests == []


def test_a_request_that_cannot_be_read_is_not_claimed() -> None:
    world = JobWorld()
    job_id = world.start()
    world.payloads.documents[world.stored_job(job_id).payload_key] = b"{"

    with pytest.raises(ValueError, match="Expecting"):
        world.runner.run("acme", job_id)

    assert not world.stored_job(job_id).claimed


def test_a_fault_of_ours_with_a_paid_answer_ends_the_job() -> None:
    world = JobWorld()
    job_id = world.start()

    def fault(*_: object, **__: object) -> None:
        raise LookupError("a bug")

    world.texts.append = fault  # type: ignore[method-assign]
    world.runner.run("acme", job_id)

    view = world.reader.read(caller(), job_id, cursor=0, wait=0)
    assert view.job.result["error"]["code"] == "upstream_unreadable"
    assert world.row.status == "ok"
    assert world.open_holds == 0
