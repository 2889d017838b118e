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
        ({"text_prompts": [], "steps": 50}, (1, "512x512", "standard")),
        ({"text_prompts": [], "steps": 51}, (1, "512x512", "premium")),
    ],
)
def test_an_image_of_the_size_and_steps_that_are_billed(
    body: dict[str, Any], asked: tuple[int, str, str]
) -> None:
    assert XL.asked(body) == asked


def test_an_image_of_the_later_models_has_one_price() -> None:
    assert IMAGES.asked({"prompt": "A boat"}) == (1, "1024x1024", "standard")


@pytest.mark.parametrize("member", ["width", "height", "steps"])
def test_a_size_is_a_number_of_pixels_and_steps_are_one(member: str) -> None:
    for strange in ("wide", 0, True, 50.5):
        with pytest.raises(InvalidRequestError, match=f"{member} allows a whole number of 1 or"):
            XL.asked({member: strange})
