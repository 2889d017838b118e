"""What the first seed system's requests ask of a model."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import exchanges
from tests.fakes.exchanges import answer
from tests.fakes.world import NOVA_LITE
from tollgate.dialects.legacy import request as legacy
from tollgate.domain.errors import InvalidRequestError
from tollgate.services.shapes import Call, ChatCall, NativeCall

if TYPE_CHECKING:
    from tollgate.entry.http import Request

CHAT = {"messages_api": "true"}
EMBED = {"type": "embeddings"}
EMBED_IMAGE = {"type": "embeddings-image"}
IMAGE = {"type": "image"}
STREAM = {"streaming": "true"}
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
NOVA = legacy.Target(NOVA_LITE, NOVA_LITE)
TITAN = legacy.Target("amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0")
COHERE = legacy.Target("cohere.embed-english-v3", "cohere.embed-english-v3")
CANVAS = legacy.Target("amazon.nova-canvas-v1:0", "amazon.nova-canvas-v1:0")
ENDPOINT = legacy.Target("my model", None)
PNG = b"\x89PNG\r\n"
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


def request(
    body: object = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> Request:
    return exchanges.request(
        body if body is not None else {"inputs": "hello"},
        headers={"team_id": "acme", **(headers or {})},
        query={"model_id": NOVA_LITE} if query is None else query,
    )


def ask(
    body: object, headers: dict[str, str] | None = None, target: legacy.Target = NOVA
) -> legacy.Ask:
    return legacy.parse(request(body, headers), target, {"team": "search"})


def parse(
    body: object, headers: dict[str, str] | None = None, target: legacy.Target = NOVA
) -> Call:
    (call,) = ask(body, headers, target).calls
    assert (call.model, call.tags) == (target.name, {"team": "search"})
    return call


def chat(body: object) -> ChatCall:
    call = parse(body, CHAT)
    assert isinstance(call, ChatCall)
    return call


def body_of(call: Call) -> Any:  # noqa: ANN401
    return call.body


def test_a_team_must_be_named() -> None:
    assert legacy.team_of(request(headers={"team_id": " acme "})) == "acme"
    with pytest.raises(InvalidRequestError, match=r"Missing required request parameters: \[team"):
        legacy.team_of(request(headers={"team_id": " "}))


def test_a_model_is_named_by_id_or_arn() -> None:
    assert legacy.named_model(request(query={"model_id": "m"})) == ("m", None)
    assert legacy.named_model(request(query={"model_arn": "a"})) == (None, "a")
    assert legacy.named_model(request(query={"model_id": "m", "model_arn": "a"})) == ("m", "a")
    for query in ({}, {"model_id": "", "model_arn": ""}):
        with pytest.raises(InvalidRequestError, match="model_id is missing"):
            legacy.named_model(request(query=query))


# --- Chat -------------------------------------------------------------------------------------


def test_a_chat_becomes_a_converse_request() -> None:
    call = chat(
        {
            "inputs": HELLO,
            "parameters": {
                "maxTokens": 50,
                "temperature": 0.1,
                "topP": 1,
                "stopSequences": ["END"],
                "system": "Be brief.",
            },
            "tool_config": {"tools": []},
            "additional_model_fields": {"top_k": 5},
        }
    )

    assert call == ChatCall(
        model=NOVA_LITE,
        body={
            "messages": HELLO,
            "system": [{"text": "Be brief."}],
            "toolConfig": {"tools": []},
            "additionalModelRequestFields": {"top_k": 5},
            "inferenceConfig": {"temperature": 0.1, "topP": 1, "stopSequences": ["END"]},
        },
        max_tokens=50,
        dialect="legacy.chat",
        tags={"team": "search"},
    )


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_the_chat_header_may_be_capitalised(value: str) -> None:
    assert parse({"inputs": HELLO}, {"messages_api": value}).dialect == legacy.CHAT


def test_a_chat_with_tools_may_be_streamed() -> None:
    call = parse({"inputs": HELLO, "tool_config": {"tools": []}}, {**CHAT, **STREAM})

    assert body_of(call)["toolConfig"] == {"tools": []}


def test_media_arrive_as_bytes_also_inside_tool_results() -> None:
    encoded = base64.b64encode(PNG).decode()
    image = {"image": {"format": "png", "source": {"bytes": encoded}}}
    result = {"toolResult": {"toolUseId": "t", "content": [image, {"text": "x"}]}}
    hidden = {"reasoningContent": {"redactedContent": encoded}}

    call = chat({"inputs": [{"role": "user", "content": [image, result, hidden]}]})

    first, second, third = call.body["messages"][0]["content"]
    assert first["image"]["source"] == {"bytes": PNG}
    assert second["toolResult"]["content"][0]["image"]["source"] == {"bytes": PNG}
    assert third == {"reasoningContent": {"redactedContent": PNG}}


def test_every_block_beside_a_tool_use_comes_back_as_it_can_be_sent_again() -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "n", "input": {}}}
    thought = {"reasoningContent": {"redactedContent": PNG}}

    answered = answer({"output": {"message": {"content": [thought, {"text": "look"}, use]}}})
    (body,) = ask({"inputs": HELLO}, CHAT).body([answered])

    assert body["generated_text"][1:] == [{"text": "look"}, use]
    again = [*HELLO, {"role": "assistant", "content": body["generated_text"]}]
    assert chat({"inputs": again}).body["messages"][1]["content"] == [
        thought,
        {"text": "look"},
        use,
    ]


# --- Prompts ----------------------------------------------------------------------------------

PROMPTS = {
    "amazon.titan-text-express-v1": {
        "inputText": "hi",
        "textGenerationConfig": {"maxTokenCount": 9},
    },
    "amazon.nova-lite-v1:0": {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"maxTokens": 9},
    },
    "anthropic.claude-sonnet-4-6": {
        "anthropic_version": "bedrock-2023-05-31",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
    },
    "anthropic.claude-v2:1": {
        "prompt": "\n\nHuman: hi\n\nAssistant:",
        "max_tokens_to_sample": 9,
    },
    "mistral.mistral-7b-instruct-v0:2": {"prompt": "hi", "max_tokens": 9},
    "meta.llama3-3-70b-instruct-v1:0": {"prompt": "hi", "max_gen_len": 9},
    "cohere.command-r-v1:0": {"message": "hi", "max_tokens": 9},
    "cohere.command-text-v14": {"prompt": "hi", "max_tokens": 9},
    "ai21.jamba-1-5-mini-v1:0": {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
    },
    "ai21.j2-mid-v1": {"prompt": "hi", "maxTokens": 9},
    "deepseek.r1-v1:0": {"prompt": "hi", "max_tokens": 9},
}


@pytest.mark.parametrize("model_id", PROMPTS)
@pytest.mark.parametrize("name", ["maxTokens", "max_tokens", "maxTokenCount"])
def test_a_prompt_becomes_the_body_of_its_models_family(model_id: str, name: str) -> None:
    body = {"inputs": "hi", "parameters": {name: 9}}
    call = parse(body, target=legacy.Target(f"us.{model_id}", model_id))

    assert call == NativeCall(
        f"us.{model_id}", PROMPTS[model_id], "legacy.prompt", "text", tags={"team": "search"}
    )


# --- Embeddings -------------------------------------------------------------------------------


def test_a_text_is_embedded_under_the_familys_names() -> None:
    titan = parse({"inputs": "hi", "parameters": {"dimensions": 256}}, EMBED, TITAN)
    cohere = parse({"inputs": "hi"}, {"type": "Embeddings"}, COHERE)
    query = parse({"inputs": "hi", "parameters": {"input_type": "search_query"}}, EMBED, COHERE)

    assert isinstance(titan, NativeCall)
    assert (titan.dialect, titan.kind) == ("legacy.embeddings", "embeddings")
    assert titan.body == {"inputText": "hi", "dimensions": 256}
    assert body_of(cohere) == {"texts": ["hi"], "input_type": "search_document"}
    assert body_of(query)["input_type"] == "search_query"


def test_a_list_of_texts_is_one_call_where_the_model_takes_lists() -> None:
    asked = ask({"inputs": ["a", "b"]}, EMBED, COHERE)

    (call,) = asked.calls
    assert body_of(call)["texts"] == ["a", "b"]
    (body,) = asked.body([answer({"embeddings": [[1.0], [2.0]]})])
    assert body == {"embedding": [1.0], "embeddings": [[1.0], [2.0]], "usage": USAGE}


def test_a_list_of_texts_is_a_call_each_where_the_model_takes_one() -> None:
    asked = ask({"inputs": ["a", "b"], "parameters": {"normalize": True}}, EMBED, TITAN)

    assert [body_of(call) for call in asked.calls] == [
        {"inputText": "a", "normalize": True},
        {"inputText": "b", "normalize": True},
    ]
    (body,) = asked.body([answer({"embedding": [1.0]}), answer({"embedding": [2.0]})])
    assert body["embeddings"] == [[1.0], [2.0]]
    assert body["usage"] == {"inputTokens": 6, "outputTokens": 4, "totalTokens": 10}


def test_an_image_is_embedded() -> None:
    image = base64.b64encode(PNG).decode()
    parameters = {"embeddingConfig": {"outputEmbeddingLength": 256}}
    titan = parse({"inputs": image, "parameters": parameters}, EMBED_IMAGE, TITAN)
    cohere = parse({"inputs": image}, EMBED_IMAGE, COHERE)
    as_url = parse({"inputs": "data:image/png;base64,AA=="}, EMBED_IMAGE, COHERE)

    assert body_of(titan) == {"inputImage": image, **parameters}
    assert body_of(cohere) == {
        "images": [f"data:image/png;base64,{image}"],
        "input_type": "image",
    }
    assert body_of(as_url)["images"] == ["data:image/png;base64,AA=="]


# --- Images -----------------------------------------------------------------------------------


def test_amazons_images_take_their_own_parameters() -> None:
    settings = {"numberOfImages": 2, "quality": "premium"}
    call = parse(
        {
            "textToImageParams": {"text": "a harbour"},
            "parameters": {"imageGenerationConfig": settings},
        },
        IMAGE,
        CANVAS,
    )

    assert isinstance(call, NativeCall)
    assert (call.dialect, call.kind) == ("legacy.images", "images")
    assert call.body == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a harbour"},
        "imageGenerationConfig": settings,
    }
    given = ask({"textToImageParams": {"text": "x"}}, IMAGE, CANVAS)
    assert given.body([answer({"images": ["a", "b"], "error": None})]) == [{"images": ["a", "b"]}]


def test_stabilitys_first_models_get_weighted_prompts_and_defaults() -> None:
    model = "stability.stable-diffusion-xl-v1"
    prompts = [{"text": "a harbour", "weight": 1}]
    body = {"text_prompts": prompts, "parameters": {"width": 1024}}
    asked = ask(body, IMAGE, legacy.Target(model, model))

    assert body_of(asked.calls[0]) == {
        "height": 512,
        "width": 1024,
        "steps": 50,
        "text_prompts": prompts,
    }
    artifacts = [{"base64": "x", "finishReason": "SUCCESS", "seed": 0}]
    assert asked.body([answer({"result": "success", "artifacts": artifacts})]) == [
        {"artifacts": artifacts}
    ]


def test_stabilitys_later_models_get_a_prompt_and_answer_in_the_same_shape() -> None:
    model = "stability.sd3-5-large-v1:0"
    prompts = [{"text": "a harbour"}, {"text": "fog", "weight": -1}, {"text": "dawn"}]
    body = {"text_prompts": prompts, "parameters": {"aspect_ratio": "1:1"}}
    asked = ask(body, IMAGE, legacy.Target(f"us.{model}", model))

    assert body_of(asked.calls[0]) == {
        "aspect_ratio": "1:1",
        "prompt": "a harbour, dawn",
        "negative_prompt": "fog",
    }
    document = {"images": ["x"], "seeds": [7], "finish_reasons": [None]}
    assert asked.body([answer(document)]) == [
        {"artifacts": [{"base64": "x", "seed": 7, "finishReason": "SUCCESS"}]}
    ]


# --- What is wrong ----------------------------------------------------------------------------

IMAGE_FROM_BUCKET = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://x/y"}}}}


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        ([], {}, "the body is an array; allowed is a JSON object"),
        ({"input": "x"}, {}, "unknown key 'input'; allowed are additional_model_fields, inputs"),
        ({}, {}, "inputs is null; allowed without the header messages_api is a prompt"),
        ({"inputs": ""}, {}, "inputs is empty"),
        ({"inputs": HELLO}, {}, "inputs is an array; allowed without the header messages_api"),
        ({"inputs": "x"}, CHAT, "inputs with messages_api is a string; allowed is a filled"),
        ({"inputs": []}, CHAT, "inputs with messages_api is an array"),
        ({"inputs": ["x"]}, CHAT, r"inputs\[0\] is a string"),
        ({"inputs": [{"role": "bot", "content": []}]}, CHAT, r"inputs\[0\].role is 'bot'"),
        ({"inputs": [{"role": "user", "content": "x"}]}, CHAT, r"content is a string"),
        ({"inputs": [{"role": "user", "content": ["x"]}]}, CHAT, r"content\[0\] allows an object"),
        (
            {"inputs": [{"role": "user", "content": [IMAGE_FROM_BUCKET]}]},
            CHAT,
            r"image.source has the unknown key .s3Location.; allowed are bytes",
        ),
        (
            {"inputs": [{"role": "user", "content": [{"image": {"source": {"bytes": "%"}}}]}]},
            CHAT,
            "is not base64",
        ),
        ({"inputs": HELLO, "parameters": {"max_tokens": 5}}, CHAT, "unknown key 'max_tokens'"),
        ({"inputs": HELLO, "parameters": []}, CHAT, "parameters is an array"),
        ({"inputs": HELLO, "parameters": {"system": 5}}, CHAT, "parameters.system is a number"),
        ({"inputs": HELLO, "parameters": {"maxTokens": "9"}}, CHAT, "maxTokens is a string"),
        ({"inputs": HELLO, "parameters": {"maxTokens": True}}, CHAT, "maxTokens is a boolean"),
        ({"inputs": HELLO, "parameters": {"temperature": "hot"}}, CHAT, "temperature is a string"),
        ({"inputs": HELLO, "parameters": {"stopSequences": "END"}}, CHAT, "stopSequences is a"),
        (
            {"inputs": "x", "parameters": {"max_tokens": 1, "maxTokens": 2}},
            {},
            "sets maxTokens a second time",
        ),
        ({"inputs": "x", "tool_config": {}}, {}, "tool_config needs the header messages_api"),
        ({"inputs": "x"}, {"type": "audio"}, "the header type is 'audio'; allowed is text, emb"),
        ({"inputs": "x"}, {"streaming": "yes"}, "the header streaming is 'yes'; allowed is"),
        ({"inputs": "x"}, {**EMBED, **STREAM}, "streaming is for texts; type is 'embeddings'"),
        ({"inputs": {}}, EMBED, "inputs is an object; allowed is a text or a list"),
        ({"inputs": []}, EMBED, "inputs is empty"),
        ({"inputs": ["x", 5]}, EMBED, r"inputs\[1\] is a number"),
        ({"inputs": ["x", " "]}, EMBED, r"inputs\[1\] is empty"),
        ({"inputs": ["x"] * 97}, EMBED, "inputs has 97 texts; allowed are 1 to 96"),
        ({"inputs": "x", "tool_config": {}}, EMBED, "unknown key 'tool_config'"),
        ({"inputs": ["x"]}, EMBED_IMAGE, "inputs is an array; allowed is a string"),
        ({"inputs": "%"}, EMBED_IMAGE, "inputs is not base64"),
        ({"textToImageParams": "x"}, IMAGE, "textToImageParams is a string"),
        ({"inputs": "x"}, IMAGE, "unknown key 'inputs'; allowed are parameters, textToImage"),
    ],
)
def test_bad_input_is_named(body: object, headers: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        ask(body, headers)


@pytest.mark.parametrize(
    ("target", "body", "headers", "message"),
    [
        (COHERE, {"inputs": "AAAA"}, EMBED_IMAGE, "of an unknown type; allowed are gif, jpeg"),
        (ENDPOINT, {"inputs": HELLO}, {}, "inputs is an array; allowed is a prompt or an object"),
        (ENDPOINT, {"inputs": "x"}, CHAT, "inputs is a string; allowed is an array"),
        (ENDPOINT, {"inputs": {"inputs": "x"}}, EMBED, "an object with text_inputs"),
        (ENDPOINT, {"inputs": "x"}, IMAGE, "the header type is 'image'; allowed is text, emb"),
        (ENDPOINT, {"inputs": "x", "tool_config": {}}, {}, "unknown key 'tool_config'"),
        (
            ENDPOINT,
            {"inputs": "x", "parameters": {"InferenceComponentName": 5}},
            {},
            "parameters.InferenceComponentName is a number",
        ),
        (
            legacy.Target("stability.sd3-5-large-v1:0", "stability.sd3-5-large-v1:0"),
            {"text_prompts": [{"text": "x", "weight": "much"}]},
            IMAGE,
            r"text_prompts\[0\].weight is a string",
        ),
        (
            legacy.Target("stability.sd3-5-large-v1:0", "stability.sd3-5-large-v1:0"),
            {},
            IMAGE,
            "text_prompts is null",
        ),
        (legacy.Target("x.y", "x.y"), {"inputs": "x"}, {}, "no known form for a plain prompt"),
    ],
)
def test_bad_input_for_a_model_is_named(
    target: legacy.Target, body: object, headers: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        ask(body, headers, target)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"nope", b"[" * 100_000])
def test_a_body_that_is_no_json_is_named_without_quoting_it(text: bytes) -> None:
    broken = request(text)

    with pytest.raises(InvalidRequestError, match="not valid JSON"):
        legacy.parse(broken, NOVA, {})
