"""The families' tables, and what writes bodies without them: the stub, the dialects, our tests.

The Bedrock stub was written from the providers' documents and not from the tables. Each model's
prompt becomes a body that the stub reads, and what the stub answers is read back.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.stubs.bedrock.families import registry as stub
from scripts.local.stubs.bedrock.families.forms import Said
from tests.fakes.exchanges import request
from tests.fakes.world import tenant
from tests.integration import test_bedrock_adapter
from tests.integration.local import test_bedrock_native, test_wire_goldens
from tests.unit.domain import test_holds
from tests.unit.domain.test_native import CHAT
from tollgate.dialects.anthropic.request import parse_chat as parse_messages
from tollgate.dialects.legacy.request import Target, parse
from tollgate.dialects.openai.request import parse_chat, parse_embeddings
from tollgate.domain import native
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.forms import ANYTHING
from tollgate.domain.models import resolve_model
from tollgate.domain.prices import TokenUsage, load_default
from tollgate.services.shapes import ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tollgate.services.shapes import Shape

BOOK = load_default()
CARDS = [card for model in BOOK.model_ids() if (card := BOOK.card(model)) is not None]
TEXT_MODELS = [card.model_id for card in CARDS if card.mode == "chat"]
STREAMED = [model for model in TEXT_MODELS if not model.startswith("ai21.j2-")]
# Llama documents no stop, but the first seed system's callers send one: the model refuses it.
UNSTOPPABLE = ("meta.llama",)
# What the service alone counts.
UNCOUNTED = (
    "anthropic.claude-instant",
    "anthropic.claude-v",
    "cohere.command",
    "deepseek.r1",
    "mistral.mistral-7b",
    "mistral.mistral-large-2402",
    "mistral.mistral-small-2402",
    "mistral.mixtral",
)
PIECES = ("Hel", "lo ", "wor", "ld")


def members(model: str, body: Mapping[str, Any]) -> frozenset[str]:
    """The family's table for a body of a model."""
    card = BOOK.card(model)
    mode = "chat" if card is None else card.mode
    if mode == "embedding":
        return registry.embedding_body(model).members
    if mode == "image_generation":
        return registry.image_body(model).members
    known = registry.text_body(model, body)
    assert known is not None, model
    return known.members


def unknown(model: str, body: Mapping[str, Any]) -> set[str]:
    """What a body has that is not in its family's table, also within its objects."""
    known = members(model, body)
    sections = {name for name in known if f"{name}.{ANYTHING}" not in known}
    return set(given(body, sections)) - known


def given(value: object, sections: set[str], section: str = "") -> Iterator[str]:
    """The members of a body by name, as far down as its family's table goes."""
    if isinstance(value, list):
        for item in value:
            yield from given(item, sections, section)
    elif isinstance(value, dict):
        for name, item in value.items():
            member = f"{section}.{name}" if section else name
            yield member
            if member in sections:
                yield from given(item, sections, member)


@pytest.mark.parametrize("model", TEXT_MODELS)
def test_a_models_prompt_is_read_by_the_stub(model: str) -> None:
    settings: dict[str, Any] = {"maxTokens": 9, "temperature": 0.5, "topP": 0.5}
    if not model.startswith(UNSTOPPABLE):
        settings["stop"] = ["END"]
    body = native.prompt_body(model, "Hi there", settings)

    prompt = stub.read_prompt(model, body)

    assert "Hi there" in prompt.text
    assert prompt.max_tokens == 9
    assert prompt.stop_sequences == (("END",) if "stop" in settings else ())
    assert native.text_form(model, body).max_tokens.read(body) == 9
    assert unknown(model, body) == set()
    # Said before it, the tenant's own text reaches the model too.
    said = native.with_preamble(native.text_form(model, body), body, "Be kind.")
    assert unknown(model, said) == set()
    assert "Be kind." in json.dumps(said)
    assert stub.read_prompt(model, said).max_tokens == 9


@pytest.mark.parametrize("model", TEXT_MODELS)
@pytest.mark.parametrize("reason", ["end_turn", "max_tokens", "stop_sequence"])
def test_a_models_answer_is_read_back(model: str, reason: str) -> None:
    said = Said(PIECES, reason, input_tokens=7)
    answer = stub.text_body(model).answer(said)

    assert native.text_of(answer) == said.text
    assert isinstance(native.stop_reason_of(answer), str)
    # Those that count nothing themselves are counted by the service's headers.
    usage = native.usage_in(answer)
    assert usage in (TokenUsage(input=7, output=len(PIECES)), None)
    assert (usage is None) == model.startswith(UNCOUNTED)


@pytest.mark.parametrize("model", STREAMED)
def test_a_models_stream_is_read_back(model: str) -> None:
    said = Said(PIECES, "end_turn", input_tokens=7)
    chunks = list(stub.text_body(model).chunks(said, PIECES))

    assert "".join(map(native.text_of, chunks)) == said.text
    assert [chunk for chunk in chunks if native.stop_reason_of(chunk) is not None]


@pytest.mark.parametrize("model", TEXT_MODELS)
def test_what_the_stub_reads_is_in_the_table(model: str) -> None:
    known = registry.text_body(model)

    assert known is not None
    # A word for the maximum that a family's provider does not document is none of its own.
    unread = registry.MAX_TOKENS - {*known.max_tokens.names}
    assert stub.text_body(model).members - unread <= known.members


def asked(model: str, body: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[Shape]:
    """The calls that ask a model for this, in its own words or as Converse's additional fields."""
    card = BOOK.card(model)
    assert card is not None
    chat = {"messages": CHAT, "additionalModelRequestFields": fields}
    for call in (NativeCall(model, body, "test"), ChatCall(model, chat, None, "test")):
        with contextlib.suppress(InvalidRequestError):
            yield call.shaped(card, tenant())


@pytest.mark.parametrize("model", TEXT_MODELS)
def test_what_the_stub_bills_beyond_one_answer_is_held_or_refused(model: str) -> None:
    known = stub.text_body(model)
    body = native.prompt_body(model, "Hi", {})

    # What merely clears what was said costs less; the edits themselves are tried by their types.
    for name in known.dear - {"context_management"}:
        assert not list(asked(model, {**body, name: {}}, {name: {}})), name
    for path in known.maxima:
        for shape in asked(model, put(body, path, 1), put({}, path, 1)):
            assert (shape.operation, shape.max_tokens) == ("invoke_model", 1), path
    for path in known.answers:
        for shape in asked(model, put(body, path, 3), put({}, path, 3)):
            assert shape.answers == 3, path


def put(body: Mapping[str, Any], path: Sequence[str], value: object) -> dict[str, Any]:
    """A body with a value at a place."""
    first, *rest = path
    return {**body, first: put(body.get(first, {}), rest, value) if rest else value}


def written_by_tests() -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from test_bedrock_native.BODIES.items()
    yield from test_wire_goldens.NATIVE.values()
    yield from test_bedrock_adapter.BODIES
    for model, body, sent in test_holds.NATIVE:
        yield model, body
        yield model, sent


@pytest.mark.parametrize(("model", "body"), list(written_by_tests()))
def test_what_our_tests_write_is_in_the_table(model: str, body: Mapping[str, Any]) -> None:
    assert unknown(resolve_model(model).model_id, body) == set()


@pytest.mark.parametrize(
    "model",
    ["openai.gpt-oss-20b-1:0", "amazon.nova-2-lite-v1:0"]
    + ["anthropic.claude-sonnet-4-6", "anthropic.claude-haiku-4-5-20251001-v1:0"],
)
def test_how_much_to_think_is_in_the_table(model: str) -> None:
    given = {"model": model, "messages": CHAT, "reasoning_effort": "high"}

    fields = parse_chat(request(given)).call.body["additionalModelRequestFields"]
    assert fields
    assert unknown(model, {"messages": [], **fields}) == set()


def test_what_the_messages_dialect_hands_to_claude_is_in_the_table() -> None:
    model = "anthropic.claude-opus-4-5-20251101-v1:0"
    given = {
        "model": model,
        "max_tokens": 5000,
        "messages": CHAT,
        "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "high"},
    }

    call = parse_messages(request(given, headers={"anthropic-beta": "context-1m-2025-08-07"})).call
    fields = call.body["additionalModelRequestFields"]
    assert fields.keys() == {"anthropic_beta", "output_config", "thinking", "top_k"}
    assert unknown(model, {"messages": [], **fields}) == set()


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("amazon.titan-embed-text-v1", {}),
        ("amazon.titan-embed-text-v2:0", {"dimensions": 256}),
        ("cohere.embed-english-v3", {"input_type": "clustering"}),
        ("cohere.embed-v4:0", {"dimensions": 256}),
    ],
)
def test_what_the_openai_dialect_embeds_is_in_the_table(
    model: str, settings: dict[str, Any]
) -> None:
    parsed = parse_embeddings(request({"model": model, "input": ["a", "b"], **settings}))

    for call in parsed.calls:
        assert unknown(model, call.body) == set()
        document, *_ = stub.embed(model, call.body)
        assert native.vectors_of(document)


@pytest.mark.parametrize(
    ("model", "kind", "body"),
    [
        ("amazon.titan-embed-text-v2:0", "embeddings", {"inputs": ["a"]}),
        ("amazon.titan-embed-image-v1", "embeddings-image", {"inputs": "AA=="}),
        ("cohere.embed-english-v3", "embeddings", {"inputs": ["a"]}),
        ("cohere.embed-v4:0", "embeddings-image", {"inputs": "data:image/png;base64,AA=="}),
        ("amazon.nova-canvas-v1:0", "image", {"textToImageParams": {"text": "A boat"}}),
        ("amazon.titan-image-generator-v2:0", "image", {"textToImageParams": {"text": "A boat"}}),
        ("stability.sd3-5-large-v1:0", "image", {"text_prompts": [{"text": "a"}]}),
        (
            "stability.sd3-5-large-v1:0",
            "image",
            {"text_prompts": [{"text": "a"}, {"text": "b", "weight": -1}]},
        ),
        ("stability.stable-diffusion-xl-v1", "image", {"text_prompts": [{"text": "a"}]}),
        (
            "stability.stable-diffusion-xl-v1",
            "image",
            {"text_prompts": [{"text": "a"}], "parameters": {"steps": 51}},
        ),
    ],
)
def test_what_the_legacy_dialect_writes_is_in_the_table(
    model: str, kind: str, body: dict[str, Any]
) -> None:
    asked = parse(request(body, headers={"type": kind}), Target(model, model), {})

    (call,) = asked.calls
    is_image = kind == "image"
    known = registry.image_body(model) if is_image else registry.embedding_body(model)
    assert call.body.keys() <= known.members
    if is_image:
        document, units = stub.draw(model, call.body)
        assert native.image_count(document) == sum(units.values()) == 1
        _, size, quality = registry.image_body(model).asked(call.body)
        assert list(units) == [f"{size}/{quality}"]
    else:
        document, *_ = stub.embed(model, call.body)
        assert native.vectors_of(document)
