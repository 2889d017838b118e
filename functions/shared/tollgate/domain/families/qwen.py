"""Alibaba Qwen, which reads images and videos where its id has vl."""

from __future__ import annotations

from tollgate.domain.families.forms import DATA_URL, Family, within
from tollgate.domain.families.openai_format import CHAT, chat

MESSAGES = chat(
    "enable_thinking",
    "min_p",
    "repetition_penalty",
    "thinking_budget",
    "top_k",
    *within("chat_template_kwargs", "enable_thinking"),
    said=within("messages.content.video_url", "url"),
    media=(*CHAT.media, "video_url"),
    values={
        **CHAT.values,
        "messages.content.type": (*CHAT.values["messages.content.type"], "video_url"),
        "messages.content.video_url": DATA_URL,
        "messages.content.video_url.url": DATA_URL,
    },
)

# The template is in the models' repositories: the answer's header and empty thoughts. Models before
# these begin with a system text of 68 bytes.
_FRAMING_TOKENS = 96

QWEN = Family(
    name="Qwen", models=("qwen.",), texts=(MESSAGES,), framing=(("qwen.qwen3-", _FRAMING_TOKENS),)
)
