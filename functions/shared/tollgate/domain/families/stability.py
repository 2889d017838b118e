"""Stability AI: Stable Diffusion XL with weighted prompts, and the later models with one prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import Family, ImageBody, within
from tollgate.domain.families.reading import side

if TYPE_CHECKING:
    from collections.abc import Mapping


def _asked(body: Mapping[str, Any]) -> tuple[int, str, str]:
    size = f"{side(body, 'width', 512)}x{side(body, 'height', 512)}"
    return 1, size if XL.prompt in body else "1024x1024", "standard"


XL = ImageBody(
    models=("stability.stable-diffusion-xl",),
    # Not among them: samples, of which Bedrock draws one, and extras, of which nobody says what
    # they do.
    members=frozenset(
        (
            "cfg_scale",
            "clip_guidance_preset",
            "height",
            "image_strength",
            "init_image",
            "init_image_mode",
            "mask_image",
            "mask_source",
            "sampler",
            "seed",
            "step_schedule_end",
            "step_schedule_start",
            "steps",
            "style_preset",
            "width",
        )
    )
    | within("text_prompts", "text", "weight"),
    prompt="text_prompts",
    asked=_asked,
    images="artifacts",
)

IMAGES = ImageBody(
    members=frozenset(
        (
            "aspect_ratio",
            "image",
            "mode",
            "negative_prompt",
            "output_format",
            "prompt",
            "seed",
            "strength",
        )
    ),
    prompt="prompt",
    asked=_asked,
    images="images",
)

STABILITY = Family(name="Stability", models=("stability.",), images=(XL, IMAGES))
