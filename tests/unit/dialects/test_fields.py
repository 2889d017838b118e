"""What no JSON says, and a caller of Python may still hand in."""

from __future__ import annotations

import pytest

from tollgate.dialects.fields import as_number
from tollgate.domain.errors import InvalidRequestError


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_lies_between_no_bounds(value: float) -> None:
    with pytest.raises(InvalidRequestError, match="temperature is .*; allowed is 0 to 1"):
        as_number(value, "temperature", low=0, high=1)
