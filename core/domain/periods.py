"""Billing intervals and the boundaries they draw on the calendar.

Business dates are `date`, periods half-open `[start, end)`. Boundary n is counted from the anchor, never from boundary
n−1, with the day clamped to the month's length: 31 Jan, 28 Feb, 31 Mar (billing.md section 3).
The same arithmetic over columns stands in `calc/timeline.py`; `tests/calc/test_timeline.py` holds them together.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from core.domain.errors import InvalidInput


class Unit(StrEnum):
    """What an interval counts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Alignment(StrEnum):
    """Where boundaries lie: on the calendar (the 1st, Monday) or on the subscription's billing day."""

    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"


class Timing(StrEnum):
    """When a charge is invoiced: at the start of its period or at its end."""

    ADVANCE = "in_advance"
    ARREARS = "in_arrears"


@dataclass(frozen=True)
class Interval:
    """A billing interval such as 1 month, 3 months (quarter), 1 year."""

    unit: Unit
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InvalidInput("An interval must be at least one {unit}", code="bad_interval", unit=self.unit.value)

    @property
    def months(self) -> int:
        """Months in the interval; 0 for intervals of days or weeks."""
        return {Unit.MONTH: 1, Unit.YEAR: 12}.get(self.unit, 0) * self.count

    @property
    def days(self) -> int:
        """Days in the interval; 0 for intervals of months or years."""
        return {Unit.DAY: 1, Unit.WEEK: 7}.get(self.unit, 0) * self.count


WEEKLY = Interval(Unit.WEEK)
MONTHLY = Interval(Unit.MONTH)
QUARTERLY = Interval(Unit.MONTH, 3)
HALF_YEARLY = Interval(Unit.MONTH, 6)
YEARLY = Interval(Unit.YEAR)
INTERVALS: dict[str, Interval] = {
    "week": WEEKLY, "month": MONTHLY, "quarter": QUARTERLY, "half_year": HALF_YEARLY, "year": YEARLY,
}  # fmt: skip

_INTERVALS_BACK = 12  # enough to meet every length of month: a leap year comes within eight years


def boundary(anchor: date, interval: Interval, n: int) -> date:
    """Boundary n counted from the anchor: boundary(31 Jan, month, 1) = 28 or 29 Feb. `n` may be negative."""
    if interval.days:
        return anchor + timedelta(days=interval.days * n)
    month_index = anchor.year * 12 + anchor.month - 1 + interval.months * n
    year, month = divmod(month_index, 12)
    return date(year, month + 1, min(anchor.day, calendar.monthrange(year, month + 1)[1]))


def index_on(anchor: date, interval: Interval, on: date) -> int:
    """Largest n with boundary n ≤ `on`."""
    if interval.days:
        return (on - anchor).days // interval.days
    months = (on.year - anchor.year) * 12 + on.month - anchor.month
    n = months // interval.months
    # The month count ignores days: the boundary of that index may still lie ahead of `on`, never more than one.
    return n if boundary(anchor, interval, n) <= on else n - 1


def period_containing(anchor: date, interval: Interval, on: date) -> tuple[date, date]:
    """The whole anchored period `[start, end)` that holds the day `on`."""
    n = index_on(anchor, interval, on)
    return boundary(anchor, interval, n), boundary(anchor, interval, n + 1)


def next_boundary(anchor: date, interval: Interval, after: date) -> date:
    """First boundary strictly after the day `after`."""
    return period_containing(anchor, interval, after)[1]


def first_boundary_on_or_after(anchor: date, interval: Interval, on: date) -> date:
    """First boundary on the day `on` or later."""
    start, end = period_containing(anchor, interval, on)
    return on if start == on else end


def calendar_anchor(interval: Interval, near: date) -> date:
    """An anchor that aligns the interval to the calendar: 1 January, or a Monday for weeks.

    Months count from January, so quarters begin in Jan/Apr/Jul/Oct and half-years in Jan/Jul.
    """
    if interval.unit is Unit.WEEK:
        return near - timedelta(days=near.weekday())
    if interval.unit is Unit.DAY:
        return near
    return date(near.year, 1, 1)


def anchor_on_day(start: date, day: int, interval: Interval = MONTHLY) -> date:
    """The anchor for billing day `day` (1–31) of a subscription that starts on `start`: that day of the month it starts in.

    Where the month is too short for the day, the anchor lies whole intervals earlier, in a month that holds it, so that
    later boundaries return to it (billing day 31 from 14 Feb: 31 January, the period runs 31 Jan – 28 Feb). A yearly
    interval from February never finds the 31st: its anchor is the 29th of a leap year.
    """
    if not 1 <= day <= 31:
        raise InvalidInput("The billing day must be between 1 and 31, not {day}", code="bad_billing_day", day=day)
    assert interval.months, "only intervals of months and years have a billing day"
    index = start.year * 12 + start.month - 1
    months = [divmod(index - interval.months * n, 12) for n in range(_INTERVALS_BACK)]
    year, month = max(months, key=lambda found: min(day, calendar.monthrange(found[0], found[1] + 1)[1]))
    return date(year, month + 1, min(day, calendar.monthrange(year, month + 1)[1]))
