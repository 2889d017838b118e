from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.world import tenant
from tollgate.domain.models import (
    ModelRef,
    UnsupportedModelId,
    base_ids,
    geographies,
    is_allowed,
    is_tenant_arn,
    matches,
    resolve_model,
    shown_id,
)

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
        "amazon.Nova-lite-v1:0",
        "amazon.nova_lite",
        "amazon.nova.",
        "amazon.nova..lite",
        "amazon.nova:",
        "amazon." + "n" * 64,
        "us.us.amazon.nova-lite-v1:0",
        "us.global.amazon.nova-lite-v1:0",
        "us.us.us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:1234567890123:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:useast1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:-:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1000:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws-sixsix:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
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
    "arn",
    [
        "arn:aws:bedrock:eusc-de-east-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws-cn:bedrock:cn-northwest-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws-iso-b:bedrock:us-isob-east-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock:ap-southeast-7::foundation-model/amazon.nova-lite-v1:0",
    ],
)
def test_arns_of_every_partition_are_understood(arn: str) -> None:
    assert resolve_model(arn).model_id == "amazon.nova-lite-v1:0"


@pytest.mark.parametrize(
    "start",
    ["amazon.", "us.amazon.n", "a.b:c.", "arn:aws:bedrock:", f"{PROFILE_ARN}.", "x"],
)
def test_nothing_above_bedrocks_length_is_an_id(start: str) -> None:
    given = start + "n" * (2049 - len(start))
    mapped = f"arn:aws:bedrock:us-east-1:123456789012:provisioned-model/{'a' * 2048}"

    for text in (given, given * 100, mapped):
        with pytest.raises(UnsupportedModelId) as refused:
            resolve_model(text, {text: "amazon.nova-lite-v1:0"})
        assert not is_tenant_arn(text)
        assert len(str(refused.value)) < 512


def test_an_id_may_be_as_long_as_bedrocks() -> None:
    start = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/"
    longest = start.ljust(2048, "a")

    assert resolve_model(longest, {longest: "amazon.nova-lite-v1:0"}).upstream_id == longest


ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
APPLICATION_PROFILE = f"{ACCOUNT}:application-inference-profile/a1b2c3d4"
TENANT_ARNS = [
    APPLICATION_PROFILE,
    f"{ACCOUNT}:provisioned-model/a1b2c3d4",
    f"{ACCOUNT}:custom-model/amazon.nova-lite-v1:0:300k/a1b2c3d4",
    f"{ACCOUNT}:custom-model-deployment/a1b2c3d4",
    f"{ACCOUNT}:imported-model/a1b2c3d4",
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:provisioned-model/a1",
]


@pytest.mark.parametrize("arn", TENANT_ARNS)
@pytest.mark.parametrize(
    ("target", "model_id", "routing", "geo"),
    [
        ("anthropic.claude-x", "anthropic.claude-x", "in_region", None),
        ("us.anthropic.claude-x", "anthropic.claude-x", "geo", "us"),
        ("global.anthropic.claude-x", "anthropic.claude-x", "global", None),
    ],
)
def test_a_tenants_arn_has_routing_and_price_of_what_it_is_mapped_to(
    arn: str, target: str, model_id: str, routing: str, geo: str | None
) -> None:
    ref = resolve_model(arn, {arn: target})
    assert ref == ModelRef(arn, model_id, routing, geo, arn)  # type: ignore[arg-type]
    assert ref.profile_id == target


@pytest.mark.parametrize("arn", TENANT_ARNS)
def test_an_arn_the_tenant_does_not_map_is_refused(arn: str) -> None:
    for mapped in ({}, {f"{arn}0": "amazon.nova-lite-v1:0"}):
        with pytest.raises(UnsupportedModelId, match="model_arns"):
            resolve_model(arn, mapped)


def test_a_mapping_does_not_change_what_speaks_for_itself() -> None:
    for requested in ("amazon.nova-lite-v1:0", FOUNDATION_ARN, PROFILE_ARN):
        assert not is_tenant_arn(requested)
        assert resolve_model(requested, {requested: "amazon.nova-pro-v1:0"}) == resolve_model(
            requested
        )


def test_a_mapping_to_something_unknown_is_refused() -> None:
    with pytest.raises(UnsupportedModelId) as refused:
        resolve_model(APPLICATION_PROFILE, {APPLICATION_PROFILE: "nova"})
    assert refused.value.given == "nova"
    # One tenant's ARN mapped to another is no way round the check.
    other = TENANT_ARNS[1]
    with pytest.raises(UnsupportedModelId):
        resolve_model(APPLICATION_PROFILE, {APPLICATION_PROFILE: other, other: "amazon.nova"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arn:aws:bedrock:us-east-1::provisioned-model/a1",
        "arn:aws:bedrock:us-east-1:123:provisioned-model/a1",
        f"{ACCOUNT}:provisioned-model/",
        f"{ACCOUNT}:provisioned-model/a b",
        f"{ACCOUNT}:prompt-router/a1",
        "arn:aws:sagemaker:us-east-1:123456789012:provisioned-model/a1",
        f"x{APPLICATION_PROFILE}",
    ],
)
def test_other_texts_are_no_arns_a_tenant_can_map(text: str) -> None:
    assert not is_tenant_arn(text)


def test_usage_names_the_inference_profile_that_was_called() -> None:
    mapped = resolve_model(APPLICATION_PROFILE, {APPLICATION_PROFILE: "amazon.nova-lite-v1:0"})
    assert mapped.inference_profile_arn == APPLICATION_PROFILE
    assert resolve_model(PROFILE_ARN).inference_profile_arn == PROFILE_ARN
    provisioned = resolve_model(TENANT_ARNS[1], {TENANT_ARNS[1]: "amazon.nova-lite-v1:0"})
    assert provisioned.inference_profile_arn is None
    assert resolve_model("us.amazon.nova-lite-v1:0").inference_profile_arn is None
    assert resolve_model(FOUNDATION_ARN).inference_profile_arn is None


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


@pytest.mark.parametrize(
    ("profile_id", "expected"),
    [
        ("amazon.nova-lite-v1:0", []),
        ("us.amazon.nova-lite-v1:0", ["amazon.nova-lite-v1:0"]),
        # A geography that is not known yet, and more than one.
        ("il.amazon.nova-lite-v1:0", ["amazon.nova-lite-v1:0"]),
        ("us.il.amazon.nova-lite", ["il.amazon.nova-lite", "amazon.nova-lite"]),
        # What begins with a routing prefix is no base id.
        ("x.us.amazon.nova", ["amazon.nova"]),
        # The end of a version has the form too, and no pattern names it.
        ("us.deepseek.v3.2", ["deepseek.v3.2", "v3.2"]),
        ("nova", []),
        ("", []),
    ],
)
def test_every_end_of_an_id_that_has_a_base_ids_form_may_be_meant(
    profile_id: str, expected: list[str]
) -> None:
    assert list(base_ids(profile_id)) == expected


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-east-1", ("us",)),
        ("us-gov-west-1", ("us-gov",)),
        ("ca-central-1", ("ca", "us")),
        ("eu-north-1", ("eu",)),
        ("ap-southeast-2", ("au", "apac")),
        ("ap-northeast-3", ("jp", "apac")),
        ("ap-south-1", ("in", "apac")),
        ("ap-southeast-1", ("apac",)),
        ("sa-east-1", ()),
    ],
)
def test_a_regions_own_geography_comes_first(region: str, expected: tuple[str, ...]) -> None:
    assert geographies(region) == expected


def test_an_id_is_shown_at_a_length_that_fits_an_error() -> None:
    assert shown_id("x" * 128) == "x" * 128
    assert shown_id("x" * 129) == "x" * 128 + "…"


@pytest.mark.parametrize(
    ("requested", "policy", "allowed"),
    [
        ("amazon.nova-lite", {"models": ("amazon.*",)}, True),
        # Allowed is the id as it is routed.
        ("us.amazon.nova-lite", {"models": ("amazon.*",)}, False),
        ("us.amazon.nova-lite", {"models": ("us.*",)}, True),
        ("amazon.nova-lite", {"models": ()}, False),
        # Denied is a model on every routing, or one routing alone.
        ("us.amazon.nova-lite", {"models": ("*",), "denied_models": ("amazon.*",)}, False),
        ("amazon.nova-lite", {"models": ("*",), "denied_models": ("us.*",)}, True),
        ("amazon.nova-lite", {"models": (), "denied_models": ("amazon.*",)}, False),
    ],
)
def test_a_model_is_allowed_where_it_is_named_and_not_denied(
    requested: str, policy: dict[str, Any], *, allowed: bool
) -> None:
    assert is_allowed(resolve_model(requested), tenant(**policy)) is allowed
