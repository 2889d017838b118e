"""Upper bounds of cost."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.world import tenant
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.framing import (
    FRAMING_TOKENS,
    MESSAGE_FRAMING_TOKENS,
    TOOL_FRAMING_TOKENS,
)
from tollgate.domain.holds import (
    Bound,
    applicable_rates,
    chat_bound,
    chat_has_media,
    chat_input_tokens,
    embedding_bound,
    flat_bound,
    guardrail_bound,
    guardrail_units,
    has_media,
    image_units,
    native_input_tokens,
    rerank_searches,
    uncounted_tokens,
    units_usd,
)
from tollgate.domain.native import text_form
from tollgate.domain.prices import LongContext, ModelCard, Rates, TokenUsage, cost
from tollgate.services.shapes import NativeCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.tenants import Tenant

CARD = ModelCard("m.x", "chat", max_input_tokens=8000, max_output_tokens=1000, end_of_life=None)
BARE = ModelCard("m.x", "chat", max_input_tokens=None, max_output_tokens=None, end_of_life=None)
RATES = Rates(input=3, output=10, cache_read=1, cache_write_5m=4, cache_write_1h=6)


def native_call(
    model: str, body: Mapping[str, Any], policy: Tenant, card: ModelCard
) -> SimpleNamespace:
    """What is sent for a native body, and its bound."""
    shape = NativeCall(model, body, "test").shaped(replace(card, model_id=model), policy)
    return SimpleNamespace(
        body=shape.sent(shape.max_tokens),
        max_tokens=shape.max_tokens,
        answers=shape.answers,
        input_tokens=shape.input_tokens,
        bound=lambda rates: shape.bound(shape.input_tokens, shape.max_tokens, rates),
    )


def chat(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


@given(st.lists(st.text(st.characters()), min_size=1, max_size=5))
def test_the_input_bound_is_at_least_every_byte_of_text(texts: list[str]) -> None:
    request = {"messages": [{"role": "user", "content": [{"text": text} for text in texts]}]}

    size = sum(len(text.encode(errors="surrogatepass")) for text in texts)
    assert chat_input_tokens(request, CARD) >= size


def test_the_input_bound_is_the_text_and_its_framing() -> None:
    request: dict[str, Any] = {"messages": [*chat("hi")["messages"]] * 3}
    size = len(json.dumps(request))

    assert chat_input_tokens(request, CARD) == size + FRAMING_TOKENS + 3 * MESSAGE_FRAMING_TOKENS
    request["toolConfig"] = {"tools": [{"toolSpec": {"name": "look"}}]}
    assert chat_input_tokens(request, CARD) == (
        len(json.dumps(request)) + FRAMING_TOKENS + 3 * MESSAGE_FRAMING_TOKENS + TOOL_FRAMING_TOKENS
    )


def test_a_providers_own_tools_bring_their_definitions() -> None:
    plain = {**chat("hi"), "additionalModelRequestFields": {"tools": []}}
    two = {**chat("hi"), "additionalModelRequestFields": {"tools": [{"type": "bash"}] * 2}}

    added = chat_input_tokens(two, CARD) - chat_input_tokens(plain, CARD)
    text = len(json.dumps(two)) - len(json.dumps(plain))
    assert added == text + 2 * TOOL_FRAMING_TOKENS
    strange = {**chat("hi"), "additionalModelRequestFields": {"tools": "x"}}
    assert chat_input_tokens(strange, CARD) == (
        len(json.dumps(strange)) + FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS + 2 * TOOL_FRAMING_TOKENS
    )


@pytest.mark.parametrize("input_tokens", [chat_input_tokens, native_input_tokens])
@pytest.mark.parametrize("listed", [list, tuple])
def test_a_tool_that_reads_on_its_own_is_refused(input_tokens: Any, listed: Any) -> None:
    tools = listed([{"toolSpec": {"name": "look"}}, {"systemTool": {"name": "nova_grounding"}}])

    with pytest.raises(InvalidRequestError) as refused:
        input_tokens({**chat("hi"), "toolConfig": {"tools": tools}}, CARD)
    assert refused.value.code == "unbounded_request"
    assert refused.value.message == (
        "toolConfig has a system tool; what it reads is billed as input and cannot be bounded in "
        "cost, so only tools with a toolSpec are allowed"
    )
    for config in ({"tools": tools[:1]}, {"tools": "systemTool"}, {}, "systemTool"):
        assert input_tokens({**chat("hi"), "toolConfig": config}, CARD) > 0


def test_media_are_bounded_by_the_context_size() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x00"}}}
    request = {"messages": [{"role": "user", "content": [image]}]}

    assert chat_input_tokens(request, CARD) == 8000
    with pytest.raises(InvalidRequestError) as refused:
        chat_input_tokens(request, BARE)
    assert refused.value.message == (
        "m.x does not publish its context size, so images and documents cannot be bounded in cost; "
        "send text only"
    )


def test_media_anywhere_in_the_conversation_count() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x00"}}}
    nested = {"toolResult": {"toolUseId": "t", "content": [image]}}
    guarded = {"guardContent": {"image": {}}}

    for block in (image, nested, {"reasoningContent": {"redactedContent": b"x"}}):
        assert chat_input_tokens({"messages": [{"role": "user", "content": [block]}]}, CARD) == 8000
    assert chat_input_tokens({**chat("hi"), "system": [guarded]}, CARD) == 8000


def test_text_beyond_the_context_is_not_hidden_by_an_image() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x00" * 50_000}}}
    request = {"messages": [{"role": "user", "content": [image, {"text": "x" * 9000}]}]}

    plain = [{"image": {"format": "png", "source": {"bytes": ""}}}, {"text": "x" * 9000}]
    text = json.dumps({"messages": [{"role": "user", "content": plain}]})
    expected = len(text) + FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS
    assert chat_input_tokens(request, CARD) == expected


def test_a_million_context_lifts_the_bound_of_media() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x00"}}}
    request = {
        "messages": [{"role": "user", "content": [image]}],
        "additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"]},
    }

    assert chat_input_tokens(request, CARD) == 1_000_000


def test_words_of_tools_are_text_whatever_they_are_called() -> None:
    content = [
        {"toolUse": {"toolUseId": "t", "name": "open", "input": {"file": "a", "image": "b"}}},
        {"toolResult": {"toolUseId": "t", "content": [{"json": {"document": "c"}}]}},
    ]

    assert not has_media([{"role": "user", "content": content}])
    assert not has_media([{"type": "tool_use", "input": {"video": "d"}}])
    assert not has_media({"toolUseId": "t", "json": {"image": "e"}})
    assert has_media([{"input": {"video": "d"}}])
    assert has_media(({"content": ({"image": {}},)},))
    # What a tool answered in JSON is text wherever it stands; what else it says need not be.
    assert not has_media({"json": {"image": "e"}})
    assert has_media({"toolUseId": "t", "content": [{"input": {}}, {"image": "e"}]})
    for value in (None, 5, "image", [], ["image"], {"name": "image"}):
        assert not has_media(value)
    assert has_media(b"")


@pytest.mark.parametrize("place", ["output_config", "output_format", "response_format", "tools"])
def test_a_schema_among_additional_fields_holds_no_media(place: str) -> None:
    schema = {"properties": {"image": {"type": "string"}}}

    assert not chat_has_media({"additionalModelRequestFields": {place: schema}})
    assert chat_has_media({"additionalModelRequestFields": {"said": schema}})
    assert not chat_has_media({"additionalModelRequestFields": None})
    assert not chat_has_media({})


@pytest.mark.parametrize("kind", [["string", "null"], {"enum": ["a"]}, [], {}, None, 7])
def test_a_type_that_is_no_word_is_no_medium(kind: object) -> None:
    schema = {"properties": {"name": {"type": kind}}}
    body = {"max_tokens": 5, "response_format": {"json_schema": {"schema": schema}}}

    assert not has_media(body)
    assert native_input_tokens(body, BARE) > 0


@pytest.mark.parametrize("tool", [7, 1.5, None, True])
def test_a_tool_that_is_no_object_is_left_to_the_model_service(tool: object) -> None:
    assert chat_input_tokens({**chat("hi"), "toolConfig": {"tools": [tool]}}, CARD) > 0


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "base64", "data": "AA=="}},
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "document", "source": {}},
        {"video": {"format": "mp4"}},
        {"audio": {}},
        {"images": ["AA=="]},
    ],
)
def test_native_media_are_bounded_by_the_context_size(block: dict[str, Any]) -> None:
    body = {"max_tokens": 5, "messages": [{"role": "user", "content": [block]}]}

    assert has_media(block)
    assert native_input_tokens(body, CARD) == 8000
    with pytest.raises(InvalidRequestError, match="context size"):
        native_input_tokens(body, BARE)


def test_a_bound_counts_every_answer_and_every_unit() -> None:
    bound = Bound(10, 20, input_usd=30, output_rate=4, answers=3, other_usd=5)

    assert bound.tokens == 10 + 20 * 3
    assert bound.usd == 30 + 20 * 3 * 4 + 5
    assert bound.fixed_usd == 35
    assert bound.affordable_max_tokens(35 + 12 * 7) == 7
    assert bound.affordable_max_tokens(35 + 12 * 7 - 1) == 6
    assert bound.affordable_max_tokens(34) == 0
    assert bound.fitting_max_tokens(10 + 3 * 7) == 7
    assert bound.fitting_max_tokens(10 + 3 * 7 - 1) == 6
    assert bound.fitting_max_tokens(9) == 0
    assert bound.with_max_tokens(7) == Bound(10, 7, 30, 4, 3, 5)


def test_a_hold_prices_all_input_at_the_dearest_rate() -> None:
    bound = chat_bound(100, 50, RATES)

    assert bound.usd == 100 * 6 + 50 * 10
    assert bound.tokens == 150


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_what_is_called_affordable_fits_and_one_more_does_not(room: int, tokens: int) -> None:
    bound = chat_bound(tokens, 100, RATES)

    affordable = bound.affordable_max_tokens(room)

    if affordable:
        assert chat_bound(tokens, affordable, RATES).usd <= room
    assert chat_bound(tokens, affordable + 1, RATES).usd > room


def test_free_output_is_affordable_when_the_input_is() -> None:
    bound = chat_bound(10, 50, Rates(input=2, output=0))

    assert bound.affordable_max_tokens(20) == 50
    assert bound.affordable_max_tokens(19) == 0


def test_unicode_counts_in_bytes_not_escapes() -> None:
    text = "價" * 100

    assert chat_input_tokens(chat(text), CARD) < len(json.dumps(text))
    assert chat_input_tokens(chat(text), CARD) >= 300


LONG = Rates(
    input=3,
    output=10,
    cache_read=1,
    cache_write_5m=4,
    long_context=LongContext(100, input=6, output=15, cache_read=2, cache_write_5m=8),
)


def test_on_both_sides_of_the_threshold_the_dearer_side_is_held() -> None:
    assert chat_bound(100, 10, LONG).usd == 100 * 4 + 10 * 10
    assert chat_bound(101, 10, LONG).usd == 101 * 8 + 10 * 15


@given(
    st.integers(0, 400),
    st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_no_call_within_its_bound_costs_more(
    slack: int, used: tuple[int, int, int], max_tokens: int, unused: int
) -> None:
    usage = TokenUsage(
        input=used[0],
        cache_read=used[1],
        cache_write_5m=used[2],
        output=max(max_tokens - unused, 0),
    )

    bound = chat_bound(usage.total_input + slack, max_tokens, LONG)

    assert cost(LONG, usage).total <= bound.usd
    assert usage.total_input + usage.output <= bound.tokens


NATIVE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "amazon.titan-text-express-v1",
        {"inputText": "hi", "textGenerationConfig": {"topP": 1}},
        {"inputText": "hi", "textGenerationConfig": {"topP": 1, "maxTokenCount": 700}},
    ),
    ("amazon.nova-lite-v1:0", {}, {"inferenceConfig": {"maxTokens": 700}}),
    (
        "anthropic.claude-sonnet-4-20250514-v1:0",
        {"messages": []},
        {"messages": [], "max_tokens": 700},
    ),
    ("anthropic.claude-v2:1", {"prompt": "hi"}, {"prompt": "hi", "max_tokens_to_sample": 700}),
    ("mistral.mistral-7b-instruct-v0:2", {}, {"max_tokens": 700}),
    ("meta.llama3-70b-instruct-v1:0", {}, {"max_gen_len": 700}),
    ("cohere.command-text-v14", {}, {"max_tokens": 700}),
    ("ai21.j2-ultra-v1", {}, {"maxTokens": 700}),
    ("ai21.jamba-1-5-mini-v1:0", {}, {"max_tokens": 700}),
    ("deepseek.r1-v1:0", {}, {"max_tokens": 700}),
    ("openai.gpt-oss-20b-1:0", {}, {"max_completion_tokens": 700}),
    ("qwen.qwen3-32b-v1:0", {}, {"max_tokens": 700}),
]


@pytest.mark.parametrize(("model", "body", "sent"), NATIVE, ids=[case[0] for case in NATIVE])
def test_a_native_body_always_says_its_maximum(
    model: str, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    before = json.dumps(body)

    call = native_call(model, body, tenant(default_max_tokens=700), CARD)

    assert call.body == sent
    assert (call.max_tokens, call.answers) == (700, 1)
    assert json.dumps(body) == before
    # Said by the body itself, it is read from where it would have been written.
    again = native_call(model, sent, tenant(maximum_max_tokens=700), CARD)
    assert (again.body, again.max_tokens) == (sent, 700)


@pytest.mark.parametrize(("model", "body", "sent"), NATIVE, ids=[case[0] for case in NATIVE])
def test_a_native_body_may_not_ask_for_more_than_allowed(
    model: str, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    del body
    with pytest.raises(InvalidRequestError, match="at most 699, the tenant's maximum"):
        native_call(model, sent, tenant(maximum_max_tokens=699), CARD)


def test_another_spelling_is_kept_and_never_doubled() -> None:
    nova = {"inferenceConfig": {"max_new_tokens": 50, "topP": 1}}
    call = native_call("amazon.nova-lite-v1:0", nova, tenant(), CARD)
    assert (call.body, call.max_tokens) == (nova, 50)

    both = {"max_tokens": 1, "max_completion_tokens": 2}
    for model in ("openai.gpt-oss-20b-1:0", "qwen.qwen3-32b-v1:0"):
        with pytest.raises(InvalidRequestError, match="a second time"):
            native_call(model, both, tenant(), CARD)


@pytest.mark.parametrize("value", [True, "50", 1.5])
def test_a_native_maximum_is_a_whole_number(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="max_gen_len allows a whole number only"):
        native_call("meta.llama3-70b-instruct-v1:0", {"max_gen_len": value}, tenant(), CARD)


def test_a_native_configuration_is_an_object() -> None:
    with pytest.raises(InvalidRequestError, match="textGenerationConfig allows an object only"):
        native_call("amazon.titan-text-express-v1", {"textGenerationConfig": 5}, tenant(), CARD)


def test_a_native_body_of_an_unknown_provider_has_no_bound() -> None:
    with pytest.raises(InvalidRequestError, match="no known field") as refused:
        text_form("acme.model-v1", {})
    assert refused.value.code == "unbounded_request"


@pytest.mark.parametrize("model", ["ai21.j2-mid-v1", "cohere.command-text-v14"])
def test_native_generations_multiply(model: str) -> None:
    name = "numResults" if model.startswith("ai21") else "num_generations"

    call = native_call(model, {name: 4, "prompt": "hi"}, tenant(default_max_tokens=10), CARD)

    assert call.answers == 4
    assert call.bound(RATES).usd == call.input_tokens * 6 + 4 * 10 * 10
    assert call.bound(RATES).tokens == call.input_tokens + 40


@given(st.text(st.characters()), st.integers(0, 4))
def test_the_bytes_of_a_native_body_bound_it(text: str, messages: int) -> None:
    body: Mapping[str, Any] = {"messages": [{"role": "user", "content": text}] * messages}

    bound = native_input_tokens(body, CARD)

    assert bound >= messages * len(text.encode(errors="surrogatepass"))
    assert native_input_tokens({"prompt": text}, CARD) >= len(text.encode(errors="surrogatepass"))


def test_a_native_bound_is_its_bytes_and_its_framing() -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}] * 2, "tools": [{}]}

    assert native_input_tokens(body, CARD) == (
        len(json.dumps(body))
        + FRAMING_TOKENS
        + 2 * MESSAGE_FRAMING_TOKENS
        + 2 * TOOL_FRAMING_TOKENS
    )
    assert native_input_tokens({"prompt": "x"}, CARD) == len('{"prompt": "x"}') + FRAMING_TOKENS
    # A property in a schema may be called image without there being one.
    schema = {"properties": {"image": {"type": ["string", "null"]}}}
    for place in ("tools", "response_format", "output_format", "output_config"):
        assert native_input_tokens({**body, place: [{"schema": schema}]}, BARE) > 0
    assert native_input_tokens({"messages": "strange"}, CARD) == (
        len('{"messages": "strange"}') + FRAMING_TOKENS + MESSAGE_FRAMING_TOKENS
    )


UNITS = Rates(
    input=3,
    output=0,
    units={"image": 70, "image/1024x1024/premium": 90, "search": 2000, "guardrail_topic": 150},
)


def test_embeddings_have_no_output() -> None:
    bound = embedding_bound(["abc", "é"], UNITS, images=2)

    assert bound.input_tokens == bound.tokens == 3 + 2 + 2 * MESSAGE_FRAMING_TOKENS
    assert bound.usd == bound.input_tokens * 3 + 2 * 70
    assert embedding_bound([], Rates(units={"image": 5}), images=3).usd == 15
    assert bound.with_max_tokens(9).usd == bound.usd


def test_images_cost_their_size_and_quality_or_what_all_cost() -> None:
    assert units_usd(image_units(2, "1024x1024", "premium"), UNITS) == 180
    assert units_usd(image_units(2, "512x512", "standard"), UNITS) == 140
    sized = Rates(units={"image/1024x1024/premium": 90})
    with pytest.raises(InvalidRequestError) as refused:
        units_usd(image_units(1, "512x512", "standard"), sized)
    assert refused.value.message == (
        "image/512x512/standard has no price, so the cost of this call cannot be bounded"
    )
    assert refused.value.code == "unbounded_request"
    assert refused.value.details == {"priced": ["image/1024x1024/premium"]}


def test_nothing_of_a_unit_without_a_price_costs_nothing() -> None:
    assert units_usd({"search": 0}, Rates()) == 0
    assert units_usd({"search": 2, "image": 1}, UNITS) == 4070
    assert units_usd({"machine": 0, "image": 1}, UNITS) == 70


def test_a_flat_call_is_its_price() -> None:
    bound = flat_bound(77)

    assert (bound.usd, bound.tokens) == (77, 0)


@pytest.mark.parametrize(
    ("query", "documents", "searches"),
    [
        ("q", [], 1),
        ("q", ["d"] * 100, 1),
        ("q", ["d"] * 101, 2),
        ("q", [""] * 101, 2),
        ("q" * 12, ["d" * 500] * 100, 1),
        ("q" * 12, ["d" * 501] * 51, 2),
        ("q" * 600, ["d" * 101], 2),
    ],
)
def test_searches_count_chunks(query: str, documents: list[str], searches: int) -> None:
    assert rerank_searches(query, documents) == searches


@given(st.text(max_size=600), st.lists(st.text(max_size=300), max_size=30))
def test_searches_cover_the_chunks_of_any_tokenizer(query: str, documents: list[str]) -> None:
    searches = rerank_searches(query, documents)

    # A tokenizer that makes one token of each character.
    room = 512 - len(query)
    if room > 0:
        chunks = sum(max(-(-len(text) // room), 1) for text in documents)
        assert searches * 100 >= chunks
    assert searches * 100 >= len(documents)


@pytest.mark.parametrize(
    ("texts", "units"),
    [([], 0), ([""], 0), (["x"], 1), (["x" * 1000], 1), (["x" * 1001], 2), (["x", "y"], 2)],
)
def test_guardrail_units_are_rounded_up_for_each_text(texts: list[str], units: int) -> None:
    assert guardrail_units(texts) == units
    assert isinstance(guardrail_units(texts), int)


def test_guardrail_characters_are_counted_the_long_way() -> None:
    assert guardrail_units(["\U0001f600" * 501]) == 2
    assert guardrail_units(["\ud800"]) == 1


def test_a_guardrail_checks_what_goes_in_and_what_comes_out() -> None:
    prices = Rates(
        units={"guardrail_topic": 1500, "guardrail_word": 500, "guardrail_topic_free": 7}
    )
    body = {"messages": ["x" * 1500, {"image": {"source": "y"}}]}
    bound = Bound(input_tokens=5, max_tokens=10, input_usd=100, output_rate=3, answers=2)

    guarded = guardrail_bound(bound, body, prices)

    # Two units of text and two strings of an image, the image itself, and one for each answer.
    assert guarded.other_usd == (2 + 1 + 1 + 2) * 2000
    # A token of an answer is at most 128 characters of a unit of a thousand.
    assert guarded.output_rate == 3 + 256
    assert (guarded.input_usd, guarded.max_tokens) == (100, 10)


@pytest.mark.parametrize(
    ("body", "units"),
    [
        ({}, 0),
        ({"a": 5, "b": None, "c": "", "d": b"x"}, 0),
        ({"a": "x", "b": ["y", ("z", {"c": "w"})]}, 4),
        # An image is a unit, and so is each text in it.
        ({"a": [{"image": {"format": "png"}}, ({"document": {}}, {"b": {"video": ""}})]}, 3 + 1),
        ({"image": {"image": {}}}, 1),
    ],
)
def test_each_text_and_each_medium_is_a_guardrails_unit(body: dict[str, Any], units: int) -> None:
    bound = Bound(input_tokens=5, max_tokens=10, input_usd=100, output_rate=3, other_usd=7)

    guarded = guardrail_bound(bound, body, Rates(units={"guardrail_word": 1000, "image": 9}))

    # The answer is one more, and what the call costs besides stays.
    assert guarded.other_usd == 7 + (units + 1) * 1000
    assert guarded.output_rate == 3 + 128
    assert guardrail_bound(bound, body, Rates(units={"image": 9})) == bound


@given(st.lists(st.text(max_size=3000), max_size=5))
def test_guardrail_units_are_never_fewer_than_those_of_the_whole(texts: list[str]) -> None:
    assert guardrail_units(texts) >= -(-sum(map(len, texts)) // 1000)


CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
CACHED = Rates(
    input=3,
    output=15,
    cache_read=1,
    cache_write_5m=4,
    cache_write_1h=6,
    input_limit=9,
    long_context=LongContext(9, 6, 30, 2, 8, 12),
)


def marked(mark: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": "hi"}, {"cachePoint": mark}]}]}


@pytest.mark.parametrize(
    ("request_", "dearest"),
    [
        (chat("hi"), (3, 6)),
        (marked({"type": "default"}), (4, 8)),
        (marked({"type": "default", "ttl": "5m"}), (4, 8)),
        (marked({"type": "default", "ttl": "1h"}), (6, 12)),
        ({"system": [{"cachePoint": {}}], "toolConfig": {"tools": [{"cachePoint": {}}]}}, (4, 8)),
        ({"additionalModelRequestFields": {"tools": [{"cache_control": {"ttl": "1h"}}]}}, (6, 12)),
        (marked({}) | {"system": [{"cachePoint": {"ttl": "1h"}}]}, (6, 12)),
        (marked({}) | {"system": [{"cachePoint": "strange"}]}, (4, 8)),
    ],
)
def test_cache_writes_are_held_where_a_request_marks_them(
    request_: dict[str, Any], dearest: tuple[int, int]
) -> None:
    rates = applicable_rates(CACHED, CLAUDE, request_)

    assert chat_bound(1, 0, rates).usd == dearest[0]
    assert chat_bound(10, 0, rates).usd == 10 * dearest[1]
    assert (rates.output, rates.cache_read, rates.input_limit) == (15, 1, 9)
    assert rates.long_context is not None
    assert rates.long_context.threshold == 9


def test_providers_that_cache_of_their_own_accord_keep_all_rates() -> None:
    assert applicable_rates(CACHED, "openai.gpt-5.6-sol", chat("hi")) is CACHED
    assert applicable_rates(RATES, CLAUDE, chat("hi")).long_context is None


def test_the_form_of_an_answer_is_input_that_is_not_counted() -> None:
    form = {"textFormat": {"structure": {"jsonSchema": {"schema": "é" * 500}}}}
    size = len(json.dumps(form, ensure_ascii=False).encode())

    assert uncounted_tokens({**chat("hi"), "outputConfig": form}) == size + TOOL_FRAMING_TOKENS
    assert uncounted_tokens(chat("hi")) == 0
    added = chat_input_tokens({**chat("hi"), "outputConfig": form}, CARD)
    added -= chat_input_tokens(chat("hi"), CARD)
    assert added == len(', "outputConfig": ') + size + TOOL_FRAMING_TOKENS


@pytest.mark.parametrize(
    "told",
    [
        {"documents": [{"title": "t"}]},
        {"output_config": {"format": {"type": "json_schema"}}},
        {"output_format": {"type": "json_schema"}},
        {"prompt_mode": "reasoning"},
        {"response_format": {"type": "json_object"}},
        {"safe_prompt": True},
    ],
)
def test_what_a_provider_tells_the_model_is_input(told: dict[str, Any]) -> None:
    plain = {"messages": [], "max_tokens": 9}

    added = native_input_tokens({**plain, **told}, CARD) - native_input_tokens(plain, CARD)
    assert added == len(json.dumps(told)) - 2 + len(", ") + TOOL_FRAMING_TOKENS
    effort = {"output_config": {"effort": "high"}}
    added = native_input_tokens({**plain, **effort}, CARD) - native_input_tokens(plain, CARD)
    assert added == len(json.dumps(effort)) - 2 + len(", ")


def test_a_tool_that_a_result_refers_to_is_told_of_once_more() -> None:
    tools = [{"name": "a"}, {"name": "look", "input_schema": {"x": "y" * 1000}}]
    found = {"type": "tool_reference", "tool_name": "look"}
    result = {"type": "tool_result", "content": [found, {"type": "text", "text": "x"}, found]}
    body = {"messages": [{"role": "user", "content": [result]}], "tools": tools}
    unfound = json.loads(json.dumps(body).replace("tool_reference", "tool_referenze"))

    added = native_input_tokens(body, CARD) - native_input_tokens(unfound, CARD)
    assert added == 2 * (len(json.dumps(tools[1])) + TOOL_FRAMING_TOKENS)
    assert native_input_tokens({"messages": body["messages"]}, CARD) > 0


def test_a_native_tool_configuration_brings_its_instructions() -> None:
    body = {"toolConfig": {"tools": [{"toolSpec": {"name": "look"}}]}}

    expected = len(json.dumps(body)) + FRAMING_TOKENS + TOOL_FRAMING_TOKENS
    assert native_input_tokens(body, CARD) == expected


def test_native_text_counts_in_bytes_not_escapes() -> None:
    empty = native_input_tokens({"prompt": ""}, CARD)

    assert native_input_tokens({"prompt": "價" * 100}, CARD) == empty + 300


def test_a_native_call_with_media_is_bounded_by_the_context_size() -> None:
    body = {"images": ["AA=="], "prompt": "what is this?"}

    call = native_call("meta.llama3-2-11b-instruct-v1:0", body, tenant(), CARD)

    assert call.input_tokens == 8000


def test_text_and_its_framing_beside_media_count_where_they_exceed_the_context() -> None:
    image = {"image": {"source": {"bytes": b"x"}}}
    blank: list[dict[str, Any]] = [{"image": {"source": {"bytes": ""}}}, {"text": ""}]
    size = len(json.dumps({"messages": [{"role": "user", "content": blank}]}))
    # The text alone is shorter than the context, with its framing it is longer by one.
    text = "x" * (8001 - size - FRAMING_TOKENS - MESSAGE_FRAMING_TOKENS)

    request = {"messages": [{"role": "user", "content": [image, {"text": text}]}]}
    assert chat_input_tokens(request, CARD) == 8001


def test_an_embedding_has_no_images_unless_told_and_knows_long_context() -> None:
    bound = embedding_bound(["x" * 200], LONG)

    assert bound.usd == (200 + MESSAGE_FRAMING_TOKENS) * 8
    assert (bound.other_usd, flat_bound(5).with_max_tokens(9).usd) == (0, 5)
