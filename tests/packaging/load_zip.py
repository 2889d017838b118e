"""Load one unpacked zip with nothing else to import from, and report what it did.

Run as a program by an isolated interpreter (`-I -S`): `load_zip.py <folder> <function>`.
Prints one JSON object.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

# Settings that are more than a name.
VALUES = {
    "polls_per_minute": "600",
    "sagemaker_endpoints": "{}",
    "token_counts_per_minute": "60",
    "waiting_requests": "20",
}


def main() -> None:
    """Import the handler, compose its service as the first request would, and report."""
    folder, name = Path(sys.argv[1]), sys.argv[2]
    standard_library = [Path(entry).resolve() for entry in sys.path]
    sys.path.insert(0, str(folder))
    settings = importlib.import_module(f"tollgate_{name}.settings").Settings
    for field in fields(settings):
        # What may be absent is given too, so that all clients are made; a figure keeps its default.
        if not isinstance(field.default, str):
            value = VALUES.get(field.name, f"https://example.invalid/1/{field.name}")
            os.environ.setdefault(field.name.upper(), value)

    session = importlib.import_module("boto3.session").Session
    make_client = session.client
    services: list[str] = []

    def recording_client(self: object, service: str, *args: object, **options: object) -> object:
        services.append(service)
        return make_client(self, service, *args, **options)

    session.client = recording_client
    handler = importlib.import_module(f"tollgate_{name}.handler")
    # Kept, so that what they made is there to be found.
    composed = [compose() for compose in composers(handler)]
    make_later_clients()
    report = {
        "callable": bool(composed) and callable(handler.lambda_handler),
        "services": sorted(set(services)),
        "strangers": strangers(folder, standard_library),
        "duckdb_rows": duckdb_rows() if (folder / "duckdb").is_dir() else None,
    }
    print(json.dumps(report))


def composers(handler: ModuleType) -> list[Callable[[], object]]:
    """Find the functions with which a handler composes its service, once per process."""
    found = [
        value
        for value in vars(handler).values()
        if hasattr(value, "cache_info") and value.__module__ == handler.__name__
    ]
    if not found:
        raise LookupError(f"{handler.__name__} has no cached function that composes its service")
    return found


def make_later_clients() -> None:
    """Make the clients that a composed service makes when it first needs them."""
    makers = {
        "sessions.SessionClients": lambda clients: clients(None),
        # Their only ways to a client need an answer of AWS.
        "sessions.TenantSessions": lambda sessions: sessions._sts(),  # noqa: SLF001
        "jobs.SqsJobQueue": lambda queue: queue._client(),  # noqa: SLF001
    }
    for value in gc.get_objects():
        kind = type(value)
        module = str(kind.__module__).removeprefix("tollgate.adapters.")
        make = makers.get(f"{module}.{kind.__name__}")
        if make is not None:
            make(value)


def strangers(folder: Path, standard_library: list[Path]) -> list[str]:
    """Name the loaded modules that came from neither the zip nor the standard library."""
    homes = [folder.resolve(), *standard_library]
    main_module = sys.modules["__main__"]
    files = {
        name: Path(module.__file__).resolve()
        for name, module in sys.modules.items()
        if module is not main_module and getattr(module, "__file__", None)
    }
    return [
        name
        for name, file in files.items()
        if not any(file.is_relative_to(home) for home in homes) or "site-packages" in file.parts
    ]


def duckdb_rows() -> int:
    """Write a Parquet file and count its rows, which needs all of duckdb but no extension."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("COPY (SELECT * FROM range(3)) TO 'rows.parquet' (FORMAT parquet)")
    return int(connection.execute("SELECT count(*) FROM 'rows.parquet'").fetchone()[0])


if __name__ == "__main__":
    main()
