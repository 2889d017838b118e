"""Issue, list, rotate and revoke API keys of an environment whose ``key_store`` is ``external``.

    python -m scripts.tenants.keys issue --env dev --tenant acme --app web --key primary

No state of Terraform ever holds such a key, and nothing prints it: the value goes from here to API
Gateway and to the store (SSM or Secrets Manager) where its owner reads it; the tenants table gets
its hash. Tenant files stay what decides: a key must be declared in ``apps.<app>.keys``.

What the deployment published in SSM (``/<prefix>/outputs/``) says where everything is. Every
command can be repeated after a failure.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments, preflight
from scripts.tenants import files as tenants
from scripts.tenants.desk import STORES, Desk, KeysError, published
from scripts.tenants.key_table import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.tenants.desk import Clients

DEFAULT_OVERLAP_DAYS = 7
MAXIMUM_OVERLAP_DAYS = 90


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.tenants.keys", description=__doc__)
    # The make target gives the environment last, also where no command was given.
    parser.add_argument("--env", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "issue": "make a key that a tenant file declares",
        "list": "show declared and issued keys, their states, and where their values lie",
        "revoke": "end a key at once, or with --all every key of the tenant",
        "rotate": "make a new key and give the old one a last day",
        "sync": "put keys in their tenants' present usage plan and tier",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--env", required=True, help="folder in envs/")
        one_key = name in ("issue", "revoke", "rotate")
        command.add_argument("--tenant", required=one_key, help="the tenant's id")
        if one_key:
            command.add_argument("--app", help="the app's id")
            command.add_argument("--key", help="the key's name")
        if name in ("issue", "rotate"):
            command.add_argument(
                "--store", choices=STORES, default="ssm", help="where the value goes"
            )
        if name == "rotate":
            command.add_argument(
                "--overlap-days",
                type=int,
                default=DEFAULT_OVERLAP_DAYS,
                help="days from today that the old key still works; 0 means until midnight UTC",
            )
        if name == "revoke":
            command.add_argument("--all", action="store_true", help="every key of the tenant")
            command.add_argument(
                "--api-key-id",
                nargs="+",
                default=[],
                metavar="ID",
                help="which values of the key, where it has several; list shows their ids",
            )
    return parser


def _key_id(options: argparse.Namespace) -> str | None:
    """``<app>/<key>``; None where all keys are meant."""
    if options.command in ("list", "sync"):
        return None
    if getattr(options, "all", False):
        if options.app or options.key or options.api_key_id:
            raise KeysError(
                "revoke: given --all with --app, --key or --api-key-id; allowed: --all alone"
            )
        return None
    if not options.app or not options.key:
        raise KeysError(f"{options.command}: given no --app or no --key; allowed: both")
    return f"{options.app}/{options.key}"


def _run(desk: Desk, options: argparse.Namespace, key_id: str | None) -> None:
    if options.command == "sync":
        desk.sync(options.tenant)
    elif options.command == "revoke":
        desk.revoke(options.tenant, key_id, options.api_key_id)
    elif options.command == "issue" and key_id is not None:
        desk.issue(options.tenant, key_id, options.store)
    elif options.command == "rotate" and key_id is not None:
        if not 0 <= options.overlap_days <= MAXIMUM_OVERLAP_DAYS:
            raise KeysError(
                f"--overlap-days: given {options.overlap_days}; "
                f"allowed: 0 to {MAXIMUM_OVERLAP_DAYS}"
            )
        desk.rotate(options.tenant, key_id, options.store, options.overlap_days)


def _session_clients(region: str) -> Clients:
    session = boto3.Session(region_name=region)
    # API Gateway takes five new keys a second.
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 10})

    def client(service: str, /) -> Any:  # noqa: ANN401 - the type depends on the service
        return session.client(service, config=config)  # type: ignore[call-overload]

    return client


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        environment = environments.load(options.env)
        declared = tenants.load_environment(environment.folder)
        preflight.check(environment, state=False)
        clients = _session_clients(environment.region)
        unit = published(clients, environment)
        desk = Desk(clients, unit, declared, lambda: datetime.now(UTC).date())
        key_id = _key_id(options)
        _run(desk, options, key_id)
        lines = desk.overview(options.tenant, key_id)
    except (
        KeysError,
        environments.SettingsError,
        preflight.PreflightError,
        tenants.TenantFilesError,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(render(lines), end="")
    if options.command == "revoke":
        print(
            "Callers that the authorizer remembers get in until its cache ends (60 s by default)."
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
