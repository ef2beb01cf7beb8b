"""What a subscription consists of today, by the facts: parts, discounts with their ends, usage so far, what is planned."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from core.actions import subscriptions
from core.reports.contents import Contents, contents_of
from core.store.engine import reading
from tests.story import MICRO, Story
from tests.world import charge, fixed, tier

TODAY = date(2026, 6, 16)


@pytest.fixture
def story(engine: Engine) -> Story:
    """A fee of 100 kr, 12 seats (299 up to ten, then 249), calls at 0,50 above 100 included ones up to 1 000, then 0,40."""
    told = Story(engine)
    seats = charge("seat", "seat", "graduated", tier(up_to="10", unit="299"), tier(unit="249"), name="Seats")
    calls = charge(
        "calls", "usage", "graduated", tier(up_to="1000", unit="0.5"), tier(unit="0.4"), meter="calls", timing="in_arrears",
        included_units="100", name="Calls",
    )  # fmt: skip
    told.begin(told.plan(fixed("100"), seats, calls), date(2026, 6, 1), quantity=12)
    told.bill_on(date(2026, 6, 1))
    return told.on(TODAY)


def now(story: Story) -> Contents:
    with reading(story.engine) as session:
        return contents_of(session, 1, TODAY)[1]


def test_parts_cost_what_the_engine_says_with_their_why(story: Story) -> None:
    found = now(story)
    # 100 + 10 × 299 + 2 × 249 = 3 588 kr.
    assert [part["amount_minor"] for part in found.parts] == [10_000, 348_800]
    assert found.period_minor == 358_800
    assert [each.amount_minor for each in found.parts[1]["why"]] == [299_000, 49_800]


def test_usage_so_far_stands_in_its_tier(story: Story) -> None:
    story.use(1, "calls", date(2026, 6, 10), 300)
    row = now(story).usage[0]
    # 300 − 100 included = 200 × 0,50 = 100 kr; the tier reaches 1 000.
    assert (row["quantity_micro"], row["amount_minor"], row["bound"]) == (300 * MICRO, 10_000, "1000")


def test_a_coupon_says_when_it_is_over(story: Story) -> None:
    coupon = story.coupon(kind="percent", rate_ppm=200_000, duration="periods", periods=2)
    story.do(subscriptions.grant_coupon, 1, coupon_id=coupon, effective_on=date(2026, 7, 1))
    assert now(story).discounts[0]["until"] == date(2026, 9, 1)


def test_what_is_planned_stands_in_its_order(story: Story) -> None:
    story.do(subscriptions.change_quantity, 1, quantity_micro=20 * MICRO, effective_on=date(2026, 8, 1))
    story.do(subscriptions.pause, 1, effective_on=date(2026, 7, 10), until_on=date(2026, 7, 20))
    assert [(each["kind"], each["effective_on"]) for each in now(story).planned] == [
        ("pause", date(2026, 7, 10)),
        ("quantity", date(2026, 8, 1)),
    ]


def test_a_period_costs_at_least_the_minimum(engine: Engine) -> None:
    told = Story(engine)
    told.begin(told.plan(fixed("100"), minimum_minor=99_000), date(2026, 6, 1))
    found = now(told.on(TODAY))
    assert (found.minimum_minor, found.period_minor) == (99_000, 99_000)


def test_a_fixed_amount_given_once_is_told_until_it_is_used_up(engine: Engine) -> None:
    told = Story(engine)
    plan = told.plan(fixed("300"))
    told.begin(plan, date(2026, 6, 1))
    coupon = told.coupon(kind="amount", amount_minor=50_000, currency="NOK", duration="once")
    told.do(subscriptions.grant_coupon, 1, coupon_id=coupon, effective_on=date(2026, 6, 1))
    left = []
    for month in (6, 7):
        left.append([row["left_minor"] for row in now(told).discounts])
        told.bill_on(date(2026, month, 1))
    # 500 kr: 300 kr on the first bill, 200 kr on the second, then it is gone.
    assert [*left, now(told).discounts] == [[50_000], [20_000], []]


def test_a_limit_stands_with_what_it_takes_off_a_period(engine: Engine) -> None:
    told = Story(engine)
    old, new = (told.plan(fixed(fee)) for fee in ("300", "600"))
    told.begin(old, date(2026, 5, 1))
    told.change(1, "price", date(2026, 6, 1), price_version_id=new, earlier_version_id=old, cap_ppm=100_000)
    found = now(told.on(TODAY))

    assert found.limit == {"cap_ppm": 100_000, "floor_ppm": None, "amount_minor": -27_000}
    assert found.period_minor == 33_000
    told.change(1, "price", date(2026, 6, 10), price_version_id=told.plan(fixed("500")))
    assert (now(told).limit, now(told).period_minor) == (None, 50_000)
