"""Containers of SageMaker endpoints: what they answer and stream."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.domain.families import containers
from tollgate.domain.families.containers import ContainerFailedError, ContainerStream
from tollgate.domain.prices import TokenUsage


def test_a_stream_is_asked_for_where_one_is_wanted() -> None:
    asking = {"inputs": "Hi", "stream": True, "stream_options": {}}

    assert containers.buffered(asking) == {"inputs": "Hi"}
    assert containers.buffered(["Hi"]) == ["Hi"]
    assert containers.streamed({"inputs": "Hi"}) == {"inputs": "Hi", "stream": True}
    assert containers.streamed({"messages": []}) == {
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert containers.streamed(["Hi"]) == ["Hi"]


@pytest.mark.parametrize(
    ("document", "text", "reason", "usage"),
    [
        ([{"generated_text": "Hello"}], "Hello", None, None),
        (
            {
                "generated_text": "Hello",
                "details": {"finish_reason": "length", "input_length": 4, "generated_tokens": 2},
            },
            "Hello",
            "length",
            TokenUsage(input=4, output=2),
        ),
        (
            {
                "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": 4,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 3},
                },
            },
            "Hello",
            "stop",
            TokenUsage(input=4, output=2),
        ),
        ({"embedding": [0.1], "usage": {"prompt_tokens": 4}}, "", None, TokenUsage(input=4)),
        ({"usage": {"prompt_tokens": 4, "completion_tokens": None}}, "", None, None),
        ({"details": "none", "stop_reason": "stop"}, "", "stop", None),
        ([], "", None, None),
        ("Hello", "", None, None),
    ],
)
def test_an_answer(
    document: object, text: str, reason: str | None, usage: TokenUsage | None
) -> None:
    assert containers.answer_text(document) == text
    assert containers.answer_stop_reason(document) == reason
    assert containers.answer_usage(document) == usage


def event(document: object) -> str:
    return f"data: {json.dumps(document)}\n\n"


TOKENS = "".join(
    (
        ": a comment\n\n",
        "event: token\n",
        event({"token": {"text": "Hé", "special": False}}),
        event({"token": {"text": "llo"}}),
        event(
            {
                "token": {"text": "</s>", "special": True},
                "generated_text": "Héllo",
                "details": {"finish_reason": "eos", "input_length": 4, "generated_tokens": 2},
            }
        ),
    )
)
CHUNKS = "".join(
    (
        event({"choices": [{"delta": {"content": "Hé"}}]}),
        event({"choices": [{"delta": {"content": "llo"}, "finish_reason": "eos"}]}),
        event({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}}),
        "data: [DONE]\n\n",
    )
)
LINES = '{"outputs": [{"text": "Hé"}]}\n{"generated_text": "llo", "stop_reason": "eos"}'


@given(st.data())
@pytest.mark.parametrize(
    ("stream", "usage"),
    [(TOKENS, TokenUsage(4, 2)), (CHUNKS, TokenUsage(4, 2)), (LINES, None)],
    ids=["tokens", "chunks", "lines"],
)
def test_a_stream_says_the_same_wherever_its_parts_end(
    stream: str, usage: TokenUsage | None, data: st.DataObject
) -> None:
    raw = stream.encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=6)))
    reader = ContainerStream()

    parts = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    said = "".join([*map(reader.feed, parts), reader.end()])

    assert said == reader.text == "Héllo"
    assert (reader.stop_reason, reader.usage) == ("eos", usage)


def test_what_is_no_stream_of_documents_is_text_as_it_is() -> None:
    reader = ContainerStream()

    assert reader.feed(b"One line\n\ndata: of text\nand ano") == "One line\n\ndata: of text\n"
    assert reader.end() == "and ano"
    # Nothing is left to be said again.
    assert reader.end() == ""
    assert (reader.usage, reader.stop_reason) == (None, None)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xe9\n", "caf\ufffd\n"),
        (b"caf\xe9\n\n", "caf\ufffd\n\n"),
        (b"a\ndata: caf\xe9\n", "a\ndata: caf\ufffd\n"),
        # A number is a line of text, and a token may have none.
        (b"42\n", "42\n"),
        (b'{"token": {"id": 5}}\n', ""),
    ],
)
def test_a_line_is_read_as_far_as_it_can_be(raw: bytes, text: str) -> None:
    assert ContainerStream().feed(raw) == text


def test_a_container_can_fail_in_mid_stream() -> None:
    reader = ContainerStream()
    reader.feed(event({"token": {"text": "He"}}).encode())

    with pytest.raises(ContainerFailedError):
        reader.feed(event({"error": "out of memory"}).encode())
    assert reader.text == "He"
