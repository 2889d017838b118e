"""Which requests are the same, and how long a key is taken."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from tollgate.domain.idempotency import (
    REPLAY_SECONDS,
    IdempotencyRecord,
    IdempotencyStatus,
    body_hash,
    is_valid_key,
    record_id,
)

RECORD = IdempotencyRecord("acme", "r", "b", "q", "running", lease=100, expires_at=200)
WHO = ("acme", "web", "k1")
PARTS = {"route": "POST /invoke_model", "query": {"model_id": "m"}, "headers": {"team": None}}


@pytest.mark.parametrize(
    ("status", "lease", "expires_at", "last"),
    [
        ("running", 100, 200, 100),
        ("unknown", 100, 200, 100),
        ("running", 100, 50, 50),
        ("done", 100, 200, 200),
        ("done", 300, 200, 200),
    ],
)
def test_a_key_is_taken_to_the_end_of_its_lease_or_of_its_answer(
    status: IdempotencyStatus, lease: int, expires_at: int, last: int
) -> None:
    record = replace(RECORD, status=status, lease=lease, expires_at=expires_at)

    assert record.is_in_force(last)
    assert not record.is_in_force(last + 1)


def test_an_answer_is_kept_for_a_day() -> None:
    assert REPLAY_SECONDS == 24 * 3600


@pytest.mark.parametrize("key", ["a", " ", "~", "x" * 255, "3f2c-11"])
def test_keys_are_printable_ascii(key: str) -> None:
    assert is_valid_key(key)


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a\nb", "\x7f", "a\tb"])
def test_other_keys_are_refused(key: str) -> None:
    assert not is_valid_key(key)


def test_a_records_place_follows_from_tenant_app_and_key_alone() -> None:
    assert record_id(*WHO) == hashlib.sha256(b"acme/web/k1").hexdigest()
    others = [("bolt", "web", "k1"), ("acme", "bot", "k1"), ("acme", "web", "k2")]
    assert len({record_id(*who) for who in (WHO, *others)}) == 4


def test_a_request_is_the_same_whatever_the_order_of_its_parts() -> None:
    shuffled = dict(reversed(PARTS.items()))

    first = body_hash(*WHO, parts=PARTS, body=b"{}")

    assert body_hash(*WHO, parts=shuffled, body=b"{}") == first
    assert len(bytes.fromhex(first)) == 32


def test_a_request_differs_by_its_parts_its_body_and_its_caller() -> None:
    first = body_hash(*WHO, parts=PARTS, body=b"{}")

    assert body_hash(*WHO, parts={**PARTS, "query": {}}, body=b"{}") != first
    assert body_hash(*WHO, parts=PARTS, body=b"{ }") != first
    assert body_hash("bolt", *WHO[1:], parts=PARTS, body=b"{}") != first
    assert body_hash(*WHO[:2], "k2", parts=PARTS, body=b"{}") != first


def test_bytes_do_not_move_between_parts_and_body() -> None:
    assert body_hash(*WHO, parts={}, body=b"{}1") != body_hash(*WHO, parts={}, body=b"{}")
    # The parts are written before the body: with their length, neither can pass for the other.
    canonical = b'{"a":1}'
    assert body_hash(*WHO, parts={"a": 1}, body=b"") != body_hash(*WHO, parts={}, body=canonical)


def test_hashes_do_not_change_between_releases() -> None:
    # Requests of the day before a deployment are still answered after it.
    assert body_hash(*WHO, parts={"b": 1, "a": [2]}, body=b"x") == (
        "53a6730d47b6b5f907625c62bf893c7dd82b0941ed8df7d06df3076638b995c5"
    )
