"""What a Converse request says, and its token counts."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from scripts.local.stubs.bedrock import conversation
from scripts.local.stubs.language import MEDIA_TOKENS


@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_a_request_has_at_most_as_many_tokens_as_bytes(texts: list[str], system: str) -> None:
    request = {
        "messages": [{"role": "user", "content": [{"text": text}]} for text in texts],
        "system": [{"text": system}],
    }
    size = len(json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert conversation.request_tokens(request) <= size


def test_media_and_cache_points() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "A" * 5_000}}}
    request = {
        "messages": [
            {
                "role": "user",
                "content": [{"text": "See"}, image, {"cachePoint": {"type": "default"}}],
            }
        ]
    }
    assert conversation.request_tokens(request) == 3 + 1 + MEDIA_TOKENS


def test_last_user_text() -> None:
    request = {
        "messages": [
            {"role": "user", "content": [{"text": "first"}]},
            {"role": "assistant", "content": [{"text": "answer"}]},
            {"role": "user", "content": [{"text": "one"}, {"text": "two"}]},
        ]
    }
    assert conversation.last_user_text(request) == "one\ntwo"
    assert conversation.last_user_text({"messages": []}) == ""
