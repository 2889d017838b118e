"""Which constraints of a service model a value breaks, walked member by member."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from scripts.local.stubs.service_model.patterns import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

_INTEGER_BITS = {"integer": 32, "long": 64}


@dataclass(frozen=True)
class Violation:
    """A constraint and the place of the value that breaks it; never the value."""

    place: str
    constraint: str

    def __str__(self) -> str:
        return f"Value at '{self.place}' failed to satisfy constraint: {self.constraint}"


def violations(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    """Everything in a value of parsed JSON that its shape does not allow; bytes are base64 text."""
    return _CHECKS[shape.type_name](shape, value, place)


def sized(shape: Shape, size: float, place: str, what: str) -> Iterator[Violation]:
    """Check a length or a number against the shape's `min` and `max`."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield Violation(place, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield Violation(place, f"Member must have {what} less than or equal to {most}")


def structure(
    shape: StructureShape, members: Mapping[str, object], place: str, names: Sequence[str]
) -> Iterator[Violation]:
    """Check the members of a structure; `names` are those of its members that may be here."""
    here = f"{place}." if place else ""
    for name in sorted(set(members) - set(names)):
        yield Violation(f"{here}{name[:64]}", f"Member must be one of [{', '.join(names)}]")
    for name in shape.required_members:
        if name in names and name not in members:
            yield Violation(f"{here}{name}", "Member must not be null")
    for name in names:
        if name in members:
            yield from violations(shape.members[name], members[name], f"{here}{name}")


def _structure(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield _of_type(place, "a JSON object")
        return
    if getattr(shape, "is_document_type", False):
        return
    known = cast("StructureShape", shape)
    names = list(known.members)
    yield from structure(known, value, place, names)
    if known.is_tagged_union and len(value) != 1:
        yield Violation(place, f"Member must have exactly one of [{', '.join(names)}]")


def _list(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield _of_type(place, "a list")
        return
    yield from sized(shape, len(value), place, "length")
    member = cast("ListShape", shape).member
    for number, item in enumerate(value, 1):
        yield from violations(member, item, f"{place}.{number}.member")


def _map(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield _of_type(place, "a map")
        return
    yield from sized(shape, len(value), place, "length")
    known = cast("MapShape", shape)
    for kind, part, items in (("key", known.key, value), ("value", known.value, value.values())):
        broken = [error for item in items for error in violations(part, item, place)]
        constraints = dict.fromkeys(error.constraint for error in broken)
        if constraints:
            yield Violation(
                place, f"Map {kind} must satisfy constraint: [{', '.join(constraints)}]"
            )


def _string(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    if not isinstance(value, str):
        yield _of_type(place, "a string")
        return
    yield from sized(shape, len(value), place, "length")
    choices = cast("StringShape", shape).enum
    if choices and value not in choices:
        yield Violation(place, f"Member must satisfy enum value set: [{', '.join(choices)}]")
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not compiled(pattern).fullmatch(value):
        yield Violation(place, f"Member must satisfy regular expression pattern: {pattern}")


def _blob(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    try:
        data = base64.b64decode(cast("Any", value), validate=True)
    except (TypeError, ValueError):
        yield _of_type(place, "bytes in base64")
        return
    yield from sized(shape, len(data), place, "length")


def _integer(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    most = 1 << (_INTEGER_BITS[shape.type_name] - 1)
    if type(value) is not int or not -most <= value < most:
        yield _of_type(place, f"an {shape.type_name}")
        return
    yield from sized(shape, value, place, "value")


def _number(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    if type(value) not in (int, float) or not math.isfinite(cast("float", value)):
        yield _of_type(place, "a number")
        return
    yield from sized(shape, cast("float", value), place, "value")


def _boolean(shape: Shape, value: object, place: str) -> Iterator[Violation]:
    if not isinstance(value, bool):
        yield _of_type(place, shape.type_name)


def _of_type(place: str, kind: str) -> Violation:
    return Violation(place, f"Member must be {kind}")


_CHECKS: Mapping[str, Callable[[Shape, object, str], Iterator[Violation]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "blob": _blob,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
}
