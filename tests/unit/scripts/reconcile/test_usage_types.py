"""Usage types as AWS writes them, and what they say."""

from __future__ import annotations

import pytest

from scripts.reconcile import usage_types
from scripts.reconcile.usage_types import ModelNames, UsageType
from tollgate.domain.prices import load_default

# The first six are the examples of AWS's guide to Bedrock's lines in a CUR.
READ = {
    "USE1-openai.gpt-oss-120b-mantle-input-tokens-standard": (
        UsageType("mantle", "USE1", "us-east-1", "openai.gpt-oss-120b", "input")
    ),
    "USE1-gpt-oss-120b-output-tokens-priority": (
        UsageType("runtime", "USE1", "us-east-1", "gpt-oss-120b", "output", "priority")
    ),
    "USE1-Nova2.0Lite-input-tokens-flex": (
        UsageType("runtime", "USE1", "us-east-1", "Nova2.0Lite", "input", "flex")
    ),
    "USE1-Claude4.6Sonnet-input-tokens": (
        UsageType("runtime", "USE1", "us-east-1", "Claude4.6Sonnet", "input")
    ),
    "USE1-Claude4.6Sonnet-cache-read-input-token-count": (
        UsageType("runtime", "USE1", "us-east-1", "Claude4.6Sonnet", "cache_read")
    ),
    "USE1-Claude4.6Sonnet-output-tokens-cross-region-global": (
        UsageType("runtime", "USE1", "us-east-1", "Claude4.6Sonnet", "output", routing="global")
    ),
    "USE1-Nova2.0Lite-output-tokens-cross-region-global-batch": (
        UsageType("runtime", "USE1", "us-east-1", "Nova2.0Lite", "output", "batch", "global")
    ),
    "EU-NovaPro-input-tokens-cross-region-eu": (
        UsageType("runtime", "EU", "eu-west-1", "NovaPro", "input", routing="geo")
    ),
    "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-1h-global-standard": (
        UsageType(
            *("mantle", "USW2", "us-west-2", "anthropic.claude-opus-4-8", "cache_write_1h"),
            routing="global",
        )
    ),
    "APN1-MP:APN1_CacheWrite1hInputTokenCount_LCtx_Global-Units": (
        UsageType(
            *("marketplace", "APN1", "ap-northeast-1", "", "cache_write_1h", "default", "global"),
            is_long=True,
        )
    ),
    "EUC1-MP:EUC1_OutputTokenCount_Flex-Units": (
        UsageType("marketplace", "EUC1", "eu-central-1", "", "output", "flex")
    ),
    "USE1-MP:USE1_Created_image-Units": (
        UsageType("marketplace", "USE1", "us-east-1", "", "image")
    ),
    "USE1-NovaCanvas-T2I-1024-Premium": (
        UsageType("image", "USE1", "us-east-1", "NovaCanvas", "image")
    ),
    "USE1-cohere.rerank-v3-5-search-units": (
        UsageType("search", "USE1", "us-east-1", "cohere.rerank-v3-5", "search")
    ),
    "USE1-Guardrail-SensitiveInformationPolicyPaidUnitsConsumed": (
        UsageType("guardrail", "USE1", "us-east-1", "", "guardrail")
    ),
    "USW2-Host:ml.g5.12xlarge": UsageType("endpoint", "USW2", "us-west-2", "", "instance_hour"),
    "XYZ9-NovaPro-input-tokens": UsageType("runtime", "XYZ9", None, "NovaPro", "input"),
}
NAMES = ModelNames(load_default().model_ids())


@pytest.mark.parametrize("text", READ)
def test_what_a_usage_type_says(text: str) -> None:
    assert usage_types.read(text) == READ[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Lambda-GB-Second",
        "USE1-NovaPro-ProvisionedThroughput-NoCommit-ModelUnits",
        "USE1-NovaReel-T2V-HD-24fps",
        "USE1-Nova2.0Pro-input-image-token-count",
        "USE1-NovaLite-output-tokens-latency-optimized",
        "USE1-NovaLite-input-tokens-batch-flex",
        "USE1-MP:USE2_InputTokenCount-Units",
        "USE1-MP:USE1_Reserved_1Month_InputTPM_Geo-Units",
    ],
)
def test_what_is_not_understood_to_the_last_word_is_not_read(text: str) -> None:
    assert usage_types.read(text) is None


@pytest.mark.parametrize(
    ("text", "unit", "quantity"),
    [
        ("USE1-NovaLite-input-tokens", "1K tokens", 1000),
        ("USE1-NovaLite-input-tokens", "1M tokens", 10**6),
        ("USE1-MP:USE1_InputTokenCount-Units", "Units", 10**6),
        ("USE1-MP:USE1_Created_image-Units", "Units", 1),
        ("USE1-Guardrail-TopicPolicyUnitsConsumed", "1K text units", 1000),
        ("USW2-Host:ml.g5.12xlarge", "Hrs", 1),
        ("USE1-NovaLite-input-tokens", "Units", None),
    ],
)
def test_units(text: str, unit: str, quantity: int | None) -> None:
    usage = usage_types.read(text)
    assert usage is not None
    assert usage_types.quantity_unit(usage, unit) == quantity


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Claude4.6Sonnet", "anthropic.claude-sonnet-4-6"),
        ("Claude Sonnet 4.6 (Amazon Bedrock Edition)", "anthropic.claude-sonnet-4-6"),
        ("Claude4.5Haiku", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8"),
        ("gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
        ("Nova2.0Pro", "amazon.nova-2-pro-preview-20251202-v1:0"),
        ("TitanEmbeddingV2-Text", "amazon.titan-embed-text-v2:0"),
        # Two models have these words, and one has more.
        ("Claude3.5Sonnet", None),
        ("NovaReel", None),
    ],
)
def test_names_of_models(name: str, model_id: str | None) -> None:
    assert NAMES.find(name) == model_id


def test_names_in_the_table_are_models_of_the_book_and_found_by_no_rule() -> None:
    table = usage_types.table()
    assert set(table["models"].values()) <= set(load_default().model_ids())
    assert {form["source"] for form in table["forms"]} <= set(table["sources"])
