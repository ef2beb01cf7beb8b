"""What a draft would cost, before anybody is billed: a charge's curve, its falls at tier bounds, and sample bills.

Always the product's engine (calc/rating.py, calc/billing): a sample bill is the draft document of an invented customer who
has the price for exactly one whole period.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core import frames
from core.calc.billing.documents import draft
from core.calc.pricebook import MICRO, PriceBook, compile_book
from core.calc.rating import rate
from core.calc.usage import percentage_fees
from core.domain.errors import Conflict
from core.domain.periods import Alignment, calendar_anchor, next_boundary, period_containing
from core.domain.plans import Charge, ChargeKind, ChargeModel, PriceTerms, Rounding
from core.domain.subscriptions import ChangeKind, CreditChoice, CustomerKind
from core.store import billing
from core.store.catalogue import as_prices

CURVE: frames.Schema = {"quantity_micro": pl.Int64, "amount_minor": pl.Int64}
POINTS = 240
WHOLE = (ChargeKind.SEAT, ChargeKind.ADDON)
MOST_EVENTS = 400  # of a percentage charge's curve
LARGEST_QUANTITY = Decimal(10) ** 12
FAR = 10**15  # micro: a curve ends at a thousand million units at the latest
STEPS = {"step": pl.Int64, "quantity_micro": pl.Int64, "amount_minor": pl.Int64}


@dataclass(frozen=True)
class Fall:
    """A bound at which one more unit makes the whole cheaper: amounts at `at_micro` and just above, in minor units."""

    at_micro: int
    above_micro: int
    at_minor: int
    above_minor: int


@dataclass(frozen=True)
class Sample:
    """What an invented customer uses in a period: seats, add-ons by code, units by meter, events by meter (count, amount each)."""

    seats: Decimal = Decimal(1)
    addons: dict[str, Decimal] = field(default_factory=dict)
    units: dict[str, Decimal] = field(default_factory=dict)
    events: dict[str, tuple[int, Decimal]] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleBill:
    """The bill of one whole period: the lines (code, charge, kind, quantity_micro, amount_minor, tax_rate_ppm), VAT per rate
    (rate_ppm, base_minor, tax_minor) and the sums in minor units. `steps`: charge code → STEPS that sum to the line.
    `review` says why it could not be made."""

    start: date
    end: date
    lines: pl.DataFrame
    taxes: pl.DataFrame
    net_minor: int
    tax_minor: int
    total_minor: int
    steps: dict[str, pl.DataFrame]
    review: list[str]


# --- the curve ------------------------------------------------------------------------------------------------------


def curve(
    terms: PriceTerms, code: str, *, upto: Decimal | None = None, event_amount: Decimal = Decimal(100)
) -> pl.DataFrame:
    """Amount of one period by quantity: CURVE, ascending. A percentage counts events of `event_amount` each.

    Points lie evenly up to `upto` (default: half beyond the last bound), and on both sides of every bound.
    """
    charge = _charge(terms, code)
    book = _book(terms, code)
    if charge.model is ChargeModel.PERCENTAGE:
        return _event_curve(book, event_amount, upto)
    end = _end(charge) if upto is None else _micro(upto)
    quantities = _points(charge, end)
    return _rated(book, quantities)


def falls(terms: PriceTerms, code: str) -> list[Fall]:
    """The bounds at which the total falls. In units as they are counted, before conversion and included units."""
    charge = _charge(terms, code)
    pairs = _bounds(charge)
    if charge.model is ChargeModel.PERCENTAGE or not pairs:
        return []
    book = _book(terms, code)
    at = _rated(book, [low for low, _ in pairs])["amount_minor"]
    above = _rated(book, [high for _, high in pairs])["amount_minor"]
    sides = zip(pairs, at, above, strict=True)
    return [Fall(low, high, before, after) for (low, high), before, after in sides if after < before]


def _charge(terms: PriceTerms, code: str) -> Charge:
    return next(charge for charge in terms.charges if charge.code == code)


def _book(terms: PriceTerms, code: str) -> PriceBook:
    """The price book of one charge alone, so that faults of others do not matter."""
    alone = replace(terms, charges=(_charge(terms, code),), minimum_commitment=Decimal(0))
    return compile_book(*as_prices(alone))


def _rated(book: PriceBook, quantities: list[int]) -> pl.DataFrame:
    lines = pl.DataFrame({"quantity_micro": quantities}, schema={"quantity_micro": pl.Int64})
    priced = lines.with_columns(charge_id=pl.lit(1, dtype=pl.Int64))
    return lines.with_columns(rate(book, priced).alias("amount_minor"))


def _micro(quantity: Decimal) -> int:
    return int(min(max(quantity, Decimal(0)), LARGEST_QUANTITY) * MICRO)


def _bounds(charge: Charge) -> list[tuple[int, int]]:
    """Each tier bound in counted units (micro), and the next quantity beyond it."""
    pairs = []
    unit = _micro(charge.convert_by) if charge.convert_by else 0
    for tier in charge.tiers[:-1]:
        if tier.up_to is None:
            continue
        low = _micro(tier.up_to + charge.included_units)
        if unit:
            step = unit if charge.convert_rounding is not Rounding.UP else min(unit, MICRO)
            pairs.append((low * unit // MICRO, low * unit // MICRO + step))
        else:
            pairs.append((low, low + (MICRO if low % MICRO == 0 else 1)))
    return [(low, high) for low, high in pairs if high < LARGEST_QUANTITY * MICRO]


def _end(charge: Charge) -> int:
    """Where a curve ends when nobody says: half beyond the last bound, or a few packages or units."""
    bounds = [low for low, _ in _bounds(charge)]
    size = max((_micro(tier.package_size) for tier in charge.tiers if tier.package_size), default=0)
    unit = _micro(charge.convert_by) if charge.convert_by else MICRO
    usual = 100 if charge.kind is ChargeKind.USAGE else 20
    included = _micro(charge.included_units) * unit // MICRO
    return min(FAR, max([bound * 3 // 2 for bound in bounds] + [size * 6, included * 3, usual * unit]))


def _points(charge: Charge, end: int) -> list[int]:
    """Quantities to rate: an even grid (whole units where only those exist), and both sides of bounds within it."""
    step = max(1, end // POINTS)
    if charge.kind in WHOLE or step >= MICRO:
        step = max(MICRO, step // MICRO * MICRO)
    grid = {*range(0, end + 1, step), end}
    return sorted(grid | {side for pair in _bounds(charge) for side in pair if side <= end})


def _event_curve(book: PriceBook, event_amount: Decimal, upto: Decimal | None) -> pl.DataFrame:
    """The fee of n equal events, for n = 0, 1, 2 …"""
    most = MOST_EVENTS if upto is None else min(MOST_EVENTS, max(1, int(upto)))
    some = sorted({*range(0, most + 1, max(1, most // 60)), most})
    fees = percentage_fees(book, _events([(line, count) for line, count in enumerate(some) if count], event_amount))
    amounts = pl.DataFrame({"line": range(len(some)), "quantity_micro": [count * MICRO for count in some]})
    joined = amounts.join(fees.select("line", "amount_minor"), on="line", how="left", maintain_order="left")
    return frames.conform(joined.with_columns(pl.col("amount_minor").fill_null(0)), CURVE)


def _events(counts: list[tuple[int, int]], amount: Decimal) -> pl.DataFrame:
    """`count` equal events for each line."""
    listed = pl.DataFrame(counts, schema={"line": pl.Int64, "count": pl.Int64}, orient="row")
    repeated = listed.select("line", event_id=pl.int_ranges(1, pl.col("count") + 1)).explode("event_id")
    return repeated.with_columns(
        charge_id=pl.lit(1, dtype=pl.Int64), amount_micro=pl.lit(_micro(amount), dtype=pl.Int64)
    )


# --- a sample bill --------------------------------------------------------------------------------------------------


def sample_bill(
    session: Session, terms: PriceTerms, sample: Sample, day: date, kind: CustomerKind = CustomerKind.BUSINESS
) -> SampleBill:
    """What a new customer with this price would be billed for the whole period around a day, with one-off fees and VAT."""
    anchor = calendar_anchor(terms.interval, day) if terms.alignment is Alignment.CALENDAR else day
    start = period_containing(anchor, terms.interval, day)[0]
    end = next_boundary(anchor, terms.interval, start)
    made = draft(_inputs(session, terms, sample, (start, end), kind), end)
    names = as_prices(terms).charges.select("charge_id", "code", charge="name", model="model")
    lines = made.lines.sort("position").join(names, on="charge_id", how="left", maintain_order="left")
    shown = lines.select(
        "code", "charge", "kind", "model", "quantity_micro", "amount_minor", "net_minor", "tax_rate_ppm"
    )
    net, tax, total = (int(made.documents[name].sum()) for name in ("net_minor", "tax_minor", "total_minor"))
    taxes = made.taxes.select("rate_ppm", "base_minor", "tax_minor").sort("rate_ppm", descending=True)
    return SampleBill(start, end, shown, taxes, net, tax, total, _steps(terms, shown), made.review["code"].to_list())


def _inputs(
    session: Session, terms: PriceTerms, sample: Sample, span: tuple[date, date], kind: CustomerKind
) -> frames.BillingInputs:
    """One customer, one subscription, cancelled at the end of its first period."""
    start, end = span
    versions, charges, tiers = as_prices(terms)
    seller, rules = _seller(session, start)
    subscription = {"subscription_id": 1, "customer_id": 1, "currency": terms.currency, "started_on": start}
    before = start - timedelta(days=1)
    scope = {"subscription_id": 1, "after": before, "billed_through": before, "touched": False}
    customer = {"customer_id": 1, "created_on": start, "kind": kind.value, "country": seller.country, "vat_number": "",
                "organisation_number": "", "separate_invoices": False}  # fmt: skip
    facts = frames.Facts(_changes(sample, start, end), versions, charges, tiers, _usage(terms, sample, start))
    return frames.BillingInputs(
        facts=facts, scope=_rows([scope], frames.SCOPE), subscriptions=_rows([subscription], frames.SUBSCRIPTIONS),
        customers=_rows([customer], frames.CUSTOMERS), coupons=frames.empty(frames.COUPONS), vat_rules=rules,
        billed=frames.empty(frames.LINES), used=frames.empty(frames.USED_DISCOUNTS),
        currency_rates={} if terms.currency == seller.currency else {terms.currency: frames.CURRENCY_RATE_SCALE},
        seller=replace(seller, skip_zero=False),
    )  # fmt: skip


def _seller(session: Session, day: date) -> tuple[frames.Seller, pl.DataFrame]:
    """The company and its VAT rules; before a company is known, one without VAT."""
    try:
        company = billing.company_profile(session, day)
    except Conflict:
        return frames.Seller(), frames.empty(frames.VAT_RULES)
    return frames.Seller(company.country, company.currency), billing.vat_rules(session, company.country)


def _changes(sample: Sample, start: date, end: date) -> pl.DataFrame:
    """Start, add-ons, and the end after one period."""
    first: dict[str, Any] = {"kind": ChangeKind.START, "effective_on": start, "price_version_id": 1, "anchor_on": start}
    facts = [{**first, "quantity_micro": _micro(sample.seats)}]
    for code, quantity in sample.addons.items():
        facts.append(
            {"kind": ChangeKind.ADDON, "effective_on": start, "item": code, "quantity_micro": _micro(quantity)}
        )
    facts.append({"kind": ChangeKind.CANCEL, "effective_on": end, "credit": CreditChoice.NONE.value})
    numbered = [{"change_id": at, "subscription_id": 1, **fact, "kind": fact["kind"].value} for at, fact in enumerate(facts, 1)]  # fmt: skip
    return _rows(numbered, frames.CHANGES)


def _usage(terms: PriceTerms, sample: Sample, start: date) -> pl.DataFrame:
    """The sample's usage on the first day: one event per meter, or as many equal ones as asked for."""
    rows: list[dict[str, Any]] = []
    common = {"subscription_id": 1, "occurred_on": start}
    for meter, units in sample.units.items():
        rows.append({**common, "meter": meter, "quantity_micro": _micro(units), "amount_micro": 0})
    for meter, (count, amount) in sample.events.items():
        each = {**common, "meter": meter, "quantity_micro": MICRO, "amount_micro": _micro(amount)}
        rows += [each] * min(count, 100_000)
    return _rows([{"event_id": at, **row} for at, row in enumerate(rows, 1)], frames.USAGE_EVENTS)


def _rows(rows: list[dict[str, Any]], schema: frames.Schema) -> pl.DataFrame:
    return pl.DataFrame([[row.get(name) for name in schema] for row in rows], schema=schema, orient="row")


# --- tier by tier ---------------------------------------------------------------------------------------------------


def _steps(terms: PriceTerms, lines: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Of each graduated line what every tier adds to it; the steps sum exactly to the line."""
    graduated = lines.filter(pl.col("model") == ChargeModel.GRADUATED)
    return {
        row["code"]: step
        for row in graduated.iter_rows(named=True)
        if (step := _tier_steps(terms, row["code"], row["quantity_micro"], row["amount_minor"])).height > 1
    }


def _tier_steps(terms: PriceTerms, code: str, quantity: int, amount_minor: int) -> pl.DataFrame:
    """STEPS: the cost up to each bound less the cost up to the bound before it."""
    reached = [low for low, _ in _bounds(_charge(terms, code)) if low < quantity]
    ends = [*reached, quantity]
    costs = _rated(_book(terms, code), ends)["amount_minor"].to_list()
    costs[-1] = amount_minor
    rows = [
        (at + 1, end - (ends[at - 1] if at else 0), cost - (costs[at - 1] if at else 0))
        for at, (end, cost) in enumerate(zip(ends, costs, strict=True))
    ]
    return pl.DataFrame(rows, schema=STEPS, orient="row")
