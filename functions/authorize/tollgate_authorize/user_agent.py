"""What is logged of the program that a caller says it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tollgate_authorize.service import lower_names

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHARACTERS = 256
# API Gateway's keys have 20 letters and digits at least; one in the wrong header is not logged.
_KEY = re.compile(r"[A-Za-z0-9]{20,}")


def user_agent(headers: Mapping[str, str]) -> str | None:
    """The header's first 256 characters without what may be a key; None where it was not sent."""
    sent = lower_names(headers).get("user-agent")
    return None if sent is None else _KEY.sub("***", sent)[:_CHARACTERS]
