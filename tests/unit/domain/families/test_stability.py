"""Stability AI."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.stability import IMAGES, XL


def test_the_first_models_take_weighted_prompts() -> None:
    assert registry.image_body("stability.stable-diffusion-xl-v1") is XL
    assert registry.image_body("stability.sd3-5-large-v1:0") is IMAGES
    assert (XL.prompt, IMAGES.prompt) == ("text_prompts", "prompt")


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"text_prompts": []}, (1, "512x512", "standard")),
        ({"text_prompts": [], "width": 768, "height": 1024}, (1, "768x1024", "standard")),
        ({"prompt": "A boat"}, (1, "1024x1024", "standard")),
        ({"prompt": "A boat", "width": 768}, (1, "1024x1024", "standard")),
    ],
)
def test_one_image_of_the_size_that_is_billed(
    body: dict[str, Any], asked: tuple[int, str, str]
) -> None:
    assert IMAGES.asked(body) == XL.asked(body) == asked


@pytest.mark.parametrize("member", ["width", "height"])
def test_a_size_is_a_number_of_pixels(member: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"{member} allows a whole number of 1 or more"):
        IMAGES.asked({member: "wide"})
