"""The first seed system's answers."""

from __future__ import annotations

import pytest

from tests.fakes.exchanges import CALL_ID, answer
from tollgate.dialects.legacy.answer import chat_body, prompt_body, vectors_body
from tollgate.domain.errors import UpstreamFailedError

USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


def test_an_answer_is_one_element_with_the_joined_text() -> None:
    content = [{"text": "a"}, {"reasoningContent": {}}, {"text": "b"}]

    assert chat_body([answer({"output": {"message": {"content": content}}})]) == [
        {"generated_text": "a b", "stop_reason": "end_turn", "usage": USAGE}
    ]


def test_the_text_of_a_native_answer_is_generated_text() -> None:
    document = {"results": [{"outputText": "hey", "completionReason": "FINISH"}]}

    assert prompt_body([answer(document)]) == [
        {"generated_text": "hey", "stop_reason": "end_turn", "usage": USAGE}
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"embedding": [1.0, 2.0]},
        {"embeddings": [[1.0, 2.0]]},
        {"embeddings": {"int8": [[1, 2]], "float": [[1.0, 2.0]]}},
        {"embeddingsByType": {"binary": [1.0, 2.0]}},
        {"embedding": [[1.0, 2.0]]},
        [[1.0, 2.0]],
    ],
)
def test_one_text_has_the_shape_that_clients_know(document: object) -> None:
    (body,) = vectors_body([answer(document)], is_batch=False)

    assert body == {"embedding": [1.0, 2.0], "usage": USAGE}


@pytest.mark.parametrize("document", [{}, [], "x", {"embedding": "?"}, {"embeddings": {}}])
def test_an_answer_without_a_vector_is_named_and_charged(document: object) -> None:
    with pytest.raises(UpstreamFailedError, match="no embedding") as failed:
        vectors_body([answer(document)], is_batch=False)
    assert (failed.value.may_be_billed, failed.value.request_id) == (True, CALL_ID)
