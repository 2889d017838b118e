"""Function settings: one frozen dataclass per function, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)
else:
    Settings = TypeVar("Settings")


def load(settings: type[Settings], environ: Mapping[str, str] = os.environ) -> Settings:
    """Fills a dataclass of strings from the variables named like its fields, in upper case.

    A field with a default may be absent; set but empty it is as wrong as any other.
    Raises RuntimeError naming every variable that is missing or empty.
    """
    names = {
        field.name: field.name.upper()
        for field in fields(settings)
        if field.default is MISSING or field.name.upper() in environ
    }
    missing = [variable for variable in names.values() if not environ.get(variable)]
    if missing:
        raise RuntimeError(f"{settings.__module__}: environment lacks {', '.join(missing)}")
    return settings(**{name: environ[variable] for name, variable in names.items()})
