"""The events of a Converse stream make the response that Converse would give."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.converse import (
    Assembler,
    document_fault,
    event_size,
    event_text,
    joined_text,
    json_blocks,
    output_size,
)


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def test_events_are_put_together() -> None:
    assembler = Assembler()
    use = {"toolUse": {"toolUseId": "t1", "name": "get_weather"}}
    events: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        delta(0, reasoningContent={"text": "H"}),
        delta(0, reasoningContent={"text": "m", "signature": "s"}),
        delta(1, text="Hel"),
        delta(1, text="lo"),
        {"contentBlockStart": {"contentBlockIndex": 2, "start": use}},
        delta(2, toolUse={"input": '{"city"'}),
        delta(2, toolUse={"input": ': "Oslo"}'}),
        {"messageStop": {"stopReason": "tool_use"}},
    ]
    for event in events:
        assembler.take(event)
    assert not assembler.is_complete

    assembler.take({"metadata": {"usage": {"inputTokens": 1}}})

    assert assembler.is_complete
    assert assembler.document() == {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
                    {"text": "Hello"},
                    {
                        "toolUse": {
                            "toolUseId": "t1",
                            "name": "get_weather",
                            "input": {"city": "Oslo"},
                        }
                    },
                ],
            }
        },
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1},
    }


def assembled(*events: dict[str, Any]) -> list[Any]:
    """The content that some events make."""
    assembler = Assembler()
    for event in events:
        assert assembler.take(event)
    content: list[Any] = assembler.document()["output"]["message"]["content"]
    return content


@pytest.mark.parametrize(
    ("events", "block"),
    [
        (
            [
                delta(0, reasoningContent={"redactedContent": b"ab"}),
                delta(0, reasoningContent={"redactedContent": b"c"}),
            ],
            {"reasoningContent": {"redactedContent": b"abc"}},
        ),
        (
            [
                delta(0, reasoningContent={"signature": "s1"}),
                delta(0, reasoningContent={"text": "Hm", "signature": "s2"}),
            ],
            {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s1s2"}}},
        ),
        (
            [delta(0, text="a"), delta(0, citation={"title": "x"}), delta(0, citation={})],
            {"citationsContent": {"content": [{"text": "a"}], "citations": [{"title": "x"}, {}]}},
        ),
        (
            [delta(0, citation={"title": "x"})],
            {"citationsContent": {"content": [{"text": ""}], "citations": [{"title": "x"}]}},
        ),
        # A delta of a kind that is not known leaves its block as it is.
        ([delta(0, text="a"), delta(0, hologram={})], {"text": "a"}),
        ([delta(0)], {}),
    ],
)
def test_a_block_is_made_of_its_deltas(events: list[dict[str, Any]], block: Any) -> None:
    assert assembled(*events) == [block]


def test_blocks_stand_in_the_order_of_their_numbers() -> None:
    assert assembled(delta(7, text="b"), delta(0, text="a"), delta(7, text="c")) == [
        {"text": "a"},
        {"text": "bc"},
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ([], {}),
        ([""], {}),
        (["{}"], {}),
        (["[1", ", 2]"], [1, 2]),
        (['{"a"'], '{"a"'),
        # Deeper than Python reads: it stays what it was.
        (["[" * 200_000], "[" * 200_000),
    ],
)
def test_a_tools_input_is_read_where_it_can_be(written: list[str], read: object) -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "n"}}
    start = {"contentBlockStart": {"contentBlockIndex": 0, "start": use}}

    (block,) = assembled(start, *(delta(0, toolUse={"input": text}) for text in written))

    assert block == {"toolUse": {"toolUseId": "t", "name": "n", "input": read}}


def test_a_stream_without_an_end_is_an_answer_so_far() -> None:
    assert Assembler().document() == {"output": {"message": {"role": "assistant", "content": []}}}


@pytest.mark.parametrize(
    ("event", "size"),
    [
        (delta(0, text="é"), 2),
        (delta(0, text="a\ud800"), 4),
        (delta(0, reasoningContent={"text": "ab", "signature": "cd"}), 4),
        (delta(0, reasoningContent={"redactedContent": b"abc"}), 3),
        (delta(0, toolUse={"input": '{"a"'}), 4),
        ({"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": "abc"}}}}, 5),
        # What has neither says nothing.
        ({"contentBlockStart": {}}, 0),
        ({"messageStop": {"stopReason": "end_turn"}}, 0),
    ],
)
def test_the_size_of_an_event_is_all_that_it_says(event: dict[str, Any], size: int) -> None:
    assert event_size(event) == size


def test_the_size_of_output_is_that_of_its_texts() -> None:
    assert output_size({"a": ["é", {"b": b"xy"}], "c": 5, "d": None, "e": True}) == 4


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (delta(0, text="é"), "é"),
        (delta(0, toolUse={"input": "x"}), ""),
        (delta(0, text=5), ""),
        ({"contentBlockDelta": {}}, ""),
        ({"messageStop": {"stopReason": "end_turn"}}, ""),
    ],
)
def test_the_text_that_an_event_adds(event: dict[str, Any], text: str) -> None:
    assert event_text(event) == text


def test_the_texts_of_an_answer_are_joined_by_spaces() -> None:
    assert joined_text([{"text": "Hel"}, used(), {"text": "lo"}]) == "Hel lo"
    assert joined_text([used()]) == ""


def test_bytes_of_an_answer_are_base64_in_json() -> None:
    blocks = [
        {"text": "a", "size": 1, "citations": ({"raw": b"\x00"}, None)},
        {"reasoningContent": {"redactedContent": [b"\xff\xfe"]}},
    ]

    assert json_blocks(blocks) == [
        {"text": "a", "size": 1, "citations": [{"raw": "AA=="}, None]},
        {"reasoningContent": {"redactedContent": ["//4="]}},
    ]


# --- What can be read ---------------------------------------------------------------------------


def answered(*content: Any, **changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(content)}
    return {"output": {"message": message}, "stopReason": "end_turn", **changes}


def used(**changes: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": "t", "name": "n", "input": {}, **changes}}


def unused(member: str) -> dict[str, Any]:
    use = used()["toolUse"]
    del use[member]
    return {"toolUse": use}


def thought(**text: Any) -> dict[str, Any]:
    return {"reasoningContent": {"reasoningText": text}}


@pytest.mark.parametrize(
    "block",
    [
        {"text": ""},
        used(),
        used(input="cut off"),
        used(input=None),
        thought(text="Hm"),
        thought(text="Hm", signature="s"),
        {"reasoningContent": {"redactedContent": b"\x00"}},
        {"citationsContent": {"content": [{"text": "a"}, {}], "citations": []}},
        {"citationsContent": {}},
        # A kind that is not known here is no fault: who knows it can read it.
        {"SDK_UNKNOWN_MEMBER": {"name": "hologram"}},
        {},
    ],
)
def test_an_answer_that_can_be_read_has_no_fault(block: dict[str, Any]) -> None:
    assert document_fault(answered(block)) is None
    assert document_fault(answered()) is None


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("text", "has a block that is no object"),
        ({"text": 1}, "has no text that can be read"),
        ({"text": None}, "has no text that can be read"),
        ({"toolUse": []}, "has no toolUse that can be read"),
        (used(name=1), "has no toolUse.name that can be read"),
        (used(toolUseId={}), "has no toolUse.toolUseId that can be read"),
        (unused("name"), "has no toolUse.name"),
        (unused("toolUseId"), "has no toolUse.toolUseId"),
        (unused("input"), "has no toolUse.input"),
        ({"reasoningContent": "Hm"}, "has no reasoningContent that can be read"),
        (
            {"reasoningContent": {"redactedContent": "AA=="}},
            "has no reasoningContent.redactedContent that can be read",
        ),
        (
            {"reasoningContent": {"reasoningText": "Hm"}},
            "has no reasoningContent.reasoningText that can be read",
        ),
        (thought(text=1), "has no reasoningContent.reasoningText.text that can be read"),
        (thought(), "has no reasoningContent.reasoningText.text"),
        (
            thought(text="", signature=1),
            "has no reasoningContent.reasoningText.signature that can be read",
        ),
        ({"citationsContent": []}, "has no citationsContent that can be read"),
        (
            {"citationsContent": {"citations": {}}},
            "has no citationsContent.citations that can be read",
        ),
        ({"citationsContent": {"content": "a"}}, "has no citationsContent.content that can be"),
        ({"citationsContent": {"content": ["a"]}}, "has a cited part that cannot be read"),
        ({"citationsContent": {"content": [{"text": 1}]}}, "has a cited part that cannot be"),
    ],
)
def test_what_of_an_answer_cannot_be_read_is_named(block: Any, fault: str) -> None:
    found = document_fault(answered({"text": "a"}, block))

    assert found is not None
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({}, "has no content"),
        ({"output": []}, "has no content"),
        (answered() | {"output": {"message": {"content": {}}}}, "has no content"),
        (answered(stopReason=None), "has no stop reason"),
        (answered(stopReason=["end_turn"]), "has no stop reason"),
    ],
)
def test_an_answer_without_its_parts_has_a_fault(document: dict[str, Any], fault: str) -> None:
    assert document_fault(document) == fault


START = {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "n"}}}


@pytest.mark.parametrize(
    "event",
    [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockStart": START},
        {"contentBlockStart": {"contentBlockIndex": 0, "start": {}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {}},
        {"SDK_UNKNOWN_MEMBER": {"name": "hologram"}},
        delta(0, text=""),
        delta(0, toolUse={"input": ""}),
        delta(0, reasoningContent={"text": "a"}),
        delta(0, reasoningContent={"redactedContent": b""}),
        delta(0, citation={}),
        delta(0),
    ],
)
def test_an_event_that_can_be_read_is_taken(event: dict[str, Any]) -> None:
    assembler = Assembler()

    assert assembler.take(event)
    assert assembler.fault is None


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({}, "has an event of no kind"),
        ({"messageStart": {}, "metadata": {}}, "has an event of no kind"),
        ({"metadata": []}, "has a metadata that is no object"),
        ({"messageStop": {}}, "has no stop reason"),
        ({"messageStop": {"stopReason": 1}}, "has no stop reason"),
        ({"contentBlockStop": {}}, "has a content block without an index"),
        ({"contentBlockStop": {"contentBlockIndex": True}}, "has a content block without an"),
        ({"contentBlockStart": {"contentBlockIndex": 0}}, "has a start that is no object"),
        ({"contentBlockDelta": {"contentBlockIndex": 0}}, "has a delta that is no object"),
        (
            {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"name": "n"}}}},
            "has no toolUse.toolUseId",
        ),
        (delta(0, text=1), "has no text that can be read"),
        (delta(0, toolUse={}), "has no toolUse.input"),
        (delta(0, toolUse={"input": {}}), "has no toolUse.input that can be read"),
        (delta(0, toolUse=1), "has no toolUse that can be read"),
        (delta(0, reasoningContent={"text": 1}), "has no reasoningContent.text that can be"),
        (delta(0, reasoningContent={"signature": 1}), "has no reasoningContent.signature that"),
        (
            delta(0, reasoningContent={"redactedContent": "a"}),
            "has no reasoningContent.redactedContent that can be read",
        ),
        (delta(0, citation=[]), "has no citation that can be read"),
    ],
)
def test_an_event_that_cannot_be_read_is_left_out_and_remembered(
    event: dict[str, Any], fault: str
) -> None:
    assembler = Assembler()
    assembler.take(delta(0, text="a"))

    assert not assembler.take(event)
    assert not assembler.take({})
    assembler.take({"messageStop": {"stopReason": "end_turn"}})
    assembler.take({"metadata": {}})

    # The first one is told; what came besides is all there.
    assert assembler.fault is not None
    assert assembler.fault.startswith(fault)
    assert assembler.document() == answered({"text": "a"})
