"""Coupons: what a discount is, how long it lasts and what it covers (billing.md section 5)."""

from __future__ import annotations

from enum import StrEnum


class CouponKind(StrEnum):
    """A share of the price or a fixed amount."""

    PERCENT = "percent"
    AMOUNT = "amount"


class Duration(StrEnum):
    """How long a coupon lasts: one period, a number of periods, or as long as the subscription."""

    ONCE = "once"
    PERIODS = "periods"
    FOREVER = "forever"


class Scope(StrEnum):
    """What a coupon is taken off: one charge, the subscription's plan, or the whole invoice."""

    CHARGE = "charge"
    PLAN = "plan"
    INVOICE = "invoice"
