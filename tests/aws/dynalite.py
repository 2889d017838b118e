"""Dynalite, an implementation of DynamoDB that shares no code with the emulator."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import boto3

from scripts.build import node_tools
from scripts.local.lifecycle import Startable
from scripts.local.ministack import REGION, ROOT, free_port
from tests.fakes.stored import make_table
from tollgate.adapters.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.adapters.tables import TableSpec

UNAVAILABLE = node_tools.not_installed(ROOT)
_PROGRAM = ROOT / node_tools.FOLDER / "node_modules" / "dynalite" / "cli.js"
_ALL_OLD = "ReturnValuesOnConditionCheckFailure"
_CONTEXT = "tests-dynalite"
_KEYS = {key for spec in TABLES for key in (spec.hash_key, spec.range_key)}


class Dynalite(Startable):
    """A server of its own; it forgets everything when it stops."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        settings = ("--host", "127.0.0.1", "--port", str(self._port))
        self._process = subprocess.Popen(
            ["node", str(_PROGRAM), *settings, "--createTableMs", "0", "--deleteTableMs", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert "listening" in said, said

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def client(self) -> Any:
        """A client of it that also tells what stood where a condition failed.

        Dynalite is older than that member of DynamoDB's answers. What the condition itself says is
        its own; the item is read after it, by a call of its own.
        """
        client = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{self._port}",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

        def remember(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
            context[_CONTEXT] = params

        def add_item(parsed: dict[str, Any], context: Mapping[str, Any], **_: Any) -> None:
            asked = context[_CONTEXT]
            failed = parsed.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
            if failed and asked.get(_ALL_OLD) == "ALL_OLD":
                key = {name: value for name, value in _place(asked).items() if name in _KEYS}
                found = client.get_item(TableName=asked["TableName"], Key=key, ConsistentRead=True)
                parsed |= {"Item": found["Item"]} if "Item" in found else {}

        client.meta.events.register("before-parameter-build.dynamodb", remember)
        client.meta.events.register("after-call.dynamodb", add_item)
        return client

    def make_table(self, spec: TableSpec) -> str:
        """A table of its own for a test; returns its name."""
        return make_table(self.client(), spec)


def _place(write: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of a write's parameters has the key of its item."""
    place: Mapping[str, Any] = write.get("Key") or write["Item"]
    return place
