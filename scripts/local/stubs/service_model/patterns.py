r"""The patterns of service models, which are Java's, for Python.

A service asks for the whole value to fit. Two things are written differently: classes by property
such as `\p{L}`, and the end of the value, `\z`. `\s`, `\d` and `\w` are ASCII in Java.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

_PART = re.compile(r"\\p\{(?P<property>\w+)\}|\\.|[\[\]]")
_ASCII_PROPERTIES = {"ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e"}


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, to be asked with `fullmatch`; raises re.error for one that is not known here."""
    return re.compile(_translated(pattern), re.ASCII)


def _translated(pattern: str) -> str:
    in_class = False

    def translate(part: re.Match[str]) -> str:
        nonlocal in_class
        if part["property"] is not None:
            members = _property(part["property"])
            return members if in_class else f"[{members}]"
        if part[0] in ("[", "]"):
            in_class = part[0] == "["
        return r"\Z" if part[0] == r"\z" else part[0]

    return _PART.sub(translate, pattern)


@cache
def _property(name: str) -> str:
    """The characters of a property, as they stand in a class: a category such as L, or a range."""
    if name in _ASCII_PROPERTIES:
        return _ASCII_PROPERTIES[name]
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if not unicodedata.category(chr(code)).startswith(name):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    if not ranges:
        raise re.error(f"unknown property {name}")
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
