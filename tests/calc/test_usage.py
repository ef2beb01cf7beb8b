"""Events: which part they fall in, and a percentage charge event by event against the oracle."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calc.usage import assign, percentage_fees
from core.domain.errors import InvalidInput
from tests import oracle
from tests.calc.strategies import CURRENCIES, decimals, maybe
from tests.calc.test_rating import book_of
from tests.company import Company, charge

PERCENT = decimals(30, 12)


@st.composite
def percentage_charges(draw):
    low, high = sorted([draw(st.integers(0, 30)), draw(st.integers(0, 30))])
    return charge(
        "usage", "percentage",
        event_rate_percent=draw(PERCENT), event_fixed_amount=draw(maybe(decimals(5, 3))),
        free_events=draw(maybe(st.integers(0, 4))), free_amount=draw(maybe(decimals(500, 2))),
        min_per_event=draw(maybe(st.just(str(low)))), max_per_event=draw(maybe(st.just(str(high)))),
        min_amount=draw(maybe(st.just("12"))), max_amount=draw(maybe(st.just("40"))),
    )  # fmt: skip


def fees(book, events):
    """Fees of the charges 1…n; `events` are (charge, amount in micro) in their order."""
    rows = [
        {"line": number, "charge_id": number, "event_id": n, "amount_micro": micro}
        for n, (number, micro) in enumerate(events)
    ]
    found = percentage_fees(book, pl.DataFrame(rows))
    return dict(found.select("charge_id", "amount_minor").iter_rows())


@given(st.lists(percentage_charges(), min_size=1, max_size=4), CURRENCIES, st.data())
def test_a_percentage_is_charged_event_by_event(rows, currency, data):
    spots = [0, 1, *(int(Decimal(row["free_amount"] or 0) * 10**6) + step for row in rows for step in (-1, 0, 1))]
    amounts = st.one_of(st.sampled_from([max(0, spot) for spot in spots]), st.integers(0, 10**9))
    events = data.draw(st.lists(st.tuples(st.integers(1, len(rows)), amounts), min_size=1, max_size=25))

    got = fees(book_of(*rows, currency=currency), events)

    for number, row in enumerate(rows, 1):
        own = [Decimal(micro) / 10**6 for owner, micro in events if owner == number]
        assert got.get(number, None) == (oracle.fees(row, own, currency) if own else None)


def test_the_event_that_crosses_the_free_amount_pays_for_what_lies_beyond():
    row = charge("usage", "percentage", event_rate_percent="10", event_fixed_amount="2", free_amount="30")

    assert fees(book_of(row), [(1, 20_000_000), (1, 25_000_000)]) == {1: 350}  # 10 % of 15, and 2


@pytest.mark.parametrize("times", [2, 3, 50])
def test_events_that_sum_beyond_64_bits_are_refused(times):
    row = charge("usage", "percentage", event_rate_percent="0.000000000001", free_amount="1")

    with pytest.raises(InvalidInput, match="too large"):
        fees(book_of(row), [(1, 2**62)] * times)


def test_usage_that_sums_beyond_64_bits_is_refused():
    company = Company()
    plan = company.version(charge("usage", "per_unit", {"up_to": None, "unit_amount": "0", "flat_amount": "0"}))
    subscription = company.start(plan, date(2026, 1, 1))
    for _ in range(3):
        company.use(subscription, date(2026, 1, 5), 2**62)

    with pytest.raises(InvalidInput, match="too large"):
        company.bill(date(2026, 2, 1))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40)), max_size=30), st.permutations([0, 1, 2, 3, 4, 5]))
def test_events_fall_in_the_part_that_holds_their_day(events, order):
    first = date(2026, 1, 1)
    spans = [(1, 0, 10), (1, 10, 20), (2, 5, 15), (2, 20, 30), (3, 0, 1), (3, 39, 40)]
    parts = pl.DataFrame(
        [(n, spans[n][0], first + timedelta(spans[n][1]), first + timedelta(spans[n][2])) for n in order],
        schema=["part", "subscription_id", "service_start", "service_end"], orient="row",
    ).with_columns(pl.col("part").cast(pl.UInt32))  # fmt: skip
    company = Company()
    for subscription, day in events:
        company.use(subscription, first + timedelta(day), 1)

    found = assign(company.facts().usage, parts)

    wanted = [
        n for subscription, day in events for n, (owner, start, end) in enumerate(spans)
        if owner == subscription and start <= day < end
    ]  # fmt: skip
    assert sorted(found["part"].to_list()) == sorted(wanted)
