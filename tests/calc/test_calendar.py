"""Boundaries over columns are those of `domain/periods.py`, and of the oracle that walks month by month."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core.calc import calendar
from core.domain import periods
from core.domain.periods import Alignment, Interval, Unit
from tests import oracle
from tests.calc.strategies import INTERVALS, MONTH_ENDS

WIDE_DAYS = st.dates(date(1990, 1, 1), date(2110, 1, 1))
ANCHORS = st.one_of(MONTH_ENDS, WIDE_DAYS)
ROWS = st.lists(st.tuples(ANCHORS, INTERVALS, WIDE_DAYS, st.integers(-40, 40)), min_size=1, max_size=60)


def interval(months: int, days: int) -> Interval:
    return Interval(Unit.DAY, days) if days else Interval(Unit.MONTH, months)


def columns(rows):
    return pl.DataFrame(
        [(anchor, months, days, on, n) for anchor, (months, days), on, n in rows],
        schema={"anchor": pl.Date, "months": pl.Int32, "days": pl.Int32, "on": pl.Date, "n": pl.Int32}, orient="row",
    )  # fmt: skip


ANCHOR, MONTHS, COUNT, ON, N = (pl.col(name) for name in ("anchor", "months", "days", "on", "n"))


@given(ROWS)
def test_boundaries_over_columns_are_those_of_one_period(rows):
    got = columns(rows).select(calendar.boundary(ANCHOR, MONTHS, COUNT, N)).to_series().to_list()

    assert got == [periods.boundary(anchor, interval(*length), n) for anchor, length, _, n in rows]
    assert got == [oracle.boundary(anchor, *length, n) for anchor, length, _, n in rows]


@given(ROWS)
def test_the_period_of_a_day_is_found_over_columns_too(rows):
    got = columns(rows).select(calendar.index_on(ANCHOR, MONTHS, COUNT, ON)).to_series().to_list()

    assert got == [periods.index_on(anchor, interval(*length), on) for anchor, length, on, _ in rows]


@given(ANCHORS, INTERVALS, WIDE_DAYS)
def test_a_day_lies_in_the_period_that_walking_finds(anchor, length, on):
    assert periods.period_containing(anchor, interval(*length), on) == oracle.period(anchor, *length, on)


@given(st.lists(st.tuples(WIDE_DAYS, INTERVALS, st.booleans()), min_size=1, max_size=40))
def test_anchors_are_aligned_over_columns_as_one_by_one(rows):
    frame = pl.DataFrame(
        [(anchor, months, days, on_calendar) for anchor, (months, days), on_calendar in rows],
        schema={"anchor": pl.Date, "months": pl.Int32, "days": pl.Int32, "calendar": pl.Boolean}, orient="row",
    )  # fmt: skip

    got = frame.select(calendar.aligned_anchor(ANCHOR, pl.col("calendar"), COUNT)).to_series().to_list()

    wanted = [
        calendar.anchor_of(
            anchor,
            Interval(Unit.WEEK, length[1] // 7) if length[1] and length[1] % 7 == 0 else interval(*length),
            Alignment.CALENDAR if on_calendar else Alignment.ANNIVERSARY,
        )
        for anchor, length, on_calendar in rows
    ]
    assert got == wanted


def test_days_on_which_clocks_change_are_days_like_others():
    for change in (date(2026, 3, 29), date(2026, 10, 25)):
        start, end = periods.period_containing(change, Interval(Unit.DAY), change)
        assert (start, end) == (change, change + timedelta(days=1))
        week = periods.period_containing(change - timedelta(days=6), periods.WEEKLY, change)
        assert week == (change - timedelta(days=6), change + timedelta(days=1))


def test_a_boundary_beyond_the_table_is_always_or_never():
    """A coupon of a thousand years is one that never ends."""
    row = pl.DataFrame({"anchor": [date(2026, 1, 31)], "months": [12], "days": [0]})
    far = [row.select(calendar.boundary(ANCHOR, MONTHS, COUNT, pl.lit(n)))[0, 0] for n in (999, -999)]

    assert far[0] > calendar.OPEN
    assert far[1] < date(1901, 1, 1)
