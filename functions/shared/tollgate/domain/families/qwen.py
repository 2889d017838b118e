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

QWEN = Family(name="Qwen", models=("qwen.",), texts=(MESSAGES,))
