"""Stability AI: Stable Diffusion XL with weighted prompts, and the later models with one prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import Family, ImageBody, within
from tollgate.domain.families.reading import side

if TYPE_CHECKING:
    from collections.abc import Mapping


# With more steps, an image of Stable Diffusion XL has the price of a better one.
_STANDARD_STEPS = 50


def _asked(_body: Mapping[str, Any]) -> tuple[int, str, str]:
    return 1, "1024x1024", "standard"


def _asked_xl(body: Mapping[str, Any]) -> tuple[int, str, str]:
    size = f"{side(body, 'width', 512)}x{side(body, 'height', 512)}"
    is_standard = side(body, "steps", _STANDARD_STEPS) <= _STANDARD_STEPS
    return 1, size, "standard" if is_standard else "premium"


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
    asked=_asked_xl,
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
