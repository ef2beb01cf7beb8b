"""Splits and parts sum exactly to the whole, whatever the amounts."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core.calc.arithmetic import allocate, divide, part_of_period, share
from tests import oracle

START = date(2024, 1, 31)
AMOUNTS = st.one_of(st.integers(-10_000, 10_000), st.integers(-(2**53), 2**53))
WEIGHTS = st.one_of(st.integers(0, 5), st.integers(0, 2**53))


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_half_is_divided_away_from_zero(numerator, denominator):
    frame = pl.DataFrame({"top": [numerator], "below": [denominator]})
    assert frame.select(divide(pl.col("top"), pl.col("below"))).item() == oracle.ratio(numerator, 1, denominator)


@given(st.lists(st.tuples(AMOUNTS, st.lists(WEIGHTS, min_size=1, max_size=6)), min_size=1, max_size=6), st.randoms())
def test_a_total_is_spread_by_largest_remainder_and_sums_exactly(groups, random):
    rows = [(n, total, weight) for n, (total, weights) in enumerate(groups) for weight in weights]
    order = sorted(range(len(rows)), key=lambda n: (random.random(), n))
    shuffled = sorted(order, key=lambda n: n)  # rows of a group keep their order; groups are interleaved below
    interleaved = sorted(shuffled, key=lambda n: (sum(row[0] == rows[n][0] for row in rows[:n]), random.random()))
    frame = pl.DataFrame([rows[n] for n in interleaved], schema=["group", "total", "weight"], orient="row")

    got = allocate(frame, ["group"], "total", "weight")

    parts = {n: got.filter(frame["group"] == n).to_list() for n in range(len(groups))}
    assert parts == {n: oracle.spread(total, weights) for n, (total, weights) in enumerate(groups)}
    assert all(sum(parts[n]) == total for n, (total, _) in enumerate(groups))


@given(AMOUNTS, st.integers(1, 366), st.lists(st.integers(0, 366), max_size=8))
def test_however_a_period_is_cut_its_parts_sum_to_the_whole(amount, days, cuts):
    points = sorted({0, days, *(cut for cut in cuts if cut < days)})
    spans = [(START + timedelta(left), START + timedelta(right)) for left, right in pairwise(points)]
    end = START + timedelta(days)
    frame = pl.DataFrame(spans, schema=["service_start", "service_end"], orient="row").with_columns(
        period_start=pl.lit(START), period_end=pl.lit(end), period_amount_minor=pl.lit(amount)
    )

    got = part_of_period(frame).to_list()

    assert got == [oracle.part(amount, span, (START, end)) for span in spans]
    assert sum(got) == amount
    assert all(part == 0 or (part > 0) == (amount > 0) for part in got)


@given(st.lists(st.tuples(AMOUNTS, st.integers(-1000, 1000), st.integers(1, 1000)), min_size=1, max_size=20))
def test_a_share_is_rounded_half_away_from_zero(rows):
    frame = pl.DataFrame(rows, schema=["amount", "top", "below"], orient="row")

    got = share(frame, "amount", pl.col("top"), pl.col("below")).to_list()

    assert got == [oracle.ratio(amount, top, below) for amount, top, below in rows]
