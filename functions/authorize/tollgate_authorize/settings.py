"""Environment of the function."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of what Terraform made."""

    tenants_table: str
