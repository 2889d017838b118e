"""Alibaba Qwen, which reads images and videos where its id has vl."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(
    members=CHAT.members
    | {"chat_template_kwargs", "enable_thinking", "min_p", "repetition_penalty", "top_k"},
    media=(*CHAT.media, "video_url"),
)

QWEN = Family(name="Qwen", models=("qwen.",), texts=(MESSAGES,))
