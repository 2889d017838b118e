"""Take over the billing data that an earlier deployment of the same prefix kept.

``make destroy`` leaves billing data in AWS and in the state, so an apply after it needs nothing of
this. Where the state itself is gone, ``make plan ENV=<env> ADOPT=1`` looks for what is still there
and plans to import it instead of making it anew. Nothing is imported before that plan is applied.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import terraform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.deploy.environments import Environment

# Import blocks are part of a configuration: the file lies in the root module while a plan is made,
# and git ignores it should a plan be killed.
FILE = "adopted.tf"
_RESOURCE = re.compile(r'^resource "(\w+)" "(\w+)"', re.MULTILINE)
_GONE = {
    "404",
    "EntityNotFoundException",
    "NoSuchBucket",
    "NotFoundException",
    "ResourceNotFoundException",
}


class AdoptError(Exception):
    """What is left cannot be looked up; the message says why."""


@contextmanager
def imports(environment: Environment, *, wanted: bool) -> Iterator[None]:
    """Within it, the root module imports what exists already, if that is wanted.

    Raises AdoptError when it is wanted and AWS does not answer.
    """
    file = environment.root_module / FILE
    file.unlink(missing_ok=True)
    if wanted and not environment.tenants_only:
        try:
            blocks = [_block(*found) for found in Leftovers(environment).by_address().items()]
        except (BotoCoreError, ClientError) as error:
            raise AdoptError(f"AWS refused or did not answer: {error}") from error
        file.write_text("\n".join(blocks), encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _block(address: str, identifier: str) -> str:
    return f'import {{\n  to = {address}\n  id = "{identifier}"\n}}\n'


class Leftovers:
    """What `make destroy` keeps and Terraform cannot make a second time, found by its name."""

    def __init__(self, environment: Environment) -> None:
        self._prefix = environment.prefix
        self._region = environment.region
        self._account: str = self._client("sts").get_caller_identity()["Account"]

    def by_address(self) -> dict[str, str]:
        """Terraform's import ids of what exists and is in the code, by address."""
        found = {**self._key(), **self._tables(), **self._buckets(), **self._catalog()}
        declared = {
            match.groups()
            for folder in ("terraform", "modules/analytics", "modules/metering")
            for file in sorted((terraform.REPOSITORY / folder).glob("*.tf"))
            for match in _RESOURCE.finditer(file.read_text(encoding="utf-8"))
        }
        return {
            address: identifier
            for address, identifier in found.items()
            if tuple(address.partition("[")[0].split(".")[-2:]) in declared
        }

    def _client(self, service: str) -> Any:  # noqa: ANN401 - several services, one line
        return boto3.client(service, region_name=self._region)  # type: ignore[call-overload]

    def _key(self) -> dict[str, str]:
        alias = f"alias/{self._prefix}"
        try:
            key = self._client("kms").describe_key(KeyId=alias)["KeyMetadata"]
        except ClientError as error:
            _unless_gone(error)
            return {}
        if key["KeyState"] == "PendingDeletion":
            return {}
        return {"aws_kms_key.this": key["KeyId"], "aws_kms_alias.this": alias}

    def _tables(self) -> dict[str, str]:
        client = self._client("dynamodb")
        named = {name: f"{self._prefix}-{name}" for name in ("accounts", "usage")}
        return {
            f'module.metering.aws_dynamodb_table.this["{name}"]': table
            for name, table in named.items()
            if _exists(lambda table: client.describe_table(TableName=table), table)
        }

    def _buckets(self) -> dict[str, str]:
        client = self._client("s3")
        names = ("athena", "lake", "statements")
        named = {name: f"{self._prefix}-{name}-{self._account}" for name in names}
        return {
            f"module.analytics.aws_s3_bucket.{name}": bucket
            for name, bucket in named.items()
            if _exists(lambda bucket: client.head_bucket(Bucket=bucket), bucket)
        }

    def _catalog(self) -> dict[str, str]:
        glue, athena = self._client("glue"), self._client("athena")
        database = self._prefix.replace("-", "_")
        found: dict[str, str] = {}
        if self._prefix in _work_groups(athena):
            found["module.analytics.aws_athena_workgroup.this"] = self._prefix
            for query in self._queries(athena):
                address = f'module.analytics.aws_athena_named_query.this["{query["Name"]}"]'
                found[address] = query["NamedQueryId"]
        if not _exists(lambda name: glue.get_database(Name=name), database):
            return found
        found["module.analytics.aws_glue_catalog_database.this"] = f"{self._account}:{database}"
        for table in glue.get_tables(DatabaseName=database)["TableList"]:
            address = f"module.analytics.aws_glue_catalog_table.{table['Name']}"
            found[address] = f"{self._account}:{database}:{table['Name']}"
        return found

    def _queries(self, athena: Any) -> list[dict[str, str]]:  # noqa: ANN401 - see _client
        pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=self._prefix)
        return [
            athena.get_named_query(NamedQueryId=query)["NamedQuery"]
            for page in pages
            for query in page["NamedQueryIds"]
        ]


def _work_groups(athena: Any) -> set[str]:  # noqa: ANN401 - see Leftovers._client
    names: set[str] = set()
    page: dict[str, Any] = {"NextToken": None}
    while "NextToken" in page:
        token = {"NextToken": page["NextToken"]} if page["NextToken"] else {}
        page = athena.list_work_groups(**token)
        names.update(group["Name"] for group in page["WorkGroups"])
    return names


def _exists(look: Any, name: str) -> bool:  # noqa: ANN401 - a call of any client
    try:
        look(name)
    except ClientError as error:
        _unless_gone(error)
        return False
    return True


def _unless_gone(error: ClientError) -> None:
    if error.response["Error"].get("Code") not in _GONE:
        raise error
