"""An environment's whole life by the commands that people type, against a moto server.

The tests run in the order of the file: each goes on where the one before it ended. They take many
minutes, nearly all of it the provider's waits, so they are left to `make soak`; that a destroy
keeps billing data is a plan of `test_moto_stack.py`, too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scripts.deploy import commands as deploy
from scripts.deploy import environments, plans
from tests.stack import moto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.stack,
    pytest.mark.soak,
    pytest.mark.skipif(moto.UNAVAILABLE is not None, reason=str(moto.UNAVAILABLE)),
    # One environment for all of them, so one worker.
    pytest.mark.xdist_group("moto-deploy"),
]

ACCOUNT = "123456789012"
PREFIX = "tollgate-dev"
LAKE = f"{PREFIX}-lake-{ACCOUNT}"
PAYLOADS = f"{PREFIX}-payloads-{ACCOUNT}"
ROW = {"pk": {"S": "USAGE#2026-11-22T04#00"}, "sk": {"S": "a-request"}}
# Most of an apply is waiting; see tests/stack/moto.py.
_PARALLEL = "-no-color -parallelism=60"


@dataclass(frozen=True)
class Account:
    """A copy of the repository, and the account that it is deployed to."""

    folder: Path
    endpoint: str

    def run(
        self, module: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of the copy, as `make` does."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("ADOPT", "CONFIRM", "ENV", "FORCE", "AWS_PROFILE")
        }
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env={
                **inherited,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": moto.REGION,
                "AWS_ENDPOINT_URL": self.endpoint,
                "TF_CLI_ARGS_plan": _PARALLEL,
                "TF_CLI_ARGS_apply": _PARALLEL,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=1500,
        )

    def must(self, module: str, *arguments: str, **variables: str) -> str:
        """Run a script that has to succeed; returns what it printed."""
        result = self.run(module, *arguments, **variables)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def bootstrap(self, environment: str) -> None:
        """Make the state bucket."""
        self.must("scripts.deploy.bootstrap", "--env", environment)
        # moto takes a denial's condition for fulfilled, so it would deny what comes with TLS, too.
        self.client("s3").delete_bucket_policy(Bucket=f"tollgate-{environment}-terraform-state")

    def deploy(self, environment: str) -> None:
        """Plan and apply."""
        self.must("scripts.deploy.commands", "plan", "--env", environment)
        self.must("scripts.deploy.commands", "apply", "--env", environment, CONFIRM=environment)

    def terraform(self, environment: str, *arguments: str) -> str:
        """Run Terraform by hand in an environment's root."""
        return self.must(
            "scripts.deploy.terraform", str(self.root(environment)), *arguments, ENV=environment
        )

    def root(self, environment: str) -> Path:
        module = environments.load(environment).root_module
        return self.folder / module.relative_to(moto.REPOSITORY)

    def planned(self, environment: str) -> list[dict[str, Any]]:
        """The changes of an environment's saved plan."""
        plan = self.root(environment) / ".terraform" / environment / plans.PLAN_FILE
        shown = self.terraform(environment, "show", "-json", str(plan))
        changes: list[dict[str, Any]] = json.loads(shown)["resource_changes"]
        return changes

    def state(self, environment: str) -> list[dict[str, Any]]:
        """The resources in an environment's state."""
        stored = self.client("s3").get_object(
            Bucket=f"tollgate-{environment}-terraform-state",
            Key=f"tollgate/{environment}/terraform.tfstate",
        )
        resources: list[dict[str, Any]] = json.load(stored["Body"])["resources"]
        return [resource for resource in resources if resource["mode"] == "managed"]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=moto.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def tables(self) -> set[str]:
        return set(self.client("dynamodb").list_tables()["TableNames"])

    def buckets(self) -> set[str]:
        return {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}

    def inventory(self) -> set[str]:
        """ARNs or names of what costs or lets in: whatever a destroyed gateway must not leave."""
        listed = {
            *self._all("apigateway", "get_rest_apis", "items", "name"),
            *self._all("apigateway", "get_api_keys", "items", "name"),
            *self._all("apigateway", "get_usage_plans", "items", "name"),
            *self._all("lambda", "list_functions", "Functions", "FunctionName"),
            *self._all("ssm", "describe_parameters", "Parameters", "Name"),
            *self._all("iam", "list_roles", "Roles", "RoleName"),
            *self._all("logs", "describe_log_groups", "logGroups", "logGroupName"),
            *self._all("scheduler", "list_schedules", "Schedules", "Name"),
        }
        queues = self.client("sqs").list_queues().get("QueueUrls", [])
        return {*listed, *queues, *self.tables(), *self.buckets()}

    def _all(self, service: str, call: str, field: str, name: str) -> Iterator[str]:
        for page in self.client(service).get_paginator(call).paginate():
            yield from (found[name] for found in page[field])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """`dev`, bootstrapped and applied with the scripts, its state in a bucket."""
    folder = tmp_path_factory.mktemp("deploy")
    moto.copy_code(folder, "modules__*.tf")
    for code in ("scripts", "functions/shared"):
        shutil.copytree(moto.REPOSITORY / code, folder / code)
    with moto.serve(tmp_path_factory.mktemp("moto") / "moto.log") as endpoint:
        made = Account(folder, endpoint)
        made.bootstrap("dev")
        made.deploy("dev")
        yield made


def test_the_state_lies_in_the_bucket_and_nowhere_else(account: Account) -> None:
    objects = account.client("s3").list_objects_v2(Bucket="tollgate-dev-terraform-state")

    assert [found["Key"] for found in objects["Contents"]] == ["tollgate/dev/terraform.tfstate"]
    # Terraform's note of where the backend is has the same ending.
    local = [json.loads(file.read_text()) for file in account.folder.rglob("*.tfstate")]
    assert [note for note in local if note.get("resources")] == []


def test_everything_says_whose_it_is(account: Account) -> None:
    tagged = {
        f"{resource.get('module', '')} {resource['type']}": instance["attributes"]["tags_all"]
        for resource in account.state("dev")
        for instance in resource["instances"]
        if instance["attributes"].get("tags_all") and resource["type"] != "aws_s3_object"
    }
    everything = {
        "Environment": "dev",
        "ManagedBy": "terraform",
        "Project": "tollgate",
        "tollgate-unit": PREFIX,
    }

    assert len(tagged) > 20
    assert {
        name for name, tags in tagged.items() if not everything.items() <= tags.items()
    } == set()
    tenants = {name: tags for name, tags in tagged.items() if name.startswith("module.tenant[")}
    assert {tags["Tenant"] for tags in tenants.values()} == {"acme", "globex"}
    assert all(f'"{tags["Tenant"]}"' in name for name, tags in tenants.items())


def test_the_url_and_the_keys_are_found_by_their_names(account: Account) -> None:
    app = ("--env", "dev", "--tenant", "acme", "--app", "websearch")
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    values = {
        key["value"]
        for key in account.client("apigateway").get_api_keys(includeValues=True)["items"]
    }

    url = account.must("scripts.deploy.outputs", "--env", "dev", "api_url")
    assert api["id"] in url
    assert url.rstrip().endswith("/v1")
    place = f"/{PREFIX}/tenants/acme/websearch/primary"
    assert f"SSM parameter {place}" in account.must("scripts.tenants.handover", *app)
    assert account.must("scripts.tenants.handover", *app, "--show").rstrip("\n") in values


def test_drift_is_none_until_somebody_changes_something(account: Account) -> None:
    still = account.run("scripts.deploy.commands", "drift", "--env", "dev")
    assert still.returncode == 0, still.stdout + still.stderr

    table = f"{PREFIX}-usage"
    client = account.client("dynamodb")
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    changed = account.run("scripts.deploy.commands", "drift", "--env", "dev")
    client.update_table(TableName=table, DeletionProtectionEnabled=True)

    assert changed.returncode == 2
    assert 'aws_dynamodb_table.this["usage"]' in changed.stdout
    assert "`make plan ENV=dev`" in changed.stderr


def test_tenants_join_by_keys_and_plans_and_nothing_else(account: Account) -> None:
    before = account.inventory()
    account.bootstrap("dev-labs")
    account.deploy("dev-labs")
    made = account.inventory() - before - {"tollgate-dev-labs-terraform-state"}

    assert made == {
        f"{PREFIX}-umbrella",
        f"{PREFIX}-umbrella-notebooks-primary",
        f"/{PREFIX}/outputs/tenants/umbrella",
        f"/{PREFIX}/tenants/umbrella/notebooks/primary",
    }
    gateway = account.client("apigateway")
    (api,) = gateway.get_rest_apis()["items"]
    (stage,) = gateway.get_stages(restApiId=api["id"])["item"]
    plans = {plan["name"]: plan for plan in gateway.get_usage_plans()["items"]}
    stages = plans[f"{PREFIX}-umbrella"]["apiStages"]
    assert [(found["apiId"], found["stage"]) for found in stages] == [
        (api["id"], stage["stageName"])
    ]
    policy = {"pk": {"S": "TENANT#umbrella"}}
    table = f"{PREFIX}-tenants"
    assert account.client("dynamodb").get_item(TableName=table, Key=policy)["Item"]


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        (
            '{ unit = "tollgate-nowhere" }',
            'parent.unit: got "tollgate-nowhere"; allowed: the prefix',
        ),
        ('{ unit = "tollgate-dev", stage_name = "labs" }', 'got "labs"; allowed: "v1"'),
        ('{ rest_api_id = "abcde12345" }', 'parent.rest_api_id: got "abcde12345"; allowed:'),
    ],
    ids=["unit", "stage", "api"],
)
def test_a_parent_that_is_not_there_is_said_so(account: Account, parent: str, message: str) -> None:
    file = account.folder / "envs" / "dev-labs" / environments.VARIABLES_FILE
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('{ unit = "tollgate-dev" }', parent), encoding="utf-8")
    result = account.run("scripts.deploy.commands", "plan", "--env", "dev-labs")
    file.write_text(text, encoding="utf-8")

    assert result.returncode == 1
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_a_parent_is_found_by_its_api_and_stage(account: Account) -> None:
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    file = account.folder / "envs" / "dev-labs" / environments.VARIABLES_FILE
    text = file.read_text(encoding="utf-8")
    parent = f'{{ rest_api_id = "{api["id"]}", stage_name = "v1" }}'
    file.write_text(text.replace('{ unit = "tollgate-dev" }', parent), encoding="utf-8")
    account.must("scripts.deploy.commands", "plan", "--env", "dev-labs")
    file.write_text(text, encoding="utf-8")

    changes = account.planned("dev-labs")
    assert {tuple(change["change"]["actions"]) for change in changes} <= {("no-op",), ("read",)}


def test_the_added_tenants_go_as_they_came(account: Account) -> None:
    account.must("scripts.deploy.commands", "destroy", "--env", "dev-labs", CONFIRM="dev-labs")

    assert not [name for name in account.inventory() if "umbrella" in name]
    assert f"{PREFIX}-acme" in account.inventory()


def test_two_units_in_one_account_share_no_name(account: Account) -> None:
    account.bootstrap("prod")
    account.must("scripts.deploy.commands", "plan", "--env", "prod")
    prod = {
        name
        for change in account.planned("prod")
        if change["change"]["actions"] == ["create"]
        for name in _names(change)
    }
    dev = {
        name
        for resource in account.state("dev")
        for instance in resource["instances"]
        for name in _names({"type": resource["type"], "change": {"after": instance["attributes"]}})
    }

    assert len(dev) > 50
    assert len(prod) > 50
    assert dev & prod == set()


# Names that live inside of something which is a unit's own: a stage, an API, a role, a table, a
# function or a lake. Glue tables lie in a database, named queries in a workgroup.
_NESTED = {
    "aws_api_gateway_stage",
    "aws_athena_named_query",
    "aws_glue_catalog_table",
    "aws_iam_role_policy",
    "aws_lambda_alias",
    "aws_s3_bucket_lifecycle_configuration",
}


def _names(change: dict[str, Any]) -> Iterator[tuple[str, str]]:
    after = change["change"]["after"]
    if change["type"] not in _NESTED:
        for attribute in ("name", "bucket", "function_name"):
            if isinstance(after.get(attribute), str):
                yield change["type"], after[attribute]


def test_a_destroy_is_shown_before_it_is_confirmed(account: Account) -> None:
    before = account.inventory()
    result = account.run("scripts.deploy.commands", "destroy", "--env", "dev")

    assert result.returncode == 1
    assert "set CONFIRM=dev to destroy" in result.stderr
    assert "module.gateway.aws_api_gateway_rest_api.this will be destroyed" in result.stdout
    assert "aws_s3_bucket.lake will be destroyed" not in result.stdout
    assert account.inventory() == before


def test_a_destroy_leaves_billing_data_and_nothing_else(account: Account) -> None:
    dynamodb, s3 = account.client("dynamodb"), account.client("s3")
    dynamodb.put_item(TableName=f"{PREFIX}-usage", Item=ROW)
    s3.put_object(Bucket=LAKE, Key="usage/dt=2026-11-22/hour=04/part-00.parquet", Body=b"usage")
    # moto takes a denial's condition for fulfilled.
    s3.delete_bucket_policy(Bucket=PAYLOADS)
    s3.put_object(Bucket=PAYLOADS, Key="jobs/acme/one.json", Body=b"a prompt")

    said = account.must("scripts.deploy.commands", "destroy", "--env", "dev", CONFIRM="dev")

    assert account.inventory() == {
        f"{PREFIX}-accounts",
        f"{PREFIX}-usage",
        f"{PREFIX}-athena-{ACCOUNT}",
        LAKE,
        "tollgate-dev-labs-terraform-state",
        "tollgate-dev-terraform-state",
        "tollgate-prod-terraform-state",
    }
    for address in deploy.RECORDS:
        assert f"kept: {address}" in said
    assert dynamodb.get_item(TableName=f"{PREFIX}-usage", Key=ROW)["Item"] == ROW
    described = dynamodb.describe_table(TableName=f"{PREFIX}-usage")["Table"]
    assert described["DeletionProtectionEnabled"]
    key = account.client("kms").describe_key(KeyId=f"alias/{PREFIX}")["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=LAKE)["PublicAccessBlockConfiguration"].values())


def test_a_lost_state_takes_the_billing_data_over(account: Account) -> None:
    s3 = account.client("s3")
    state = {"Bucket": "tollgate-dev-terraform-state", "Key": "tollgate/dev/terraform.tfstate"}
    text = s3.get_object(**state)["Body"].read()
    s3.delete_object(**state)
    account.must("scripts.deploy.commands", "plan", "--env", "dev", ADOPT="1")
    adopted = {
        change["address"]
        for change in account.planned("dev")
        if change["change"].get("importing") and "delete" not in change["change"]["actions"]
    }
    s3.put_object(**state, Body=text)

    assert adopted >= {*deploy.RECORDS, "aws_kms_alias.this"}
    assert not (account.folder / "terraform" / "adopted.tf").exists()


def test_the_next_apply_goes_on_with_what_was_kept(account: Account) -> None:
    account.must("scripts.deploy.commands", "plan", "--env", "dev")
    actions = {
        change["address"]: change["change"]["actions"]
        for change in account.planned("dev")
        # What only Terraform knows is in no account: there is nothing to keep or to make.
        if change["mode"] == "managed" and change["type"] != "terraform_data"
    }

    kept = {name for name in actions if deploy.is_among(name, deploy.RETAINED)}
    assert {name for name, action in actions.items() if action == ["no-op"]} == kept
    assert {tuple(actions[name]) for name in actions.keys() - kept} == {("create",)}


def test_a_forced_destroy_leaves_the_state_only(account: Account) -> None:
    # moto can neither delete a named query nor change a workgroup; the provider would try for long.
    addresses = account.terraform("dev", "state", "list").split()
    athena = [address for address in addresses if ".aws_athena_" in address]
    account.terraform("dev", "state", "rm", *athena)

    account.must("scripts.deploy.commands", "destroy", "--env", "dev", CONFIRM="dev", FORCE="1")

    assert account.inventory() == {
        "tollgate-dev-labs-terraform-state",
        "tollgate-dev-terraform-state",
        "tollgate-prod-terraform-state",
    }
