from __future__ import annotations

import pytest

from tollgate.domain.models import ModelRef, UnsupportedModelId, matches, resolve_model

FOUNDATION_ARN = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
PROFILE_ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"
GOV_ARN = (
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:"
    "inference-profile/us-gov.openai.gpt-oss-20b-1:0"
)


@pytest.mark.parametrize(
    ("requested", "model_id", "routing", "geo", "profile_id"),
    [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "in_region", None, None),
        ("deepseek.v3.2", "deepseek.v3.2", "in_region", None, None),
        ("us.deepseek.v3.2", "deepseek.v3.2", "geo", "us", None),
        ("in.moonshotai.kimi-k3", "moonshotai.kimi-k3", "geo", "in", None),
        ("us-gov.xai.grok-4.6", "xai.grok-4.6", "geo", "us-gov", None),
        ("global.openai.gpt-6.1-sol", "openai.gpt-6.1-sol", "global", None, None),
        (FOUNDATION_ARN, "amazon.nova-lite-v1:0", "in_region", None, "amazon.nova-lite-v1:0"),
        (PROFILE_ARN, "amazon.nova-lite-v1:0", "geo", "eu", "eu.amazon.nova-lite-v1:0"),
        (GOV_ARN, "openai.gpt-oss-20b-1:0", "geo", "us-gov", "us-gov.openai.gpt-oss-20b-1:0"),
    ],
)
def test_ids_and_arns_resolve_to_base_model_and_routing(
    requested: str, model_id: str, routing: str, geo: str | None, profile_id: str | None
) -> None:
    ref = resolve_model(requested)
    assert ref == ModelRef(requested, model_id, routing, geo, requested)  # type: ignore[arg-type]
    assert ref.profile_id == (profile_id or requested)


@pytest.mark.parametrize("prefix", ["us", "eu", "apac", "au", "jp", "ca", "in", "us-gov"])
def test_every_geography_is_understood(prefix: str) -> None:
    assert resolve_model(f"{prefix}.anthropic.claude-sonnet-4-6").geo == prefix


def test_a_prefix_counts_only_before_a_provider() -> None:
    ref = resolve_model("us.model-1")
    assert (ref.model_id, ref.routing) == ("us.model-1", "in_region")


@pytest.mark.parametrize(
    "requested",
    [
        "",
        "nova",
        "amazon.",
        ".nova",
        "amazon.nova lite",
        "amazon.nova\n",
        "\tamazon.nova",
        "amazon.nova\x00",
        "amazon.nova/../claude",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2c3d4",
        "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/a1b2c3d4",
        "arn:aws:bedrock:us-east-1:123456789012:imported-model/a1b2c3d4",
        "arn:aws:bedrock:us-east-1:123456789012:prompt-router/a1",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/llama",
        "arn:aws:bedrock:us-east-1:123456789012:foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1::inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/amazon.nova-lite-v1:0",
    ],
)
def test_other_forms_are_refused_by_name_with_what_is_allowed(requested: str) -> None:
    with pytest.raises(UnsupportedModelId) as refused:
        resolve_model(requested)
    assert repr(requested) in str(refused.value)
    assert "foundation model id" in str(refused.value)
    assert refused.value.given == requested


@pytest.mark.parametrize(
    ("pattern", "profile_id", "expected"),
    [
        ("*", "amazon.nova-lite-v1:0", True),
        ("amazon.nova-*", "amazon.nova-lite-v1:0", True),
        ("amazon.nova-*", "us.amazon.nova-lite-v1:0", False),
        ("*.anthropic.*", "us.anthropic.claude-sonnet-4-6", True),
        ("us.anthropic.claude-*-4-*", "us.anthropic.claude-sonnet-4-6", True),
        ("us.anthropic.claude-*-4-*", "us.anthropic.claude-4-6", False),
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", True),
        ("amazon.nova-lite-v1", "amazon.nova-lite-v1:0", False),
        ("Amazon.*", "amazon.nova-lite-v1:0", False),
        ("amazon.nova?lite", "amazon.nova-lite", False),
        ("amazon.[nova]*", "amazon.nova", False),
        ("amazonxnova", "amazon.nova", False),
        ("aba*aba", "ababa", False),
        ("a*b*a", "aba", True),
        ("a**a", "aa", True),
    ],
)
def test_only_the_star_is_special_in_patterns(
    pattern: str, profile_id: str, expected: bool
) -> None:
    assert matches([pattern], profile_id) is expected


def test_any_pattern_of_the_list_is_enough_and_none_matches_nothing() -> None:
    assert matches(["cohere.*", "amazon.*"], "amazon.nova-lite-v1:0")
    assert not matches([], "amazon.nova-lite-v1:0")
