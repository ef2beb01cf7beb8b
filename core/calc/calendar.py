"""Billing boundaries over columns: the arithmetic of `domain/periods.py` as Polars expressions.

An interval is a pair of columns: months (0 when it counts days) and days (0 when it counts months). Boundary n is counted
from the anchor, day clamped to the month's length (billing.md section 3).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import polars as pl

from core.domain.periods import Alignment, Interval, calendar_anchor

OPEN = date(2199, 12, 31)  # stands for "no end" inside the engine
_FIRST_YEAR, _LAST_YEAR = 1900, 2300
_EPOCH = date(1970, 1, 1)
_MONTHS = [(year, month) for year in range(_FIRST_YEAR, _LAST_YEAR) for month in range(1, 13)]
_LENGTHS = [((date(year, month, 1) - _EPOCH).days, monthrange(year, month)[1] - 1) for year, month in _MONTHS]
# Of each month its days 1 to 31, or its last one where there is no such day, as days since 1970: a boundary is one look-up.
_DAYS = pl.Series("day", [first + min(day, length) for first, length in _LENGTHS for day in range(31)], dtype=pl.Int32)


def boundary(anchor: pl.Expr, months: pl.Expr, days: pl.Expr, n: pl.Expr) -> pl.Expr:
    """Date of boundary `n` counted from `anchor`; `n` may be negative."""
    # What lies beyond the table is its first or last month: far enough to be "always" or "never".
    month = (month_index(anchor) + months * n).clip(0, len(_MONTHS) - 1)
    by_month = pl.lit(_DAYS).gather(month * 31 + anchor.dt.day().cast(pl.Int32) - 1)
    by_day = anchor.to_physical() + days * n
    return pl.when(days > 0).then(by_day).otherwise(by_month).cast(pl.Int32).cast(pl.Date)


def index_on(anchor: pl.Expr, months: pl.Expr, days: pl.Expr, on: pl.Expr) -> pl.Expr:
    """Largest n with boundary n ≤ `on`."""
    by_day = (on.to_physical() - anchor.to_physical()) // days
    # A month is whole when its day has come, or its last day where there is no such day.
    short = (on.dt.day() < anchor.dt.day()) & (on != on.dt.month_end())
    by_month = (month_index(on) - month_index(anchor) - short.cast(pl.Int32)) // months
    return pl.when(days > 0).then(by_day).otherwise(by_month).cast(pl.Int32)


def aligned_anchor(anchor: pl.Expr, calendar: pl.Expr, days: pl.Expr) -> pl.Expr:
    """The anchor itself, or its 1 January (its Monday for weeks) where the price version bills on the calendar."""
    monday = anchor - pl.duration(days=anchor.dt.weekday().cast(pl.Int64) - 1)
    january = pl.date(anchor.dt.year(), 1, 1)
    on_calendar = pl.when(days == 0).then(january).when(days % 7 == 0).then(monday).otherwise(anchor)
    return pl.when(calendar).then(on_calendar).otherwise(anchor)


def anchor_of(anchor: date, interval: Interval, alignment: Alignment) -> date:
    """`aligned_anchor` for one subscription."""
    return calendar_anchor(interval, anchor) if alignment is Alignment.CALENDAR else anchor


def month_index(day: pl.Expr) -> pl.Expr:
    """Months since January of the table's first year."""
    return (day.dt.year() - _FIRST_YEAR) * 12 + day.dt.month().cast(pl.Int32) - 1
