"""What the function is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of the tables read and of the bucket written."""

    usage_table: str
    accounts_table: str
    lake_bucket: str
