"""Which models CountTokens counts for."""

from __future__ import annotations

from scripts.local.stubs.bedrock.refusals.claude import version_of
from scripts.local.stubs.errors import invalid

_FIRST = (3, 5)


def check(model_id: str, base_model_id: str) -> None:
    """Check the id that CountTokens is asked with: a base model's, bare or as an ARN.

    Profiles are refused in the same words as models that cannot count, also those of models that
    can.
    """
    is_base = model_id.rpartition("/")[2] == base_model_id
    is_profile = model_id.startswith("arn:") and ":foundation-model/" not in model_id
    if not is_base or is_profile or version_of(base_model_id) < _FIRST:
        raise invalid("The provided model doesn't support counting tokens.")
