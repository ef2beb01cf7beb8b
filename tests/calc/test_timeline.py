"""Dated changes become segments: periods tile, order of recording does not matter, undoing leaves no trace."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calc.billing.expected import expected_lines
from core.calc.timeline import timeline
from tests import naive
from tests.calc.companies import FIRST, companies, happen
from tests.calc.conftest import TIMES
from tests.calc.strategies import INTERVALS, MONTH_ENDS
from tests.company import Company, charge, tier

SPANS = ["subscription_id", "charge_id", "service_start", "service_end"]


def lines(company: Company, through: date) -> pl.DataFrame:
    return expected_lines(company.facts(), company.scope(), through)


@given(MONTH_ENDS, INTERVALS, st.booleans(), st.integers(1, 800))
def test_periods_tile_from_the_start_on(anchor, length, calendar, days):
    company = Company()
    months, count = length
    company.start(
        company.version(charge("fixed", "flat", tier(flat="1000")), months=months, days=count, calendar=calendar),
        anchor,
    )

    made = lines(company, anchor + timedelta(days=days)).select("service_start", "service_end").rows()

    assert made[0][0] == anchor
    assert all(left[1] == right[0] for left, right in pairwise(made))
    assert made[-1][0] <= anchor + timedelta(days=days) < made[-1][1]


def test_the_31st_comes_back_after_every_short_month():
    company = Company()
    company.start(company.version(charge("fixed", "flat", tier(flat="10"))), date(2024, 1, 31))

    starts = lines(company, date(2024, 5, 31))["service_start"].to_list()

    assert starts == [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31)]


@settings(max_examples=15 * TIMES)
@given(companies(), st.data())
def test_the_order_of_rows_changes_nothing(company, data):
    for _ in range(data.draw(st.integers(1, 8))):
        happen(data.draw, company)
    through = FIRST + timedelta(days=120)
    before = lines(company, through)

    chance = random.Random(data.draw(st.integers(0, 99)))
    for rows in (company.changes, company.charges, company.events):
        chance.shuffle(rows)

    assert lines(company, through).equals(before)


@settings(max_examples=15 * TIMES)
@given(companies(), st.data())
def test_a_change_and_its_undo_leave_no_trace(company, data):
    for _ in range(data.draw(st.integers(0, 5))):
        happen(data.draw, company)
    through = FIRST + timedelta(days=120)
    before = lines(company, through)
    number = len(company.changes)

    happen(data.draw, company)
    for fact in company.changes[number:]:
        if fact["kind"] != "undo":
            company.change(fact["subscription_id"], "undo", fact["effective_on"], undoes_id=fact["change_id"])

    if all(fact["kind"] != "undo" for fact in company.changes[number : number + 1]) and len(company.changes) > number:
        assert lines(company, through).equals(before)


def paused(*spans: tuple[int, int | None, str], timing: str = "in_advance") -> Company:
    """A fee of 310 in January, paused between days of it with or without credit."""
    company = Company()
    subscription = company.start(
        company.version(charge("fixed", "flat", tier(flat="310"), timing=timing)), date(2024, 1, 1)
    )
    for first, last, credit in spans:
        until = date(2024, 1, last) if last else None
        company.change(subscription, "pause", date(2024, 1, first), until_on=until, credit=credit)
    return company


@pytest.mark.parametrize("timing", ["in_advance", "in_arrears"])
@pytest.mark.parametrize(
    "spans",
    [
        [(10, 10, "credit")],
        [(10, 10, "none")],
        [(5, 20, "credit"), (10, 25, "credit")],
        [(5, 25, "credit"), (10, 20, "none")],
        [(5, 10, "none"), (15, 20, "credit")],
        [(5, 10, "credit"), (15, 20, "none")],
        [(5, 10, "none"), (15, 20, "credit"), (25, 28, "none")],
        [(5, 10, "credit"), (10, 15, "credit")],
        [(5, None, "credit")],
        [(1, 10, "credit")],
    ],
)
def test_pauses_of_a_month_count_each_day_once(spans, timing):
    company = paused(*spans, timing=timing)
    through = date(2024, 2, 1)

    made = lines(company, through).filter(pl.col("service_start") < through)

    wanted = [line for line in naive.owed(company, through) if line.start < through]
    assert made.select("service_start", "service_end", "amount_minor").rows() == [
        (line.start, line.end, line.amount) for line in wanted
    ]
    assert made["amount_minor"].sum() <= 31_000


def test_a_later_cancellation_brings_no_day_back():
    company = paused()
    company.change(1, "cancel", date(2024, 1, 11), credit="credit")
    company.change(1, "cancel", date(2024, 3, 1), credit="none")

    assert lines(company, date(2024, 4, 1))["amount_minor"].to_list() == [10_000]


def test_another_billing_day_ends_what_was_paid_ahead_as_other_prices_do():
    """Both on one day: a new billing day, and an end without credit. The old period ends there and nothing more is owed."""
    company = paused()
    version = company.changes[0]["price_version_id"]
    company.change(1, "price", date(2024, 1, 11), price_version_id=version, anchor_on=date(2024, 1, 8))
    company.change(1, "cancel", date(2024, 1, 11), credit="none")

    made = lines(company, date(2024, 4, 1))

    assert made.select("service_start", "service_end", "amount_minor").rows() == [
        (date(2024, 1, 1), date(2024, 1, 11), 10_000)
    ]
    assert made["amount_minor"].sum() == sum(line.amount for line in naive.owed(company, date(2024, 4, 1)))


def test_tracks_of_a_subscription_never_overlap():
    company = paused((5, 10, "none"), (15, 20, "credit"))
    company.change(1, "quantity", date(2024, 1, 12), quantity_micro=3_000_000)
    facts = company.facts()

    track = timeline(facts.changes, facts.versions)

    for frame, start, end in (
        (track.plan, "start", "end"),
        (track.quantity, "start", "end"),
        (track.windows, "kept_start", "kept_end"),
    ):
        spans = frame.filter(pl.col(start) < pl.col(end)).sort(start).select(start, end).rows()
        assert all(left[1] <= right[0] for left, right in pairwise(spans))
