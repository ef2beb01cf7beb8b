"""Boundaries counted from the anchor, checkable on a wall calendar."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.domain.periods import (
    INTERVALS,
    MONTHLY,
    QUARTERLY,
    WEEKLY,
    YEARLY,
    anchor_on_day,
    boundary,
    calendar_anchor,
    first_boundary_on_or_after,
    index_on,
    next_boundary,
    period_containing,
)  # fmt: skip

days = st.dates(date(1995, 1, 1), date(2105, 12, 31))
intervals = st.sampled_from(list(INTERVALS.values()))


def test_31_january_returns_to_the_31st_after_february():
    assert [boundary(date(2023, 1, 31), MONTHLY, n) for n in range(4)] == [
        date(2023, 1, 31), date(2023, 2, 28), date(2023, 3, 31), date(2023, 4, 30),
    ]  # fmt: skip


def test_29_february_yearly_comes_back_in_leap_years():
    assert boundary(date(2020, 2, 29), YEARLY, 1) == date(2021, 2, 28)
    assert boundary(date(2020, 2, 29), YEARLY, 4) == date(2024, 2, 29)


def test_a_period_holds_its_day():
    assert period_containing(date(2025, 1, 29), MONTHLY, date(2025, 1, 29)) == (date(2025, 1, 29), date(2025, 2, 28))


def test_calendar_alignment_of_week_and_quarter():
    assert next_boundary(calendar_anchor(WEEKLY, date(2024, 3, 10)), WEEKLY, date(2024, 3, 10)) == date(2024, 3, 11)
    assert next_boundary(calendar_anchor(QUARTERLY, date(2024, 5, 10)), QUARTERLY, date(2024, 5, 10)) == date(
        2024, 7, 1
    )


def test_the_billing_day_31_is_kept_through_short_months():
    anchor = anchor_on_day(date(2011, 2, 14), 31)
    assert first_boundary_on_or_after(anchor, MONTHLY, date(2011, 2, 14)) == date(2011, 2, 28)
    assert boundary(anchor, MONTHLY, index_on(anchor, MONTHLY, date(2011, 3, 31))) == date(2011, 3, 31)


def test_a_billing_day_keeps_the_month_of_the_start_for_long_intervals():
    anchor = anchor_on_day(date(2012, 2, 16), 14, YEARLY)
    assert first_boundary_on_or_after(anchor, YEARLY, date(2012, 2, 16)) == date(2013, 2, 14)
    anchor = anchor_on_day(date(2011, 2, 24), 31, QUARTERLY)
    assert [boundary(anchor, QUARTERLY, n) for n in range(2, 4)] == [date(2011, 2, 28), date(2011, 5, 31)]


@given(days, intervals, days)
def test_periods_tile_without_gap_or_overlap(anchor, interval, on):
    start, end = period_containing(anchor, interval, on)
    assert start <= on < end
    assert period_containing(anchor, interval, end)[0] == end
    assert period_containing(anchor, interval, end - timedelta(days=1)) == (start, end)
