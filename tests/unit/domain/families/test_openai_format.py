"""OpenAI's format, and the families that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tollgate.domain.families import registry
from tollgate.domain.families.forms import MaxTokensField, within
from tollgate.domain.families.openai_format import CHAT, COMPLETION, chat, usage
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from tollgate.domain.families.forms import TextBody

READERS = [body for body in registry.TEXTS if body.write is CHAT.write]


@pytest.mark.parametrize("body", READERS)
def test_a_chat_is_written_with_the_tenants_text_as_its_first_message(body: TextBody) -> None:
    written = {**body.write("Hi"), "top_p": 1}

    assert written == {"messages": [{"role": "user", "content": "Hi"}], "top_p": 1}
    assert body.with_system(written, "Be kind.") == {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hi"},
        ],
        "top_p": 1,
    }


@pytest.mark.parametrize("body", READERS)
def test_both_spellings_of_the_maximum_are_members_where_both_are_read(body: TextBody) -> None:
    assert registry.MAX_TOKENS & body.members == {*body.max_tokens.names}


def test_many_families_read_it() -> None:
    families = {
        family.name for family in registry.FAMILIES if any(b in READERS for b in family.texts)
    }

    assert families >= {"DeepSeek", "GPT", "Gemma", "Kimi", "MiniMax", "Mistral", "Qwen"}


def test_a_family_has_members_of_its_own_beside_openais() -> None:
    film = within("messages.content.film", "url")

    body = chat("top_k", "min_p", said=film, top_p="p")

    assert body.members == CHAT.members | {"top_k", "min_p"} | film
    # What is said has no place beside a Converse request.
    assert body.fields == CHAT.fields | {"top_k", "min_p"}
    assert body.top_p == "p"
    assert chat() == CHAT


@pytest.mark.parametrize(
    ("field", "unread"),
    [
        (MaxTokensField(("max_tokens",)), {"max_completion_tokens"}),
        (MaxTokensField(("max_completion_tokens",)), {"max_tokens"}),
        (MaxTokensField(("max_completion_tokens",), aliases=("max_tokens",)), set()),
    ],
)
def test_a_word_for_the_maximum_that_a_family_does_not_read_is_no_member(
    field: MaxTokensField, unread: set[str]
) -> None:
    body = chat(max_tokens=field)

    assert body.max_tokens is field
    assert CHAT.members - body.members == unread


def test_a_prompt_is_continued() -> None:
    assert COMPLETION.write("Hi") == {"prompt": "Hi"}
    assert COMPLETION.with_system({"prompt": "Hi"}, "Be kind.") == {"prompt": "Be kind.\n\nHi"}


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"prompt_tokens": 4, "completion_tokens": 2}, TokenUsage(input=4, output=2)),
        (
            {
                "prompt_tokens": 4,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 3},
            },
            TokenUsage(input=1, output=2, cache_read=3),
        ),
        (
            {
                "prompt_tokens": 4,
                "completion_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 9},
            },
            TokenUsage(input=0, output=0, cache_read=4),
        ),
        ({"prompt_tokens": 4}, None),
        ({"completion_tokens": 2}, None),
        ({"prompt_tokens": "4", "completion_tokens": 2}, None),
        ([], None),
    ],
)
def test_what_came_from_the_cache_is_part_of_the_prompt(
    counts: Any, found: TokenUsage | None
) -> None:
    assert usage({"usage": counts}) == found
