"""Finding a family, and what the families have between them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from tollgate.domain.families import claude, cohere, generic, mistral, registry, stability, titan
from tollgate.domain.prices import load_default

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tollgate.domain.families.forms import EmbeddingBody, ImageBody, TextBody
    from tollgate.domain.prices import ModelCard

BOOK = load_default()
CARDS = [card for model in BOOK.model_ids() if (card := BOOK.card(model)) is not None]
# Guardrails have a price in the book, and are no model.
MODELS = [card for card in CARDS if card.mode != "guardrail"]
BODIES: list[TextBody | EmbeddingBody | ImageBody] = [
    *registry.TEXTS,
    *registry.EMBEDDINGS,
    *registry.IMAGES,
]


@pytest.mark.parametrize("card", MODELS, ids=lambda card: card.model_id)
def test_every_model_of_the_price_book_belongs_to_a_named_family(card: ModelCard) -> None:
    family = registry.family_of(card.model_id)

    assert family is not generic.GENERIC
    known: dict[str, Sequence[TextBody | EmbeddingBody | ImageBody]] = {
        "chat": family.texts,
        "embedding": family.embeddings,
        "image_generation": family.images,
    }
    if card.mode != "rerank":
        assert any(card.model_id.startswith(body.models) for body in known[card.mode])


def test_every_family_has_a_model_in_the_price_book() -> None:
    assert {registry.family_of(card.model_id).name for card in MODELS} == {
        family.name for family in registry.FAMILIES
    }


def test_no_model_belongs_to_two_families() -> None:
    for one, other in combinations(registry.FAMILIES, 2):
        assert not any(prefix.startswith(other.models) for prefix in one.models), (one, other)
        assert not any(prefix.startswith(one.models) for prefix in other.models), (one, other)


@pytest.mark.parametrize("model", ["acme.model-v1", "anthropic", ""])
def test_a_model_that_nobody_knows_has_no_text_and_titans_other_bodies(model: str) -> None:
    assert registry.family_of(model) is generic.GENERIC
    assert registry.text_body(model) is None
    assert registry.text_body(model, {"prompt": "Hi"}) is None
    assert registry.embedding_body(model) is generic.EMBEDDINGS
    assert registry.image_body(model) is titan.IMAGES
    assert generic.GENERIC.effort(model, "low") is None


def test_a_family_without_a_body_of_the_kind_gets_the_generic_one() -> None:
    assert registry.embedding_body("amazon.nova-lite-v1:0") is generic.EMBEDDINGS
    assert registry.image_body("cohere.embed-v4:0") is titan.IMAGES
    assert registry.text_body("cohere.embed-v4:0") is None


COMMAND_R, MIXTRAL = "cohere.command-r-v1:0", "mistral.mixtral-8x7b-instruct-v0:1"
CLAUDE_2, CLAUDE_5 = "anthropic.claude-v2:1", "anthropic.claude-opus-5"


@pytest.mark.parametrize("given", [None, {}, {"messages": []}, {"prompt": "Hi"}])
@pytest.mark.parametrize(
    ("model", "form", "of_messages"),
    [
        # The first of its family's forms that is the model's; a body may be of another one only
        # where the model reads both.
        (COMMAND_R, cohere.COMMAND_R, cohere.COMMAND_R),
        ("cohere.command-text-v14", cohere.COMMAND, cohere.COMMAND),
        (MIXTRAL, mistral.PROMPT, mistral.PROMPT),
        ("mistral.mistral-large-3", mistral.MESSAGES, mistral.MESSAGES),
        (CLAUDE_2, claude.COMPLETION, claude.MESSAGES),
        (CLAUDE_5, claude.MESSAGES, claude.MESSAGES),
    ],
)
def test_the_form_of_a_body_is_one_that_its_model_reads(
    model: str, form: TextBody, of_messages: TextBody, given: Mapping[str, object] | None
) -> None:
    has_messages = given is not None and "messages" in given

    assert registry.text_body(model, given) is (of_messages if has_messages else form)


def test_a_familys_own_body_comes_before_the_generic_one() -> None:
    assert registry.embedding_body("cohere.embed-v4:0") is cohere.EMBED_V4
    assert registry.embedding_body("cohere.embed-english-v3") is cohere.EMBED_V3
    assert registry.image_body("stability.stable-diffusion-xl-v1") is stability.XL
    assert registry.image_body("stability.sd3-5-large-v1:0") is stability.IMAGES


@pytest.mark.parametrize(
    ("model", "framing"),
    [
        ("deepseek.v3-v1:0", 32),
        ("deepseek.v4", None),
        ("meta.llama3-1-8b-instruct-v1:0", 96),
        ("openai.gpt-oss-20b-1:0", 128),
        ("openai.gpt-5.4", None),
        ("qwen.qwen2", None),
        ("acme.model-v1", None),
    ],
)
def test_framing_is_known_of_models_whose_template_is_published(
    model: str, framing: int | None
) -> None:
    assert registry.framing_tokens(model) == framing


@pytest.mark.parametrize("body", registry.TEXTS)
def test_what_a_text_body_names_is_among_its_members(body: TextBody) -> None:
    path = ".".join(body.max_tokens.path)
    named = {body.prompt, path, path.rpartition(".")[0] or path, body.system}
    named |= {*body.answers, *body.thinking}

    assert named <= body.members


@pytest.mark.parametrize("body", registry.EMBEDDINGS)
def test_what_an_embedding_body_names_is_among_its_members(body: EmbeddingBody) -> None:
    assert body.texts in body.members
    settings = {} if body.sized is None else body.sized(256)
    (written,) = body.write_texts(["a"], settings)
    assert written.keys() <= body.members
    if body.images:
        image = body.write_image("AA==", {})
        assert image.keys() <= body.members
        assert image.keys() & set(body.images)


@pytest.mark.parametrize("body", registry.IMAGES)
def test_what_an_image_body_names_is_among_its_members(body: ImageBody) -> None:
    assert body.prompt in body.members


@pytest.mark.parametrize("body", BODIES)
def test_a_member_within_an_object_has_the_object_beside_it(
    body: TextBody | EmbeddingBody | ImageBody,
) -> None:
    assert {name.rpartition(".")[0] for name in body.members if "." in name} <= body.members


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (
            registry.MAX_TOKENS,
            "maxTokenCount maxTokens max_completion_tokens max_gen_len max_new_tokens max_tokens "
            "max_tokens_to_sample",
        ),
        (registry.ANSWERS, "best_of candidate_count n numResults num_generations"),
        (registry.THINKING, "reasoning_config thinking"),
        (
            registry.MEDIA,
            "audio document file image image_url images input_audio input_image video video_url",
        ),
        (registry.EMBEDDED_IMAGES, "image image_url images inputImage"),
    ],
)
def test_the_words_that_count_whoever_is_called(words: Collection[str], known: str) -> None:
    # Holds are made of them: one that is lost is output or media that nothing bounds.
    assert sorted(words) == sorted(known.split())


def test_a_shared_setting_is_known_by_every_familys_word() -> None:
    by_setting: dict[str, set[str]] = {}
    for word, setting in registry.SETTINGS.items():
        by_setting.setdefault(setting, set()).add(word)

    assert by_setting == {
        "max_tokens": registry.MAX_TOKENS,
        "temperature": {"temperature"},
        "top_p": {"p", "topP", "top_p"},
        "stop": {"stop", "stopSequences", "stop_sequences"},
    }


def test_what_stands_at_the_top_of_an_answer_is_read_last() -> None:
    lengths = [len(path) for path in registry.ANSWER_TEXTS]

    assert lengths.index(1) == len(lengths) - lengths.count(1)
    assert registry.STOP_PLACES[0] == ()
