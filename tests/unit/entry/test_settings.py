"""Settings from the environment."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tollgate.entry.settings import load


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


@dataclass(frozen=True)
class Optional:
    """A variable that must be there, and one that may."""

    first_table: str
    logs_bucket: str | None = None


def test_a_field_with_a_default_may_be_absent() -> None:
    assert load(Optional, {"FIRST_TABLE": "a"}) == Optional("a", None)
    assert load(Optional, {"FIRST_TABLE": "a", "LOGS_BUCKET": "b"}) == Optional("a", "b")


def test_an_optional_variable_is_never_empty() -> None:
    with pytest.raises(RuntimeError, match="environment lacks LOGS_BUCKET"):
        load(Optional, {"FIRST_TABLE": "a", "LOGS_BUCKET": ""})
