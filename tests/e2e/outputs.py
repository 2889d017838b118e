"""Compares what an example printed with what its document says that it prints."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.documents import Example

_IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBERS = re.compile(r"\d+([.,:]\d+)*")
_SPACE = re.compile(r"[ \t]+|-{3,}")


def check_output(example: Example, printed: str) -> None:
    """Compare with what the document says that is printed."""
    shown = example.output
    if shown is None:
        return
    if shown.language == "json":
        assert_like(json.loads(shown.text), json.loads(printed))
        return
    # A line that says "and so on" may stand for none.
    parts = re.split("\n?…", shown.text.strip())
    pattern = ".*".join(re.escape(_plain(part)) for part in parts)
    assert re.fullmatch(pattern, _plain(printed.strip()), re.DOTALL), printed


def _plain(text: str) -> str:
    """Text in which figures, ids and the width of columns do not differ."""
    return _SPACE.sub(" ", _NUMBERS.sub("0", _IDS.sub("id", text)))


def assert_like(shown: Any, given: Any) -> None:
    """Each member and element that is shown is given, with a value of the same kind."""
    if isinstance(shown, dict):
        assert isinstance(given, dict)
        assert shown.keys() <= given.keys()
        for name, value in shown.items():
            assert_like(value, given[name])
    elif isinstance(shown, list):
        assert isinstance(given, list)
        assert len(shown) <= len(given)
        for one, other in zip(shown, given, strict=False):
            assert_like(one, other)
    else:
        kinds = [
            "number" if isinstance(value, int | float) else type(value) for value in (shown, given)
        ]
        assert kinds[0] == kinds[1], (shown, given)
