"""The environments that can be deployed: the folders of ``envs/`` with a backend and variables.

An environment whose variables name a ``parent`` adds tenants to another one's gateway, so its root
module is ``terraform/tenants_only``; every other one is a gateway of its own.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts import tfvars
from scripts.deploy import terraform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = terraform.REPOSITORY / "envs"
GATEWAY_MODULE = terraform.REPOSITORY / "terraform"
TENANTS_ONLY_MODULE = GATEWAY_MODULE / "tenants_only"
BACKEND_FILE = "backend.s3.tfbackend"
VARIABLES_FILE = "env.tfvars"
# Stacks that are thrown away: nothing in them is worth asking twice.
_SANDBOX = "sandbox"


# The default of terraform/variables.tf.
ACCOUNT_CONCURRENCY = 1000


class SettingsError(Exception):
    """The files of an environment cannot be used; the message says which, and what is allowed."""


@dataclass(frozen=True)
class Backend:
    """Where an environment's state lies, as its backend file says."""

    bucket: str
    key: str
    region: str
    kms_key_id: str | None


@dataclass(frozen=True)
class Environment:
    """One environment: its name, its folder, and what its two files say."""

    name: str
    folder: Path
    backend_settings: Mapping[str, Any]
    variables: Mapping[str, Any]

    @property
    def backend(self) -> Backend:
        """Where its state lies; raises SettingsError for a setting that is missing."""
        values = {
            name: _text(self.backend_settings, self.label(BACKEND_FILE), name)
            for name in ("bucket", "key", "region")
        }
        return Backend(**values, kms_key_id=self.backend_settings.get("kms_key_id"))

    @property
    def tenants_only(self) -> bool:
        """Whether it adds tenants to the gateway of another environment."""
        return "parent" in self.variables

    @property
    def root_module(self) -> Path:
        """The root module that it applies."""
        return TENANTS_ONLY_MODULE if self.tenants_only else GATEWAY_MODULE

    @property
    def sandbox(self) -> bool:
        """Whether it is thrown away without being asked: its name says so."""
        return self.name == _SANDBOX or self.name.startswith(f"{_SANDBOX}-")

    @property
    def region(self) -> str:
        """The region that it is deployed to."""
        return _text(self.variables, self.label(VARIABLES_FILE), "region")

    @property
    def prefix(self) -> str:
        """The prefix of its names; only a gateway has one of its own."""
        return _text(self.variables, self.label(VARIABLES_FILE), "prefix")

    @property
    def allowed_account_ids(self) -> list[str]:
        """The accounts it may be applied to; empty means any."""
        return list(self.variables.get("allowed_account_ids") or [])

    @property
    def account_concurrency(self) -> int:
        """Concurrent executions of Lambda that its plan counts on."""
        return int(self.variables.get("account_concurrency") or ACCOUNT_CONCURRENCY)

    def file(self, name: str) -> str:
        """A file of its folder, as Terraform finds it from the root module."""
        return os.path.relpath(self.folder / name, self.root_module)

    def label(self, name: str) -> str:
        """A file of its folder, as a message names it."""
        return f"envs/{self.name}/{name}"


def deployable() -> list[str]:
    """Names of the environments that have both a backend and variables."""
    return sorted(
        folder.name
        for folder in FOLDER.iterdir()
        if (folder / BACKEND_FILE).is_file() and (folder / VARIABLES_FILE).is_file()
    )


def parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    """The command line of what acts on one deployable environment, which is its `--env`."""
    made = argparse.ArgumentParser(
        prog=f"python -m {prog}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--env", required=True, choices=deployable(), help="folder in envs/")
    return made


def load(name: str) -> Environment:
    """Read the files of an environment.

    Raises SettingsError when one of them is missing or is no file of literal values.
    """
    folder = FOLDER / name
    return Environment(
        name=name,
        folder=folder,
        backend_settings=_read(folder / BACKEND_FILE),
        variables=_read(folder / VARIABLES_FILE),
    )


def _read(file: Path) -> dict[str, Any]:
    label = f"envs/{file.parent.name}/{file.name}"
    try:
        return tfvars.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{label}: cannot be read: {error.strerror}") from error
    except tfvars.TfvarsError as error:
        raise SettingsError(f"{label}: {error}") from error


def _text(settings: Mapping[str, Any], label: str, key: str) -> str:
    value = settings.get(key)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{label}: {key}: given {value!r}; allowed: a text")
    return value
