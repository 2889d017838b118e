"""Take the values of API keys out of what Terraform prints.

The provider treats the value that ``aws_api_gateway_usage_plan_key`` reads back as if it were not
secret (https://github.com/hashicorp/terraform-provider-aws/issues/26739), so a plan that deletes or
replaces one shows a key that still works.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REDACTED = "(sensitive value)"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BEGINS = re.compile(r'^\s*(?:[-+~/<=]+ )?resource "([a-z0-9_]+)" ')
_ENDS = re.compile(r"^    \}$")
_IS_VALUE = re.compile(r"^\s*(?:[-+~] )?\s*value\s*=")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_TYPE = "aws_api_gateway_usage_plan_key"


def redact(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a plan's text, coloured or not, as they come, without the values of keys."""
    inside = False
    for line in lines:
        plain = _COLOUR.sub("", line).rstrip("\n")
        if begins := _BEGINS.match(plain):
            inside = begins[1] == _TYPE
        elif _ENDS.match(plain):
            inside = False
        yield _TEXT.sub(REDACTED, line) if inside and _IS_VALUE.match(plain) else line
