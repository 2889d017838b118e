"""The environment's variables: function settings, one frozen dataclass per function, read once."""

from __future__ import annotations

import os
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)
else:
    Settings = TypeVar("Settings")

# Where X-Ray's SDKs, boto3 and Powertools look for the trace id of the invocation under way.
TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


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


def pass_trace_on(trace_id: str | None, environ: MutableMapping[str, str] = os.environ) -> None:
    """Tell whoever looks for it the trace id of an invocation; None where it has none."""
    if trace_id is None:
        environ.pop(TRACE_VARIABLE, None)
    else:
        environ[TRACE_VARIABLE] = trace_id
