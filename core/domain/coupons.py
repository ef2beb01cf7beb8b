"""Coupons: what a discount is, how long it lasts and what it covers (billing.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from core.domain.errors import InvalidInput
from core.domain.money import exponent_of
from core.domain.wording import text_fault

PPM = 10**6
LARGEST_MINOR = 10**15
MOST_PERIODS = 1200


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


@dataclass(frozen=True)
class CouponTerms:
    """What a coupon gives, for how long, on what, and when it may be granted (`valid_to` exclusive)."""

    kind: CouponKind
    rate_ppm: int
    amount_minor: int
    currency: str
    duration: Duration
    periods: int
    scope: Scope
    charge_code: str
    valid_from: date | None
    valid_to: date | None


def check_coupon(terms: CouponTerms) -> None:
    """Refuse a coupon that gives nothing, too much, or nowhere."""
    if terms.kind is CouponKind.PERCENT and not 0 < terms.rate_ppm <= PPM:
        raise InvalidInput("A percentage must lie above 0 and not beyond 100", code="bad_rate")
    if terms.kind is CouponKind.AMOUNT:
        exponent_of(terms.currency)
        if not 0 < terms.amount_minor <= LARGEST_MINOR:
            raise InvalidInput("The amount of a coupon must lie above 0", code="bad_amount")
    if terms.duration is Duration.PERIODS and not 1 <= terms.periods <= MOST_PERIODS:
        raise InvalidInput("A coupon lasts 1 to {most} periods", code="bad_periods", most=MOST_PERIODS)
    if terms.scope is Scope.CHARGE and not terms.charge_code:
        raise InvalidInput("Say which charge the coupon is taken off", code="no_charge")
    if text_fault(terms.charge_code):
        raise InvalidInput(text_fault(terms.charge_code), code="unreadable_text")
    if terms.valid_from and terms.valid_to and terms.valid_to <= terms.valid_from:
        raise InvalidInput("The coupon would end before it begins", code="bad_validity")
