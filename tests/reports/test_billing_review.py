"""What a run would do is said before it is done, and the run then does exactly that."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine

from core.reports.billing_review import held, review
from core.store.engine import reading
from core.store.tables import CompanyProfile
from tests.world import STAMP, World, charge, fixed, tier

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


def reviewed(world: World, through: date):
    """The review of a day."""
    with reading(world.engine) as session:
        return review(session, through, through)


def test_an_amount_above_the_limit_is_left_out_until_somebody_releases_the_customer(engine: Engine) -> None:
    world = World(engine)
    world.add(CompanyProfile, effective_from=JANUARY, legal_name="Prøve AS", review_above_minor=100_000, **STAMP)
    small, large = world.customer(), world.customer()
    world.start(small, world.plan(fixed("100")), JANUARY)
    world.start(large, world.plan(fixed("10000")), JANUARY)

    before = reviewed(world, JANUARY)
    assert before.review.rows() == [(large, "large_amount")]
    assert before.totals()["total_minor"].to_list() == [12_500]
    assert world.bill(JANUARY).total_minor == {"NOK": 12_500}

    world.hold(large, held=False)
    after = reviewed(world, JANUARY)
    assert after.review.is_empty()
    assert after.totals()["total_minor"].to_list() == [1_250_000]


def test_usage_that_is_missing_nothing_or_moved_by_half_is_named(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(charge("kwh", "usage", "per_unit", tier(unit="2"), meter="kwh"))
    used = {"missing": (10, None), "zero": (10, 0), "jump": (10, 15.1), "drop": (10, 4.9), "quiet": (10, 15)}
    customers = {}
    for name, (first, second) in used.items():
        customers[world.customer()] = name
        subscription = world.start(list(customers)[-1], plan, JANUARY)
        world.use(subscription, "kwh", date(2026, 1, 9), first)
        if second is not None:
            world.use(subscription, "kwh", date(2026, 2, 9), second)
    world.bill(FEBRUARY)

    signs = {customers[row["customer_id"]]: row["sign"] for row in reviewed(world, MARCH).usage.iter_rows(named=True)}
    assert signs == {name: name for name in ("missing", "zero", "jump", "drop")}


def test_plans_stand_beside_the_month_before(engine: Engine) -> None:
    world = World(engine)
    plan = world.plan(fixed("100"))
    world.start(world.customer(), plan, JANUARY)
    world.bill(JANUARY)
    world.start(world.customer(), plan, date(2026, 1, 15))
    world.bill(date(2026, 1, 15))

    assert reviewed(world, FEBRUARY).plans.drop("plan").rows() == [("NOK", 10_000, 10_000 + 10_000, 10_000)]


def test_a_held_customer_is_not_reviewed_and_stands_on_the_list_with_the_reason(engine: Engine) -> None:
    world = World(engine)
    customer = world.customer()
    world.start(customer, world.plan(fixed("100")), JANUARY)
    world.hold(customer, held=True)

    assert reviewed(world, JANUARY).heads.is_empty()
    with reading(engine) as session:
        assert held(session).select("customer_id", "reason").rows() == [(customer, "test")]
