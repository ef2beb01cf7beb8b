"""Segments → the calendar months in which their lines fall due.

A whole period costs the same each time, so it is one row with a first and a last month; what a segment has of the periods at
its ends is a part, told by its days. Months are counted from the first one. The same periods as `timeline.periods`.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from core.calc.calendar import boundary, index_on, month_index
from core.domain.periods import Timing

PART_DAYS = ["service_start", "service_end", "period_start", "period_end"]
_ANCHOR, _STEP, _DAYS = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")


def after_month(month: date) -> date:
    """First day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def spread(segments: pl.DataFrame, months: list[date], timing: Timing) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of the segments by month: whole periods (of, first, last) and parts (of, first, PART_DAYS); `of` is the row.

    In: start, end, anchor_on, interval_months, interval_days (0).
    """
    numbered = segments.with_row_index("of").with_columns(
        n0=index_on(_ANCHOR, _STEP, _DAYS, pl.col("start")), n1=index_on(_ANCHOR, _STEP, _DAYS, pl.col("end"))
    )
    starts_late = boundary(_ANCHOR, _STEP, _DAYS, pl.col("n0")) < pl.col("start")
    placed = numbered.with_columns(n0=pl.col("n0") + starts_late.cast(pl.Int32))
    return _whole_periods(placed, months, timing), _part_periods(placed, months, timing)


def _whole_periods(placed: pl.DataFrame, months: list[date], timing: Timing) -> pl.DataFrame:
    """Periods n0 … n1 − 1 as months; an interval of several months has a line for each of its periods."""
    shift = month_index(_ANCHOR) - month_index(pl.lit(months[0]))
    shift = shift + _STEP if timing is Timing.ARREARS else shift
    low = pl.max_horizontal("n0", -(shift // _STEP))
    high = pl.min_horizontal(pl.col("n1") - 1, (len(months) - 1 - shift) // _STEP)
    ranged = placed.select("of", _STEP, low=low, high=high, shift=shift).filter(pl.col("low") <= pl.col("high"))
    monthly = ranged.filter(_STEP == 1)
    longer = (
        ranged.filter(_STEP > 1)
        .with_columns(low=pl.int_ranges("low", pl.col("high") + 1, dtype=pl.Int32))
        .explode("low")
    )
    both = pl.concat([monthly, longer.with_columns(high="low")])
    due = [(pl.col(name) * _STEP + pl.col("shift")).cast(pl.Int32) for name in ("low", "high")]
    return both.select("of", first=due[0], last=due[1])


def _part_periods(placed: pl.DataFrame, months: list[date], timing: Timing) -> pl.DataFrame:
    """What a segment has of the periods at its ends."""
    first, end = months[0], after_month(months[-1])
    near = placed.filter(pl.col("end") > first - timedelta(days=800), pl.col("start") < end)
    head = near.with_columns(n=pl.col("n0") - 1)
    tail = near.filter(pl.col("n1") >= pl.col("n0")).with_columns(n=pl.col("n1"))
    cut = (
        pl.concat([head, tail])
        .with_columns(
            period_start=boundary(_ANCHOR, _STEP, _DAYS, pl.col("n")),
            period_end=boundary(_ANCHOR, _STEP, _DAYS, pl.col("n") + 1),
        )
        .with_columns(
            service_start=pl.max_horizontal("start", "period_start"), service_end=pl.min_horizontal("end", "period_end")
        )
        .filter(pl.col("service_start") < pl.col("service_end"))
    )
    due = pl.col("service_start" if timing is Timing.ADVANCE else "service_end")
    month = (month_index(due) - month_index(pl.lit(first))).cast(pl.Int32)
    return cut.select("of", *PART_DAYS, first=month).filter(pl.col("first").is_between(0, len(months) - 1))
