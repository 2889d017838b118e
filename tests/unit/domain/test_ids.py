"""Request ids and usage keys."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tollgate.domain.ids import (
    USAGE_SHARDS,
    is_request_id,
    new_request_id,
    request_time,
    usage_key,
    usage_partition,
)

NOW = datetime(2026, 11, 22, 1, 59, 59, 987_654, tzinfo=UTC)


def test_an_id_is_a_uuid_version_7_that_carries_its_millisecond() -> None:
    request_id = new_request_id(NOW)

    parsed = uuid.UUID(request_id)
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert request_time(request_id) == NOW.replace(microsecond=987_000)


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_request_id(NOW + timedelta(milliseconds=step)) for step in range(50)]

    assert ids == sorted(ids)
    assert len({new_request_id(NOW) for _ in range(1000)}) == 1000


ID = "019aa9d5-7a10-7c3e-8f6e-0b8f4f7f2a11"
VERSION_4 = "8c5f2f0e-3c1b-4d59-9a52-0f6f0f3f1a77"


@pytest.mark.parametrize("text", ["", "job", VERSION_4, ID.upper(), f"{{{ID}}}"])
def test_other_texts_are_no_ids(text: str) -> None:
    assert is_request_id(ID)
    assert not is_request_id(text)


def test_the_usage_key_follows_from_the_id() -> None:
    request_id = new_request_id(NOW)

    pk, sk = usage_key(request_id)

    assert sk == request_id
    assert pk in {usage_partition(NOW, shard) for shard in range(USAGE_SHARDS)}
    assert pk.startswith("USAGE#2026-11-22T01#")
    assert usage_key(request_id) == (pk, sk)


def test_ids_of_an_hour_spread_over_all_partitions() -> None:
    partitions = {usage_key(new_request_id(NOW))[0] for _ in range(2000)}

    assert len(partitions) == USAGE_SHARDS
