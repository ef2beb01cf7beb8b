"""Sums that are laid out once, beside adding up one by one."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calc import threads
from core.calc.simulation.sums import Sums, between, picked, summed

AMOUNTS = st.lists(st.integers(-(2**55), 2**55), min_size=1, max_size=6)


@pytest.fixture(params=["on one thread", "on two"], autouse=True)
def _threads(request):
    """Both ways, whatever the size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "MANY", 0 if request.param == "on two" else threads.MANY)
        yield


@given(AMOUNTS, AMOUNTS, st.data())
def test_every_sum_is_of_what_it_picks(uses, fees, data):
    rows = data.draw(st.lists(st.lists(st.integers(0, len(uses) - 1), max_size=5), max_size=8))
    fee = data.draw(st.lists(st.integers(0, len(fees) - 1), min_size=len(rows), max_size=len(rows)))
    times = data.draw(st.lists(st.integers(0, 12), min_size=len(rows), max_size=len(rows)))
    near = data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows)))
    flat = pl.Series([at for row in rows for at in row], dtype=pl.UInt32)
    ends = pl.Series([sum(map(len, rows[: place + 1])) for place in range(len(rows))], dtype=pl.Int64)
    ones = pl.Series(range(1, len(rows) + 1), dtype=pl.Int64)

    sums = Sums.laid_out(
        picked(flat, ends, len(uses)),
        picked(pl.Series(fee, dtype=pl.UInt32), ones, len(fees), pl.Series(times, dtype=pl.Int64)),
        near=pl.Series(near, dtype=pl.Int64),
    )

    told = sums.of(pl.Series(uses, dtype=pl.Int64), pl.Series(fees, dtype=pl.Int64))
    used = [sum(uses[at] for at in row) for row in rows]
    assert told.to_list() == [each + fees[at] * n for each, at, n in zip(used, fee, times, strict=True)]
    picks = pl.Series([uses[at] for at in flat], dtype=pl.Int64)
    assert between(picks, ends).to_list() == used


@given(AMOUNTS, st.data())
def test_amounts_are_added_up_at_their_places(amounts, data):
    at = data.draw(st.lists(st.integers(0, 3), min_size=len(amounts), max_size=len(amounts)))
    told = summed(4, pl.Series(at, dtype=pl.UInt32), pl.Series(amounts, dtype=pl.Int64))
    assert told.to_list() == [
        sum(x for x, place in zip(amounts, at, strict=True) if place == here) for here in range(4)
    ]
