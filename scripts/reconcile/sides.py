"""The two sides of a reconciliation, cut into cells that can be compared.

A cell is a day, account, region, model, routing, service tier and kind of what is counted, and a
tenant where AWS tells tenants apart. Quantities are whole tokens, images or hours, costs
picodollars. What the bill has beside usage, such as tax, stands by itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.reconcile import usage_types
from scripts.reports.footing import split
from tollgate.domain.guardrails import MODEL_ID as GUARDRAIL
from tollgate.domain.models import ModelRef, geographies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from scripts.reconcile.usage_types import ModelNames, UsageType
    from tollgate.domain.prices import PriceBook, Rates

ENDPOINTS = "sagemaker endpoints"
UNKNOWN = "unknown"
COUNTED = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "image")
CACHES = COUNTED[2:5]
_PICO = 10**12
# By which of a mode's units the ledger books what is no token. It counts images alone.
_OTHER_KINDS = {"image_generation": "image", "rerank": "search"}


class Place(NamedTuple):
    """Where usage of one kind is compared; `tenant_id` is "" where AWS does not tell tenants."""

    dt: date
    account_id: str
    region: str
    model_id: str
    routing: str
    tier: str
    kind: str
    tenant_id: str

    def on(self, day: date) -> Place:
        """The same usage on another day."""
        return self._replace(dt=day)


@dataclass(slots=True)
class Booked:
    """What the ledger has in a cell. `quantity` is None where it does not count.

    `late` is the part of it from calls of the day's last hour, `uncertain` how many calls are
    booked at a hold or an estimate, `unpriced` how many had no price, `contract` how many have a
    tenant's own.
    """

    quantity: int | None = 0
    cost: int = 0
    late: int = 0
    calls: int = 0
    uncertain: int = 0
    unpriced: int = 0
    contract: int = 0


@dataclass(slots=True)
class Billed:
    """What the bill has in a cell, by how many of its lines, and as which usage types.

    `principals` are the sessions or users that called, as far as the bill says.
    """

    quantity: int | None = 0
    cost: int = 0
    lines: int = 0
    usage_types: set[str] = field(default_factory=set)
    principals: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Charge:
    """A part of the bill that is no usage of a known kind; `why` is its class, `cost` picodollars.

    `what` names it as the bill does.
    """

    place: Place
    why: str
    what: str
    cost: int


@dataclass(slots=True)
class Bill:
    """The bill in cells, what is no usage, and what it has of accounts that are not compared."""

    cells: dict[Place, Billed] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    unread: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Tenants:
    """How the bill tells tenants apart: by account, and since when by session or by profile."""

    by_account: Mapping[str, str]
    by_session: dict[tuple[str, str], date] = field(default_factory=dict)
    by_profile: dict[tuple[str, str], date] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, Any]], by_account: Mapping[str, str]) -> Tenants:
        """Read from the bill's lines whom it names, in which account and since which day."""
        found = cls(by_account)
        for line in lines:
            for column, since in (
                ("session_tenant", found.by_session),
                ("profile_tenant", found.by_profile),
            ):
                if line[column]:
                    key = line["account_id"], line[column]
                    since[key] = min(since.get(key, line["dt"]), line["dt"])
        return found

    def of_line(self, line: Mapping[str, Any]) -> str:
        """The tenant of a line of the bill, or ""."""
        return str(
            self.by_account.get(line["account_id"])
            or line["session_tenant"]
            or line["profile_tenant"]
            or ""
        )

    def of_booking(self, row: Mapping[str, Any]) -> str:
        """The tenant of usage that the bill shows under its name from that day on, or ""."""
        account = row["account_id"]
        if account in self.by_account:
            return self.by_account[account]
        key = account, row["tenant_id"]
        sources = [self.by_session] + ([self.by_profile] if row["is_profiled"] else [])
        named = any(key in since and since[key] <= row["dt"] for since in sources)
        return str(row["tenant_id"]) if named else ""


def booked(
    rows: Iterable[Mapping[str, Any]], book: PriceBook, tenants: Tenants
) -> dict[Place, Booked]:
    """Cut the result of `bill_ledger` into cells.

    The ledger has one cost for all kinds of cache. Among calls of one price it is shared out by
    what the kinds cost at list prices, and adds up to what is booked.
    """
    cells: defaultdict[Place, Booked] = defaultdict(Booked)
    for row in rows:
        for kind, quantity, cost in _kinds(row, book):
            cell = cells[_ledger_place(row, book, tenants, kind)]
            cell.quantity = _plus(cell.quantity, quantity)
            cell.cost += cost
            cell.late += row.get(f"late_{kind}", 0) or 0
            cell.calls += row["calls"]
            cell.uncertain += row["uncertain"]
            cell.unpriced += row["unpriced"]
            cell.contract += row["contract"]
    return dict(cells)


def billed(
    lines: Iterable[Mapping[str, Any]],
    names: ModelNames,
    tenants: Tenants,
    accounts: frozenset[str],
) -> Bill:
    """Cut the result of `bill_lines` into cells; nothing that it charges is left out.

    Lines of other accounts than `accounts` are summed by account. Usage types and types of lines
    that nobody reads are in `unread` with what they cost, and are charges that the ledger misses.
    """
    bill = Bill()
    for line in lines:
        if line["account_id"] not in accounts:
            _add(bill.elsewhere, line["account_id"], line["cost"])
            continue
        why = usage_types.line_class(line["line_type"])
        usage = usage_types.read(line["usage_type"] or "")
        place = _bill_place(line, usage, names, tenants)
        if why == "usage" and usage is not None and place.model_id != UNKNOWN:
            _count(bill.cells.setdefault(place, Billed()), line, usage)
            continue
        what = line["usage_type"] or line["product_name"] or line["line_type"]
        if why in (None, "usage"):
            _add(bill.unread, what if why else f"{line['line_type']}: {what}", line["cost"])
            why = "missing in ledger"
        bill.charges.append(Charge(place, why, what, line["cost"]))
    return bill


def _kinds(row: Mapping[str, Any], book: PriceBook) -> Iterator[tuple[str, int | None, int]]:
    if row["is_endpoint"]:
        costs = (row[f"{part}_cost"] for part in ("input", "output", "cache", "other"))
        yield "instance_hour", None, sum(costs)
        return
    for kind in ("input", "output"):
        if row[kind] or row[f"{kind}_cost"]:
            yield kind, row[kind], row[f"{kind}_cost"]
    if row["cache_cost"] or any(row[kind] for kind in CACHES):
        shares = split(row["cache_cost"], _cache_weights(row, book))
        for kind, cost in zip(CACHES, shares, strict=True):
            if row[kind] or cost:
                yield kind, row[kind], cost
    if row["image"] or row["other_cost"]:
        card = book.card(row["model_id"])
        kind = _OTHER_KINDS.get("" if card is None else card.mode, "guardrail")
        kind = "image" if row["image"] else kind
        yield kind, row["image"] if kind == "image" else None, row["other_cost"]


def _cache_weights(row: Mapping[str, Any], book: PriceBook) -> list[int]:
    rates = _rates(row, book)
    prices = [(getattr(rates, kind) or 0) if rates else 0 for kind in CACHES]
    if not any(price * row[kind] for price, kind in zip(prices, CACHES, strict=True)):
        prices = [1, 1, 1]
    weights = [price * row[kind] for price, kind in zip(prices, CACHES, strict=True)]
    # Costs without tokens are those of corrections.
    return weights if any(weights) else [1, 0, 0]


def _rates(row: Mapping[str, Any], book: PriceBook) -> Rates | None:
    model_id, day = row["model_id"], row["dt"]
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    routings: list[tuple[str, str | None]] = [("in_region", None)]
    if row["is_global"]:
        routings = [("global", None)]
    else:
        routings += [("geo", geo) for geo in geographies(row["region"])]
    for routing, geo in routings:
        ref = ModelRef(model_id, model_id, routing, geo, model_id)  # type: ignore[arg-type]
        rates = book.rates(ref, region=row["region"], at=at, tier=row["service_tier"])
        if rates is not None:
            return rates
    return None


def _ledger_place(row: Mapping[str, Any], book: PriceBook, tenants: Tenants, kind: str) -> Place:
    model_id, routing, tier = book.base_id(row["model_id"]), "regional", row["service_tier"]
    if kind == "instance_hour":
        model_id, tier = ENDPOINTS, "default"
    elif kind == "guardrail":
        model_id, tier = GUARDRAIL, "default"
    elif row["is_global"]:
        routing = "global"
    tenant_id = tenants.of_booking(row)
    return Place(
        row["dt"], row["account_id"], row["region"], model_id, routing, tier, kind, tenant_id
    )


def _bill_place(
    line: Mapping[str, Any], usage: UsageType | None, names: ModelNames, tenants: Tenants
) -> Place:
    model_id, routing, tier, kind = UNKNOWN, "regional", "default", UNKNOWN
    region = line["region"] or ""
    if usage is not None:
        routing = "global" if usage.routing == "global" else "regional"
        tier, kind = usage.tier, usage.kind
        model_id = _billed_model(line, usage, names)
        region = usage.region or region
    return Place(
        line["dt"],
        line["account_id"],
        region,
        model_id,
        routing,
        tier,
        kind,
        tenants.of_line(line),
    )


def _billed_model(line: Mapping[str, Any], usage: UsageType, names: ModelNames) -> str:
    if usage.kind == "instance_hour":
        return ENDPOINTS
    if usage.kind == "guardrail":
        return GUARDRAIL
    return names.find(usage.model or line["product_name"] or "") or UNKNOWN


def _count(cell: Billed, line: Mapping[str, Any], usage: UsageType) -> None:
    unit = usage_types.quantity_unit(usage, line["pricing_unit"] or "")
    quantity = None if unit is None else round_half_up(line["amount"] * unit, _PICO)
    cell.quantity = _plus(cell.quantity, quantity)
    cell.cost += line["cost"]
    cell.lines += line["lines"]
    cell.usage_types.add(line["usage_type"])
    if line["principal"]:
        cell.principals.add(line["principal"])


def _plus(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more


def round_half_up(amount: int, unit: int) -> int:
    """`amount / unit` as a whole number, half of one up."""
    return (2 * amount + unit) // (2 * unit)


def _add(sums: dict[str, int], name: str, cost: int) -> None:
    sums[name] = sums.get(name, 0) + cost


def next_day(day: date) -> date:
    """The day after a day."""
    return day + timedelta(days=1)
