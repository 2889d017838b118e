"""Hand over an app's API keys: where their values lie, and how to read them.

    python -m scripts.tenants.handover --env dev --tenant acme --app websearch
    python -m scripts.tenants.handover --env dev --tenant acme --app websearch --show

The first says, for each key that the tenant's file declares for the app, where its value lies, and
which command line reads it. With ``--show`` the value of the app's one usable key, or of ``--key``,
is all that goes to standard output, so that a shell can take it:
``export TOLLGATE_KEY=$(make -s key ENV=dev TENANT=acme APP=websearch ARGS=--show)``.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments, outputs, preflight
from scripts.tenants import desk
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from scripts.deploy.environments import Environment
    from scripts.tenants.key_table import Line

# How the states of keys begin that let their callers in; see scripts.tenants.key_table.
_USABLE = "active"
_KINDS = {"ssm": "SSM parameter", "secrets_manager": "Secrets Manager secret"}


class HandoverError(Exception):
    """There is nothing to hand over; the message names what was given and what is allowed."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the app: its state, and the store and name where its value lies.

    Without a value these are empty, and `advice` says how it gets one.
    """

    key_id: str
    state: str
    store: str = ""
    name: str = ""
    advice: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it has a value that lets its caller in."""
        return bool(self.name) and self.state.startswith(_USABLE)


class Handover:
    """Knows the keys of one app, and reads them from their stores."""

    def __init__(
        self,
        clients: desk.Clients,
        environment: Environment,
        declared: Mapping[str, tenants.Tenant],
        today: date,
    ) -> None:
        """Take clients of AWS, the environment, its tenants by id, and the date in UTC."""
        self._clients = clients
        self._environment = environment
        self._declared = declared
        self._today = today

    def tenant(self, tenant_id: str, app_id: str) -> tenants.Tenant:
        """The app's tenant, by the files alone; raises HandoverError where none declares it."""
        if tenant_id not in self._declared:
            raise HandoverError(
                f'tenant: given "{tenant_id}"; allowed: one with a file in '
                f"{self._environment.label('tenants')}: {_listed(self._declared)}"
            )
        tenant = self._declared[tenant_id]
        if app_id not in tenant.policy["apps"]:
            raise HandoverError(
                f'app: given "{app_id}"; allowed: an app of {tenant_id}: '
                f"{_listed(tenant.policy['apps'])}"
            )
        return tenant

    def keys(self, tenant_id: str, app_id: str) -> list[Key]:
        """The app's keys, by name; with the store "external" those that were issued, too.

        Raises HandoverError for a tenant or an app that no file declares, and for an app without
        keys; OutputsError and KeysError for a deployment that was not applied.
        """
        tenant = self.tenant(tenant_id, app_id)
        found = outputs.read(self._clients("ssm"), self._environment, ["key_store"])
        store = found.values["key_store"]
        if store == desk.KEY_STORE:
            keys = [key for key in self._issued(tenant_id) if key.key_id.startswith(f"{app_id}/")]
        else:
            path = f"{found.prefix}/tenants/{tenant_id}"
            keys = [
                self._applied(key, store, path)
                for key in tenant.keys.values()
                if key.app_id == app_id
            ]
        if not keys:
            raise HandoverError(
                f"{tenant_id}/{app_id}: given an app without keys; allowed: one with some, such "
                "as keys = { primary = {} }, of a tenant that is not offboarded"
            )
        return keys

    def value(self, key: Key) -> str:
        """The value itself. Raises what boto3 does."""
        if key.store == "ssm":
            answer = self._clients("ssm").get_parameter(Name=key.name, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        answer = self._clients("secretsmanager").get_secret_value(SecretId=key.name)
        return str(answer["SecretString"])

    def _issued(self, tenant_id: str) -> list[Key]:
        unit = desk.published(self._clients, self._environment)
        issuer = desk.Desk(self._clients, unit, self._declared, lambda: self._today)
        # Of a key's several values the store has the last one, which comes last.
        last = {line.key_id: line for line in issuer.overview(tenant_id)}
        return [
            Key(line.key_id, line.state, *line.place.split(":", 1))
            if line.place
            else Key(line.key_id, f"{line.state}, not issued", advice=self._issue(line))
            for line in last.values()
        ]

    def _issue(self, line: Line) -> str:
        app_id, _, name = line.key_id.partition("/")
        arguments = f"issue --tenant {line.tenant_id} --app {app_id} --key {name}"
        return f'run make keys ENV={self._environment.name} ARGS="{arguments}"'

    def _applied(self, key: tenants.Key, store: str, path: str) -> Key:
        """A key that Terraform makes, under the name that modules/tenant gives it."""
        name = f"/{path}/{key.key_id}" if store == "ssm" else f"{path}/{key.key_id}"
        if not self._exists(store, name):
            environment = self._environment.name
            advice = f"run make plan ENV={environment}, then make apply ENV={environment}"
            return Key(key.key_id, "declared, not applied", advice=advice)
        return Key(key.key_id, self._state(key), store, name)

    def _state(self, key: tenants.Key) -> str:
        if key.status != "active" or not key.expires:
            return key.status
        is_over = key.expires < self._today.isoformat()
        return f"expired on {key.expires}" if is_over else f"active until {key.expires}"

    def _exists(self, store: str, name: str) -> bool:
        client = self._clients("ssm" if store == "ssm" else "secretsmanager")
        missing = (
            client.exceptions.ParameterNotFound
            if store == "ssm"
            else client.exceptions.ResourceNotFoundException
        )
        try:
            if store == "ssm":
                client.get_parameter(Name=name)
            else:
                client.describe_secret(SecretId=name)
        except missing:
            return False
        return True


def reading(key: Key, region: str) -> str:
    """The command line of the AWS CLI that prints a key's value."""
    if key.store == "ssm":
        words = ["aws", "ssm", "get-parameter", "--region", region, "--name", key.name]
        words += ["--with-decryption", "--query", "Parameter.Value", "--output", "text"]
    else:
        words = ["aws", "secretsmanager", "get-secret-value", "--region", region]
        words += ["--secret-id", key.name, "--query", "SecretString", "--output", "text"]
    return shlex.join(words)


def usable(keys: Sequence[Key]) -> Key:
    """The only key with a value that lets its caller in; raises HandoverError for none or many."""
    found = [key for key in keys if key.is_usable]
    if len(found) > 1:
        names = _listed(key.key_id.partition("/")[2] for key in found)
        raise HandoverError(f"--show: given an app with several keys; allowed: --key, of {names}")
    if not found:
        raise HandoverError(f"--show: given no key that can be used: {'; '.join(map(_line, keys))}")
    return found[0]


def text(keys: Iterable[Key], region: str) -> str:
    """Where each value lies, and how to read it; never the values."""
    return "".join(
        f"{_line(key)}\n" + (f"  {reading(key, region)}\n" if key.name else "") for key in keys
    )


def _line(key: Key) -> str:
    place = f"{_KINDS[key.store]} {key.name}" if key.name else key.advice
    return f"{key.key_id} ({key.state}): {place}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _parser() -> argparse.ArgumentParser:
    parser = environments.parser("scripts.tenants.handover", __doc__)
    parser.add_argument("--tenant", required=True, help="the tenant's id")
    parser.add_argument("--app", required=True, help="the app's id")
    parser.add_argument("--key", help="the key's name, where the app has several")
    parser.add_argument("--show", action="store_true", help="print the value, and nothing else")
    return parser


def _run(options: argparse.Namespace) -> str:
    environment = environments.load(options.env)
    declared = tenants.load_environment(environment.folder)
    session = boto3.Session(region_name=environment.region)

    def clients(service: str, /) -> Any:  # noqa: ANN401 - the type depends on the service
        return session.client(service)  # type: ignore[call-overload]

    handover = Handover(clients, environment, declared, datetime.now(UTC).date())
    # A name that is nobody's is told without a call of AWS.
    handover.tenant(options.tenant, options.app)
    preflight.check(environment, state=False)
    keys = handover.keys(options.tenant, options.app)
    if options.key:
        named = [key for key in keys if key.key_id == f"{options.app}/{options.key}"]
        if not named:
            names = _listed(key.key_id.partition("/")[2] for key in keys)
            raise HandoverError(f'--key: given "{options.key}"; allowed: {names}')
        keys = named
    if options.show:
        return f"{handover.value(usable(keys))}\n"
    if not any(key.name for key in keys):
        raise HandoverError(f"no key has a value yet: {'; '.join(map(_line, keys))}")
    return text(keys, environment.region)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        print(_run(options), end="")
    except (
        HandoverError,
        desk.KeysError,
        environments.SettingsError,
        outputs.OutputsError,
        preflight.PreflightError,
        tenants.TenantFilesError,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
