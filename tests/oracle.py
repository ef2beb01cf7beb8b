"""The twin that exists to disagree: billing in slow, obvious Decimal arithmetic, tier by tier, event by event, day by day.

It knows the rules of billing.md and the rows of `tests/company.py`, and nothing of how `core` computes. Never imported by core.
Amounts are whole minor units; quantities and prices are Decimals.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cache
from typing import Any

PLACES = {"JPY": 0, "KWD": 3}
EXACT = Context(prec=120)
ZERO = Decimal(0)
DAY = timedelta(days=1)
Row = dict[str, Any]


def minor(amount: Decimal, currency: str) -> int:
    """Major units in minor units, half away from zero."""
    with localcontext(EXACT):
        return int((amount * 10 ** PLACES.get(currency, 2)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def ratio(amount: int, part: int, whole: int) -> int:
    """amount · part / whole, half away from zero."""
    with localcontext(EXACT):
        return int((Decimal(amount) * part / whole).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def number(text: Any) -> Decimal:
    """A number of a row; nothing is zero."""
    return Decimal(text) if text is not None else ZERO


# --- what units cost ---------------------------------------------------------------------------------------------------


def billable_units(charge: Row, quantity: Decimal) -> Decimal:
    """Converted and rounded to whole units, less the included ones."""
    if charge.get("convert_by") is not None:
        quantity = whole(quantity / Decimal(charge["convert_by"]), charge["convert_rounding"])
    return max(ZERO, quantity - number(charge.get("included_units")))


def whole(value: Decimal, how: str) -> Decimal:
    """A number of packages or units."""
    rule = {"up": ROUND_CEILING, "down": ROUND_FLOOR, "nearest": ROUND_HALF_UP}[how]
    return value.quantize(Decimal(1), rounding=rule)


def exact_cost(charge: Row, quantity: Decimal) -> Decimal:
    """What a quantity costs in major units before rounding, cap and minimum."""
    with localcontext(EXACT):
        units = billable_units(charge, quantity)
        if units == 0 and not charge.get("first_tier_flat_at_zero", True):
            return ZERO
        if charge["model"] in ("graduated", "graduated_percentage"):
            return _graduated(charge, units)
        tier = _tier_at(charge["tiers"], units)
        flat = Decimal(tier["flat_amount"])
        if charge["model"] in ("flat", "stairstep"):
            return flat
        return flat + _priced(charge, tier, units)


def _tier_at(tiers: Sequence[Row], units: Decimal) -> Row:
    """The first tier whose inclusive bound holds the units."""
    for tier in tiers:
        if tier["up_to"] is None or units <= Decimal(tier["up_to"]):
            return tier
    return tiers[-1]


def _graduated(charge: Row, units: Decimal) -> Decimal:
    """Each tier prices the units that fall in it; the first one owes its flat amount even for nothing."""
    total, below = ZERO, ZERO
    for position, tier in enumerate(charge["tiers"]):
        if position and units <= below:
            break
        upper = units if tier["up_to"] is None else min(units, Decimal(tier["up_to"]))
        total += Decimal(tier["flat_amount"]) + _priced(charge, tier, upper - below)
        below = upper
    return total


def _priced(charge: Row, tier: Row, units: Decimal) -> Decimal:
    """Units at a tier's price, in packages where it has a size, or its percentage of them."""
    if charge["model"] == "graduated_percentage":
        return units * Decimal(tier["rate_percent"]) / 100
    size = tier.get("package_size")
    if size is not None:
        units = whole(units / Decimal(size), charge["package_rounding"])
    return units * Decimal(tier["unit_amount"])


def cost(charge: Row, quantity: Decimal, currency: str) -> int:
    """What a quantity costs: rounded once, then the cap, then the minimum."""
    return limited(charge, minor(exact_cost(charge, quantity), currency), currency)


def limited(charge: Row, amount: int, currency: str) -> int:
    """Cap, then minimum."""
    if charge.get("max_amount") is not None:
        amount = min(amount, minor(Decimal(charge["max_amount"]), currency))
    if charge.get("min_amount") is not None:
        amount = max(amount, minor(Decimal(charge["min_amount"]), currency))
    return amount


def fees(charge: Row, amounts: Sequence[Decimal], currency: str) -> int:
    """A percentage charge, event by event: free allowance, then rate, fixed part and bounds of each event."""
    with localcontext(EXACT):
        total, used, fee = sum(amounts, ZERO), ZERO, ZERO
        for position, amount in enumerate(amounts):
            used += amount
            taxed = _beyond_allowance(charge, position, used, amount)
            if taxed is not None:
                fee += _event_fee(charge, taxed)
        return limited(charge, minor(fee if total > 0 else ZERO, currency), currency)


def _beyond_allowance(charge: Row, position: int, used: Decimal, amount: Decimal) -> Decimal | None:
    """How much of an event is charged; None when it is free. The allowance ends at its events or its amount."""
    events, free = charge.get("free_events"), charge.get("free_amount")
    if events is None and free is None:
        return amount
    if events is not None and position >= events:
        return amount
    if free is None or used <= Decimal(free):
        return None
    return min(amount, used - Decimal(free))


def _event_fee(charge: Row, amount: Decimal) -> Decimal:
    fee = amount * number(charge.get("event_rate_percent")) / 100 + number(charge.get("event_fixed_amount"))
    if charge.get("min_per_event") is not None:
        fee = max(fee, Decimal(charge["min_per_event"]))
    if charge.get("max_per_event") is not None:
        fee = min(fee, Decimal(charge["max_per_event"]))
    return fee


# --- periods and parts -------------------------------------------------------------------------------------------------


def boundary(anchor: date, months: int, days: int, n: int) -> date:
    """Boundary n, one interval after the other from the anchor's month, the anchor's day kept where the month has it."""
    if days:
        return anchor + DAY * (days * n)
    year, month = anchor.year, anchor.month
    for _ in range(abs(months * n)):
        month += 1 if n > 0 else -1
        year, month = (year + 1, 1) if month > 12 else (year - 1, 12) if month < 1 else (year, month)
    return date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


@cache
def period(anchor: date, months: int, days: int, on: date) -> tuple[date, date]:
    """The period that holds a day, found by walking."""
    n = (on.year - anchor.year) * 12 // (months or 12) if months else (on - anchor).days // days
    while boundary(anchor, months, days, n) > on:
        n -= 1
    while boundary(anchor, months, days, n + 1) <= on:
        n += 1
    return boundary(anchor, months, days, n), boundary(anchor, months, days, n + 1)


def part(amount: int, span: tuple[date, date], whole_period: tuple[date, date]) -> int:
    """The part of a period's amount that its days [start, end) make up, counted back from the period's end."""
    days = (whole_period[1] - whole_period[0]).days
    left = [(whole_period[1] - day).days for day in span]
    return ratio(amount, left[0], days) - ratio(amount, left[1], days)


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder: whole parts first, the units that are left go to the largest remainders, ties to the earlier."""
    size = sum(weights)
    if size == 0:
        return [total if n == 0 else 0 for n in range(len(weights))]
    parts = [abs(total) * weight // size for weight in weights]
    rest = [abs(total) * weight % size for weight in weights]
    order = sorted(range(len(weights)), key=lambda n: (-rest[n], n))
    for n in order[: abs(total) - sum(parts)]:
        parts[n] += 1
    return [part if total > 0 else -part for part in parts]


def vat(net: int, rate_ppm: int) -> int:
    """round(net · rate)."""
    return ratio(net, rate_ppm, 10**6)


def net_of(gross: int, rate_ppm: int) -> int:
    """round(gross / (1 + rate))."""
    return ratio(gross, 10**6, 10**6 + rate_ppm)
