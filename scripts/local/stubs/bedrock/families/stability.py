"""Stability AI: pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Drawn, Family, ImageBody
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.families.reading import text_member

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMAGE_SIDE = 512


def _draw(body: Mapping[str, Any]) -> Drawn:
    if "text_prompts" in body:
        text = " ".join(prompt["text"] for prompt in body["text_prompts"])
        size = f"{body.get('width', _IMAGE_SIDE)}x{body.get('height', _IMAGE_SIDE)}"
        artifact = {"base64": picture(text), "finishReason": "SUCCESS", "seed": 0}
        return Drawn({"result": "success", "artifacts": [artifact]}, {f"{size}/standard": 1})
    text = text_member(body, "prompt")
    answer = {"images": [picture(text)], "seeds": [0], "finish_reasons": [None]}
    return Drawn(answer, {"1024x1024/standard": 1})


FAMILY = Family(images=(ImageBody(models=("stability.",), draw=_draw),))
