"""Requests of a service as its model has them: members of path, query, headers and body."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import botocore.loaders
from botocore.model import ServiceModel

from scripts.local.stubs.service_model.shapes import sized, structure, violations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import OperationModel, Shape, StructureShape

    from scripts.local.stubs.service_model.shapes import Violation

MAX_TOLD = 20
"""How many violations an error names at most."""
_INTEGER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True)
class Request:
    """A request as it came: what its path names, decoded; its query, headers and body."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@cache
def operation(service: str, name: str) -> OperationModel:
    """An operation of the pinned service model; raises OperationNotFoundError."""
    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    return ServiceModel(model, service).operation_model(name)


def json_object(body: bytes) -> dict[str, Any]:
    """A body that is a JSON object, empty for none.

    Raises:
        ValueError: it is another thing, has a number that no double holds, or is nested too deep.
    """
    if not body:
        return {}
    try:
        document = json.loads(body, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(document, dict):
        raise ValueError("a JSON object is expected")
    return document


def check(model: OperationModel, request: Request, document: Mapping[str, Any]) -> None:
    """Check a request; `document` is its body read as JSON, which a payload need not be.

    Raises:
        ValueError: the model does not allow the request, in the words of the service.
    """
    _refuse(_violations(_input(model), request, document))


def check_member(model: OperationModel, name: str, value: object) -> None:
    """Check a value against a member that another operation has for it; raises ValueError."""
    _refuse(violations(_input(model).members[name], value, name))


def _refuse(found: Iterator[Violation]) -> None:
    told = list(map(str, islice(found, MAX_TOLD)))
    if told:
        errors = "error" if len(told) == 1 else "errors"
        raise ValueError(f"{len(told)} validation {errors} detected: {'; '.join(told)}")


def _input(model: OperationModel) -> StructureShape:
    return cast("StructureShape", model.input_shape)


def _violations(
    shape: StructureShape, request: Request, document: Mapping[str, Any]
) -> Iterator[Violation]:
    yield from _named(shape, "uri", request.path)
    yield from _named(shape, "querystring", request.query)
    headers = {name.lower(): value for name, value in request.headers.items()}
    yield from _named(shape, "header", headers)
    payload = shape.serialization.get("payload")
    if payload is not None:
        yield from sized(shape.members[payload], len(request.body), payload, "length")
        return
    inside = [name for name, member in shape.members.items() if not _location(member)]
    yield from structure(shape, document, "", inside)


def _named(shape: StructureShape, location: str, given: Mapping[str, str]) -> Iterator[Violation]:
    """Check the members that come by name at a location; what else is there is no member."""
    for name, member in shape.members.items():
        if _location(member) != location:
            continue
        key = member.serialization.get("name", name)
        value = given.get(key.lower() if location == "header" else key)
        if value is not None:
            yield from violations(member, _value(member, value), name)


def _location(member: Shape) -> str | None:
    location: str | None = member.serialization.get("location")
    return location


def _value(member: Shape, text: str) -> object:
    """What a text outside the body stands for, the text itself where it stands for no number."""
    is_number = member.type_name in ("integer", "long") and _INTEGER.fullmatch(text)
    return int(text) if is_number else text


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
