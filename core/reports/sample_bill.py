"""A sample bill: the draft document of an invented customer who has a price for exactly one whole period.

Always the product's engine (calc/billing): what a run would bill, with VAT, line by line and tier by tier.
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
from core.calc.pricebook import MICRO
from core.calc.threads import inlined
from core.domain.errors import Conflict
from core.domain.periods import Alignment, calendar_anchor, next_boundary, period_containing
from core.domain.plans import ChargeModel, PriceTerms
from core.domain.subscriptions import ChangeKind, CreditChoice, CustomerKind
from core.reports.price_preview import book_of, bounds, charge_of, micro, rated
from core.store import billing
from core.store.catalogue import as_prices

STEPS = {"step": pl.Int64, "quantity_micro": pl.Int64, "amount_minor": pl.Int64}


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


@inlined
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
    facts = [{**first, "quantity_micro": micro(sample.seats)}]
    for code, quantity in sample.addons.items():
        facts.append({"kind": ChangeKind.ADDON, "effective_on": start, "item": code, "quantity_micro": micro(quantity)})
    facts.append({"kind": ChangeKind.CANCEL, "effective_on": end, "credit": CreditChoice.NONE.value})
    numbered = [{"change_id": at, "subscription_id": 1, **fact, "kind": fact["kind"].value} for at, fact in enumerate(facts, 1)]  # fmt: skip
    return _rows(numbered, frames.CHANGES)


def _usage(terms: PriceTerms, sample: Sample, start: date) -> pl.DataFrame:
    """The sample's usage on the first day: one event per meter, or as many equal ones as asked for."""
    rows: list[dict[str, Any]] = []
    common = {"subscription_id": 1, "occurred_on": start}
    for meter, units in sample.units.items():
        rows.append({**common, "meter": meter, "quantity_micro": micro(units), "amount_micro": 0})
    for meter, (count, amount) in sample.events.items():
        each = {**common, "meter": meter, "quantity_micro": MICRO, "amount_micro": micro(amount)}
        rows += [each] * min(count, 100_000)
    return _rows([{"event_id": at, **row} for at, row in enumerate(rows, 1)], frames.USAGE_EVENTS)


def _rows(rows: list[dict[str, Any]], schema: frames.Schema) -> pl.DataFrame:
    return pl.DataFrame([[row.get(name) for name in schema] for row in rows], schema=schema, orient="row")


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
    reached = [low for low, _ in bounds(charge_of(terms, code)) if low < quantity]
    ends = [*reached, quantity]
    costs = rated(book_of(terms, code), ends)["amount_minor"].to_list()
    costs[-1] = amount_minor
    rows = [
        (at + 1, end - (ends[at - 1] if at else 0), cost - (costs[at - 1] if at else 0))
        for at, (end, cost) in enumerate(zip(ends, costs, strict=True))
    ]
    return pl.DataFrame(rows, schema=STEPS, orient="row")
