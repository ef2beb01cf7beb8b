"""Whole drafts against the day-by-day oracle: small companies that change, billed month by month."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calc.billing.documents import Draft, planned_ahead
from core.calc.billing.expected import expected_lines
from core.calc.timeline import live_changes, timeline
from tests import naive
from tests.calc.companies import FIRST, companies, give_coupon, happen
from tests.calc.conftest import TIMES
from tests.company import Company

BILLING_DAYS = st.lists(st.integers(1, 45), min_size=1, max_size=5)
THE_END = FIRST + timedelta(days=300)  # nothing is planned beyond it


def billed_sums(company: Company) -> dict[tuple[int, int | None, str], int]:
    """What each charge of each subscription has been billed so far, credits taken off."""
    sums = company.billed.group_by("subscription_id", "charge_id", "kind").agg(pl.col("amount_minor").sum())
    return {(sub, charge, kind): amount for sub, charge, kind, amount in sums.iter_rows() if amount}


def owed_sums(company: Company, through: date) -> dict[tuple[int, int | None, str], int]:
    sums: Counter[tuple[int, int | None, str]] = Counter()
    for line in naive.owed(company, through):
        sums[line.subscription, line.charge, line.kind] += line.amount
    return {key: amount for key, amount in sums.items() if amount}


def waits(company: Company, through: date) -> bool:
    """Is another price, quantity or resumption planned ahead? What is billed from its day on waits for it."""
    facts = company.facts()
    track = timeline(facts.changes, facts.versions)
    return not planned_ahead(live_changes(facts.changes), track, through).is_empty()


def expected_and_owed(company: Company, through: date) -> tuple[list[object], list[object]]:
    """The engine's expected lines, and those of lives told day by day, in one order."""
    lines = expected_lines(company.facts(), company.scope(), through)
    columns = ["subscription_id", "charge_id", "kind", "service_start", "service_end", "amount_minor", "due_on"]
    wanted = [
        (line.subscription, line.charge, line.kind, line.start, line.end, line.amount, line.due)
        for line in naive.owed(company, through)
    ]
    return sorted(lines.select(columns).rows(), key=repr), sorted(wanted, key=repr)


@settings(max_examples=35 * TIMES)
@given(companies(), st.data())
def test_expected_lines_are_the_runs_of_days_with_one_claim(company, data):
    for _ in range(data.draw(st.integers(0, 6))):
        happen(data.draw, company)
    through = FIRST + timedelta(days=data.draw(st.integers(0, 150)))

    expected, by_day = expected_and_owed(company, through)
    assert expected == by_day


@settings(max_examples=20 * TIMES)
@given(companies(), BILLING_DAYS, st.data())
def test_month_by_month_exactly_what_is_owed_is_billed_and_nothing_twice(company, steps, data):
    through = FIRST
    for step in steps:
        for _ in range(data.draw(st.integers(0, 3))):
            happen(data.draw, company)
        through += timedelta(days=step)

        company.bill(through)

        assert waits(company, through) or billed_sums(company) == owed_sums(company, through)
        assert company.bill(through).lines.is_empty()
    company.bill(THE_END)
    assert billed_sums(company) == owed_sums(company, THE_END)


@settings(max_examples=8 * TIMES)
@given(companies(), BILLING_DAYS, st.data())
def test_discounts_stay_within_what_is_charged_and_every_total_ties(company, steps, data):
    for _ in range(data.draw(st.integers(1, 3))):
        give_coupon(data.draw, company)
    through = FIRST
    for step in steps:
        happen(data.draw, company)
        through += timedelta(days=step)

        made = company.bill(through)

        assert waits(company, through) or billed_sums(company) == owed_sums(company, through)
        assert company.bill(through).lines.is_empty()
        assert_totals_tie(made)
    charges = company.billed.group_by("subscription_id", "charge_id").agg(
        pl.col("amount_minor", "discount_minor").sum()
    )
    assert charges.filter(
        (pl.col("discount_minor") < 0) | (pl.col("discount_minor") > pl.col("amount_minor"))
    ).is_empty()
    assert company.used["amount_minor"].sum() == company.billed["discount_minor"].sum()


def assert_totals_tie(made: Draft) -> None:
    """Nets sum to the document's net, VAT per rate to its VAT, and both to its total."""
    nets = dict(made.lines.group_by("document").agg(pl.col("net_minor").sum()).iter_rows())
    taxes = dict(made.taxes.group_by("document").agg(pl.col("tax_minor").sum()).iter_rows())
    for head in made.documents.iter_rows(named=True):
        assert head["net_minor"] == nets[head["document"]]
        assert head["tax_minor"] == taxes[head["document"]]
        assert head["total_minor"] == head["net_minor"] + head["tax_minor"]
