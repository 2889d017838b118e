"""Sessions of tenants' roles: what STS is asked, how long it is kept, what its failures do."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.fakes.world import FakeClock, caller, tenant
from tests.unit.services.test_calls import World
from tests.unit.services.test_jobs import JobWorld
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.adapters.aws import Credentials
from tollgate.adapters.sessions import (
    LAST_USE_TIME,
    RENEWAL_TIME,
    RETRY_TIME,
    SESSION_SECONDS,
    SessionClients,
    TenantSessions,
)
from tollgate.domain.errors import ForbiddenError, UnavailableError
from tollgate.domain.sessions import Session, data_session, model_account, model_session
from tollgate.domain.tenants import Silo
from tollgate.services.queued_calls import decode_call, encode_call

ROLE = "arn:aws:iam::111122223333:role/tollgate/tollgate-dev/acme"
POOL_ROLE = "arn:aws:iam::000000000000:role/tollgate/tollgate-dev/tollgate-dev-pool-session"
SILO = Session(ROLE, "acme", "web", "ext-1")
POOL = Session(POOL_ROLE, "acme", "web")
LIFETIME = timedelta(seconds=SESSION_SECONDS)


class FakeSts:
    """An STS client that hands out numbered credentials."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.asked: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.connections = 0

    def connect(self) -> Any:  # noqa: ANN401 - stands for an STS client
        self.connections += 1
        return self

    def assume_role(self, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        with self._lock:
            self.asked.append(parameters)
            number = len(self.asked)
        self.may_answer.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{number}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": self._clock() + LIFETIME,
            }
        }


class Sts:
    """Sessions over a fake STS."""

    def __init__(self, **settings: int) -> None:
        self.clock = FakeClock()
        self.service = FakeSts(self.clock)
        self.sessions = TenantSessions(self.service.connect, self.clock, **settings)

    def key(self, session: Session = SILO) -> str:
        return self.sessions.credentials(session).access_key_id

    @property
    def calls(self) -> int:
        return len(self.service.asked)


def denied(code: str = "AccessDenied") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "injected"}}, "AssumeRole")


# --- What STS is asked --------------------------------------------------------------------------


def test_a_silos_role_is_assumed_with_its_external_id_and_tags() -> None:
    sts = Sts()

    sts.key(SILO)

    assert sts.service.asked == [
        {
            "RoleArn": ROLE,
            "RoleSessionName": "acme",
            "DurationSeconds": 3600,
            "Tags": [{"Key": "tenant", "Value": "acme"}, {"Key": "app", "Value": "web"}],
            "ExternalId": "ext-1",
        }
    ]


def test_the_pools_role_is_assumed_without_an_external_id() -> None:
    sts = Sts()

    sts.key(replace(POOL, app_id=None))

    (asked,) = sts.service.asked
    assert "ExternalId" not in asked
    assert asked["Tags"] == [{"Key": "tenant", "Value": "acme"}]


def test_sts_is_not_connected_to_before_the_first_session() -> None:
    sts = Sts()
    assert sts.service.connections == 0

    sts.key(SILO)
    sts.key(POOL)

    assert sts.service.connections == 1


# --- How long a session is remembered -----------------------------------------------------------


def test_a_session_is_used_until_ten_minutes_before_its_end() -> None:
    sts = Sts()
    assert sts.key() == "ASIA1"

    sts.clock.now += LIFETIME - RENEWAL_TIME - timedelta(seconds=1)
    assert sts.key() == "ASIA1"
    sts.clock.advance(seconds=1)
    assert sts.key() == "ASIA2"


@pytest.mark.parametrize(
    "other",
    [
        replace(SILO, app_id="batch"),
        replace(SILO, app_id=None),
        replace(SILO, tenant_id="globex"),
        replace(SILO, external_id="ext-2"),
        replace(SILO, role_arn=POOL_ROLE),
    ],
)
def test_sessions_that_differ_in_anything_share_nothing(other: Session) -> None:
    sts = Sts()

    assert sts.key(SILO) != sts.key(other)
    assert sts.calls == 2


def test_the_session_unused_for_longest_is_forgotten_first() -> None:
    sts = Sts(max_sessions=2)
    first, second, third = (replace(SILO, app_id=app) for app in ("a", "b", "c"))
    for session in (first, second, first, third):
        sts.key(session)
    assert sts.calls == 3

    sts.key(first)
    sts.key(third)
    assert sts.calls == 3
    sts.key(second)
    assert sts.calls == 4


def test_threads_that_need_one_session_ask_for_it_once() -> None:
    sts = Sts()
    sts.service.may_answer.clear()
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(sts.key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: sts.calls, "the first to ask")
    sts.service.may_answer.set()
    for thread in threads:
        thread.join()

    assert keys == ["ASIA1"] * 8
    assert sts.calls == 1


def test_a_slow_session_holds_up_no_other() -> None:
    sts = Sts()
    sts.key(POOL)
    sts.service.may_answer.clear()
    slow = threading.Thread(target=sts.key)
    slow.start()
    until(lambda: sts.calls == 2, "the slow session's request")

    assert sts.key(POOL)

    assert slow.is_alive()
    sts.service.may_answer.set()
    slow.join()


def test_secrets_are_not_shown() -> None:
    assert repr(Credentials("ASIA1", "hush", "hush")) == "Credentials(access_key_id='ASIA1')"


# --- What failures do ---------------------------------------------------------------------------


def test_a_role_that_refuses_is_a_clear_403() -> None:
    sts = Sts()
    sts.service.error = denied()

    with pytest.raises(ForbiddenError, match="may not assume the role of tenant acme") as raised:
        sts.key()

    assert raised.value.code == "tenant_role_denied"
    assert not raised.value.may_be_billed
    assert ROLE not in raised.value.message


def test_a_pools_role_that_refuses_is_the_gateways_own_failure() -> None:
    sts = Sts()
    sts.service.error = denied()

    with pytest.raises(UnavailableError):
        sts.key(POOL)


@pytest.mark.parametrize(
    "error", [denied("Throttling"), EndpointConnectionError(endpoint_url="https://sts")]
)
def test_an_sts_that_cannot_say_is_unavailable(error: Exception) -> None:
    sts = Sts()
    sts.service.error = error

    with pytest.raises(UnavailableError) as raised:
        sts.key()
    assert raised.value.details == {"dependency": "security token service"}

    sts.service.error = None
    assert sts.key() == "ASIA2"


def test_a_renewal_that_fails_leaves_the_session_until_five_minutes_before_its_end() -> None:
    sts = Sts()
    sts.key()
    sts.service.error = denied("Throttling")

    sts.clock.now += LIFETIME - RENEWAL_TIME
    assert sts.key() == "ASIA1"
    assert (sts.key(), sts.calls) == ("ASIA1", 2)
    sts.clock.now += RETRY_TIME
    assert (sts.key(), sts.calls) == ("ASIA1", 3)
    sts.clock.now += RENEWAL_TIME - LAST_USE_TIME - RETRY_TIME
    with pytest.raises(UnavailableError):
        sts.key()


def test_a_role_withdrawn_meanwhile_is_refused_at_its_renewal() -> None:
    sts = Sts()
    sts.key()
    sts.service.error = denied()
    sts.clock.now += LIFETIME - RENEWAL_TIME

    with pytest.raises(ForbiddenError):
        sts.key()


# --- Clients ------------------------------------------------------------------------------------


class Client:
    def __init__(self, credentials: Credentials | None) -> None:
        self.signs_as = None if credentials is None else credentials.access_key_id


def test_a_sessions_client_is_kept_as_long_as_its_credentials() -> None:
    sts = Sts()
    clients = SessionClients(Client, sts.sessions)
    first = clients(SILO)

    assert clients(SILO) is first
    assert clients(None).signs_as is None
    assert clients(None) is clients(None)
    sts.clock.now += LIFETIME
    assert (first.signs_as, clients(SILO).signs_as) == ("ASIA1", "ASIA2")


def test_clients_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tollgate.adapters.sessions.MAX_SESSIONS", 2)
    sts = Sts()
    clients = SessionClients(Client, sts.sessions)
    first, second, third = (replace(SILO, app_id=app) for app in ("a", "b", "c"))

    kept = clients(first)
    clients(second)
    clients(third)

    assert clients(first) is not kept


# --- Which role a call is made with -------------------------------------------------------------


def test_a_silo_calls_with_its_own_role_whatever_the_pool_does() -> None:
    silo = tenant(isolation="silo", silo=Silo(ROLE, "ext-1"))

    assert model_session(silo, caller(), None) == SILO
    assert model_session(silo, caller(), POOL_ROLE) == SILO


def test_a_pool_tenant_calls_with_the_pools_role_where_there_is_one() -> None:
    prepared = tenant(silo=Silo(ROLE, "ext-1"))

    for pool in (tenant(), prepared):
        assert model_session(pool, caller(), None) is None
        assert model_session(pool, caller(), POOL_ROLE) == POOL


def test_a_tenants_data_are_the_tenants_and_no_apps() -> None:
    assert data_session("acme", POOL_ROLE) == Session(POOL_ROLE, "acme")
    assert data_session("acme", None) is None


def test_a_silo_without_a_role_calls_nobody() -> None:
    with pytest.raises(ForbiddenError) as raised:
        model_session(tenant(isolation="silo"), caller(), POOL_ROLE)

    assert raised.value.code == "tenant_role_denied"
    assert raised.value.message == (
        "the gateway may not assume the role of tenant acme; nothing was charged, "
        "ask the platform team"
    )


def test_a_call_carries_its_session_to_the_model_and_to_the_producer() -> None:
    world = World(tenant(isolation="silo", silo=Silo(ROLE, "ext-1")))

    call = world.admit()
    world.calls.run(call)

    assert world.runtime.requests[0].session == SILO
    assert decode_call(encode_call(call)) == call


def test_a_role_that_refuses_ends_the_hold_at_no_cost() -> None:
    world = World()
    world.runtime.error = ForbiddenError("no", code="tenant_role_denied")

    with pytest.raises(ForbiddenError):
        world.calls.run(world.admit())

    assert world.open_holds == 0
    assert (world.row.total_cost, world.row.error_code) == (0, "tenant_role_denied")


def test_a_jobs_session_that_fails_fails_the_job_at_no_cost() -> None:
    world = JobWorld()
    world.runtime.events = ()
    world.runtime.error = UnavailableError("no session")
    job_id = world.start()

    world.runner.run("acme", job_id)

    assert world.reader.read(caller(), job_id, cursor=0, wait=0).job.status == "failed"
    assert (world.open_holds, world.row.total_cost) == (0, 0)


def test_a_silos_lost_call_is_booked_at_its_hold_because_its_logs_lie_elsewhere() -> None:
    world = World(tenant(isolation="silo", silo=Silo(ROLE, "ext-1")))
    world.calls = world.calls_over(world.usage, logged=True)
    world.runtime.error = UnavailableError("cut", may_be_billed=True)
    call = world.admit()

    with pytest.raises(UnavailableError):
        world.calls.run(call)

    assert world.open_holds == 0
    assert (world.row.status, world.row.total_cost) == ("orphaned", call.hold.usd)


def test_a_model_runs_in_the_account_of_the_role_that_calls_it() -> None:
    silo = Session("arn:aws:iam::999999999999:role/tollgate/x/acme", "acme", "web", "ext")

    assert model_account(None, "123456789012") == "123456789012"
    assert model_account(silo, "123456789012") == silo.account_id == "999999999999"
