"""Read Terraform variable files that hold literal values only.

python-hcl2's own conversion to a dictionary hides what a validator must see: of a key given twice
it keeps the last, blocks become lists, and an expression becomes a string like any other. This
module walks its syntax tree instead and refuses everything that is not a literal, so a file that
passes has the same value in Terraform.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import hcl2
from hcl2.rules.base import AttributeRule
from hcl2.rules.containers import ObjectElemKeyRule, ObjectRule, TupleRule
from hcl2.rules.expressions import ExprTermRule, UnaryOpRule
from hcl2.rules.literal_rules import FloatLitRule, IdentifierRule, IntLitRule, LiteralValueRule
from hcl2.rules.strings import StringRule
from hcl2.rules.whitespace import NewLineOrCommentRule
from lark.exceptions import LarkError, UnexpectedInput

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEYWORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.?))", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class TfvarsError(Exception):
    """The text is not a variable file of literals; the message says what was found, and where."""


def loads(text: str) -> dict[str, Any]:
    """Return the file's values: str, int, Decimal (other numbers), bool, None, list, dict.

    Raises TfvarsError for invalid HCL, blocks, repeated keys and anything but literals.
    """
    try:
        body = hcl2.parses(text).body
    except UnexpectedInput as error:
        raise TfvarsError(f"text that is not valid HCL on line {error.line}") from error
    except LarkError as error:
        raise TfvarsError("text that is not valid HCL") from error
    pairs: list[tuple[Any, str, Any]] = []
    for child in body.children:
        if isinstance(child, NewLineOrCommentRule):
            continue
        if not isinstance(child, AttributeRule):
            raise TfvarsError(f"a block{_on_line(child)}")
        pairs.append((child, str(child.identifier.token.value), child.expression))
    return _dictionary(pairs)


def _on_line(node: Any) -> str:  # noqa: ANN401 - any node of the syntax tree
    line = getattr(getattr(node, "_meta", None), "line", None)
    return "" if line is None else f" on line {line}"


def _dictionary(pairs: Iterable[tuple[Any, str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for node, name, expression in pairs:
        key = unicodedata.normalize("NFC", name)
        if key in result:
            raise TfvarsError(f'the key "{key}" a second time{_on_line(node)}')
        result[key] = _value(expression)
    return result


def _value(node: Any) -> Any:  # noqa: ANN401, PLR0911 - one return per kind of literal
    if isinstance(node, ExprTermRule) and not node.parentheses:
        return _value(node.expression)
    if isinstance(node, StringRule):
        return _string(node)
    if isinstance(node, IntLitRule | FloatLitRule):
        return _number(str(node.token.value))
    if isinstance(node, LiteralValueRule):
        return _KEYWORDS[str(node.token.value)]
    if isinstance(node, TupleRule):
        return [_value(element) for element in node.elements]
    if isinstance(node, ObjectRule):
        return _dictionary(
            (element, _key(element.key), element.expression) for element in node.elements
        )
    if isinstance(node, UnaryOpRule) and node.operator.strip() == "-":
        operand = _value(node.expr_term)
        if isinstance(operand, int | Decimal) and not isinstance(operand, bool):
            return -operand
    raise TfvarsError(f"something other than a literal value{_on_line(node)}")


def _number(text: str) -> int | Decimal:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


def _key(node: Any) -> str:  # noqa: ANN401 - any node of the syntax tree
    if isinstance(node, ObjectElemKeyRule):
        if isinstance(node.value, StringRule):
            return _string(node.value)
        if isinstance(node.value, IdentifierRule | IntLitRule):
            return str(node.value.token.value)
    raise TfvarsError(f"a key that is not a plain name{_on_line(node)}")


def _string(node: Any) -> str:  # noqa: ANN401 - a StringRule; the library leaves its parts untyped
    text = ""
    for part in node.string_parts:
        token = part.content
        kind = token.lark_name()
        if kind == "STRING_CHARS":
            text += _ESCAPE.sub(lambda match: _unescape(match, node), str(token.value))
        elif kind in {"ESCAPED_INTERPOLATION", "ESCAPED_DIRECTIVE"}:
            text += str(token.value)[1:]
        else:
            raise TfvarsError(f"a template instead of plain text{_on_line(node)}")
    # Terraform normalises every string, and items are compared byte for byte.
    return unicodedata.normalize("NFC", text)


def _unescape(match: re.Match[str], node: Any) -> str:  # noqa: ANN401 - see _string
    digits = match[1] or match[2]
    if digits:
        code_point = int(digits, 16)
        if code_point <= _LAST_CODE_POINT and code_point not in _SURROGATES:
            return chr(code_point)
    elif match[3] in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[match[3]]
    raise TfvarsError(f"the unknown escape {match[0]}{_on_line(node)}")
