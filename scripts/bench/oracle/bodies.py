"""Makes requests: right ones of every route and family, and what a clever or careless caller does.

Member names of all families are put anywhere, at the top and in sections, with values that mean
something there or elsewhere, or are odd; content blocks of all APIs are put among each other. The
request of a number is the same every time for one seed.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scripts.bench.oracle import vocabulary
from scripts.bench.oracle.gateway import (
    ENDPOINTS,
    PROFILE_ARN,
    TENANTS,
    UNPRICED,
    UNPRICED_TENANTS,
    Asked,
)
from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.sagemaker.containers import ANSWERS, MAXIMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.catalogue import Catalogue

_MODEL = "POST /model/{modelId}"
_LEGACY = "POST /invoke_model"
# How often a request has so many changes.
_CHANGES = (0, 1, 1, 1, 1, 2, 2, 2, 3, 5)
# The share of them that a right request may have.
_FITTING = 0.65
# The share that belongs together.
_TOGETHER = 0.06
_TIERS = ("default", "flex", "priority", "reserved")


class Bodies:
    """Requests to models of a catalogue."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self._seed = seed
        self._base: dict[str, str] = {}
        # By who made the model, so that each of them is called as often.
        self._by_maker: dict[str, dict[str, list[str]]] = {}
        for called, target in catalogue.targets():
            base = self._base[called] = target.model.model_id
            makers = self._by_maker.setdefault(target.model.mode, {})
            maker = "unpriced" if base in UNPRICED else base.partition(".")[0]
            makers.setdefault(maker, []).append(called)

    def request(self, number: int) -> Asked:
        """The request of a number."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - it comes again
        kind = chance.choice(KINDS)
        mode, route, headers = kind.mode, kind.route, dict(kind.headers)
        if mode == "endpoint":
            model = base = chance.choice(sorted(ENDPOINTS))
        elif mode == "profile":
            model, base = PROFILE_ARN, "amazon.nova-lite-v1:0"
        else:
            makers = self._by_maker[mode]
            model = chance.choice(makers[chance.choice(sorted(makers))])
            base = self._base[model]
        text = chance.choice(vocabulary.TEXTS)
        body = copy.deepcopy(kind.body(base, text))
        if isinstance(body, dict) and "model" in body:
            body["model"] = model
        for _ in range(chance.choice(_CHANGES)):
            if chance.random() < _TOGETHER:
                _add_together(body, kind, chance)
            elif chance.random() < _FITTING:
                _add_fitting(body, kind, _family_names(mode, base), chance)
            else:
                _change(body, chance)
        if chance.random() < 0.15:  # noqa: PLR2004 - now and then
            headers |= _header(route, chance)
        return Asked(route, model, chance.choice(_callers(model, chance)), body, headers)


@dataclass(frozen=True)
class _Kind:
    """A kind of request: its route, what it is for, and a right body of it.

    `own` are the members that its body may have at the top, `section` where it has those of the
    model's family, or of a container: in itself where empty, nowhere for None.
    """

    route: str
    mode: str
    body: Callable[[str, str], Any]
    own: Sequence[str] = ()
    section: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def _callers(model: str, chance: random.Random) -> Sequence[str]:
    """The tenants that may call a model, and now and then one that may not."""
    if model in UNPRICED:
        return UNPRICED_TENANTS
    if model in ENDPOINTS and chance.random() < 0.8:  # noqa: PLR2004 - mostly
        # Endpoints have no guardrail, so that a tenant that has one may not call them.
        return ("open", "counted")
    return TENANTS


# --- Right bodies -----------------------------------------------------------------------------


def _turns(text: str) -> list[Any]:
    return [{"role": "user", "content": [{"text": text}]}]


def _converse(_base: str, text: str) -> dict[str, Any]:
    return {"messages": _turns(text), "inferenceConfig": {"maxTokens": 300}}


def _job(base: str, text: str) -> dict[str, Any]:
    return {"model": "", **_converse(base, text)}


def _chat(_base: str, text: str) -> dict[str, Any]:
    return {"model": "", "messages": [{"role": "user", "content": text}], "max_tokens": 300}


def _streamed_chat(base: str, text: str) -> dict[str, Any]:
    return {**_chat(base, text), "stream": True}


def _embedded(_base: str, text: str) -> dict[str, Any]:
    return {"model": "", "input": [text, "b"]}


def _native(base: str, text: str) -> dict[str, Any]:
    """A body of the model's own, by what its family's table has."""
    known = registry.text_body(base)
    *section, name = known.maxima[0]
    body: dict[str, Any] = {name: 300}
    for key in reversed(section):
        body = {key: body}
    if "messages" not in known.members:
        prompt = next(m for m in ("inputText", "message", "prompt") if m in known.members)
        if "max_tokens_to_sample" in known.members:
            text = f"\n\nHuman: {text}\n\nAssistant:"
        return {prompt: text, **body}
    if "anthropic_version" in known.members:
        body["anthropic_version"] = "bedrock-2023-05-31"
    content = [{"text": text}] if base.startswith("amazon.") else text
    return {"messages": [{"role": "user", "content": content}], **body}


def _native_embedded(base: str, text: str) -> dict[str, Any]:
    if base.startswith("cohere."):
        return {"texts": [text], "input_type": "search_document"}
    return {"inputText": text}


def _native_drawn(base: str, text: str) -> dict[str, Any]:
    if base.startswith("stability."):
        return {"prompt": text}
    task = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}}
    return {**task, "imageGenerationConfig": _drawn(base)}


def _drawn(base: str) -> dict[str, Any]:
    """What has a price."""
    if base.startswith("amazon.titan"):
        return {"numberOfImages": 1, "width": 512, "height": 512}
    return {"numberOfImages": 1, "width": 1024, "height": 1024, "quality": "premium"}


def _legacy_chat(_base: str, text: str) -> dict[str, Any]:
    return {"inputs": _turns(text), "parameters": {"maxTokens": 300}}


def _legacy_prompt(_base: str, text: str) -> dict[str, Any]:
    return {"inputs": text, "parameters": {"maxTokens": 300}}


def _legacy_embedded(_base: str, text: str) -> dict[str, Any]:
    return {"inputs": [text]}


def _legacy_image_embedded(_base: str, _text: str) -> dict[str, Any]:
    return {"inputs": vocabulary.PNG}


def _legacy_drawn(base: str, text: str) -> dict[str, Any]:
    if base.startswith("stability."):
        return {"text_prompts": [{"text": text}], "parameters": {}}
    parameters = {"imageGenerationConfig": _drawn(base)}
    return {"textToImageParams": {"text": text}, "parameters": parameters}


def _container(_base: str, text: str) -> dict[str, Any]:
    return {"inputs": text, "parameters": {"max_new_tokens": 300}}


def _container_chat(_base: str, text: str) -> dict[str, Any]:
    return {"inputs": [{"role": "user", "content": text}], "parameters": {"max_tokens": 300}}


def _container_body(_base: str, text: str) -> dict[str, Any]:
    return {"inputs": {"inputs": text, "parameters": {"max_new_tokens": 300}}}


_STREAMED = {"streaming": "true"}
_AS_CHAT = {"messages_api": "true"}
_FIELDS = "additionalModelRequestFields"
_IN_CONVERSE = _Kind(
    f"{_MODEL}/converse",
    "chat",
    _converse,
    (_FIELDS, "inferenceConfig", "outputConfig", "performanceConfig", "requestMetadata")
    + ("guardrailConfig", "serviceTier", "system", "toolConfig"),
    _FIELDS,
)
_IN_JOBS = ("inferenceConfig", "system", "toolConfig")
_IN_OPENAI = (
    ("max_completion_tokens", "modalities", "n", "prediction", "reasoning_effort", "stop")
    + ("response_format", "service_tier", "stream_options", "temperature", "tools", "metadata")
)  # fmt: skip
_IN_ANTHROPIC = (
    ("cache_control", "metadata", "output_config", "service_tier", "speed", "system", "thinking")
    + ("temperature", "tools", "top_k")
)  # fmt: skip
_NATIVE = _Kind(f"{_MODEL}/invoke", "chat", _native, section="")
_CONTAINER = _Kind(_LEGACY, "endpoint", _container, section="parameters")
_CONTAINER_CHAT = _Kind(
    _LEGACY, "endpoint", _container_chat, section="parameters", headers=_AS_CHAT
)
_LEGACY_CHAT = _Kind(
    _LEGACY,
    "chat",
    _legacy_chat,
    ("tool_config",),
    "additional_model_fields",
    _AS_CHAT,
)
_LEGACY_PROMPT = _Kind(_LEGACY, "chat", _legacy_prompt, section="parameters")
_IMAGES = ("imageGenerationConfig", "samples", "textToImageParams")
KINDS: Sequence[_Kind] = (
    _IN_CONVERSE,
    _IN_CONVERSE,
    replace(_IN_CONVERSE, route=f"{_MODEL}/converse-stream"),
    _NATIVE,
    _NATIVE,
    replace(_NATIVE, route=f"{_MODEL}/invoke-with-response-stream"),
    _Kind(f"{_MODEL}/invoke", "embedding", _native_embedded, ("dimensions", "images", "inputs")),
    _Kind(f"{_MODEL}/invoke", "image_generation", _native_drawn, _IMAGES),
    _Kind("POST /v1/chat/completions", "chat", _chat, _IN_OPENAI),
    _Kind("POST /v1/chat/completions", "chat", _streamed_chat, _IN_OPENAI),
    _Kind("POST /v1/embeddings", "embedding", _embedded, ("dimensions", "input_type", "user")),
    _Kind("POST /v1/messages", "chat", _chat, _IN_ANTHROPIC),
    _Kind("POST /v1/messages", "chat", _streamed_chat, _IN_ANTHROPIC),
    _Kind("POST /v1/jobs", "chat", _job, _IN_JOBS, _FIELDS),
    _Kind(
        "POST /invoke",
        "profile",
        _converse,
        _IN_JOBS,
        _FIELDS,
        {"inference-profile-id": "oracle"},
    ),
    _LEGACY_CHAT,
    replace(_LEGACY_CHAT, headers={**_AS_CHAT, **_STREAMED}),
    _LEGACY_PROMPT,
    replace(_LEGACY_PROMPT, headers=_STREAMED),
    _Kind(_LEGACY, "embedding", _legacy_embedded, headers={"type": "embeddings"}),
    _Kind(_LEGACY, "embedding", _legacy_image_embedded, headers={"type": "embeddings-image"}),
    _Kind(_LEGACY, "image_generation", _legacy_drawn, headers={"type": "image"}),
    _CONTAINER,
    replace(_CONTAINER, headers=_STREAMED),
    _CONTAINER_CHAT,
    replace(_CONTAINER_CHAT, headers={**_AS_CHAT, **_STREAMED}),
    replace(_CONTAINER, body=_container_body),
    replace(_CONTAINER, body=_legacy_embedded, headers={"type": "embeddings"}),
)


# --- Changes ----------------------------------------------------------------------------------


def _family_names(mode: str, base: str) -> Sequence[str]:
    """The members that a model's family reads, or a container."""
    if mode not in ("chat", "profile"):
        return (*MAXIMA, *ANSWERS, "stream")
    known = registry.text_body(base)
    return sorted(known.members | known.dear)


def _add_fitting(body: Any, kind: _Kind, names: Sequence[str], chance: random.Random) -> None:  # noqa: ANN401 - JSON
    """A member where one of its name belongs."""
    place = body
    if kind.section is not None and (not kind.own or chance.random() < 0.6):  # noqa: PLR2004
        place = body.setdefault(kind.section, {}) if kind.section else body
    else:
        names = kind.own
    if isinstance(place, dict) and names:
        name = chance.choice(names)
        place[name] = _value(name, chance)


def _add_together(body: Any, kind: _Kind, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    """Members that belong together, where those of the model's family belong."""
    place = body
    if kind.section:
        place = body.setdefault(kind.section, {})
    if isinstance(place, dict):
        place |= copy.deepcopy(dict(chance.choice(vocabulary.TOGETHER)))


def _change(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    """Change anything about a body."""
    change: Callable[[Any, random.Random], None] = chance.choices(
        (_add, _add_in_section, _add_block, _move, _replace, _remove, _append_turn),
        (4, 4, 6, 2, 2, 1, 1),
    )[0]
    change(body, chance)


def _value(name: str, chance: random.Random) -> Any:  # noqa: ANN401 - JSON
    given = vocabulary.VALUES.get(name, vocabulary.ODD)
    if chance.random() < 0.1:  # noqa: PLR2004 - now and then an odd one
        given = vocabulary.ODD
    return copy.deepcopy(chance.choice(given))


def _add(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    """A member at the top, or now and then of any object."""
    objects = list(_objects(body))
    if objects:
        place = objects[0] if chance.random() < 0.75 else chance.choice(objects)  # noqa: PLR2004
        name = chance.choice(vocabulary.NAMES)
        place[name] = _value(name, chance)


def _add_in_section(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    if not isinstance(body, dict):
        return
    standing = [name for name in vocabulary.SECTIONS if isinstance(body.get(name), dict)]
    section = chance.choice([*standing, *vocabulary.SECTIONS[:2]])
    place = body.setdefault(section, {})
    if isinstance(place, dict):
        name = chance.choice(vocabulary.NAMES)
        place[name] = _value(name, chance)


def _add_block(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    """A content block in a message or the system text; a plain text becomes a list of blocks."""
    holders = [place for place in _objects(body) if "content" in place or "system" in place]
    if not holders:
        return
    holder = chance.choice(holders)
    name = "content" if "content" in holder else "system"
    block = copy.deepcopy(dict(chance.choice(vocabulary.BLOCKS)))
    if isinstance(holder[name], str):
        holder[name] = [{"type": "text", "text": holder[name]}]
    if isinstance(holder[name], list):
        holder[name].insert(chance.randint(0, len(holder[name])), block)


def _move(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    """A member to another object, or to both."""
    objects = list(_objects(body))
    places = [place for place in objects if place]
    if not places:
        return
    place = chance.choice(places)
    name = chance.choice(sorted(place))
    value = copy.deepcopy(place[name])
    if chance.random() < 0.5:  # noqa: PLR2004 - moved, or doubled
        del place[name]
    chance.choice(objects)[name] = value


def _replace(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    places = [place for place in _objects(body) if place]
    if places:
        place = chance.choice(places)
        place[chance.choice(sorted(place))] = copy.deepcopy(chance.choice(vocabulary.ODD))


def _remove(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    places = [place for place in _objects(body) if place]
    if places:
        place = chance.choice(places)
        del place[chance.choice(sorted(place))]


def _append_turn(body: Any, chance: random.Random) -> None:  # noqa: ANN401 - JSON
    messages = body.get("messages") if isinstance(body, dict) else None
    if isinstance(messages, list) and messages and isinstance(messages[0], dict):
        answer = {**copy.deepcopy(messages[0]), "role": "assistant"}
        again = copy.deepcopy(messages[0])
        again["content"] = again.get("content", chance.choice(vocabulary.TEXTS))
        messages += [answer, again]


def _objects(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every object of a body, the whole first."""
    if isinstance(value, dict):
        yield value
        for item in list(value.values()):
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _header(route: str, chance: random.Random) -> dict[str, str]:
    if route == "POST /v1/messages":
        betas = chance.choice(vocabulary.BETAS)
        return {"anthropic-beta": betas if isinstance(betas, str) else ",".join(betas)}
    if "/invoke" in route and route.startswith(_MODEL):
        return {"x-amzn-bedrock-service-tier": chance.choice(_TIERS)}
    return {"idempotency-key": f"key-{chance.randrange(10**9)}"}
