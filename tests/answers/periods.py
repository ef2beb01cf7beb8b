"""`billing_period` and `proration`: boundaries and parts of periods, read off the lines that the product makes."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

import polars as pl

from core.calc.arithmetic import part_of_period
from core.calc.billing.expected import expected_lines
from core.domain.periods import (
    MONTHLY,
    Alignment,
    Interval,
    Timing,
    Unit,
    anchor_on_day,
    boundary,
    calendar_anchor,
    first_boundary_on_or_after,
    next_boundary,
    period_containing,
)
from tests.answers.given import Answer, Given, OutOfScope, money
from tests.company import DAY, Company, charge, tier

NINE_PLACES = Decimal("0.000000001")


def proration(given: Given) -> Answer:
    """How many periods, which share, which amount or how many days."""
    given.any("timezone")  # business dates have none
    method = given.any("method")
    if method == "billed_cycles_in_advance":
        return {"cycles": str(_cycles(given))}
    if method in ("ratio_day", "amount_day"):
        return _part(given, method)
    if method == "period_days":
        return {"days": (given.day("period_end") - given.day("period_start")).days}
    raise OutOfScope(f"method {method}")


def billing_period(given: Given) -> Answer:
    """Boundaries of periods."""
    rules = {
        "invoice_period": _invoice_period,
        "next_calendar_boundary": _next_calendar_boundary,
        "next_cycle_date": _next_cycle_date,
        "nth_period_starts": _nth_period_starts,
        "first_cycle_date_on_or_after": _first_cycle_date,
        "advance": lambda case: {"date": str(boundary(case.day("from"), case.interval(), case.count("n")))},
        "period_containing": _period_containing,
        "invoice_lines": _invoice_lines,
    }
    return rules[given.any("op")](given)


def lines(
    interval: Interval,
    start: date,
    anchor: date,
    through: date,
    *,
    ends: date | None = None,
    timing: Timing = Timing.ADVANCE,
    alignment: Alignment = Alignment.ANNIVERSARY,
    credit: str = "credit",
) -> pl.DataFrame:
    """The expected lines of a subscription with one fee that begins on `start` and gives no service from `ends` on."""
    company = Company()
    fee = charge("fixed", "flat", tier(flat="1"), timing=timing.value)
    calendar = alignment is Alignment.CALENDAR
    version = company.version(fee, months=interval.months, days=interval.days, calendar=calendar)
    subscription = company.start(version, start, anchor=anchor)
    if ends:
        company.change(subscription, "cancel", ends, credit=credit)
    return expected_lines(company.facts(), company.scope(), through)


def _cycles(given: Given) -> Decimal:
    """Periods billed in advance; each part rounded at nine places for comparison only."""
    interval = Interval(Unit.MONTH, given.count("interval_months", 1))
    start = given.day("start")
    anchor = anchor_on_day(start, given.count("anchor_day", start.day), interval)
    made = lines(interval, start, anchor, given.day("invoice_until"), ends=given.day_or_none("end"))
    parts = made.select(
        (pl.col("service_end") - pl.col("service_start")).dt.total_days().alias("served"),
        (pl.col("period_end") - pl.col("period_start")).dt.total_days().alias("whole"),
    )
    return sum((_ratio(served, whole) for served, whole in parts.iter_rows()), Decimal(0))


def _ratio(part: int, whole: int) -> Decimal:
    return (Decimal(part) / whole).quantize(NINE_PLACES, rounding=ROUND_HALF_UP)


def _part(given: Given, method: str) -> Answer:
    """The share of a period, or of an amount, that the days from…to make up."""
    if given.any("fixed_days_in_month") is not None:
        raise OutOfScope("fixed_days_in_month")
    start, until = given.day("from"), given.day("to")
    first = given.day_or_none("period_start") or start
    last = given.day_or_none("period_end") or next_boundary(first, MONTHLY, first)
    if method == "ratio_day":
        return {"ratio": str(_ratio((until - start).days, (last - first).days))}
    currency = given.any("currency")
    amount = given.minor("amount", currency)
    span = {"service_start": start, "service_end": until, "period_start": first, "period_end": last}
    part = part_of_period(pl.DataFrame({**span, "period_amount_minor": amount}))
    return {"amount": money(part.item(), currency)}


def _invoice_period(given: Given) -> Answer:
    """The period of the newest line due on the billing day; with a termination, of the line that ends that day."""
    on, anchor, interval = given.day("billing_on"), given.day("anchor"), given.interval()
    alignment = Alignment(given.any("alignment", Alignment.ANNIVERSARY))
    timing = Timing(given.any("timing", Timing.ADVANCE))
    ends = on + DAY if given.any("terminating", False) else None
    terms = {"timing": timing, "alignment": alignment, "credit": "none"}
    made = lines(interval, anchor, anchor, ends or on, ends=ends, **terms)
    if made.is_empty():
        raise ValueError(f"nothing is due on {on} for a subscription from {anchor}")
    start, end = made.row(-1, named=True)["service_start"], made.row(-1, named=True)["service_end"]
    return {"start": str(start), "end_exclusive": str(end), "end_inclusive": str(end - DAY)}


def _next_calendar_boundary(given: Given) -> Answer:
    on, interval = given.day("date"), given.interval()
    return {"date": str(next_boundary(calendar_anchor(interval, on), interval, on))}


def _next_cycle_date(given: Given) -> Answer:
    """The end of the period that is running on a day, cut by the subscription's end."""
    start, interval = given.day("current_start"), given.interval()
    made = lines(interval, start, given.day("anchor"), start, ends=given.day_or_none("subscription_end"))
    return {"date": str(made["service_end"].item())}


def _nth_period_starts(given: Given) -> Answer:
    anchor, interval = given.day("anchor"), given.interval()
    starts = [boundary(anchor, interval, n) for n in range(given.count("n"))]
    made = lines(interval, anchor, anchor, starts[-1])
    assert made["service_start"].to_list() == starts, "rule and lines agree"
    return {"dates": [str(day) for day in starts]}


def _first_cycle_date(given: Given) -> Answer:
    start, interval = given.day("start"), given.interval()
    anchor = _anchor(given, start, interval)
    return {"date": str(first_boundary_on_or_after(anchor, interval, start))}


def _anchor(given: Given, start: date, interval: Interval) -> date:
    return anchor_on_day(start, given.count("anchor_day", start.day), interval) if interval.months else start


def _period_containing(given: Given) -> Answer:
    start, end = period_containing(given.day("anchor"), given.interval(), given.day("on"))
    return {"start": str(start), "end_exclusive": str(end), "end_inclusive": str(end - DAY)}


def _invoice_lines(given: Given) -> Answer:
    start, interval = given.day("start"), given.interval()
    ends = given.day_or_none("end") or given.day_or_none("subscription_end")
    made = lines(interval, start, _anchor(given, start, interval), given.day("invoice_until"), ends=ends)
    spans: list[Any] = made.select("service_start", "service_end").rows()
    assert all(left[1] == right[0] for left, right in pairwise(spans)), "periods tile"
    return {"periods": [[str(first), str(last)] for first, last in spans]}
