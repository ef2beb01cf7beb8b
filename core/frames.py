"""Column contracts: schema, row key and units of every frame that passes between floors.

`store` and `calc` never see each other; they meet here. Suffixes say the unit: `_minor` minor units of the row's currency,
`_micro` millionths of a unit, `_ppm` millionths of a rate, `_on` a date, `[start, end)` half-open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import polars as pl

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

# A subscription's identity. Key: subscription_id.
SUBSCRIPTIONS: Schema = {
    "subscription_id": pl.Int64,
    "customer_id": pl.Int64,
    "currency": pl.String,
    "started_on": pl.Date,
    "terms_days": pl.Int32,
}

# Dated facts about subscriptions (domain/subscriptions.py ChangeKind). Key: change_id.
CHANGES: Schema = {
    "change_id": pl.Int64,
    "subscription_id": pl.Int64,
    "kind": pl.String,
    "effective_on": pl.Date,
    "undoes_id": pl.Int64,
    "price_version_id": pl.Int64,
    "earlier_version_id": pl.Int64,  # what a limited price change is compared with
    "cap_ppm": pl.Int64,
    "floor_ppm": pl.Int64,
    "quantity_micro": pl.Int64,
    "item": pl.String,
    "coupon_id": pl.Int64,
    "periods_left": pl.Int32,
    "anchor_on": pl.Date,
    "until_on": pl.Date,
    "credit": pl.String,
    "cause": pl.String,
    "reason": pl.String,
}

# Price versions as the engine needs them. Key: price_version_id.
PRICE_VERSIONS: Schema = {
    "price_version_id": pl.Int64,
    "plan_id": pl.Int64,
    "currency": pl.String,
    "interval_months": pl.Int32,  # 0 when the interval counts days
    "interval_days": pl.Int32,  # 0 when the interval counts months
    "calendar": pl.Boolean,
    "tax_inclusive": pl.Boolean,
    "minimum_minor": pl.Int64,
}

# Charges of price versions; amounts and quantities as exact decimal text. Key: charge_id.
CHARGES: Schema = {
    "charge_id": pl.Int64,
    "price_version_id": pl.Int64,
    "position": pl.Int32,
    "code": pl.String,
    "name": pl.String,
    "kind": pl.String,
    "model": pl.String,
    "timing": pl.String,
    "meter": pl.String,
    "included_units": pl.String,
    "package_rounding": pl.String,
    "convert_by": pl.String,
    "convert_rounding": pl.String,
    "first_tier_flat_at_zero": pl.Boolean,
    "min_amount": pl.String,
    "max_amount": pl.String,
    "vat_category": pl.String,
    "event_rate_percent": pl.String,
    "event_fixed_amount": pl.String,
    "free_events": pl.Int64,
    "free_amount": pl.String,
    "min_per_event": pl.String,
    "max_per_event": pl.String,
}

# Tiers of charges. Key: charge_id, position. `up_to` null = open.
TIERS: Schema = {
    "charge_id": pl.Int64,
    "position": pl.Int32,
    "up_to": pl.String,
    "unit_amount": pl.String,
    "flat_amount": pl.String,
    "package_size": pl.String,
    "rate_percent": pl.String,
}

# Metered events. Key: event_id (order of recording).
USAGE_EVENTS: Schema = {
    "event_id": pl.Int64,
    "subscription_id": pl.Int64,
    "meter": pl.String,
    "occurred_on": pl.Date,
    "quantity_micro": pl.Int64,
    "amount_micro": pl.Int64,
}

# Coupons. Key: coupon_id.
COUPONS: Schema = {
    "coupon_id": pl.Int64,
    "code": pl.String,
    "name": pl.String,
    "kind": pl.String,  # percent | amount
    "rate_ppm": pl.Int64,
    "amount_minor": pl.Int64,
    "currency": pl.String,
    "duration": pl.String,  # once | periods | forever
    "periods": pl.Int32,
    "scope": pl.String,  # charge | plan | invoice
    "charge_code": pl.String,
    "plan_id": pl.Int64,
    "includes_true_up": pl.Boolean,
}

# What is said about each customer on a day. Key: customer_id.
CUSTOMERS: Schema = {
    "customer_id": pl.Int64,
    "external_id": pl.String,
    "created_on": pl.Date,
    "effective_from": pl.Date,
    "kind": pl.String,
    "name": pl.String,
    "contact": pl.String,
    "address": pl.String,
    "postal_code": pl.String,
    "city": pl.String,
    "country": pl.String,
    "emails": pl.String,
    "phone": pl.String,
    "language": pl.String,
    "organisation_number": pl.String,
    "vat_number": pl.String,
    "reference": pl.String,
    "purchase_order": pl.String,
    "bill_to_id": pl.Int64,
    "einvoice_id": pl.String,
    "payment_option": pl.String,
    "channel": pl.String,
    "terms_days": pl.Int32,
    "separate_invoices": pl.Boolean,
}

# Lines as rated or as billed, before or after discount. Key: subscription_id, charge_id, service_start, service_end, revision.
LINES: Schema = {
    "line_id": pl.Int64,  # null until issued
    "subscription_id": pl.Int64,
    "price_version_id": pl.Int64,
    "charge_id": pl.Int64,  # null for the true-up to a minimum commitment
    "kind": pl.String,
    "service_start": pl.Date,
    "service_end": pl.Date,
    "period_start": pl.Date,
    "period_end": pl.Date,
    "timing": pl.String,
    "due_on": pl.Date,
    "quantity_micro": pl.Int64,
    "period_amount_minor": pl.Int64,
    "period_discount_minor": pl.Int64,
    "amount_minor": pl.Int64,
    "discount_minor": pl.Int64,
    "revision": pl.Int32,
    "corrects_id": pl.Int64,
    "adjustment_id": pl.Int64,  # null but for one-off charges and goodwill
    "tax_treatment": pl.String,
    "tax_rate_ppm": pl.Int64,
}


# One-off charges and goodwill credits that are to be billed. Key: adjustment_id. Amounts positive.
ADJUSTMENTS: Schema = {
    "adjustment_id": pl.Int64,
    "subscription_id": pl.Int64,
    "price_version_id": pl.Int64,
    "kind": pl.String,
    "effective_on": pl.Date,
    "amount_minor": pl.Int64,
    "vat_category": pl.String,
}

# Which subscriptions a draft looks at, and how far back. Key: subscription_id.
SCOPE: Schema = {
    "subscription_id": pl.Int64,
    "after": pl.Date,  # only periods that end after this day are looked at
    "billed_through": pl.Date,  # what fell due until here has been billed
    "touched": pl.Boolean,  # facts were recorded since: compare with what was billed
    "opening": pl.Date,  # billed elsewhere through this day, by the facts up to opening_change_id; null for our own
    "opening_change_id": pl.Int64,
}

# What coupon grants have given on issued lines; a credit gives it back (negative). Key: line_id, grant_id.
USED_DISCOUNTS: Schema = {
    "line_id": pl.Int64,
    "grant_id": pl.Int64,
    "period_start": pl.Date,
    "amount_minor": pl.Int64,
}

# VAT rules of the seller's country; "*" matches anything, null has_vat_number too. `valid_to` is exclusive.
VAT_RULES: Schema = {
    "customer_kind": pl.String,
    "customer_country": pl.String,
    "has_vat_number": pl.Boolean,
    "category": pl.String,
    "treatment": pl.String,
    "rate_ppm": pl.Int64,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
}

# What a change of a subscription must know about it. Key: subscription_id.
SUBSCRIBERS: Schema = {
    "subscription_id": pl.Int64,
    "external_id": pl.String,
    "currency": pl.String,
    "minimum_term_until": pl.Date,  # first day after the agreed term
    "agreed_notice_days": pl.Int32,
    "billed": pl.Boolean,  # a line of ours exists, or another system billed before us
}

# Price versions as they are offered: PRICE_VERSIONS and who may have them when. Key: price_version_id.
OFFERS: Schema = {
    **PRICE_VERSIONS,
    "rank": pl.Int32,
    "status": pl.String,
    "trial_days": pl.Int32,
    "valid_from": pl.Date,
    "retired_on": pl.Date,
    "expires_on": pl.Date,
    "owner_id": pl.Int64,  # the subscription that they were negotiated for
}

# Dated policies of plans. Key: plan_id, effective_from (the last row of equal days wins).
POLICIES: Schema = {
    "plan_id": pl.Int64,
    "effective_from": pl.Date,
    "upgrade_when": pl.String,
    "downgrade_when": pl.String,
    "cancel_when": pl.String,
    "cancel_credit": pl.String,
    "minimum_term_months": pl.Int32,
    "notice_days": pl.Int32,
    "minimum_quantity": pl.Int32,
    "maximum_pause_days": pl.Int32,
}

# Charges as requests name them. Key: price_version_id, code.
CHARGE_CODES: Schema = {"price_version_id": pl.Int64, "code": pl.String, "kind": pl.String}

# Coupons with when they may be given; `valid_to` is exclusive. Key: coupon_id.
COUPON_TERMS: Schema = {**COUPONS, "valid_from": pl.Date, "valid_to": pl.Date, "archived": pl.Boolean}

# Currency rates that staff entered: units of the company's currency for one unit, times CURRENCY_RATE_SCALE. Key: currency, on_date.
CURRENCY_RATES: Schema = {"currency": pl.String, "on_date": pl.Date, "rate": pl.Int64}

CURRENCY_RATE_SCALE = 10**10  # a currency rate as an integer


class Prices(NamedTuple):
    """Price versions with their charges and tiers (PRICE_VERSIONS, CHARGES, TIERS)."""

    versions: pl.DataFrame
    charges: pl.DataFrame
    tiers: pl.DataFrame


@dataclass(frozen=True)
class Facts:
    """What the engine rates: CHANGES, PRICE_VERSIONS, CHARGES, TIERS, USAGE_EVENTS."""

    changes: pl.DataFrame
    versions: pl.DataFrame
    charges: pl.DataFrame
    tiers: pl.DataFrame
    usage: pl.DataFrame


@dataclass(frozen=True)
class Seller:
    """What the company profile says that matters for amounts and terms."""

    country: str = "NO"
    currency: str = "NOK"
    terms_days: int = 14
    skip_zero: bool = True


@dataclass(frozen=True)
class BillingInputs:
    """Everything a draft is made from: SCOPE, SUBSCRIPTIONS, CUSTOMERS, COUPONS, VAT_RULES, LINES, USED_DISCOUNTS.

    `currency_rates`: units of the company's currency for one unit of another, times CURRENCY_RATE_SCALE.
    """

    facts: Facts
    scope: pl.DataFrame
    subscriptions: pl.DataFrame
    customers: pl.DataFrame
    coupons: pl.DataFrame
    vat_rules: pl.DataFrame
    billed: pl.DataFrame
    used: pl.DataFrame
    adjustments: pl.DataFrame = field(default_factory=lambda: empty(ADJUSTMENTS))
    currency_rates: dict[str, int] = field(default_factory=dict)
    seller: Seller = field(default_factory=Seller)


# What a document says about whom it goes to.
BUYER = ["kind", "name", "contact", "address", "postal_code", "city", "country", "emails", "organisation_number",
         "vat_number", "reference", "purchase_order", "einvoice_id"]  # fmt: skip

# Invoices as they were issued, amounts as they are printed. Key: document_id.
ISSUED: Schema = {
    "document_id": pl.Int64,
    "number": pl.String,
    "customer_id": pl.Int64,
    "bill_to_id": pl.Int64,
    "currency": pl.String,
    "tax_inclusive": pl.Boolean,
    "issue_date": pl.Date,
    "due_date": pl.Date,
    "tax_minor": pl.Int64,
    "total_minor": pl.Int64,
    "tax_in_company_currency_minor": pl.Int64,
}


@dataclass(frozen=True)
class Issued:
    """Invoices to take back: ISSUED; LINES + document_id, position; line_id, grant_id, period_start, amount_minor of what
    coupons gave on the lines; and `billed`, LINES that count as billed of the same subscriptions and days.

    The lines of an invoice that was issued anew are those of the first one: it alone counts as billed.
    """

    documents: pl.DataFrame
    lines: pl.DataFrame
    discounts: pl.DataFrame
    billed: pl.DataFrame


@dataclass(frozen=True)
class ChangeInputs:
    """What changes of subscriptions are decided on: SUBSCRIBERS, CHANGES, OFFERS, POLICIES, CHARGE_CODES, COUPON_TERMS.

    Of the subscriptions and prices that the requests name, at least. `today` is the business day of the request.
    """

    today: date
    closed_through: date | None
    subscribers: pl.DataFrame
    changes: pl.DataFrame
    offers: pl.DataFrame
    policies: pl.DataFrame
    charges: pl.DataFrame
    coupons: pl.DataFrame


def empty(schema: Schema) -> pl.DataFrame:
    """A frame with the columns and no rows: an empty table read without it would have Null columns."""
    return pl.DataFrame(schema=schema)


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame with exactly the schema's columns, in order and cast; a missing column becomes null."""
    have = frame.schema
    if list(have.items()) == list(schema.items()):
        return frame
    return frame.select(
        pl.col(name) if have.get(name) == dtype
        else (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )  # fmt: skip


def check(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Assert that the frame carries the schema's columns with their types; our own bug otherwise."""
    wrong = {name: (frame.schema.get(name), dtype) for name, dtype in schema.items() if frame.schema.get(name) != dtype}
    assert not wrong, f"columns differ from the contract: {wrong}"
    return frame
