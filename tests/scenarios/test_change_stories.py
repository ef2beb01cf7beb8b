"""What a change of a subscription does to its invoices, told day by day with amounts that can be checked by head."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from core.actions.subscriptions import (
    cancel,
    change_addon,
    change_price,
    change_quantity,
    change_trial,
    grant_coupon,
    pause,
    resume,
)
from core.domain.errors import Conflict
from core.store.tables import BooksClosed
from tests.story import MICRO, Story
from tests.world import STAMP, assert_books_hold, charge, fixed, tier

JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in (1, 2, 3, 4))
ELEVENTH = date(2026, 1, 11)  # 10 of January's 31 days are used, 21 are left


@pytest.fixture
def story(engine: Engine) -> Any:
    """A company whose books must hold when its story is told."""
    told = Story(engine)
    yield told
    assert_books_hold(told)
    before = len(told.documents())
    told.bill(told.day)
    assert len(told.documents()) == before, "a second run finds nothing"


def spans(story: Story) -> list[tuple[date, date]]:
    return [(line.service_start, line.service_end) for line in story.lines()]


# --- plans ----------------------------------------------------------------------------------------------------------


def test_an_upgrade_counts_today_and_pays_the_difference_for_the_days_left(story: Story) -> None:
    small, large = story.plan(fixed("310"), plan_id=story.ranked(1)), story.plan(fixed("620"), plan_id=story.ranked(2))
    ada = story.begin(small, JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_price, ada, price_version_id=large)
    story.bill_on(ELEVENTH, FEBRUARY)

    assert story.amounts() == [31_000, -21_000, 42_000, 62_000]


def test_a_downgrade_waits_for_the_end_of_the_period_and_credits_nothing(story: Story) -> None:
    small, large = story.plan(fixed("310"), plan_id=story.ranked(1)), story.plan(fixed("620"), plan_id=story.ranked(2))
    ada = story.begin(large, JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_price, ada, price_version_id=small)
    story.bill_on(ELEVENTH, FEBRUARY)

    assert story.amounts() == [62_000, 31_000]


def test_an_upgrade_and_its_undo_on_the_same_day_leave_no_trace(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)

    upgrade = story.on(ELEVENTH).do(change_price, ada, price_version_id=story.plan(fixed("620")), effective_on=ELEVENTH)
    story.take_back(upgrade)
    story.bill_on(ELEVENTH)

    assert story.amounts() == [31_000]


def test_an_upgrade_undone_after_it_was_billed_nets_to_zero(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    upgrade = story.on(ELEVENTH).do(change_price, ada, price_version_id=story.plan(fixed("620")), effective_on=ELEVENTH)
    story.bill_on(ELEVENTH)

    story.take_back(upgrade)
    story.bill_on(date(2026, 1, 12))

    assert [document.kind for document in story.documents()] == ["invoice", "invoice", "credit_note"]
    assert sum(story.amounts()) == 31_000


def test_a_change_dated_back_in_an_open_month_is_billed_from_its_day(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)

    story.on(date(2026, 1, 20)).do(
        change_price, ada, price_version_id=story.plan(fixed("620")), effective_on=ELEVENTH
    )  # fmt: skip
    story.bill_on(date(2026, 1, 20))

    assert story.amounts() == [31_000, -21_000, 42_000]


def test_a_change_dated_back_into_closed_books_is_refused(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    story.add(BooksClosed, through=date(2026, 1, 31), reason="January is done", **STAMP)

    with pytest.raises(Conflict, match="closed through 2026-01-31; choose 2026-02-01 or a later day"):
        story.on(date(2026, 2, 5)).do(change_quantity, ada, quantity_micro=2 * MICRO, effective_on=ELEVENTH)
    story.bill_on(date(2026, 2, 5))


def test_new_prices_reach_only_those_who_are_moved_to_them(story: Story) -> None:
    plan = story.ranked(1)
    old = story.plan(fixed("310"), plan_id=plan)
    kept, moved = story.begin(old, JANUARY), story.begin(old, JANUARY)
    story.bill_on(JANUARY)
    new = story.plan(fixed("340"), plan_id=plan)

    story.on(ELEVENTH).do(change_price, moved, price_version_id=new)
    story.bill_on(FEBRUARY)

    assert (story.amounts(kept), story.amounts(moved)) == ([31_000, 31_000], [31_000, 34_000])


# --- intervals and anchors ------------------------------------------------------------------------------------------


def test_from_month_to_year_the_anchor_stays_and_the_rest_of_the_year_is_charged(story: Story) -> None:
    plan = story.ranked(1)
    monthly = story.plan(fixed("310"), plan_id=plan)
    yearly = story.plan(fixed("3650"), plan_id=plan, interval_unit="year")
    ada = story.begin(monthly, JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_price, ada, price_version_id=yearly, effective_on=ELEVENTH)
    story.bill_on(ELEVENTH, date(2027, 1, 1))

    assert story.amounts() == [31_000, -21_000, 355_000, 365_000]  # 355 of 365 days
    assert spans(story)[2:] == [(ELEVENTH, date(2027, 1, 1)), (date(2027, 1, 1), date(2028, 1, 1))]


def test_from_year_to_month_the_anchor_stays_and_the_first_month_is_a_part(story: Story) -> None:
    plan = story.ranked(1)
    monthly = story.plan(fixed("310"), plan_id=plan)
    yearly = story.plan(fixed("3650"), plan_id=plan, interval_unit="year")
    ada = story.begin(yearly, JANUARY)
    story.bill_on(JANUARY)

    second = date(2026, 12, 2)
    story.on(second).do(change_price, ada, price_version_id=monthly, effective_on=second)
    story.bill_on(second, date(2027, 1, 1))

    assert story.amounts() == [365_000, -30_000, 30_000, 31_000]  # 30 days at 10.00 on both sides


def test_the_31st_is_kept_through_february_and_a_change(story: Story) -> None:
    ada = story.begin(story.plan(fixed("280")), date(2026, 1, 31))
    story.bill_on(date(2026, 1, 31))

    story.on(date(2026, 2, 14)).do(
        change_price, ada, price_version_id=story.plan(fixed("560")), effective_on=date(2026, 2, 14)
    )  # fmt: skip
    story.bill_on(date(2026, 2, 14), date(2026, 2, 28), date(2026, 3, 31))

    assert story.amounts() == [28_000, -14_000, 28_000, 56_000, 56_000]  # 14 of 28 days
    assert spans(story)[3:] == [(date(2026, 2, 28), date(2026, 3, 31)), (date(2026, 3, 31), date(2026, 4, 30))]


def test_a_year_from_29_february_ends_on_the_28th_and_returns_to_the_29th(story: Story) -> None:
    leap = date(2024, 2, 29)
    story.begin(story.plan(fixed("366"), interval_unit="year"), leap)

    story.bill_on(leap, date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29))

    assert [end for _, end in spans(story)] == [
        date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29), date(2029, 2, 28),
    ]  # fmt: skip
    assert story.amounts() == [36_600] * 5


@pytest.mark.parametrize(
    ("currency", "small", "large", "expected"),
    [("JPY", "3100", "6200", [3_100, -2_100, 4_200]), ("KWD", "3.100", "6.200", [3_100, -2_100, 4_200])],
)
def test_currencies_without_decimals_and_with_three(
    story: Story, currency: str, small: str, large: str, expected: list[int]
) -> None:
    story.rate(currency, "0.07")
    cheap, dear = (story.plan(fixed(price), currency=currency) for price in (small, large))
    ada = story.begin(cheap, JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_price, ada, price_version_id=dear, effective_on=ELEVENTH)
    story.bill_on(ELEVENTH)

    assert story.amounts() == expected


# --- quantities -----------------------------------------------------------------------------------------------------


def test_seats_go_up_and_down_on_graduated_prices(story: Story) -> None:
    seats = charge("seat", "seat", "graduated", tier(up_to="10", unit="31"), tier(unit="15.5"))
    ada = story.begin(story.plan(seats), JANUARY, quantity=10)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_quantity, ada, quantity_micro=12 * MICRO, effective_on=ELEVENTH)
    story.bill_on(ELEVENTH)
    story.on(date(2026, 1, 21)).do(change_quantity, ada, quantity_micro=5 * MICRO, effective_on=date(2026, 1, 21))
    story.bill_on(date(2026, 1, 21))

    # 310 a month, then 341, then 155; 21 days left, then 11
    assert story.amounts() == [31_000, -21_000, 23_100, -12_100, 5_500]


def test_more_seats_cost_less_where_the_volume_price_falls(story: Story) -> None:
    seats = charge("seat", "seat", "volume", tier(up_to="10", unit="31"), tier(unit="15.5"))
    ada = story.begin(story.plan(seats), JANUARY, quantity=10)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_quantity, ada, quantity_micro=12 * MICRO, effective_on=ELEVENTH)
    story.bill_on(ELEVENTH)

    assert story.amounts() == [31_000, -21_000, 12_600]  # 310 a month, then 12 · 15.50 = 186
    assert story.documents()[-1].kind == "credit_note"


def test_an_add_on_comes_and_goes_and_pays_for_its_days(story: Story) -> None:
    plan = story.plan(fixed("310"), charge("extra", "addon", "per_unit", tier(unit="31")))
    ada = story.begin(plan, JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(change_addon, ada, item="extra", quantity_micro=2 * MICRO, effective_on=ELEVENTH)
    story.bill_on(ELEVENTH)
    story.on(date(2026, 1, 21)).do(change_addon, ada, item="extra", quantity_micro=0, effective_on=date(2026, 1, 21))
    story.bill_on(FEBRUARY)

    assert story.amounts() == [31_000, 4_200, 31_000, -2_200]  # 62 a month: 21 days, 11 days back


def test_of_two_changes_on_one_day_the_later_one_holds(story: Story) -> None:
    seats = charge("seat", "seat", "per_unit", tier(unit="31"))
    ada = story.begin(story.plan(seats), JANUARY, quantity=1)

    for seat_count in (5, 3):
        story.do(change_quantity, ada, quantity_micro=seat_count * MICRO, effective_on=JANUARY)
    story.bill_on(JANUARY)

    assert story.amounts() == [9_300]


# --- pauses and trials ----------------------------------------------------------------------------------------------


def test_a_pause_over_a_month_end_bills_nothing_and_service_resumes_with_a_part(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    story.on(ELEVENTH).do(pause, ada, effective_on=ELEVENTH)
    story.bill_on(FEBRUARY, MARCH)

    story.on(date(2026, 3, 11)).do(resume, ada, effective_on=date(2026, 3, 11))
    story.bill_on(date(2026, 3, 11), APRIL)

    assert story.amounts() == [31_000, 21_000, 31_000]  # no credit for January; 21 of March's 31 days


def test_a_pause_with_credit_gives_its_days_back(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).do(pause, ada, effective_on=ELEVENTH, until_on=FEBRUARY, credit="credit")
    story.bill_on(ELEVENTH, FEBRUARY)

    assert story.amounts() == [31_000, -21_000, 31_000]


def test_a_pause_on_the_day_of_a_plan_change_bills_nothing_of_the_new_plan(story: Story) -> None:
    """The old plan was paid for half a year and is credited; of the new one not a day is used before the customer is back."""
    half = story.plan(fixed("1810"), interval_count=6, plan_id=story.ranked(1))
    monthly = story.plan(fixed("310"), plan_id=story.ranked(2))
    on_the_day, day_after = story.begin(half, JANUARY), story.begin(half, JANUARY)
    story.bill_on(JANUARY)
    twelfth = date(2026, 1, 12)
    for ada, day in ((on_the_day, ELEVENTH), (day_after, twelfth)):
        story.on(ELEVENTH).do(change_price, ada, price_version_id=monthly, effective_on=ELEVENTH)
        story.do(pause, ada, effective_on=day, until_on=date(2026, 2, 10))
    story.bill_on(ELEVENTH, FEBRUARY, date(2026, 2, 10))
    with_lines = {
        ada: sum(line.amount_minor for line in story.lines() if line.subscription_id == ada)
        for ada in (on_the_day, day_after)
    }
    used = 18_100_0 // 181 * 10  # ten of 181 days of the half-year
    # Back on 10 February: 19 of that month's 28 days; who paused a day later keeps the period that the day fell in.
    assert with_lines[on_the_day] == used + round(31_000 * 19 / 28)
    assert with_lines[day_after] > with_lines[on_the_day]


def test_an_undone_pause_is_billed_as_if_it_had_not_been(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    stop = story.on(ELEVENTH).do(pause, ada, effective_on=ELEVENTH, until_on=MARCH)
    story.bill_on(FEBRUARY)

    story.take_back(stop)
    story.bill_on(date(2026, 2, 2))

    assert story.amounts() == [31_000, 31_000]


def test_a_resumption_is_undone_and_the_pause_goes_on(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    story.on(ELEVENTH).do(pause, ada, effective_on=ELEVENTH, until_on=APRIL)

    back = story.on(date(2026, 1, 21)).do(resume, ada, effective_on=date(2026, 1, 21))
    story.take_back(back)
    story.bill_on(FEBRUARY, APRIL)

    assert story.amounts() == [31_000, 31_000]
    assert spans(story)[-1] == (APRIL, date(2026, 5, 1))


def test_a_paused_trial_ends_later_by_the_days_of_the_pause(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY, trial_days=14)  # to 15 January
    story.on(date(2026, 1, 6)).do(pause, ada, effective_on=date(2026, 1, 6), until_on=date(2026, 1, 16))
    story.bill_on(date(2026, 1, 24), date(2026, 1, 25))

    assert spans(story) == [(date(2026, 1, 25), date(2026, 2, 25))]


def test_a_trial_that_is_resumed_early_or_unpaused_ends_earlier_again(story: Story) -> None:
    plan = story.plan(fixed("310"))
    resumed, unpaused, extended = (story.begin(plan, JANUARY, trial_days=14) for _ in range(3))
    sixth = date(2026, 1, 6)
    story.on(sixth).do(pause, resumed, effective_on=sixth, until_on=date(2026, 1, 16))
    stop = story.do(pause, unpaused, effective_on=sixth, until_on=date(2026, 1, 16))
    story.do(change_trial, extended, until_on=date(2026, 1, 28))

    story.on(date(2026, 1, 8)).do(resume, resumed, effective_on=date(2026, 1, 8))
    story.take_back(stop)
    story.bill_on(date(2026, 1, 28))

    begins = {line.subscription_id: line.service_start for line in story.lines()}
    assert begins == {resumed: date(2026, 1, 17), unpaused: date(2026, 1, 15), extended: date(2026, 1, 28)}


def test_a_cancelled_trial_costs_nothing(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY, trial_days=14)
    story.on(date(2026, 1, 6)).do(cancel, ada)
    story.bill_on(FEBRUARY)

    assert story.documents() == []


# --- the end --------------------------------------------------------------------------------------------------------


def test_a_cancellation_takes_effect_at_the_end_of_the_running_period(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    story.on(ELEVENTH).do(cancel, ada)
    story.bill_on(FEBRUARY, MARCH)

    assert story.amounts() == [31_000]


def test_an_end_now_keeps_the_month_unless_credit_is_chosen(story: Story) -> None:
    plan = story.plan(fixed("310"))
    kept, credited = story.begin(plan, JANUARY), story.begin(plan, JANUARY)
    story.bill_on(JANUARY)
    tenth = date(2026, 1, 10)
    story.on(tenth).do(cancel, kept, effective_on=tenth)
    story.do(cancel, credited, effective_on=tenth, credit="credit")
    story.bill_on(ELEVENTH)

    assert (story.amounts(kept), story.amounts(credited)) == ([31_000], [31_000, -21_000])
    assert story.documents()[-1].kind == "credit_note"


def test_an_undone_cancellation_with_credit_is_billed_again(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    end = story.on(date(2026, 1, 10)).do(cancel, ada, effective_on=date(2026, 1, 10), credit="credit")
    story.bill_on(ELEVENTH)

    story.take_back(end)
    story.bill_on(date(2026, 1, 12), FEBRUARY)

    assert story.amounts() == [31_000, -21_000, 21_000, 31_000]


def test_notice_and_term_push_the_end_to_the_period_that_holds_them(story: Story) -> None:
    plan = story.plan(fixed("310"))
    ada = story.begin(plan, JANUARY, minimum_term_until=MARCH)
    story.on(ELEVENTH).do(cancel, ada)
    story.bill_on(JANUARY, FEBRUARY, MARCH, APRIL)

    assert story.amounts() == [31_000, 31_000]


# --- coupons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"duration": "once"}, [15_500, 31_000, 31_000, 31_000, 31_000]),
        ({"duration": "periods", "periods": 3}, [15_500, 15_500, 15_500, 31_000, 31_000]),
        ({"duration": "forever"}, [15_500] * 5),
    ],
)
def test_half_price_once_for_three_periods_and_for_ever(
    story: Story, terms: dict[str, Any], expected: list[int]
) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    half = story.coupon(kind="percent", rate_ppm=500_000, **terms)
    story.do(grant_coupon, ada, coupon_id=half, effective_on=JANUARY)

    story.bill_on(*(date(2026, month, 1) for month in range(1, 6)))

    assert story.amounts() == expected


def test_a_coupon_on_one_charge_leaves_the_others_alone(story: Story) -> None:
    plan = story.plan(fixed("100"), charge("seat", "seat", "per_unit", tier(unit="50")))
    ada = story.begin(plan, JANUARY)
    half = story.coupon(kind="percent", rate_ppm=500_000, scope="charge", charge_code="seat", duration="forever")
    story.do(grant_coupon, ada, coupon_id=half, effective_on=JANUARY)

    story.bill_on(JANUARY)

    assert {line.kind: line.net_minor for line in story.lines()} == {"fixed": 10_000, "seat": 2_500}


def test_an_invoice_wide_amount_is_shared_by_the_customers_subscriptions(story: Story) -> None:
    plan, customer = story.plan(fixed("100")), story.customer()
    ada, bo = (story.begin(plan, JANUARY, customer_id=customer) for _ in range(2))
    gift = story.coupon(kind="amount", amount_minor=5_000, currency="NOK", scope="invoice", duration="once")
    story.do(grant_coupon, ada, coupon_id=gift, effective_on=JANUARY)

    story.bill_on(JANUARY, FEBRUARY)

    assert (story.amounts(ada), story.amounts(bo)) == ([7_500, 10_000], [7_500, 10_000])


def test_an_undone_coupon_no_longer_counts_on_later_invoices(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    half = story.coupon(kind="percent", rate_ppm=500_000, duration="forever")
    gift = story.do(grant_coupon, ada, coupon_id=half, effective_on=JANUARY)
    story.bill_on(JANUARY)

    story.on(ELEVENTH).take_back(gift)
    story.bill_on(FEBRUARY)

    assert story.amounts() == [15_500, 31_000]
    assert_books_hold(story)


# --- history taken over ---------------------------------------------------------------------------------------------


def test_history_that_is_filled_in_before_the_opening_bills_nothing(story: Story) -> None:
    seats = charge("seat", "seat", "per_unit", tier(unit="31"))
    ada = story.begin(story.plan(seats), date(2025, 10, 1), billed_through=date(2025, 12, 31))
    story.on(date(2025, 11, 5)).do(change_quantity, ada, quantity_micro=4 * MICRO, effective_on=date(2025, 11, 5))

    story.bill_on(JANUARY, FEBRUARY)

    assert story.amounts() == [12_400, 12_400]


# --- planned ahead --------------------------------------------------------------------------------------------------


def test_a_change_planned_inside_a_billed_month_is_credited_and_charged_when_its_day_has_come(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    dear = story.plan(fixed("620"))
    story.on(date(2026, 1, 5)).do(change_price, ada, price_version_id=dear, effective_on=ELEVENTH)

    story.bill_on(date(2026, 1, 6))
    assert story.amounts() == [31_000]
    story.bill_on(ELEVENTH)
    assert story.amounts() == [31_000, -21_000, 42_000]


def test_seats_planned_inside_a_billed_month_come_on_the_next_invoice(story: Story) -> None:
    ada = story.begin(story.plan(fixed("100"), charge("seat", "seat", "per_unit", tier(unit="31"))), JANUARY)
    story.bill_on(JANUARY)
    story.on(date(2026, 1, 5)).do(change_quantity, ada, quantity_micro=2 * MICRO, effective_on=ELEVENTH)

    story.bill_on(date(2026, 1, 6), FEBRUARY)

    seats = [line.amount_minor for line in story.lines() if line.kind == "seat"]
    assert seats == [3_100, -2_100, 4_200, 6_200]


def test_a_pause_with_credit_credits_only_the_days_until_it_ends(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY)
    story.bill_on(JANUARY)
    story.on(ELEVENTH).do(pause, ada, effective_on=ELEVENTH, until_on=date(2026, 1, 21), credit="credit")

    story.bill_on(ELEVENTH, date(2026, 1, 21), FEBRUARY)

    assert story.amounts() == [31_000, -10_000, 31_000]  # 10 of 31 days


def test_a_trial_that_is_ended_early_is_billed_from_that_day_on(story: Story) -> None:
    ada = story.begin(story.plan(fixed("310")), JANUARY, trial_days=14)
    story.on(date(2026, 1, 8)).do(change_trial, ada, until_on=date(2026, 1, 8))
    story.bill_on(date(2026, 1, 8))

    assert spans(story) == [(date(2026, 1, 8), date(2026, 2, 8))]
    assert story.amounts() == [31_000]
