"""Round amounts so that what is shown adds up to the total that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.domain.money import round_usd, usd

if TYPE_CHECKING:
    from collections.abc import Sequence


def apportion(amounts: Sequence[int], decimals: int) -> list[int]:
    """Round picodollars to whole units of `decimals` places that add up to their rounded sum.

    The sum is rounded half up, each amount down; the units that are missing then go to the largest
    remainders, of equal ones to the first. So every amount is less than a unit from the exact one,
    and one that needs no rounding stays as it is.

    Returns picodollars. Raises ValueError unless `decimals` is between 0 and 12.
    """
    total = usd(round_usd(sum(amounts), decimals))
    unit = 10 ** (12 - decimals)
    rounded = [amount - amount % unit for amount in amounts]
    missing = (total - sum(rounded)) // unit
    by_remainder = sorted(range(len(amounts)), key=lambda n: amounts[n] % unit, reverse=True)
    for n in by_remainder[:missing]:
        rounded[n] += unit
    return rounded


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Share out picodollars by weights, in whole ones that add up to the total.

    What does not divide goes to the largest remainders, of equal ones to the first. The total may
    be below zero. Raises ValueError when there is no weight above zero, or one below.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError(f"weights {list(weights)}: allowed are numbers of 0 or more, not all 0")
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda n: total * weights[n] % whole, reverse=True
    )
    for n in by_remainder[: total - sum(shares)]:
        shares[n] += 1
    return shares
