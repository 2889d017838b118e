"""Money as whole picodollars.

List prices have at most six decimals per million tokens, so a price per token is a whole
number of picodollars (1e-12 USD) and every sum is exact. Decimal text appears at the edges only.
"""

from __future__ import annotations

import re

PICO_PER_USD = 10**12
_DECIMALS = 12
_AMOUNT = re.compile(r"(?P<sign>-?)(?P<whole>[0-9]+)(?:\.(?P<fraction>[0-9]+))?")


def usd(text: str) -> int:
    """Turn a plain decimal amount of US dollars ("0.00000276", "-12.5") into picodollars.

    Raises ValueError, naming the text, when it is not a plain decimal number or has more than
    twelve decimals.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an amount in USD: use a plain decimal such as '12.50'")
    fraction = match["fraction"] or ""
    if len(fraction) > _DECIMALS:
        raise ValueError(f"{text!r} has {len(fraction)} decimals: USD amounts have at most 12")
    pico = int(match["whole"]) * PICO_PER_USD + int(fraction.ljust(_DECIMALS, "0"))
    return -pico if match["sign"] else pico


def format_usd(pico: int) -> str:
    """Write picodollars as the shortest exact decimal in US dollars: "0.00000276", "-0.5", "12"."""
    return _decimal(pico, _DECIMALS)


def round_usd(pico: int, decimals: int) -> str:
    """Write picodollars in US dollars rounded half up (away from zero) to `decimals` places.

    Trailing zeros are left out. Raises ValueError unless `decimals` is between 0 and 12.
    """
    if not 0 <= decimals <= _DECIMALS:
        raise ValueError(f"decimals must be between 0 and 12, not {decimals}")
    unit = 10 ** (_DECIMALS - decimals)
    magnitude = (2 * abs(pico) + unit) // (2 * unit)
    return _decimal(-magnitude if pico < 0 else magnitude, decimals)


def _decimal(amount: int, decimals: int) -> str:
    whole, fraction = divmod(abs(amount), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
