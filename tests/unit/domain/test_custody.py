"""How a tenant's texts are kept."""

from __future__ import annotations

from tests.fakes.world import tenant
from tollgate.domain.custody import Custody


def test_texts_are_kept_as_the_policy_says() -> None:
    assert Custody.of(tenant(retention_minutes=5, kms_key_arn="k")) == Custody(300, "k")
    assert Custody.of(tenant()) == Custody(86_400, None)
