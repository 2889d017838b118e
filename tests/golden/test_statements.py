"""A statement that was issued is derived again by every later release, byte by byte.

The files are a closed month's record and what followed from it when it was closed. They are never
written anew: a release that would make another statement of this record has to make the old one
still, of records with this schema_version.
"""

from __future__ import annotations

from pathlib import Path

from scripts.statements import record as records
from scripts.statements import statements
from scripts.statements.lines import lines

HERE = Path(__file__).parent


def test_a_record_still_makes_the_statement_that_was_issued() -> None:
    data = (HERE / "statement_record.json").read_bytes()
    record = records.from_bytes(data)
    assert records.to_bytes(record) == data
    made = {found.name: found for found in statements.make(record, lines(record))}
    acme = made["2026-10/tenant/acme"]
    assert statements.to_json(acme) == (HERE / "statement.json").read_bytes()
    assert statements.to_csv([acme]) == (HERE / "statement.csv").read_bytes()
