"""No body of an endpoint that is priced by the token costs more than is held for it.

The SageMaker stub reads bodies by itself: the largest maximum under any name that a server knows,
at any place, every answer, and images at what a model that sees makes of a large one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.local.stubs.errors import ServiceError
from scripts.local.stubs.language import most_tokens
from scripts.local.stubs.sagemaker.containers import IMAGE_TOKENS, container_for
from tests.fakes.world import tenant
from tollgate.domain.endpoints import Endpoint, endpoint_rates
from tollgate.domain.errors import InvalidRequestError
from tollgate.services.endpoint_calls import EndpointCall

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICE = {"per_1m_input": "1", "per_1m_output": "2"}
RATES = endpoint_rates(PRICE)
ENDPOINTS = [
    Endpoint("plain", "llm", PRICE),
    Endpoint("said", "llm", PRICE, max_tokens=150),
    Endpoint("seeing", "llm", PRICE, max_tokens=150, max_input_tokens=4 * IMAGE_TOKENS),
    Endpoint("reading", "llm", PRICE, max_tokens=150, text_only=True),
]

counts = st.integers(1, 60)
members = st.dictionaries(
    st.sampled_from(
        (
            *("max_tokens", "max_new_tokens", "max_completion_tokens", "max_length", "max_gen_len"),
            *("n", "best_of", "num_return_sequences", "num_beams", "details", "temperature"),
            *("chat_template", "stream", "mode", "model", "surprise"),
        )
    ),
    counts | st.sampled_from([True, "embedding", None, 0]),
    max_size=3,
)
texts = st.text("aß½ﷺ", min_size=1, max_size=30) | st.sampled_from(
    ["![a](https://a/b.png)", "![a](data:image/png;base64,AAAA)", "![a](b.png)"]
)
urls = st.sampled_from(["https://a/b.png", "data:image/png;base64,AAAA", "s3://a/b"])
parts = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts})
    | st.fixed_dictionaries(
        {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": urls})}
    ),
    min_size=1,
    max_size=2,
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.just("user"), "content": texts | parts}), max_size=3
)
questions: st.SearchStrategy[Mapping[str, Any]] = st.one_of(
    st.fixed_dictionaries({"inputs": texts | st.lists(texts, max_size=3)}),
    st.fixed_dictionaries({"messages": messages}),
    st.fixed_dictionaries({"text_inputs": texts | st.lists(texts, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"inputs": texts, "messages": messages}),
)
bodies = st.builds(
    lambda asked, beside, nested: {**beside, **({"parameters": nested} if nested else {}), **asked},
    questions,
    members,
    members,
)


@settings(max_examples=600, deadline=None)
@given(body=bodies, endpoint=st.sampled_from(ENDPOINTS))
def test_what_is_held_is_the_most_that_a_container_charges(
    body: dict[str, Any], endpoint: Endpoint
) -> None:
    assert RATES is not None
    assert RATES.input is not None
    assert RATES.output is not None
    try:
        shape = EndpointCall("e", body, "legacy.endpoint").shaped(tenant(), endpoint, 60)
    except InvalidRequestError:
        return
    held = shape.bound(shape.input_tokens, shape.max_tokens, RATES).usd
    try:
        container = container_for(shape.sent(shape.max_tokens), most_tokens)
    except ServiceError:
        # What the container refuses it does not charge.
        return

    pieces, _ = container.generate_most()
    made = container.made(pieces)
    assert container.input_tokens * RATES.input + made * RATES.output <= held
    assert made <= shape.max_tokens * shape.answers
