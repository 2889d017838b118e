"""OpenAI's own models."""

from __future__ import annotations

from tollgate.domain.families.gpt import GPT, MESSAGES


def test_the_newer_word_for_the_maximum_is_written_and_the_older_read() -> None:
    assert MESSAGES.max_tokens.write({}, 7) == {"max_completion_tokens": 7}
    assert MESSAGES.max_tokens.read({"max_tokens": 7}) == 7


def test_how_much_to_think() -> None:
    assert GPT.effort("openai.gpt-oss-20b-1:0", "high") == {"reasoning_effort": "high"}
