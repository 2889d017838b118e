"""Why ledger and bill differ: every difference taken apart into classes that add up to it.

A difference is what is billed less what is booked, in picodollars. Where both sides have usage, it
is taken apart into quantity (the tokens that one side has more, at the ledger's price) and price
(the rest). Quantities that AWS counted to the next day, and what it cannot have billed yet, are
late.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scripts.reconcile.sides import Billed, Booked, Place, next_day, round_half_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from scripts.reconcile.sides import Charge

# In the order of reports: what somebody has to look into comes first.
CLASSES = (
    "missing in ledger",
    "missing in bill",
    "quantity",
    "price",
    "late",
    "rounding",
    "discount or credit",
    "tax",
)
# What agrees with a bill all the same: nobody has to do anything about it.
EXPECTED = frozenset({"late", "rounding", "discount or credit", "tax"})
# Lines of a day are complete by then, those of the marketplace too.
WATERMARK = timedelta(hours=72)
# Half a unit of the ninth decimal of a dollar: a line of the bill is exact to that at least.
ROUNDING = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the bill's difference from the ledger: `amount` picodollars, for one reason.

    `booked` and `billed` are the whole cell's costs, `booked_quantity` and `billed_quantity` its
    counts (None where a side has none). `what` is the bill's name of it, `note` what else is known.
    """

    place: Place
    why: str
    amount: int
    booked: int = 0
    billed: int = 0
    booked_quantity: int | None = None
    billed_quantity: int | None = None
    what: str = ""
    note: str = ""


def explain(
    ledger: Mapping[Place, Booked],
    bill: Mapping[Place, Billed],
    charges: Iterable[Charge],
    now: datetime,
) -> list[Difference]:
    """Take all differences apart; they add up to all of the bill less all of the ledger.

    `now` is when the bill was read. Cells that agree give none.
    """
    carried = _carried(ledger, bill)
    found: list[Difference] = []
    for place in sorted(ledger.keys() | bill.keys()):
        mine, theirs = ledger.get(place, Booked()), bill.get(place, Billed())
        parts = _parts(mine, theirs, carried.get(place, 0), is_open=is_open(place.dt, now))
        known = Difference(
            place,
            "",
            0,
            booked=mine.cost,
            billed=theirs.cost,
            booked_quantity=mine.quantity if place in ledger else 0,
            billed_quantity=theirs.quantity if place in bill else 0,
            what=", ".join(sorted(theirs.usage_types)),
        )
        found += [
            replace(known, why=why, amount=amount, note=_note(why, mine, theirs))
            for why, amount in parts.items()
            if amount
        ]
    for charge in charges:
        if charge.cost:
            found.append(
                Difference(
                    charge.place, charge.why, charge.cost, billed=charge.cost, what=charge.what
                )
            )
    return found


def is_open(day: date, now: datetime) -> bool:
    """Whether AWS may still bill usage of a day (UTC)."""
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return now < end + WATERMARK


def _parts(mine: Booked, theirs: Billed, carried: int, *, is_open: bool) -> dict[str, int]:
    difference = theirs.cost - mine.cost
    if abs(difference) <= ROUNDING * theirs.lines:
        # Counts may differ all the same: corrections of costs leave them as they were.
        return {"rounding": difference}
    parts: defaultdict[str, int] = defaultdict(int)
    more = _more(mine, theirs)
    is_alone = not theirs.lines or not (mine.calls or mine.cost)
    quantity = difference if is_alone or more is None else _at_price(more, mine, theirs)
    late = _at_price(carried, mine, theirs)
    if is_open and quantity - late < 0:
        late = quantity
    parts["late"] += late
    parts[_side(mine, theirs)] += quantity - late
    price = difference - quantity
    parts["rounding" if abs(price) <= ROUNDING * theirs.lines else "price"] += price
    return parts


def _side(mine: Booked, theirs: Billed) -> str:
    if not theirs.lines:
        return "missing in bill"
    return "quantity" if mine.calls else "missing in ledger"


def _more(mine: Booked, theirs: Billed) -> int | None:
    # How much more is billed than booked; None where one of the two does not count.
    if mine.quantity is None or theirs.quantity is None:
        return None
    return theirs.quantity - mine.quantity


def _at_price(count: int, mine: Booked, theirs: Billed) -> int:
    # What a count costs at the ledger's price, or at the bill's where the ledger has none.
    cost, quantity = (mine.cost, mine.quantity) if mine.quantity else (theirs.cost, theirs.quantity)
    if not count or not quantity:
        return 0
    return round_half_up(cost * count, quantity)


def _carried(ledger: Mapping[Place, Booked], bill: Mapping[Place, Billed]) -> dict[Place, int]:
    # Calls of a day's last hour can be billed on the next day: as much as the one lacks and the
    # other has too much is late, and no more than that hour had.
    carried: defaultdict[Place, int] = defaultdict(int)
    for place in sorted(ledger):
        after = place.on(next_day(place.dt))
        here = _missing(place, ledger, bill, carried)
        there = _missing(after, ledger, bill, carried)
        moved = min(-here, there, ledger[place].late)
        if moved > 0:
            carried[place] -= moved
            carried[after] += moved
    return carried


def _missing(
    place: Place,
    ledger: Mapping[Place, Booked],
    bill: Mapping[Place, Billed],
    carried: Mapping[Place, int],
) -> int:
    more = _more(ledger.get(place, Booked()), bill.get(place, Billed()))
    return (more or 0) - carried.get(place, 0)


def _note(why: str, mine: Booked, theirs: Billed) -> str:
    notes = []
    if mine.uncertain:
        notes.append(f"{mine.uncertain} of {mine.calls} calls are booked at a hold or an estimate")
    if mine.unpriced:
        notes.append(f"{mine.unpriced} of {mine.calls} calls had no price")
    if mine.contract:
        notes.append(f"{mine.contract} of {mine.calls} calls are at a tenant's own prices")
    if why == "missing in ledger" and theirs.principals:
        notes.append(f"called by {min(theirs.principals)}")
    return "; ".join(notes)
