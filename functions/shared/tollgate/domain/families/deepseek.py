"""DeepSeek: R1 continues a prompt, V3 and later chat."""

from __future__ import annotations

from tollgate.domain.families.forms import Family, within
from tollgate.domain.families.openai_format import COMPLETION, chat

R1 = COMPLETION._replace(models=("deepseek.r1",))

MESSAGES = chat(
    *within("chat_template_kwargs", "enable_thinking", "thinking"), *within("thinking", "type")
)

# The template is in the models' repositories: a begin, and the markers of answer and thoughts.
_FRAMING_TOKENS = 32

DEEPSEEK = Family(
    name="DeepSeek",
    models=("deepseek.",),
    texts=(R1, MESSAGES),
    framing=(("deepseek.r1", _FRAMING_TOKENS), ("deepseek.v3", _FRAMING_TOKENS)),
)
