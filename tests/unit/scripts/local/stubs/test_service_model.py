"""The stubs refuse whatever the service models forbid: every member of every operation they serve.

Both the values and what breaks them are made from the model. A value that has a pattern cannot be
made from it: those are written down below, and none may be missing.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import botocore.loaders
import pytest

from scripts.local.stubs.service_model.patterns import compiled
from scripts.local.stubs.service_model.requests import (
    MAX_TOLD,
    Request,
    check,
    json_object,
    operation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import (
        ListShape,
        MapShape,
        OperationModel,
        Shape,
        StringShape,
        StructureShape,
    )

SERVED = [
    ("bedrock-runtime", "Converse"),
    ("bedrock-runtime", "ConverseStream"),
    ("bedrock-runtime", "CountTokens"),
    ("bedrock-runtime", "InvokeModel"),
    ("bedrock-runtime", "InvokeModelWithResponseStream"),
    ("bedrock", "ListFoundationModels"),
    ("bedrock", "ListInferenceProfiles"),
    ("sagemaker-runtime", "InvokeEndpoint"),
    ("sagemaker-runtime", "InvokeEndpointWithResponseStream"),
]
OF_PATTERNS = {
    "AccountId": "123456789012",
    "CustomAttributesHeader": "trace=1",
    "EnableExplanationsHeader": "yes",
    "EndpointName": "chat",
    "Header": "application/json",
    "InferenceComponentHeader": "chat-1",
    "InferenceId": "call-1",
    "PrefixAwareIdHeader": "prefix-1",
    "SessionIdHeader": "session-1",
    "SessionIdOrNewSessionConstantHeader": "session-1",
    "TargetContainerHostnameHeader": "first",
    "TargetModelHeader": "model.tar.gz",
    "TargetVariantHeader": "variant-1",
    "ConversationalModelId": "amazon.nova-lite-v1:0",
    "FoundationModelVersionIdentifier": "amazon.nova-lite-v1:0",
    "GuardrailIdentifier": "a1b2c3",
    "GuardrailVersion": "1",
    "InvokeModelIdentifier": "amazon.nova-lite-v1:0",
    "PaginationToken": "next",
    "Provider": "Amazon",
    "RequestMetadataKeyString": "tenant",
    "RequestMetadataValueString": "acme",
    "S3Uri": "s3://bucket/key",
    "ToolName": "get_weather",
    "ToolUseId": "tool-1",
}
# Fits no pattern, is in no enumeration, and is short enough for every maximum.
ODD = "§ \n"
NUMBERS = ("integer", "long", "float", "double")


class Broken(NamedTuple):
    """A value with one fault: where it lies from here, and what the refusal says of it."""

    value: Any
    place: str
    told: str


def sized(shape: Shape, size: int) -> Any:
    """A string, list, map or blob of that size, or a number of that value."""
    if shape.type_name == "list":
        return [example(cast("ListShape", shape).member)] * size
    if shape.type_name == "map":
        return {f"key{n}": example(cast("MapShape", shape).value) for n in range(size)}
    if shape.type_name == "blob":
        return base64.b64encode(b"x" * size).decode()
    return size if shape.type_name in NUMBERS else "x" * size


def example(shape: Shape) -> Any:
    """A value that the model allows, with nothing in it that it does not ask for."""
    if shape.type_name == "structure":
        known = cast("StructureShape", shape)
        wanted = [next(iter(known.members))] if known.is_tagged_union else known.required_members
        return {name: example(known.members[name]) for name in wanted}
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "string":
        choices = cast("StringShape", shape).enum
        if choices:
            return choices[0]
        if "pattern" in shape.metadata:
            return OF_PATTERNS[shape.name]
    return sized(shape, max(1, shape.metadata.get("min") or 0))


def allowed(shape: Shape) -> Iterator[Any]:
    """Values that the model allows: each member and each choice in turn, and both ends."""
    yield example(shape)
    if shape.type_name == "structure":
        known = cast("StructureShape", shape)
        base = {} if known.is_tagged_union else example(shape)
        for name, member in known.members.items():
            yield from ({**base, name: value} for value in allowed(member))
    elif shape.type_name == "list":
        yield from ([value] for value in allowed(cast("ListShape", shape).member))
    elif shape.type_name == "map":
        yield from ({"key": value} for value in allowed(cast("MapShape", shape).value))
    yield from cast("StringShape", shape).enum if shape.type_name == "string" else ()
    if "pattern" not in shape.metadata:
        ends = {shape.metadata.get("min"), shape.metadata.get("max")} - {None}
        yield from (sized(shape, end) for end in ends)


def forbidden(shape: Shape) -> Iterator[Broken]:
    """Values that the model does not allow, each for one reason."""
    if shape.type_name == "structure":
        yield from in_structure(cast("StructureShape", shape))
    else:
        yield Broken({"a": 1} if shape.type_name != "map" else [1], "", "Member must be ")
    if shape.type_name == "list":
        for value, place, told in forbidden(cast("ListShape", shape).member):
            yield Broken([value], f".1.member{place}", told)
    elif shape.type_name == "map":
        known = cast("MapShape", shape)
        for value, _, told in forbidden(known.value):
            yield Broken({example(known.key): value}, "", told)
        for key, _, told in forbidden(known.key):
            if isinstance(key, str):
                yield Broken({key: example(known.value)}, "", told)
    yield from out_of_bounds(shape)


def out_of_bounds(shape: Shape) -> Iterator[Broken]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    is_number = shape.type_name in NUMBERS
    if least is not None and (is_number or least > 0):
        yield Broken(sized(shape, least - 1), "", f"greater than or equal to {least}")
    if most is not None:
        yield Broken(sized(shape, most + 1), "", f"less than or equal to {most}")
    if shape.type_name == "string" and cast("StringShape", shape).enum:
        yield Broken(ODD, "", "enum value set: [")
    if "pattern" in shape.metadata:
        yield Broken(ODD, "", "regular expression pattern: ")
    if shape.type_name == "integer":
        yield Broken(1 << 31, "", "must be an integer")
        yield Broken(1.5, "", "must be an integer")


def in_structure(shape: StructureShape) -> Iterator[Broken]:
    yield Broken("text", "", "must be a JSON object")
    yield Broken(None, "", "must be a JSON object")
    if shape.is_document_type:
        return
    base = {} if shape.is_tagged_union else example(shape)
    for name in shape.required_members:
        without = {other: value for other, value in base.items() if other != name}
        yield Broken(without, f".{name}", "must not be null")
    yield Broken({**base, "unheard_of": 1}, ".unheard_of", "must be one of [")
    if shape.is_tagged_union:
        yield Broken({}, "", "exactly one of [")
    if shape.is_tagged_union and len(shape.members) > 1:
        two = list(shape.members.items())[:2]
        yield Broken({name: example(member) for name, member in two}, "", "exactly one of [")
    for name, member in shape.members.items():
        for value, place, told in forbidden(member):
            yield Broken({**base, name: value}, f".{name}{place}", told)


def read(model: OperationModel, request: Request) -> None:
    """Check a request as a stub does."""
    is_payload = "payload" in cast("StructureShape", model.input_shape).serialization
    check(model, request, {} if is_payload else json_object(request.body))


def requests(name: tuple[str, str], *, are_allowed: bool) -> Iterator[tuple[Request, str, str]]:
    """Requests of an operation with the place of their fault and what is said of it."""
    shape = cast("StructureShape", operation(*name).input_shape)
    base = request_of(shape, {member: example(shape.members[member]) for member in required(shape)})
    if are_allowed:
        for member, inner in shape.members.items():
            for value in allowed(inner):
                yield with_member(shape, base, member, value), "", ""
        return
    for member, inner in shape.members.items():
        for value, place, told in forbidden(inner):
            is_text = inner.serialization.get("location") is not None
            if not is_text or isinstance(value, str | int):
                yield with_member(shape, base, member, value), f"{member}{place}", told


def required(shape: StructureShape) -> list[str]:
    return list(shape.required_members)


def request_of(shape: StructureShape, members: dict[str, Any]) -> Request:
    request = Request()
    for member, value in members.items():
        request = with_member(shape, request, member, value)
    return request


def with_member(shape: StructureShape, request: Request, member: str, value: Any) -> Request:
    inner = shape.members[member]
    location = inner.serialization.get("location")
    name = inner.serialization.get("name", member)
    parts: dict[str, Any] = dict(vars(request))
    if shape.serialization.get("payload") == member:
        parts["body"] = base64.b64decode(value) if isinstance(value, str) else b""
    elif location is None:
        body = json.loads(request.body or b"{}") | {member: value}
        parts["body"] = json.dumps(body).encode()
    else:
        place = {"uri": "path", "querystring": "query", "header": "headers"}[location]
        parts[place] = {**parts[place], name: str(value)}
    return Request(**parts)


@pytest.mark.parametrize("name", SERVED, ids=lambda name: name[1])
def test_what_the_model_allows_is_taken(name: tuple[str, str]) -> None:
    count = 0
    for request, _, _ in requests(name, are_allowed=True):
        read(operation(*name), request)
        count += 1
    assert count


@pytest.mark.parametrize("name", SERVED, ids=lambda name: name[1])
def test_what_the_model_forbids_is_refused(name: tuple[str, str]) -> None:
    kinds = set()
    for request, place, told in requests(name, are_allowed=False):
        shape = cast("StructureShape", operation(*name).input_shape)
        if shape.serialization.get("payload") == place and told == "Member must be ":
            continue  # a payload is bytes as they come
        with pytest.raises(ValueError, match="validation errors? detected: ") as raised:
            read(operation(*name), request)
        assert f"'{place}' failed to satisfy constraint: " in str(raised.value)
        assert told in str(raised.value), (place, told)
        kinds.add(told.rstrip("0123456789"))
    assert kinds


def test_what_a_request_must_name_is_missed() -> None:
    with pytest.raises(ValueError, match="'input' failed .*: Member must not be null"):
        read(operation("bedrock-runtime", "CountTokens"), Request(path={"modelId": "a.b"}))


@pytest.mark.parametrize("service", ["bedrock-runtime", "bedrock", "sagemaker-runtime"])
def test_every_pattern_of_a_model_is_known(service: str) -> None:
    shapes = botocore.loaders.Loader().load_service_model(service, "service-2")["shapes"]
    patterns = {shape["pattern"] for shape in shapes.values() if "pattern" in shape}
    assert patterns
    for pattern in patterns:
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        (r"\p{L}[\p{L}\p{M}0-9_]*", "Größe_1", "1Größe"),
        (r"\A\S[\p{Print}]*\z", "a b~", "a\tb"),
        (r"\p{ASCII}*", "a\x00\x7f", "ä"),
        (r"[a-z\[\p{L}]+", "a[Ä", "a]"),
        (r"\s\S", "\x0bä", "\xa0a"),
    ],
)
def test_patterns_mean_what_java_means(pattern: str, fitting: str, other: str) -> None:
    assert compiled(pattern).fullmatch(fitting)
    assert not compiled(pattern).fullmatch(other)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "Expecting"),
        (b"[]", "a JSON object is expected"),
        (b'{"inferenceConfig": {"temperature": NaN}}', "NaN is no number"),
        (b'{"additionalModelRequestFields": {"top_k": 1e400}}', "too large"),
        (b'{"additionalModelRequestFields":' + b'{"a":' * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        json_object(body)


def test_errors_are_counted_and_never_quote_a_value() -> None:
    messages = [{"role": "secret", "content": [{"image": {"format": "secret", "source": {}}}]}] * 9
    body = json.dumps({"messages": messages}).encode()
    with pytest.raises(ValueError, match="validation errors") as raised:
        read(operation("bedrock-runtime", "Converse"), Request({"modelId": "a.b"}, body=body))
    assert str(raised.value).startswith(f"{MAX_TOLD} validation errors detected: ")
    assert "secret" not in str(raised.value)
