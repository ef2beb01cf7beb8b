"""Segments against each other: the parts of a gap from real tables, and what the command line tells of a dimension."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from core.domain.errors import InvalidInput
from core.reports import comparisons, figures_file, lifetimes, mrr
from core.reports.kpis import Filters
from core.store.engine import reading
from tests.pages.test_figures import lived
from tests.world import World, fixed

TODAY = date(2026, 6, 30)
START = date(2024, 1, 1)


def people(engine):
    with reading(engine) as session:
        return lifetimes.people(session, mrr.ledger(session, TODAY), Filters(), TODAY)


def month(number):
    """The first day of the n-th month after the start."""
    return date(START.year + number // 12, number % 12 + 1, 1)


def pay(world, option, prices, leaving):
    """Customers who begin at the first price, change to the second after ten months, and leave as `leaving` says: (cause, month)."""
    for cause, at in leaving:
        who = world.start(world.customer(payment_option=option), prices[0], START)
        if prices[1] != prices[0]:
            world.change(who, "price", month(10), price_version_id=prices[1])
        world.change(who, "cancel", month(at), cause=cause)


def test_what_changes_of_price_bring_is_upsell_as_long_as_they_last(sqlite_engine):
    world = World(sqlite_engine)
    low, high = world.plan(fixed("100")), world.plan(fixed("300"))
    stay = [("voluntary", 20)] * 30
    pay(world, "card", (low, low), stay)
    pay(world, "direct_debit", (low, high), stay)

    told = comparisons.gap(people(sqlite_engine), "payment_option", ("card", "direct_debit"), yearly=0.0)

    # Twenty months of 100 against ten of 100 and ten of 300.
    assert (told.months, told.clv[0]) == (20, 2000_00)
    assert told.clv[1] == pytest.approx(4000_00, rel=0.005)
    assert told.parts["upsell"] == told.gap
    assert sum(told.parts.values()) == told.gap


def test_who_is_lost_later_is_told_by_cause_and_rare_causes_as_one(sqlite_engine):
    world = World(sqlite_engine)
    plan = world.plan(fixed("100"))
    late = [("voluntary", 20)] * 40
    pay(world, "card", (plan, plan), [("involuntary", 10)] * 30 + [("staff", 12)] * 10 + late)
    pay(world, "direct_debit", (plan, plan), [("staff", 12)] * 10 + late)

    told = comparisons.gap(people(sqlite_engine), "payment_option", ("card", "direct_debit"), yearly=0.0)

    # Of eighty with a card thirty leave in month 10 for want of payment, of fifty others none: that is all that differs.
    assert list(told.parts) == ["base", "cross_sell", "upsell", "onboarding", "voluntary", "involuntary", "other"]
    assert told.parts["involuntary"] > 0.9 * told.gap > 0
    assert told.parts["base"] == told.parts["onboarding"] == 0
    assert sum(told.parts.values()) == told.gap == told.clv[1] - told.clv[0]


def test_the_command_line_tells_of_a_dimension_what_the_page_tells(sqlite_engine):
    lived(sqlite_engine)
    with reading(sqlite_engine) as session:
        told = figures_file.lifetime_of_all(session, TODAY, "payment_option")["drivers"]

    (ratio,) = told["hazard_ratios"]
    assert (told["reference"], ratio["name"], told["within"]) == ("card", "direct_debit", "plan")
    assert ratio["high"] < 1  # those with a card leave sooner
    assert 0 < ratio["constant_p"] <= 1
    assert ratio["changes_with_tenure"] is (ratio["constant_p"] < 0.05)
    assert told["log_rank"]["p"] < 0.05
    assert sum(told["gap"]["parts"].values()) == told["gap"]["gap"]
    assert [one["name"] for one in told["segments"]] == ["direct_debit", "card"]


def test_a_dimension_that_is_none_is_refused(sqlite_engine):
    World(sqlite_engine)
    with reading(sqlite_engine) as session, pytest.raises(InvalidInput, match="not by moon"):
        figures_file.lifetime_of_all(session, TODAY, "moon")


def test_segments_that_few_have_left_are_not_compared(sqlite_engine):
    lived(sqlite_engine, 40)
    found = people(sqlite_engine)

    assert comparisons.gap(found, "payment_option", ("card", "direct_debit")) is None
    assert found.frame.filter(pl.col("cause").is_not_null()).height >= 20


def test_what_comes_after_the_horizon_is_no_part_of_the_gap(sqlite_engine):
    world = World(sqlite_engine)
    low, high = world.plan(fixed("100")), world.plan(fixed("300"))
    pay(world, "card", (low, low), [("voluntary", 8)] * 32)
    pay(world, "direct_debit", (low, high), [("voluntary", 28)] * 32)  # dearer from month 10 on

    told = comparisons.gap(people(sqlite_engine), "payment_option", ("card", "direct_debit"), 0.5, yearly=0.0)

    # Eight months are known of both, and all of both stay through them: at a margin of a half, 400 kr each.
    assert (told.months, told.clv, told.parts["upsell"]) == (8, (400_00, 400_00), 0)
