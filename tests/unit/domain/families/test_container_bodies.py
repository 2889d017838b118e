"""What containers of SageMaker endpoints may be asked, and at most."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import container_bodies as bodies

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def chat(*parts: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}], "max_tokens": 9}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"inputs": "Hi"}, None),
        ({"inputs": "Hi", "parameters": {"max_new_tokens": 5}}, 5),
        ({"messages": [], "max_tokens": 1}, 1),
        ({"messages": [], "max_completion_tokens": 1}, 1),
        ({"inputs": "Hi", "parameters": "strange"}, None),
        (["Hi"], None),
    ],
)
def test_the_maximum_that_a_body_names_is_what_it_asks_for(
    body: object, tokens: int | None
) -> None:
    assert bodies.asked(body) == tokens


@pytest.mark.parametrize("first", ["max_tokens", "max_completion_tokens", "max_new_tokens"])
@pytest.mark.parametrize("second", ["max_tokens", "max_completion_tokens", "max_new_tokens"])
def test_one_maximum_only(first: str, second: str) -> None:
    nested = {"inputs": "Hi", first: 5, "parameters": {second: 5}}
    given = [nested] if first == second else [nested, {"messages": [], first: 5, second: 5}]
    for body in given:
        with pytest.raises(InvalidRequestError) as refused:
            bodies.asked(body)
        known = ["max_tokens", "max_completion_tokens", "max_new_tokens"]
        said, again = first, f"parameters.{second}"
        if body is not nested:
            said, again = sorted((first, second), key=known.index)
        assert refused.value.message == f"{again} sets {said} a second time; send one of them"


@pytest.mark.parametrize("value", [0, True, 1.0, "5", None, -1])
@pytest.mark.parametrize("name", ["max_tokens", "n", "best_of", "num_return_sequences"])
def test_a_count_is_a_whole_number(name: str, value: object) -> None:
    for body, path in (
        ({name: value}, name),
        ({"parameters": {name: value}}, f"parameters.{name}"),
    ):
        with pytest.raises(InvalidRequestError) as refused:
            bodies.asked(body)
            bodies.answers(body)
        assert refused.value.message == f"{path} allows a whole number of 1 or more"


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ({"messages": [{}, {}, {}]}, 1),
        ({"messages": [], "n": 3, "best_of": 4}, 12),
        ({"inputs": "Hi", "parameters": {"best_of": 2, "num_return_sequences": 5}}, 10),
        ({"inputs": ["Hi", "Ho"], "parameters": {"n": 2}}, 4),
        ({"prompt": ["a", "b", "c"]}, 3),
        ({"text_inputs": ["a", "b"]}, 2),
        ({"inputs": []}, 1),
        (["Hi"], 1),
    ],
)
def test_every_answer_that_a_body_asks_for_counts(body: object, answers: int) -> None:
    assert bodies.answers(body) == answers


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"messages": []}, {"messages": [], "max_tokens": 3}),
        ({"messages": [], "max_completion_tokens": 9}, {"messages": [], "max_tokens": 3}),
        ({"prompt": "Hi", "max_new_tokens": 9}, {"prompt": "Hi", "max_tokens": 3}),
        ({"text_inputs": "Hi"}, {"text_inputs": "Hi", "max_new_tokens": 3}),
        ({"inputs": "Hi"}, {"inputs": "Hi", "parameters": {"max_new_tokens": 3}}),
        (
            {"inputs": "Hi", "max_tokens": 9, "parameters": {"top_k": 1}},
            {"inputs": "Hi", "parameters": {"top_k": 1, "max_new_tokens": 3}},
        ),
        (
            {"inputs": "Hi", "parameters": {"top_k": 1, "max_tokens": 9}},
            {"inputs": "Hi", "parameters": {"top_k": 1, "max_new_tokens": 3}},
        ),
        (
            {"inputs": "Hi", "max_new_tokens": 9, "parameters": None},
            {"inputs": "Hi", "parameters": {"max_new_tokens": 3}},
        ),
        (["Hi"], ["Hi"]),
        ({"text": "Hi"}, {"text": "Hi"}),
    ],
)
def test_a_maximum_is_sent_once_and_where_the_container_reads_it(
    body: object, sent: object
) -> None:
    assert bodies.with_maximum(body, 3) == sent


QUESTIONS = ("messages", "prompt", "inputs", "text_inputs")


@pytest.mark.parametrize("first", QUESTIONS)
@pytest.mark.parametrize("second", QUESTIONS)
def test_one_question_only(first: str, second: str) -> None:
    body = {first: "Hi", second: "Ho"}
    if first == second:
        form = bodies.form_of(body)
        assert form is not None
        assert form.question == first
        return
    with pytest.raises(InvalidRequestError) as refused:
        bodies.form_of(body)
    said, again = sorted((first, second), key=["messages", "prompt", "inputs", "text_inputs"].index)
    assert refused.value.message == f"{again} asks a second time beside {said}; send one of them"


KNOWN: list[dict[str, Any]] = [
    chat({"type": "text", "text": "Hi"}, IMAGE),
    {**chat(), "tools": [{"anything": 1}], "tool_choice": "auto", "model": "m", "n": 2},
    {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
    {"prompt": ["a", "b"], "max_tokens": 5, "logprobs": 1},
    {"inputs": "Hi", "parameters": {"details": True, "max_new_tokens": 5, "best_of": 2}},
    {"inputs": ["Hi"], "parameters": {}, "stream": True},
    {"text_inputs": ["Hi"], "mode": "embedding", "normalize": True},
]


@pytest.mark.parametrize("body", KNOWN, ids=lambda body: next(iter(body)))
def test_known_members_pass_and_others_are_refused_by_name(body: dict[str, Any]) -> None:
    bodies.check_members(body)

    unknown = [{**body, "surprise": 1}]
    if "parameters" in body:
        unknown.append({**body, "parameters": {**body["parameters"], "surprise": 1}})
    if "messages" in body:
        unknown.append({**body, "messages": [{"role": "user", "surprise": 1}]})
        unknown.append(chat({"type": "text", "text": "a", "surprise": 1}))
        unknown.append(chat({"type": "image_url", "image_url": {"surprise": 1}}))
    for changed in unknown:
        with pytest.raises(InvalidRequestError, match="unknown key 'surprise'.*allowed are"):
            bodies.check_members(changed)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "num_beams",
            "use_beam_search",
            "chat_template",
            "max_length",
            "max_gen_len",
            "documents",
        ),
        *("mm_processor_kwargs", "prompt_logprobs", "echo", "guided_json", "extra_body"),
    ],
)
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_costs_more_than_is_held_is_not_known(question: str, name: str) -> None:
    asked: object = [] if question == "messages" else "Hi"
    for body in ({question: asked, name: 1}, {question: asked, "parameters": {name: 1}}):
        with pytest.raises(InvalidRequestError, match="unknown key"):
            bodies.check_members(body)


@pytest.mark.parametrize(
    "body",
    [["Hi"], {}, {"text": "Hi"}, {"input": "Hi"}, "Hi", None],
)
def test_a_body_without_a_known_question_is_not_bounded(body: object) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bodies.check_members(body)
    assert refused.value.code == "unbounded_request"
    assert refused.value.message == (
        "this endpoint is priced by the token, and a body without messages, prompt, inputs or "
        "text_inputs is not known to be bounded"
    )


MEDIA = (
    "audio, audio_url, file, file_url, image, image_url, images, input_audio, input_image, video, "
    "video_url"
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": "Hi"}, "messages allows a list only"),
        ({"messages": [{"role": "user"}, "Hi"]}, "messages[1] allows an object only"),
        ({"inputs": {"question": "Hi"}}, "inputs allows a text or a list of texts"),
        ({"prompt": ["Hi", 5]}, "prompt allows a text or a list of texts"),
        ({"text_inputs": None}, "text_inputs allows a text or a list of texts"),
        *(
            ({"inputs": "Hi", "parameters": value}, "parameters allows an object only")
            for value in ([5], [], "", 0, False)
        ),
        *(
            (
                chat({"type": "text", "text": "a"}, part),
                "messages[0].content[1] has no type that is known; allowed are text, " + MEDIA,
            )
            for part in ("Hi", {"type": "film"}, {"type": ["text"]}, {"text": "a"})
        ),
    ],
)
def test_what_has_another_form_is_refused(body: object, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bodies.check_members(body)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("body", "place", "allowed"),
    [
        (
            {"messages": [{}, {"role": "user", "b": 1, "a": 1}]},
            "messages[1]",
            "content, name, reasoning_content, refusal, role, tool_call_id, tool_calls",
        ),
        (chat({"type": "text", "a": 1}), "messages[0].content[0]", "text, type"),
        (
            {"inputs": "Hi", "parameters": {"a": 1}},
            "parameters",
            "best_of, decoder_input_details, details, do_sample, frequency_penalty, grammar, "
            "max_completion_tokens, max_new_tokens, max_tokens, min_new_tokens, min_p, min_tokens, "
            "n, num_return_sequences, presence_penalty, repetition_penalty, return_full_text, "
            "seed, stop, stop_sequences, stop_token_ids, temperature, top_k, top_n_tokens, top_p, "
            "truncate, typical_p, watermark",
        ),
        (
            chat({"type": "image_url", "image_url": {"a": 1}}),
            "messages[0].content[0].image_url",
            "data, detail, format, url",
        ),
    ],
)
def test_a_key_that_nobody_knows_is_named_with_its_place(
    body: object, place: str, allowed: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bodies.check_members(body)
    assert refused.value.code == "unknown_field"
    assert refused.value.message == (
        f"{place} has the unknown key 'a', by which an endpoint that is priced by the token may "
        f"cost more; allowed are {allowed}"
    )


def test_no_more_of_a_key_is_told_than_tells_it() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bodies.check_members({"inputs": "Hi", "x" * 65: 1})
    assert refused.value.message.startswith(f"the body has the unknown key '{'x' * 64}', by")
    assert "; allowed are inputs, max_completion_tokens, max_new_tokens, " in refused.value.message


REMOTE = ["https://a/b.png", "HTTP://a", "s3://b/k", "file:///etc/passwd", " ftp://a"]


@pytest.mark.parametrize("url", REMOTE)
def test_nothing_is_fetched_for_a_caller(url: str) -> None:
    for body in (
        chat({"type": "image_url", "image_url": {"url": url}}),
        chat({"type": "image_url", "image_url": url}),
        chat({"type": "video_url", "video_url": {"url": url}}),
        chat({"type": "image", "url": url}),
        {"inputs": {"image": url}},
        {"images": [url]},
    ):
        with pytest.raises(InvalidRequestError, match="by URL; allowed is data:"):
            bodies.has_media(body, reads_markdown=True)
    for text in (
        f"Look: ![a]({url}) well",
        f"![]({url}",
        f"](x) ![[a]({url})",
        f"![ ] ![a]({url})",
    ):
        for body in ({"inputs": text}, {"messages": [{"content": text}]}, {"prompt": [text]}):
            with pytest.raises(InvalidRequestError, match="by URL"):
                bodies.has_media(body, reads_markdown=False)
            assert not bodies.has_media(body, reads_markdown=True)


@pytest.mark.parametrize(
    ("body", "has_media"),
    [
        (
            chat({"type": "text", "text": "See https://a/b.png, [a](https://a) and image_url"}),
            False,
        ),
        (chat(IMAGE), True),
        (chat({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}), True),
        ({"inputs": "![a](data:image/png;base64,AAAA)"}, True),
        ({"inputs": "![a](local.png) !x](https://a)"}, False),
        ({"inputs": "Hi", "image": "AAAA"}, True),
        # What follows a link is no picture of it.
        ({"inputs": "](https://a) ![b"}, False),
        ({"inputs": "![a] b](https://a)"}, False),
        # A type is a word, under a medium too.
        ({"messages": [{"content": [{"type": "image"}]}]}, False),
        ({"image": {"type": "a:b", "data": "AAAA"}}, True),
        *(
            ({"messages": [], name: [{"image_url": "https://a", "x": "![](https://a)"}]}, False)
            for name in ("grammar", "response_format", "tools")
        ),
    ],
)
def test_what_is_more_than_text_is_told(body: object, has_media: bool) -> None:
    assert bodies.has_media(body, reads_markdown=False) is has_media


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"inputs": {"image": [["data:,", "s3://b"]]}}, "inputs.image[0][1]"),
        ({"image": {"source": {"at": "s3://b"}}}, "image.source.at"),
        (chat({"type": "text", "text": "a"}, {"type": "video", "at": ["s3://b"]}), None),
        ({"x" * 65: {"y" * 65: "![](s3://b)"}}, f"{'x' * 64}.{'y' * 64}"),
    ],
)
def test_what_would_be_fetched_is_named_by_its_place(body: object, path: str | None) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bodies.has_media(body, reads_markdown=False)
    assert refused.value.message == (
        f"{path or 'messages[0].content[1].at[0]'} has an image, a sound or a film by URL; allowed "
        "is data:<media type>;base64,<data>, the gateway lets nothing be fetched"
    )


@pytest.mark.parametrize("text", ["![", "](", "![a](", "![[", "]"])
def test_a_long_text_is_read_once(text: str) -> None:
    """A reading that starts over at every mark would take hours for this."""
    long = text * (1_000_000 // len(text))
    assert not bodies.has_media({"inputs": long}, reads_markdown=False)


@pytest.mark.parametrize(
    ("body", "is_embedding"),
    [
        ({"text_inputs": "Hi", "mode": "embedding"}, True),
        ({"text_inputs": "Hi"}, False),
        ({"mode": "embedding"}, False),
        ({"text_inputs": "Hi", "mode": "embedding", "inputs": "Hi"}, False),
        ({"text_inputs": "Hi", "mode": "embedding", "messages": []}, False),
        ({"text_inputs": "Hi", "mode": "embedding", "prompt": ""}, False),
        ("Hi", False),
    ],
)
def test_only_what_generates_nothing_is_an_embedding(body: object, is_embedding: bool) -> None:
    assert bodies.is_embedding(body) is is_embedding


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (
            {"messages": [{"role": "user", "content": "Hi"}]},
            {
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "Hi"},
                ]
            },
        ),
        ({"inputs": "Hi", "a": 1}, {"inputs": "Be kind.\n\nHi", "a": 1}),
        ({"prompt": "Hi"}, {"prompt": "Be kind.\n\nHi"}),
        ({"text_inputs": "Hi"}, {"text_inputs": "Be kind.\n\nHi"}),
        (
            {"text_inputs": ["Hi"], "mode": "embedding"},
            {"text_inputs": ["Hi"], "mode": "embedding"},
        ),
    ],
)
def test_the_tenants_text_is_said_first(body: dict[str, Any], sent: dict[str, Any]) -> None:
    assert bodies.with_preamble(body, "Be kind.") == sent
    assert bodies.with_preamble(body, None) is body


@pytest.mark.parametrize("body", [["Hi"], {"inputs": ["Hi"]}, {"text_inputs": ["Hi"]}, {}])
def test_what_has_no_place_for_it_is_refused(body: object) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bodies.with_preamble(body, "Be kind.")
    assert refused.value.code == "wrong_operation"
    assert refused.value.message == (
        "the request has no place for the tenant's preamble; send inputs as a string or messages"
    )
    assert bodies.with_preamble(body, None) is body
