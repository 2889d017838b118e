"""Which ids are near to one that cannot be called."""

from __future__ import annotations

import pytest

from tollgate.domain.nearby import nearest

NOVA = ("amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0")
PRO = "amazon.nova-pro-v1:0"
SONNET = ("anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic.claude-3-5-sonnet-20241022-v2:0")
OPUS = "us.anthropic.claude-opus-4-1-20250805-v1:0"
OSS = ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-20b-1:0")
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
IDS = (*NOVA, PRO, *SONNET, OPUS, *OSS, LLAMA, TITAN)


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        # No version, no provider, another version.
        ("amazon.nova-lite", list(NOVA)),
        ("nova-lite", list(NOVA)),
        ("amazon.nova-lite-v2:0", list(NOVA)),
        ("amazon.titan-embed-text", [TITAN]),
        # Routings.
        ("us.amazon.nova-lite", list(reversed(NOVA))),
        ("eu.amazon.nova-pro-v1:0", [PRO]),
        ("anthropic.claude-opus-4-1-20250805-v1:0", [OPUS]),
        ("arn:aws:bedrock:us-east-1::inference-profile/eu.amazon.nova-pro-v1:0", [PRO]),
        # Mistakes.
        ("amazon.nova-lit-v1:0", list(NOVA)),
        ("Amazon.Nova-Pro-V1:0", [PRO]),
        ("nova_pro", [PRO]),
        # Other APIs' and clients' names.
        ("claude-3-5-sonnet-latest", list(SONNET)),
        ("claude-3-5-sonnet-20241022", list(reversed(SONNET))),
        ("claude-3-5-sonnet-v2@20241022", list(reversed(SONNET))),
        ("anthropic/claude-3.5-sonnet", list(SONNET)),
        ("claude-opus-4-1", [OPUS]),
        ("bedrock/us.amazon.nova-lite-v1:0", list(reversed(NOVA))),
        ("bedrock/converse/amazon.nova-pro-v1:0", [PRO]),
        ("meta-llama/Llama-3.3-70B-Instruct", [LLAMA]),
        ("gpt-oss-20b", list(reversed(OSS))),
        # Nothing is near.
        ("gpt-4o", []),
        ("text-embedding-3-small", []),
        ("gemini-1.5-pro", []),
        ("", []),
        ("/", []),
        ("What is a token?", []),
        ("\x00\n", []),
    ],
)
def test_the_nearest_come_first(requested: str, expected: list[str]) -> None:
    assert list(nearest(requested, IDS)) == expected


@pytest.mark.parametrize(
    ("requested", "expected"),
    [("gpt-4o", OSS[1]), ("text-embedding-3-small", TITAN), ("amazon.nova-lite", NOVA[0])],
)
def test_where_likeness_is_not_asked_for_there_is_always_a_nearest(
    requested: str, expected: str
) -> None:
    assert next(nearest(requested, IDS, alike=0)) == expected


SONNET_3_7 = "anthropic.claude-3-7-sonnet-20250219-v1:0"


@pytest.mark.parametrize(
    "requested",
    [
        "claude-3-5-sonnet",
        "claude-3.5-sonnet",
        "claude_3-5-sonnet",
        "us.anthropic.claude-3-5-sonnet",
    ],
)
def test_where_a_name_is_known_one_that_is_much_like_it_is_not_meant(requested: str) -> None:
    assert list(nearest(requested, (SONNET_3_7, *SONNET))) == list(SONNET)


def test_of_a_names_routings_the_one_that_was_asked_for_comes_first() -> None:
    ids = ("apac.amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0")

    for asked in ids:
        assert next(nearest(asked.removesuffix("-v1:0"), ids)) == asked


@pytest.mark.parametrize(("requested", "is_near"), [("abcdefgxyz", True), ("abcdefwxyz", False)])
def test_seven_of_ten_letters_are_alike_enough(requested: str, is_near: bool) -> None:
    assert list(nearest(requested, ["acme.abcdefghij"])) == ["acme.abcdefghij"] * is_near


def test_a_model_with_a_long_name_is_found_by_its_beginning() -> None:
    own = f"acme.{'own-model-' * 21}v1"

    assert list(nearest(own, (own, *IDS))) == [own]
    # Also where it is misspelt.
    assert list(nearest(own.replace("own", "0wn", 1), (own, *IDS))) == [own]


@pytest.mark.parametrize("alike", [0, 0.7])
def test_of_no_ids_none_is_near(alike: float) -> None:
    assert list(nearest("amazon.nova-lite", (), alike)) == []


@pytest.mark.parametrize("part", ["x", "claude", "amazon.", "/", "-v1:0"])
def test_what_is_beyond_every_ids_length_is_not_looked_at(part: str) -> None:
    long = "amazon.nova-lite".ljust(128, "-") + part * 10**6

    assert list(nearest(long, IDS)) == list(nearest(long.rpartition("/")[2][:128], IDS))
