"""Server-sent events, in which chats are streamed to all but the clients of Bedrock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Mapping[str, str] = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


def event(body: Mapping[str, object], name: str | None = None) -> bytes:
    """One event with a JSON body."""
    data = f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
    text = data if name is None else f"event: {name}\n{data}"
    return text.encode(errors="surrogatepass")
