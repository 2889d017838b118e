"""The maximum of tokens in a body, and the text that is said before all else."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.forms import (
    Family,
    MaxTokensField,
    anything,
    said_before,
    said_in_blocks,
    within,
)

FLAT = MaxTokensField(("max_tokens",), aliases=("max_completion_tokens",))
NESTED = MaxTokensField(("config", "maxTokens"), aliases=("max_new_tokens",))


@pytest.mark.parametrize(
    ("field", "body", "said", "sent"),
    [
        (FLAT, {}, None, {"max_tokens": 7}),
        (FLAT, {"max_tokens": 5}, 5, {"max_tokens": 7}),
        (FLAT, {"max_completion_tokens": 5}, 5, {"max_completion_tokens": 7}),
        (FLAT, {"max_tokens": None}, None, {"max_tokens": 7}),
        (NESTED, {"a": 1}, None, {"a": 1, "config": {"maxTokens": 7}}),
        (NESTED, {"config": None}, None, {"config": {"maxTokens": 7}}),
        (NESTED, {"config": {"b": 2}}, None, {"config": {"b": 2, "maxTokens": 7}}),
        (NESTED, {"config": {"max_new_tokens": 5}}, 5, {"config": {"max_new_tokens": 7}}),
    ],
)
def test_the_maximum_is_read_and_written_where_the_family_has_it(
    field: MaxTokensField, body: dict[str, Any], said: int | None, sent: dict[str, Any]
) -> None:
    before = repr(body)

    assert field.read(body) == said
    assert field.write(body, 7) == sent
    assert repr(body) == before


@pytest.mark.parametrize(
    ("field", "body", "message"),
    [
        (FLAT, {"max_tokens": True}, "max_tokens allows a whole number only"),
        (FLAT, {"max_completion_tokens": "5"}, "max_completion_tokens allows a whole number"),
        (
            FLAT,
            {"max_tokens": 1, "max_completion_tokens": 1},
            "max_completion_tokens sets max_tokens a second time; send one of them",
        ),
        (NESTED, {"config": [1]}, "config allows an object only"),
    ],
)
def test_a_maximum_that_nobody_can_tell_is_refused(
    field: MaxTokensField, body: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        field.read(body)
    assert refused.value.message.startswith(message)


def test_the_spellings_of_a_maximum_begin_with_the_first_choice() -> None:
    assert FLAT.names == ("max_tokens", "max_completion_tokens")


def test_members_within_an_object_are_named_by_their_way() -> None:
    assert within("a", "b", "c") == {"a", "a.b", "a.c"}


def test_a_member_that_may_say_anything_has_members_of_any_name() -> None:
    assert anything("a", "b.c") == {"a", "a.*", "b.c", "b.c.*"}
    assert anything() == frozenset()


def test_a_family_that_says_nothing_of_it_is_told_nothing_caches_nowhere_and_samples_freely() -> (
    None
):
    plain = Family(name="Plain", models=("plain.",))

    assert plain.effort("plain.m", "high") is None
    assert plain.caches_at("plain.m") == ()
    assert plain.samplers("plain.m") == 2


def test_without_a_system_text_the_prompt_begins_with_what_is_to_be_said() -> None:
    body = {"prompt": "\n\nHuman: Hi", "top_k": 3}

    assert said_before("prompt")(body, "Be kind.") == {
        "prompt": "Be kind.\n\nHuman: Hi",
        "top_k": 3,
    }


@pytest.mark.parametrize("system", [5, {"text": "own"}])
def test_a_system_of_another_form_has_no_place_for_it(system: object) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        said_in_blocks()({"system": system}, "first")
    assert refused.value.message == "system allows a string or a list of blocks"


@pytest.mark.parametrize(
    ("system", "own"),
    [
        ({}, []),
        ({"system": ""}, []),
        ({"system": "own"}, [{"text": "own"}]),
        ({"system": [{"text": "a"}, {"text": "b"}]}, [{"text": "a"}, {"text": "b"}]),
    ],
)
def test_a_system_of_blocks_has_it_as_its_first(
    system: dict[str, Any], own: list[dict[str, Any]]
) -> None:
    body = {"messages": [], **system}

    assert said_in_blocks()(body, "first") == {
        "messages": [],
        "system": [{"text": "first"}, *own],
    }


def test_a_block_has_what_the_family_wants_besides() -> None:
    said = said_in_blocks(type="text")({"system": "own"}, "first")

    assert said == {"system": [{"type": "text", "text": "first"}, {"type": "text", "text": "own"}]}
