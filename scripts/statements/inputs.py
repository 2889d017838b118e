"""What finance decides and no ledger knows: `envs/<env>/finance.toml`, read and checked.

The README beside this file shows one and explains each entry. Amounts are US dollars as decimal
strings, months "YYYY-MM"; whatever is wrong is an InputsError that names its place.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FILE = "finance.toml"
Basis = Literal["calls", "cost", "equal", "fixed"]
Kind = Literal["usage", "subscription", "shared", "discount", "credit", "credit_note", "debit_note"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,&_.:/()+-]{0,99}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_MARKUP = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,6})?")
_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,8})?")
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")
_USD = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_SHOWN = 60
_FIRST, _LAST = "0000-00", "9999-99"
HUNDRED_PERCENT = 1_000_000
_PERCENT_DECIMALS = 4


class InputsError(Exception):
    """The file of inputs cannot be used; the message names place, what was given and allowed."""


@dataclass(frozen=True, slots=True)
class SharedCost:
    """A cost of all, in a month: picodollars, by what it is allocated, and tenants' fixed shares.

    Shares are millionths of it and add up to all of it; there are none for another basis.
    """

    name: str
    usd: int
    by: Basis
    shares: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage (in ten-thousandths of a percent) off what usage is charged.

    Of the named tenants' and business units' usage, and of everybody's where none is named.
    """

    name: str
    percent: int
    tenants: tuple[str, ...]
    business_units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credit:
    """What a tenant gets back in a month, in picodollars, and why."""

    tenant: str
    usd: int
    reason: str


@dataclass(frozen=True, slots=True)
class MonthInputs:
    """The inputs of one month. `rate` is what a US dollar is in `currency`, a decimal."""

    currency: str = "USD"
    rate: str = "1"
    show_margin: bool = False
    accounts: Mapping[str, str] = field(default_factory=lambda: {kind: kind for kind in KINDS})
    shared_costs: Sequence[SharedCost] = ()
    discounts: Sequence[Discount] = ()
    credits: Sequence[Credit] = ()
    markups: Mapping[str, str] = field(default_factory=dict)


class Finance:
    """A whole file of inputs; `month` is what it says of one month.

    `markups` are those of tenants that the file names; they come before what a tenant's facts say.
    """

    def __init__(self, document: Mapping[str, Any], label: str = FILE) -> None:
        """Check the whole document. Raises InputsError."""
        top = _Table(f"{label}: ", document)
        self._label = label
        self._currency = top.text("currency", _CURRENCY, "three letters such as EUR", "USD")
        self._show_margin = top.flag("show_margin")
        self._rates = top.table("rates").texts(_MONTH, "a month YYYY-MM", _RATE, "a decimal")
        accounts = top.table("accounts")
        self._accounts: dict[str, str] = {
            kind: accounts.text(kind, _ACCOUNT, "an account's number", kind) for kind in KINDS
        }
        accounts.done()
        self._shared = [_shared_cost(table) for table in top.tables("shared_costs")]
        self._discounts = [_discount(table) for table in top.tables("discounts")]
        self._credits = [_credit(table) for table in top.tables("credits")]
        self.markups: dict[str, str] = {}
        for tenant_id, table in top.table("tenants").named():
            self.markups[tenant_id] = table.text("markup", _MARKUP, "a factor such as 1.20")
            table.done()
        top.done()
        if self._currency != "USD" and not self._rates:
            raise InputsError(
                f"{label}: rates: given none; allowed: what a US dollar is in {self._currency}, "
                'by the first month that it holds for, such as "2026-01" = "0.92"'
            )

    def month(self, month: str, tenants: frozenset[str], units: frozenset[str]) -> MonthInputs:
        """The inputs of a month ("YYYY-MM"), given the tenants and business units that there are.

        Raises InputsError for an unknown one, and for an amount or rate that is missing.
        """
        inputs = MonthInputs(
            currency=self._currency,
            rate=self._rate(month),
            show_margin=self._show_margin,
            accounts=self._accounts,
            shared_costs=tuple(e.of(month) for e in self._shared if e.term.has(month)),
            discounts=tuple(found for term, found in self._discounts if term.has(month)),
            credits=tuple(found for of, found in self._credits if of == month),
            markups=self.markups,
        )
        known = {"tenant": tenants | self.markups.keys(), "business unit": units}
        for where, what, name in _named(inputs):
            if name not in known[what]:
                raise InputsError(
                    f"{self._label}: {where}: given {what} {name[:_SHOWN]!r}, which is "
                    f"unknown; allowed: {some(sorted(known[what]))}"
                )
        return inputs

    def _rate(self, month: str) -> str:
        if self._currency == "USD":
            return "1"
        begun = [first for first in sorted(self._rates) if first <= month]
        if not begun:
            raise InputsError(
                f"{self._label}: rates: given none that holds in {month}; the first is of "
                f"{min(self._rates)}"
            )
        return self._rates[begun[-1]]


def load(path: Path, label: str) -> Finance:
    """Read a file of inputs; without one, statements are in US dollars and nothing is shared.

    Raises InputsError.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        document = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputsError(f"{label}: cannot be read: {error}") from error
    return Finance(document, label)


@dataclass(frozen=True, slots=True)
class _Term:
    """The months that something holds for, both included."""

    first: str
    last: str

    def has(self, month: str) -> bool:
        return self.first <= month <= self.last


@dataclass(frozen=True, slots=True)
class _SharedEntry:
    where: str
    name: str
    by: Basis
    shares: Mapping[str, int]
    term: _Term
    every_month: int | None
    by_month: Mapping[str, str]

    def of(self, month: str) -> SharedCost:
        amount = self.every_month
        if amount is None:
            if month not in self.by_month:
                raise InputsError(
                    f"{self.where}.usd: given no amount of {month}; allowed: what it cost, 0 too"
                )
            amount = usd(self.by_month[month])
        return SharedCost(self.name, amount, self.by, self.shares)


def _shared_cost(table: _Table) -> _SharedEntry:
    name = table.text("name", _NAME, "a name")
    by: Basis = table.choice("by", get_args(Basis))
    shares = table.table("shares").texts(None, "", _PERCENT, "a percentage")
    of_all = {tenant: _percent(share) for tenant, share in shares.items()}
    if (by == "fixed") != bool(of_all) or (of_all and sum(of_all.values()) != HUNDRED_PERCENT):
        raise InputsError(
            f"{table.where}.shares: given {len(of_all)} for a cost by {by}; allowed: percentages "
            'by tenant that add up to 100 with by = "fixed", and none with another'
        )
    monthly = table.text("month_usd", _USD, "US dollars such as 120.00", "")
    by_month = table.table("usd").texts(_MONTH, "a month YYYY-MM", _USD, "US dollars")
    if bool(monthly) == bool(by_month):
        raise InputsError(
            f"{table.where}: given {'both' if monthly else 'neither'} of month_usd and usd; "
            'allowed: one, an amount for every month or amounts by month ("2026-10" = "131.22")'
        )
    entry = _SharedEntry(
        where=table.where,
        name=name,
        by=by,
        shares=of_all,
        term=_term(table),
        every_month=usd(monthly) if monthly else None,
        by_month=by_month,
    )
    table.done()
    return entry


def _discount(table: _Table) -> tuple[_Term, Discount]:
    discount = Discount(
        name=table.text("name", _NAME, "a name"),
        percent=_percent(table.text("percent", _PERCENT, "a percentage from 0 to 100")),
        tenants=table.names("tenants"),
        business_units=table.names("business_units"),
    )
    if discount.percent > HUNDRED_PERCENT:
        raise InputsError(f"{table.where}.percent: given more than 100; allowed: from 0 to 100")
    found = _term(table), discount
    table.done()
    return found


def _credit(table: _Table) -> tuple[str, Credit]:
    month = table.text("month", _MONTH, "a month YYYY-MM")
    credit = Credit(
        tenant=table.text("tenant", None, "a tenant's id"),
        usd=usd(table.text("usd", _USD, "US dollars such as 25.00")),
        reason=table.text("reason", _NAME, "why, in a few words"),
    )
    table.done()
    return month, credit


def _term(table: _Table) -> _Term:
    return _Term(
        table.text("from", _MONTH, "a month YYYY-MM", _FIRST),
        table.text("to", _MONTH, "a month YYYY-MM", _LAST),
    )


def _percent(text: str) -> int:
    whole, _, places = text.partition(".")
    return int(whole + places.ljust(_PERCENT_DECIMALS, "0"))


def _named(inputs: MonthInputs) -> Iterator[tuple[str, str, str]]:
    """The tenants and business units that inputs name: where, which of the two, and the name."""
    for shared in inputs.shared_costs:
        for tenant in shared.shares:
            yield f"shared cost {shared.name!r}", "tenant", tenant
    for discount in inputs.discounts:
        for tenant in discount.tenants:
            yield f"discount {discount.name!r}", "tenant", tenant
        for unit in discount.business_units:
            yield f"discount {discount.name!r}", "business unit", unit
    for credit in inputs.credits:
        yield f"credit {credit.reason!r}", "tenant", credit.tenant


def some(names: Sequence[str], most: int = 8) -> str:
    """Some of many names, as a message tells them."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "none"


class _Table:
    """A table of the document: takes its entries one by one, and refuses what is left over."""

    def __init__(self, prefix: str, values: Mapping[str, Any]) -> None:
        """Every entry's place is `prefix` and its name."""
        self._prefix = prefix
        self._values = values
        self._taken: set[str] = set()

    @property
    def where(self) -> str:
        return self._prefix.rstrip(":. ")

    def text(
        self, key: str, pattern: re.Pattern[str] | None, allowed: str, default: str | None = None
    ) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or (
            value != default and pattern is not None and pattern.fullmatch(value) is None
        ):
            raise self._refusal(key, value, f"{allowed}, as a string")
        return value

    def flag(self, key: str) -> bool:
        value = self._take(key, default=False)
        if not isinstance(value, bool):
            raise self._refusal(key, value, "true or false")
        return value

    def choice(self, key: str, choices: tuple[Any, ...]) -> Any:  # noqa: ANN401 - one of them
        value = self._take(key, None)
        if value not in choices:
            raise self._refusal(key, value, ", ".join(choices))
        return value

    def names(self, key: str) -> tuple[str, ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self._refusal(key, value, "a list of names")
        return tuple(value)

    def table(self, key: str) -> _Table:
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self._refusal(key, value, "a table")
        return _Table(f"{self._prefix}{key}.", value)

    def tables(self, key: str) -> list[_Table]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self._refusal(key, value, f"tables [[{key}]]")
        return [_Table(f"{self._prefix}{key}[{n}].", entry) for n, entry in enumerate(value)]

    def named(self) -> list[tuple[str, _Table]]:
        return [(key, self.table(key)) for key in self._values]

    def texts(
        self, keys: re.Pattern[str] | None, named: str, values: re.Pattern[str], allowed: str
    ) -> dict[str, str]:
        for key in self._values:
            if keys is not None and keys.fullmatch(key) is None:
                raise InputsError(f"{self.where}: given {key[:_SHOWN]!r}; allowed: {named}")
        return {key: self.text(key, values, allowed) for key in self._values}

    def done(self) -> None:
        for key in self._values:
            if key not in self._taken:
                allowed = ", ".join(sorted(self._taken))
                raise InputsError(f"{self.where}: given {key[:_SHOWN]!r}; allowed: {allowed}")

    def _take(self, key: str, default: Any) -> Any:  # noqa: ANN401 - a value of TOML
        self._taken.add(key)
        return self._values.get(key, default)

    def _refusal(self, key: str, value: object, allowed: str) -> InputsError:
        given = "nothing" if value is None else repr(value)[:_SHOWN]
        return InputsError(f"{self._prefix}{key}: given {given}; allowed: {allowed}")
