"""Keys that are issued outside Terraform: who gets in with them, and that nothing shows them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from scripts.deploy import environments
from scripts.tenants import files as tenants
from scripts.tenants import keys
from scripts.tenants.desk import KEY_LENGTH, STORES, Desk, KeysError, published
from tollgate.adapters import tables
from tollgate.adapters.tenants import DynamoTenants
from tollgate_authorize.service import AuthorizeService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.tenants.key_table import IssuedKey

REGION = "us-east-1"
PREFIX = "tollgate-dev"
TABLE = f"{PREFIX}-tenants"
KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
TODAY = datetime.now(UTC).date()

ENVIRONMENT = f"""
prefix    = "{PREFIX}"
region    = "{REGION}"
key_store = "external"

tiers = {{
  free = {{}}
  pro  = {{}}
}}
"""
BACKEND = 'bucket = "states"\n'
TENANT = """
name        = "{name}"
kind        = "team"
cost_center = "CC-1"
tier        = "{tier}"
models      = ["amazon.nova-*"]

apps = {{
  web = {{ keys = {{ primary = {{}}, batch = {{ expires = "2099-12-31" }} }} }}
  old = {{ keys = {{ ended = {{ expires = "2026-01-31" }}, off = {{ status = "suspended" }} }} }}
}}
"""


class World:
    """An applied deployment in moto with two tenants, one with a usage plan of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failing: set[str] = set()
        self.clients: dict[str, Any] = {}
        database = self.client("dynamodb")
        database.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": tables.TENANTS.hash_key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": tables.TENANTS.hash_key, "KeyType": "HASH"}],
        )
        self.own_plan = self.plan({"Tenant": "acme", "tollgate-unit": PREFIX})
        self.plan({"Tenant": "globex", "tollgate-unit": "tollgate-prod"})
        self.tier_plan = self.plan({"Tier": "free", "tollgate-unit": PREFIX})
        self.publish()
        self.write_tenants()

    def client(self, service: str, /) -> Any:
        """A client in which the calls of `failing` fail."""
        if not self.failing:
            if service not in self.clients:
                self.clients[service] = _client(service)
            return self.clients[service]
        client = _client(service)
        for name in self.failing:
            event, code = name.split("!")
            client.meta.events.register(f"before-call.{event}", _failing(code))
        return client

    def plan(self, tags: dict[str, str]) -> str:
        plan = self.client("apigateway").create_usage_plan(name="any", tags=tags)
        return str(plan["id"])

    def publish(self, **changes: str) -> None:
        values = {
            "key_store": "external",
            "kms_key_arn": KMS_KEY,
            "tenants_table_name": TABLE,
            "tier_usage_plans": json.dumps({"free": {"id": self.tier_plan, "limits": {}}}),
        } | changes
        for name, value in values.items():
            self.client("ssm").put_parameter(
                Name=f"/{PREFIX}/outputs/{name}", Value=value, Type="String", Overwrite=True
            )

    def write_tenants(self, acme_tier: str = "pro") -> None:
        folder = self.folder / "dev" / "tenants"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "env.tfvars").write_text(ENVIRONMENT)
        (folder.parent / "backend.s3.tfbackend").write_text(BACKEND)
        (folder / "acme.tfvars").write_text(TENANT.format(name="Acme", tier=acme_tier))
        (folder / "globex.tfvars").write_text(TENANT.format(name="Globex", tier="free"))

    def desk(self, today: date = TODAY) -> Desk:
        environment = environments.load("dev")
        unit = published(self.client, environment)
        declared = tenants.load_environment(environment.folder)
        return Desk(self.client, unit, declared, lambda: today)

    def value(self, key: IssuedKey) -> str:
        """What the owner reads."""
        store, name = key.place.split(":")
        if store == "ssm":
            answer = self.client("ssm").get_parameter(Name=name, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        return str(self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    def caller(self, value: str, on: date = TODAY) -> str | None:
        """Whom the authorizer takes the bearer for, as `<tenant>/<app>/<key>`; None is nobody."""
        now = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
        service = AuthorizeService(DynamoTenants(self.client("dynamodb"), TABLE), lambda: now)
        answer = service.authorize({"x-api-key": value}, "/invoke_model")
        return None if answer is None else f"{answer[1].tenant_id}/{answer[1].key_id}"

    def api_keys(self, plan_id: str) -> dict[str, bool]:
        """Values of a plan's keys, and whether each is enabled."""
        gateway = self.client("apigateway")
        found = gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
        read = [gateway.get_api_key(apiKey=key["id"], includeValue=True) for key in found]
        return {key["value"]: key["enabled"] for key in read}

    def items(self) -> list[dict[str, Any]]:
        found = self.client("dynamodb").scan(TableName=TABLE)["Items"]
        return [item for item in found if item["pk"]["S"].startswith("KEY#")]


def _client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]


def _failing(code: str) -> Any:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "made up"}}, "Operation")

    return fail


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    with mock_aws():
        yield World(tmp_path)


@contextmanager
def failing(world: World, call: str) -> Iterator[None]:
    world.failing.add(call)
    try:
        yield
    finally:
        world.failing.clear()


@pytest.mark.parametrize("store", STORES)
def test_an_issued_key_lets_its_owner_in(world: World, store: str) -> None:
    key = world.desk().issue("acme", "web/primary", store)
    value = world.value(key)

    assert world.caller(value) == "acme/web/primary"
    assert world.api_keys(world.own_plan) == {value: True}
    assert len(value) == KEY_LENGTH
    assert value.isalnum()


@pytest.mark.parametrize("store", STORES)
def test_the_stored_value_is_encrypted_with_the_deployments_key(world: World, store: str) -> None:
    world.desk().issue("acme", "web/primary", store)

    if store == "ssm":
        name = f"/{PREFIX}/tenants/acme/web/primary"
        filters = [{"Key": "Name", "Values": [name]}]
        [found] = world.client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"]
        assert (found["Type"], found["KeyId"]) == ("SecureString", KMS_KEY)
    else:
        name = f"{PREFIX}/tenants/acme/web/primary"
        found = world.client("secretsmanager").describe_secret(SecretId=name)
        assert found["KmsKeyId"] == KMS_KEY


def test_a_key_has_the_items_that_terraform_would_write(world: World) -> None:
    key = world.desk().issue("acme", "web/batch", "ssm")
    [item] = world.items()
    tenant = tenants.load_environment(world.folder / "dev")["acme"]

    expected = tenants.key_item(key.key_hash, tenant, tenant.keys["web/batch"])
    own = {"api_key_id": {"S": key.api_key_id}, "place": {"S": key.place}}
    assert item == expected | own
    assert item["expires"] == {"S": "2099-12-31"}


def test_a_tenant_without_a_plan_of_its_own_is_in_its_tiers(world: World) -> None:
    key = world.desk().issue("globex", "web/primary", "ssm")

    assert world.api_keys(world.tier_plan) == {world.value(key): True}


def test_a_key_in_use_is_not_issued_again(world: World) -> None:
    world.desk().issue("acme", "web/primary", "ssm")

    with pytest.raises(KeysError, match="in use; allowed: rotate"):
        world.desk().issue("acme", "web/primary", "ssm")
    assert len(world.items()) == 1


@pytest.mark.parametrize(
    ("tenant_id", "key_id", "message"),
    [
        ("hooli", "web/primary", r'tenant: given "hooli"; .*: acme, globex'),
        (
            "acme",
            "web/spare",
            r'given key "web/spare"; .*: old/ended, old/off, web/batch, web/prim',
        ),
        ("acme", "old/off", 'status "suspended".* an active key'),
        ("acme", "old/ended", 'expires "2026-01-31"; allowed: an active key'),
    ],
)
def test_only_declared_keys_are_issued(
    world: World, tenant_id: str, key_id: str, message: str
) -> None:
    with pytest.raises(KeysError, match=message):
        world.desk().issue(tenant_id, key_id, "ssm")
    assert world.items() == []


def test_a_rotated_key_overlaps(world: World) -> None:
    old = world.value(world.desk().issue("acme", "web/primary", "ssm"))
    new = world.value(world.desk(date(2026, 11, 22)).rotate("acme", "web/primary", "ssm", 7))

    assert new != old
    last_day = date(2026, 11, 29)
    assert [world.caller(value, last_day) for value in (old, new)] == ["acme/web/primary"] * 2
    next_day = date(2026, 11, 30)
    assert [world.caller(value, next_day) for value in (old, new)] == [None, "acme/web/primary"]
    assert set(world.api_keys(world.own_plan)) == {old, new}


def test_rotating_again_shortens_an_end_and_never_lengthens_it(world: World) -> None:
    world.desk().issue("acme", "web/primary", "ssm")
    world.desk(date(2026, 11, 22)).rotate("acme", "web/primary", "ssm", 30)
    desk = world.desk(date(2026, 11, 23))
    desk.rotate("acme", "web/primary", "ssm", 1)
    desk.rotate("acme", "web/primary", "ssm", 60)

    ends = [key.expires for key in desk.issued("acme", "web/primary")]
    assert ends == ["2026-11-24", "2026-11-24", "2027-01-22", ""]


def test_rotating_removes_keys_that_have_ended(world: World) -> None:
    old = world.value(world.desk(date(2026, 11, 1)).issue("acme", "web/primary", "ssm"))
    world.desk(date(2026, 11, 1)).rotate("acme", "web/primary", "ssm", 0)
    world.desk(date(2026, 11, 22)).rotate("acme", "web/primary", "ssm", 7)

    assert old not in world.api_keys(world.own_plan)
    assert len(world.items()) == 2


def test_what_was_never_issued_is_not_rotated(world: World) -> None:
    with pytest.raises(KeysError, match="not in use; allowed: issue"):
        world.desk().rotate("acme", "web/primary", "ssm", 7)


def test_a_revoked_key_lets_nobody_in(world: World) -> None:
    value = world.value(world.desk().issue("acme", "web/primary", "ssm"))
    other = world.value(world.desk().issue("acme", "web/batch", "ssm"))
    world.desk().revoke("acme", "web/primary")

    assert [world.caller(value), world.caller(other)] == [None, "acme/web/batch"]
    assert world.api_keys(world.own_plan) == {value: False, other: True}


class Rotation:
    """A key in the middle of a rotation: its old and its new value work."""

    def __init__(self, world: World) -> None:
        self.old = world.desk().issue("acme", "web/primary", "ssm")
        self.old_value = world.value(self.old)
        self.new = world.desk().rotate("acme", "web/primary", "ssm", 7)
        self.new_value = world.value(self.new)


@pytest.mark.parametrize("ended", ["old", "new"])
def test_during_a_rotation_only_the_named_value_is_revoked(world: World, ended: str) -> None:
    rotation = Rotation(world)
    named = rotation.old if ended == "old" else rotation.new
    world.desk().revoke("acme", "web/primary", [named.api_key_id])

    callers = [world.caller(rotation.old_value), world.caller(rotation.new_value)]
    assert [caller is None for caller in callers] == [ended == "old", ended == "new"]
    assert world.api_keys(world.own_plan) == {
        rotation.old_value: ended != "old",
        rotation.new_value: ended != "new",
    }


def test_during_a_rotation_both_values_are_revoked_by_their_names(world: World) -> None:
    rotation = Rotation(world)
    ids = [rotation.old.api_key_id, rotation.new.api_key_id]
    other = world.value(world.desk().issue("acme", "web/batch", "ssm"))
    world.desk().revoke("acme", "web/primary", ids)

    values = (rotation.old_value, rotation.new_value, other)
    assert [world.caller(value) for value in values] == [None, None, "acme/web/batch"]
    assert world.api_keys(world.own_plan) == {
        rotation.old_value: False,
        rotation.new_value: False,
        other: True,
    }


def test_during_a_rotation_a_key_alone_does_not_name_what_is_revoked(world: World) -> None:
    rotation = Rotation(world)
    last_day = (TODAY + timedelta(days=7)).isoformat()
    old, new = rotation.old.api_key_id, rotation.new.api_key_id

    with pytest.raises(KeysError) as raised:
        world.desk().revoke("acme", "web/primary")

    assert str(raised.value) == (
        "acme/web/primary: given a key with 2 values in use: "
        f"{old} (rotating until {last_day}), {new} (active); "
        "allowed: --api-key-id with the ids of those to end"
    )
    values = (rotation.old_value, rotation.new_value)
    assert [world.caller(value) for value in values] == ["acme/web/primary"] * 2


def test_after_a_rotation_a_key_names_its_last_value(world: World) -> None:
    desk = world.desk(date(2026, 11, 1))
    desk.issue("acme", "web/primary", "ssm")
    value = world.value(desk.rotate("acme", "web/primary", "ssm", 7))
    later = date(2026, 11, 9)
    world.desk(later).revoke("acme", "web/primary")

    assert world.caller(value, later) is None


def test_only_a_value_of_the_named_key_is_revoked(world: World) -> None:
    mine = world.desk().issue("acme", "web/primary", "ssm")
    other = world.desk().issue("acme", "web/batch", "ssm")

    with pytest.raises(KeysError) as raised:
        world.desk().revoke("acme", "web/primary", [other.api_key_id])

    assert str(raised.value) == (
        f"--api-key-id: given {other.api_key_id}; allowed: one of {mine.api_key_id}"
    )
    assert {key.status for key in world.desk().issued()} == {"active"}


def test_all_keys_of_a_tenant_are_revoked_though_its_file_is_gone(world: World) -> None:
    values = [
        world.value(world.desk().issue("acme", key_id, "ssm"))
        for key_id in ("web/primary", "web/batch")
    ]
    kept = world.value(world.desk().issue("globex", "web/primary", "ssm"))
    (world.folder / "dev" / "tenants" / "acme.tfvars").unlink()
    world.desk().revoke("acme", None)

    assert [world.caller(value) for value in values] == [None, None]
    assert world.caller(kept) == "globex/web/primary"


def test_a_key_that_api_gateway_lost_is_still_revoked(world: World) -> None:
    key = world.desk().issue("acme", "web/primary", "ssm")
    value = world.value(key)
    world.client("apigateway").delete_api_key(apiKey=key.api_key_id)
    world.desk().revoke("acme", "web/primary")

    assert world.caller(value) is None


def test_what_was_not_issued_is_not_revoked(world: World) -> None:
    world.desk().issue("acme", "web/primary", "ssm")

    with pytest.raises(KeysError, match="acme/web/batch: .* allowed: one of web/primary"):
        world.desk().revoke("acme", "web/batch")


def test_after_a_revocation_a_new_key_is_issued(world: World) -> None:
    old = world.value(world.desk().issue("acme", "web/primary", "ssm"))
    world.desk().revoke("acme", "web/primary")
    new = world.value(world.desk().issue("acme", "web/primary", "ssm"))

    assert [world.caller(value) for value in (old, new)] == [None, "acme/web/primary"]
    assert world.api_keys(world.own_plan) == {new: True}


@pytest.mark.parametrize(
    ("store", "call"),
    [
        ("ssm", "ssm.PutParameter!InternalServerError"),
        ("secrets_manager", "secretsmanager.CreateSecret!InternalServiceError"),
        ("ssm", "dynamodb.PutItem!InternalServerError"),
        ("ssm", "api-gateway.CreateUsagePlanKey!TooManyRequestsException"),
    ],
)
def test_a_failure_leaves_no_key_behind(world: World, store: str, call: str) -> None:
    with failing(world, call), pytest.raises(ClientError):
        world.desk().issue("acme", "web/primary", store)

    assert world.items() == []
    assert world.client("apigateway").get_api_keys()["items"] == []
    assert world.caller(world.value(world.desk().issue("acme", "web/primary", store)))


def test_a_failed_rotation_leaves_the_old_key_as_it_was(world: World) -> None:
    old = world.desk().issue("acme", "web/primary", "ssm")
    value = world.value(old)
    with failing(world, "ssm.PutParameter!InternalServerError"), pytest.raises(ClientError):
        world.desk().rotate("acme", "web/primary", "ssm", 0)

    assert world.desk().issued() == [old]
    assert world.value(old) == value


def test_sync_follows_a_changed_tier_and_a_changed_plan(world: World) -> None:
    key = world.desk().issue("acme", "web/primary", "ssm")
    world.client("apigateway").delete_usage_plan(usagePlanId=world.own_plan)
    world.write_tenants(acme_tier="free")
    world.desk().sync(None)

    assert [found.tier for found in world.desk().issued()] == ["free"]
    assert world.api_keys(world.tier_plan) == {world.value(key): True}


def test_sync_moves_a_key_out_of_the_plan_that_it_was_in(world: World) -> None:
    key = world.desk().issue("globex", "web/primary", "ssm")
    own = world.plan({"Tenant": "globex", "tollgate-unit": PREFIX})
    world.desk().sync("globex")

    assert world.api_keys(world.tier_plan) == {}
    assert world.api_keys(own) == {world.value(key): True}


def test_a_tenant_without_any_plan_was_not_applied(world: World) -> None:
    world.client("apigateway").delete_usage_plan(usagePlanId=world.own_plan)

    with pytest.raises(KeysError, match='nor one of its tier "pro"; allowed: a tenant that'):
        world.desk().issue("acme", "web/primary", "ssm")
    assert world.client("apigateway").get_api_keys()["items"] == []


def test_keys_of_terraform_are_left_to_terraform(world: World) -> None:
    world.publish(key_store="ssm")

    with pytest.raises(KeysError, match='given key_store = "ssm".*allowed: key_store = "ext'):
        world.desk()


def test_a_deployment_must_have_been_applied(world: World) -> None:
    world.client("ssm").delete_parameter(Name=f"/{PREFIX}/outputs/kms_key_arn")

    with pytest.raises(KeysError, match="without /tollgate-dev/outputs/kms_key_arn"):
        world.desk()


@pytest.mark.parametrize("parent", ['unit = "tollgate-dev"', 'rest_api_id = "abcde12345"'])
def test_a_tenants_only_environment_uses_its_parents_deployment(world: World, parent: str) -> None:
    world.client("ssm").put_parameter(
        Name="/tollgate/rest-apis/abcde12345/prefix", Value=PREFIX, Type="String"
    )
    file = world.folder / "dev" / "env.tfvars"
    file.write_text(file.read_text().replace(f'prefix    = "{PREFIX}"', f"parent = {{ {parent} }}"))

    key = world.desk().issue("acme", "web/primary", "ssm")
    assert world.caller(world.value(key)) == "acme/web/primary"


def test_a_parent_that_nobody_published_is_told(world: World) -> None:
    file = world.folder / "dev" / "env.tfvars"
    text = file.read_text().replace(
        f'prefix    = "{PREFIX}"', 'parent = { rest_api_id = "zzzzz99999" }'
    )
    file.write_text(text)

    with pytest.raises(KeysError, match="rest_api_id: given 'zzzzz99999'"):
        world.desk()


def test_the_command_line_never_shows_a_key(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ["--env", "dev", "--tenant", "acme", "--app", "web", "--key", "primary"]
    values = set()
    shown = ""
    for command in (
        ["issue", *one],
        ["rotate", *one, "--overlap-days", "3"],
        ["list", "--env", "dev"],
        ["sync", "--env", "dev"],
        ["issue", *one],
        ["revoke", *one],
        ["revoke", "--env", "dev", "--tenant", "acme", "--all"],
    ):
        keys.main(command)
        output = capsys.readouterr()
        shown += output.out + output.err
        values |= set(world.api_keys(world.own_plan))

    assert len(values) == 2
    assert not [value for value in values if value in shown]
    assert f"ssm:/{PREFIX}/tenants/acme/web/primary" in shown
    assert [key.status for key in world.desk().issued()] == ["suspended"] * 2


def test_people_see_every_key_that_was_declared_or_issued(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    rotation = Rotation(world)
    batch = world.desk().issue("acme", "web/batch", "secrets_manager")
    gone = world.desk().issue("globex", "web/batch", "ssm")
    world.desk().revoke("globex", "web/batch")
    file = world.folder / "dev" / "tenants" / "globex.tfvars"
    file.write_text(file.read_text().replace("batch = {", "later = {"))

    assert keys.main(["list", "--env", "dev"]) == 0

    last_day = (TODAY + timedelta(days=7)).isoformat()
    heading, *rows = [re.split(r" {2,}", row) for row in capsys.readouterr().out.splitlines()]
    assert heading == ["TENANT", "KEY", "STATE", "API KEY ID", "VALUE LIES IN"]
    assert rows == [
        ["acme", "old/ended", "declared, expired on 2026-01-31", "-", "-"],
        ["acme", "old/off", "declared, suspended", "-", "-"],
        ["acme", "web/batch", "active until 2099-12-31", batch.api_key_id, batch.place],
        [
            *("acme", "web/primary", f"rotating until {last_day}"),
            *(rotation.old.api_key_id, rotation.old.place),
        ],
        ["acme", "web/primary", "active", rotation.new.api_key_id, rotation.new.place],
        ["globex", "old/ended", "declared, expired on 2026-01-31", "-", "-"],
        ["globex", "old/off", "declared, suspended", "-", "-"],
        ["globex", "web/batch", "revoked, in no file", gone.api_key_id, gone.place],
        ["globex", "web/later", "declared", "-", "-"],
        ["globex", "web/primary", "declared", "-", "-"],
    ]


@pytest.mark.parametrize(
    ("declared", "state"),
    [
        ('primary = { status = "suspended" }', "active, suspended in its file"),
        ('primary = { expires = "2026-01-31" }', "active, expired in its file"),
        ('primary = { expires = "2099-12-31" }', "active"),
    ],
)
def test_people_see_where_a_file_disagrees_with_a_key(
    world: World, declared: str, state: str
) -> None:
    world.desk().issue("acme", "web/primary", "ssm")
    file = world.folder / "dev" / "tenants" / "acme.tfvars"
    file.write_text(file.read_text().replace("primary = {}", declared))

    assert [line.state for line in world.desk().overview("acme", "web/primary")] == [state]


def test_a_rotated_key_is_expired_after_its_last_day(world: World) -> None:
    desk = world.desk(date(2026, 11, 1))
    desk.issue("acme", "web/primary", "ssm")
    desk.rotate("acme", "web/primary", "ssm", 7)

    states = [line.state for line in world.desk(date(2026, 11, 9)).overview("acme", "web/primary")]
    assert states == ["expired on 2026-11-08", "active"]


def test_rows_line_up_under_their_heading(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.desk().issue("acme", "web/primary", "ssm")

    assert keys.main(["list", "--env", "dev"]) == 0

    heading, *rows = capsys.readouterr().out.splitlines()
    start = heading.index("STATE")
    assert {row[start - 2 : start] for row in rows} == {"  "}
    assert {row[start:].split(",")[0].split(" ")[0] for row in rows} == {"active", "declared"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["issue", "--tenant", "acme", "--app", "web"], "issue: given no --app or no --key"),
        (["revoke", "--tenant", "acme"], "revoke: given no --app or no --key"),
        (["revoke", "--tenant", "acme", "--all", "--app", "web"], "given --all with --app"),
        (["revoke", "--tenant", "acme", "--all", "--api-key-id", "a"], "allowed: --all alone"),
        (["list", "--tenant", "acmee"], 'tenant: given "acmee"; allowed: one with a file: acme, '),
        (
            ["rotate", "--tenant", "a", "--app", "b", "--key", "c", "--overlap-days", "91"],
            "--overlap-days: given 91; allowed: 0 to 90",
        ),
    ],
)
def test_bad_requests_are_told(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert keys.main([*arguments, "--env", "dev"]) == 1
    assert message in capsys.readouterr().err
    assert world.items() == []


def test_an_unknown_environment_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys.main(["list", "--env", "nowhere"]) == 1
    assert "envs/nowhere/" in capsys.readouterr().err
