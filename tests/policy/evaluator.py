"""Decides what IAM policies allow, so that tests can ask about isolation without an AWS account.

It knows the part of the policy language that this repository uses. Anything else raises
UnsupportedError: a policy that is only half understood must not look safe.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Value = str | tuple[str, ...]
Document = dict[str, Any]

_STATEMENT_KEYS = {
    "Action",
    "Condition",
    "Effect",
    "NotAction",
    "NotPrincipal",
    "NotResource",
    "Principal",
    "Resource",
    "Sid",
}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_WILDCARD = re.compile(r"\$\{[^}]*\}|[*?]")
_ESCAPES = {"*": "*", "?": "?", "$": "$"}


class UnsupportedError(Exception):
    """The policy uses something that this evaluator does not know."""


class Decision(Enum):
    """What IAM answers; only ALLOWED lets a request through."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "no statement allows it"
    DENIED = "a statement denies it"


@dataclass(frozen=True)
class Request:
    """One call: its action, the ARN that it is for, and the keys that conditions may ask for.

    A key whose value is a tuple has several values, such as dynamodb:LeadingKeys.
    """

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
    principal: tuple[str, str] | None = None

    def value(self, key: str) -> Value | None:
        """The context's value of a key, whose case does not matter."""
        found = [value for name, value in self.context.items() if name.lower() == key.lower()]
        return found[0] if found else None


def decide(documents: Iterable[Document], request: Request) -> Decision:
    """What the policies of one principal say together: an explicit denial wins.

    Raises UnsupportedError when a policy holds what this evaluator does not know.
    """
    decision = Decision.NOT_ALLOWED
    for statement in _statements(documents):
        if not _applies(statement, request):
            continue
        if statement["Effect"] == "Deny":
            return Decision.DENIED
        decision = Decision.ALLOWED
    return decision


def allows(documents: Iterable[Document], request: Request) -> bool:
    """Whether the policies let the request through."""
    return decide(documents, request) is Decision.ALLOWED


def _statements(documents: Iterable[Document]) -> list[Document]:
    statements = [
        statement for document in documents for statement in _as_list(document["Statement"])
    ]
    for statement in statements:
        unknown = set(statement) - _STATEMENT_KEYS
        if unknown or statement["Effect"] not in {"Allow", "Deny"}:
            raise UnsupportedError(f"statement {statement}")
    return statements


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _applies(statement: Document, request: Request) -> bool:
    # Every part is looked at even after one does not fit, so that what is not known always shows.
    return all(
        [
            _names_action(statement, request),
            _names_resource(statement, request),
            _names_principal(statement, request),
            *_conditions(statement.get("Condition", {}), request),
        ]
    )


def _names_action(statement: Document, request: Request) -> bool:
    def named(patterns: Any) -> bool:
        return any(_like(request.action.lower(), pattern.lower()) for pattern in _as_list(patterns))

    if "NotAction" in statement:
        return not named(statement["NotAction"])
    return named(statement["Action"])


def _names_resource(statement: Document, request: Request) -> bool:
    def named(patterns: Any) -> bool:
        return any(_like(request.resource, p, request) for p in _as_list(patterns))

    if "NotResource" in statement:
        return not named(statement["NotResource"])
    # A trust policy has no resource: it belongs to the role that it is on.
    return "Resource" not in statement or named(statement["Resource"])


def _names_principal(statement: Document, request: Request) -> bool:
    if "NotPrincipal" in statement:
        raise UnsupportedError("NotPrincipal")
    if "Principal" not in statement:
        return True
    if request.principal is None:
        raise UnsupportedError(f"a principal is asked for, and the request names none: {statement}")
    principal = statement["Principal"]
    if principal == "*":
        return True
    kind, name = request.principal
    return any(_is_principal(given, name) for given in _as_list(principal.get(kind, [])))


def _is_principal(given: str, name: str) -> bool:
    if given in {"*", name}:
        return True
    # An account's root or its id stands for every principal of the account.
    account = name.split(":")[4] if name.startswith("arn:") else None
    return account is not None and (
        given == account or bool(re.fullmatch(rf"arn:[^:]+:iam::{account}:root", given))
    )


# --- Text -------------------------------------------------------------------------------------


def _like(value: str, pattern: str, request: Request | None = None, *, wild: bool = True) -> bool:
    """Whether a value fits a pattern; policy variables in it stand for the request's values."""
    expression = _expression(pattern, request, wild=wild)
    return expression is not None and re.fullmatch(expression, value, re.DOTALL) is not None


def _expression(pattern: str, request: Request | None, *, wild: bool) -> str | None:
    """The pattern as a regular expression; None when a variable has no value: nothing fits."""
    parts = []
    end = 0
    for match in _WILDCARD.finditer(pattern):
        parts.append(re.escape(pattern[end : match.start()]))
        end = match.end()
        text = match[0]
        if text.startswith("$"):
            replaced = _variable(text[2:-1], request)
            if replaced is None:
                return None
            parts.append(re.escape(replaced))
        elif wild:
            parts.append(".*" if text == "*" else ".")
        else:
            parts.append(re.escape(text))
    return "".join([*parts, re.escape(pattern[end:])])


def _variable(name: str, request: Request | None) -> str | None:
    if name in _ESCAPES:
        return _ESCAPES[name]
    if "," in name or request is None:
        raise UnsupportedError(f"policy variable ${{{name}}}")
    value = request.value(name)
    if isinstance(value, tuple):
        raise UnsupportedError(f"policy variable ${{{name}}} has several values: {value}")
    if value is not None and set(value) & set("*?$"):
        raise UnsupportedError(f"the value of ${{{name}}} holds a wildcard: {value}")
    return value


# --- Conditions -------------------------------------------------------------------------------


def _text(operator: str) -> Callable[[str, str, Request], bool]:
    wild = "Like" in operator

    def compare(value: str, wanted: str, request: Request) -> bool:
        return _like(value, wanted, request, wild=wild)

    return compare


def _fold(value: str, wanted: str, request: Request) -> bool:
    return _like(value.lower(), wanted.lower(), request, wild=False)


def _arn(value: str, wanted: str, request: Request) -> bool:
    # ArnEquals and ArnLike are the same; a wildcard does not reach over a colon.
    value_parts, wanted_parts = value.split(":", 5), _split_arn(wanted)
    return len(value_parts) == len(wanted_parts) and all(
        _like(part, pattern, request)
        for part, pattern in zip(value_parts, wanted_parts, strict=True)
    )


def _split_arn(pattern: str) -> list[str]:
    """The six parts of an ARN; a colon inside of a policy variable separates nothing."""
    hidden = _VARIABLE.sub(lambda match: match[0].replace(":", "\0"), pattern)
    return [part.replace("\0", ":") for part in hidden.split(":", 5)]


def _address(value: str, wanted: str, _request: Request) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted)


def _number(value: str, wanted: str, _request: Request) -> bool:
    return float(value) <= float(wanted)


_COMPARISONS: dict[str, Callable[[str, str, Request], bool]] = {
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "Bool": _fold,
    "IpAddress": _address,
    "NumericLessThanEquals": _number,
    "StringEquals": _text("StringEquals"),
    "StringEqualsIgnoreCase": _fold,
    "StringLike": _text("StringLike"),
}
_NEGATIONS = {
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
}


def _conditions(condition: Mapping[str, Mapping[str, Any]], request: Request) -> list[bool]:
    return [
        _holds(operator, key, [_written(value) for value in _as_list(wanted)], request)
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    ]


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, key: str, wanted: Sequence[str], request: Request) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if quantifier not in {"", "ForAllValues", "ForAnyValue"}:
        raise UnsupportedError(f"condition operator {operator}")
    value = request.value(key)
    if name == "Null":
        return _is_null(value, wanted)
    if_exists = name.endswith("IfExists")
    test, negated = _test(name.removesuffix("IfExists"), wanted, request)
    if value is None:
        # An absent key has no values: all of none fit, not one of none does.
        return quantifier == "ForAllValues" or if_exists or (negated and not quantifier)
    if not quantifier and isinstance(value, tuple):
        # AWS does not say what comes out of it.
        raise UnsupportedError(f"{operator} on {key}, which has several values: {value}")
    results = [test(one) for one in (value if isinstance(value, tuple) else (value,))]
    return any(results) if quantifier == "ForAnyValue" else all(results)


def _is_null(value: Value | None, wanted: Sequence[str]) -> bool:
    absent = value is None or value == ()
    return _written(absent) in [one.lower() for one in wanted]


def _test(name: str, wanted: Sequence[str], request: Request) -> tuple[Callable[[str], bool], bool]:
    """How one value is tested, and whether the operator is a negated one."""
    negated = name in _NEGATIONS
    compare = _COMPARISONS.get(_NEGATIONS.get(name, name))
    if compare is None:
        raise UnsupportedError(f"condition operator {name}")

    def test(value: str) -> bool:
        return any(compare(value, one, request) for one in wanted) is not negated

    return test, negated
