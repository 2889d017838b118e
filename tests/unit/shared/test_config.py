"""Settings from the environment."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tollgate.config import load


@dataclass(frozen=True)
class Settings:
    """Two variables."""

    first_table: str
    second_bucket: str


def test_fields_come_from_their_variables() -> None:
    environ = {"FIRST_TABLE": "a", "SECOND_BUCKET": "b", "OTHER": "c"}

    assert load(Settings, environ) == Settings("a", "b")


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(RuntimeError, match="environment lacks FIRST_TABLE, SECOND_BUCKET"):
        load(Settings, {"SECOND_BUCKET": ""})
