"""The second seed system's answers."""

from __future__ import annotations

from tests.fakes.exchanges import answer, parsed
from tollgate.dialects.profiles.answer import chat_body


def test_the_answer_is_the_output_of_converse() -> None:
    hidden = {"reasoningContent": {"redactedContent": b"x"}}
    message = {"role": "assistant", "content": [hidden, {"text": "hey"}]}

    assert chat_body(parsed(), answer({"output": {"message": message}})) == {
        "message": {
            "role": "assistant",
            "content": [{"reasoningContent": {"redactedContent": "eA=="}}, {"text": "hey"}],
        }
    }
