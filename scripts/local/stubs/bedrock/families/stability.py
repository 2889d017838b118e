"""Stability AI: pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Drawn, Family, ImageBody
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.families.reading import text_member

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMAGE_SIDE = 512
_STANDARD_STEPS = 50


def _draw(body: Mapping[str, Any]) -> Drawn:
    if "text_prompts" in body:
        text = " ".join(prompt["text"] for prompt in body["text_prompts"])
        size = f"{body.get('width', _IMAGE_SIDE)}x{body.get('height', _IMAGE_SIDE)}"
        artifact = {"base64": picture(text), "finishReason": "SUCCESS", "seed": 0}
        count = body.get("samples", 1)
        artifacts = [artifact] * count
        quality = "premium" if body.get("steps", 0) > _STANDARD_STEPS else "standard"
        return Drawn({"result": "success", "artifacts": artifacts}, {f"{size}/{quality}": count})
    text = text_member(body, "prompt")
    answer = {"images": [picture(text)], "seeds": [0], "finish_reasons": [None]}
    return Drawn(answer, {"1024x1024/standard": 1})


IMAGES = ImageBody(
    models=("stability.",),
    members=frozenset(("prompt", "negative_prompt", "aspect_ratio", "seed", "output_format"))
    | {"mode", "image", "strength"},
    draw=_draw,
)
XL = ImageBody(
    models=("stability.stable-diffusion-xl",),
    members=frozenset(("text_prompts", "cfg_scale", "height", "width", "steps", "seed"))
    | {"samples", "sampler", "style_preset", "clip_guidance_preset", "extras"},
    draw=_draw,
)

FAMILY = Family(images=(IMAGES, XL))
