"""The events of a Converse stream make the response that Converse would give."""

from __future__ import annotations

from typing import Any

from tollgate.domain.converse import Assembler, event_size, event_text


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


def test_a_tools_input_that_was_cut_off_stays_text() -> None:
    assembler = Assembler()
    assembler.take(delta(0, toolUse={"input": '{"city'}))

    (block,) = assembler.document()["output"]["message"]["content"]
    assert block["toolUse"]["input"] == '{"city'


def test_the_size_of_an_event_is_all_that_it_says() -> None:
    assert event_size(delta(0, text="é")) == 2
    assert event_size(delta(0, reasoningContent={"redactedContent": b"abc"})) == 3
    assert event_size({"messageStop": {"stopReason": "end_turn"}}) == 0
    assert (event_text(delta(0, text="é")), event_text(delta(0, toolUse={"input": "x"}))) == (
        "é",
        "",
    )
