"""Rated segments → the calendar months in which their lines fall due.

A whole period costs the same each time, so it is one row with a first and a last month; what a segment has of the periods at
its ends is cut by days with `part_of_period`. Months are counted from the first one. The same periods as `timeline.periods`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from core.calc.arithmetic import part_of_period
from core.calc.calendar import boundary, index_on, month_index
from core.calc.timeline import periods
from core.domain.periods import Timing


def after_month(month: date) -> date:
    """First day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def by_month(rated: pl.DataFrame, months: list[date], timing: Timing) -> Iterator[pl.DataFrame]:
    """Lines of the rated segments by the months they fall due in: position, first, last, row, slot, amount_minor, service_start."""
    first, end = months[0], after_month(months[-1])
    month = timedelta(days=31)
    settled = (pl.col("start") <= first - month) & (pl.col("end") >= end + month) & (pl.col("interval_months") == 1)
    whole = rated.select(settled=settled)["settled"]
    yield _lines(rated if whole.all() else rated.filter(whole), pl.lit(0), pl.lit(len(months) - 1))
    rest = rated.filter(~whole, pl.col("end") > first - month * 24, pl.col("start") < end)
    if rest.is_empty():
        return
    anchor, step, days = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    here = index_on(anchor, step, days, pl.col("start"))
    placed = rest.with_columns(n0=here + (boundary(anchor, step, days, here) < pl.col("start")).cast(pl.Int32),
                               n1=index_on(anchor, step, days, pl.col("end")))  # fmt: skip
    yield _whole_periods(placed, months, timing)
    yield _part_periods(placed, months, timing)


def _lines(rated: pl.DataFrame, first: pl.Expr, last: pl.Expr) -> pl.DataFrame:
    """Whole periods that fall due in the months `first` to `last`."""
    return rated.select(
        "position", first=first.cast(pl.Int32), last=last.cast(pl.Int32), row="row", slot="slot",
        amount_minor="period_amount_minor", service_start=pl.lit(None, dtype=pl.Date),
    )  # fmt: skip


def _whole_periods(placed: pl.DataFrame, months: list[date], timing: Timing) -> pl.DataFrame:
    """Periods n0 … n1 − 1 as months; an interval of several months has a line for each of its periods."""
    step = pl.col("interval_months")
    shift = month_index(pl.col("anchor_on")) - month_index(pl.lit(months[0]))
    shift = shift + step if timing is Timing.ARREARS else shift
    low = pl.max_horizontal("n0", -(shift // step))
    high = pl.min_horizontal(pl.col("n1") - 1, (len(months) - 1 - shift) // step)
    ranged = placed.with_columns(low=low, high=high, shift=shift).filter(pl.col("low") <= pl.col("high"))
    monthly = ranged.filter(step == 1)
    longer = ranged.filter(step > 1).with_columns(low=pl.int_ranges("low", pl.col("high") + 1)).explode("low")
    due = pl.col("low") * step + pl.col("shift")
    return pl.concat([_lines(monthly, due, pl.col("high") + pl.col("shift")), _lines(longer, due, due)])


def _part_periods(placed: pl.DataFrame, months: list[date], timing: Timing) -> pl.DataFrame:
    """What a segment has of the periods at its ends, cut by days."""
    anchor, step, days = pl.col("anchor_on"), pl.col("interval_months"), pl.col("interval_days")
    edged = placed.with_columns(
        after_head=boundary(anchor, step, days, pl.col("n0")), tail=boundary(anchor, step, days, pl.col("n1"))
    )
    head = edged.filter(
        pl.col("after_head") > pl.col("start"), boundary(anchor, step, days, pl.col("n0") - 1) < pl.col("start")
    )
    tail = edged.filter(pl.col("n1") >= pl.col("n0"), pl.col("tail") < pl.col("end"))
    parts = pl.concat([head.with_columns(end=pl.min_horizontal("end", "after_head")), tail.with_columns(start="tail")])
    first, end = months[0], after_month(months[-1])
    cut = periods(parts, pl.lit(date(first.year - 3, 1, 1)), pl.lit(end))
    due = pl.col("service_start" if timing is Timing.ADVANCE else "service_end")
    month = month_index(due) - month_index(pl.lit(first))
    return (
        cut.with_columns(part_of_period(cut).alias("amount_minor"), first=month.cast(pl.Int32))
        .filter(pl.col("first").is_between(0, len(months) - 1))
        .select("position", "first", "row", "slot", "amount_minor", "service_start", last="first")
        .select("position", "first", "last", "row", "slot", "amount_minor", "service_start")
    )
