"""Limits on a price rise: as slow arithmetic says, on their own line, whatever happens to the subscription meanwhile."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calc.companies import FIRST, companies, give_coupon, happen, limited_rise
from tests.calc.conftest import TIMES
from tests.calc.test_drafts import (
    BILLING_DAYS,
    THE_END,
    assert_totals_tie,
    billed_sums,
    expected_and_owed,
    owed_sums,
    waits,
)
from tests.company import MICRO, Company, charge, tier

JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in range(1, 5))


# --- against the oracle ----------------------------------------------------------------------------------------------------


@settings(max_examples=40 * TIMES)
@given(companies(), st.data())
def test_limits_are_what_two_day_by_day_lives_differ_by(company, data):
    for _ in range(data.draw(st.integers(1, 2))):
        limited_rise(data.draw, company)
        for _ in range(data.draw(st.integers(0, 4))):
            happen(data.draw, company)
    through = FIRST + timedelta(days=data.draw(st.integers(0, 200)))

    expected, by_day = expected_and_owed(company, through)
    assert expected == by_day


@settings(max_examples=15 * TIMES)
@given(companies(), BILLING_DAYS, st.data())
def test_month_by_month_limits_are_billed_as_owed_and_a_second_run_is_empty(company, steps, data):
    through = FIRST
    limited_rise(data.draw, company)
    for step in steps:
        for _ in range(data.draw(st.integers(0, 3))):
            happen(data.draw, company)
        through += timedelta(days=step)

        company.bill(through)

        assert waits(company, through) or billed_sums(company) == owed_sums(company, through)
        assert company.bill(through).lines.is_empty()
    company.bill(THE_END)
    assert billed_sums(company) == owed_sums(company, THE_END)
    key = ["subscription_id", "charge_id", "kind", "timing", "service_start", "service_end", "revision"]
    assert company.billed.select(key).is_unique().all()


@settings(max_examples=10 * TIMES)
@given(companies(), BILLING_DAYS, st.data())
def test_coupons_beside_limits_stay_within_what_is_charged(company, steps, data):
    give_coupon(data.draw, company)
    limited_rise(data.draw, company)
    through = FIRST
    for step in steps:
        happen(data.draw, company)
        through += timedelta(days=step)

        made = company.bill(through)

        assert company.bill(through).lines.is_empty()
        assert_totals_tie(made)
    assert company.used["amount_minor"].sum() == company.billed["discount_minor"].sum()


# --- laws --------------------------------------------------------------------------------------------------------------------


def limited(cap, *, floor=None, before="300", after="600", calls=("1", "2"), used=50, coupon=None, **terms):
    """One subscription that gets other prices on 1 February, with usage in February, billed through April; its lines."""
    company = Company(vat={"standard": 250_000})
    old, new = (
        company.version(charge("fixed", "flat", tier(flat=fee)), charge("usage", "per_unit", tier(unit=unit)), plan_id=1, **terms)
        for fee, unit in zip((before, after), calls, strict=True)
    )  # fmt: skip
    subscription = company.start(old, JANUARY)
    if coupon:
        company.change(subscription, "coupon", JANUARY, coupon_id=company.coupon(*coupon))
    limit = {} if cap is None and floor is None else {"earlier_version_id": old, "cap_ppm": cap, "floor_ppm": floor}
    company.change(subscription, "price", FEBRUARY, price_version_id=new, **limit)
    company.use(subscription, date(2026, 2, 10), used * MICRO)
    for day in (JANUARY, FEBRUARY, MARCH):
        company.bill(day)
    return company


def period(company, start=FEBRUARY):
    """What is billed for a period, less discounts."""
    lines = company.billed.filter(pl.col("period_start") == start)
    return lines["amount_minor"].sum() - lines["discount_minor"].sum()


def lines_of(company, kind="limit"):
    return company.billed.filter(pl.col("kind") == kind).select("due_on", "service_start", "amount_minor").rows()


def test_what_is_paid_ahead_is_limited_at_once_and_the_usage_with_it_at_the_end():
    company = limited(100_000)

    # 300 → 600, at most 330; with 50 calls 350 → 700, at most 385: 270 off at once, 45 more with the usage of 100.
    february = [row for row in lines_of(company) if row[1] == FEBRUARY]
    assert february == [(FEBRUARY, FEBRUARY, -27_000), (MARCH, FEBRUARY, -4_500)]
    assert period(company) == 38_500


def test_room_that_the_usage_leaves_is_used_by_the_fee():
    company = limited(100_000, calls=("2", "0"))

    # 300 + 100 → 600, at most 440: the fee alone was held to 330, and 110 of its limit is taken back with the usage.
    february = [row[2] for row in lines_of(company) if row[1] == FEBRUARY]
    assert february == [-27_000, 11_000]
    assert period(company) == 44_000


def test_a_floor_waits_for_the_end_of_the_period():
    company = limited(None, floor=100_000, after="200", calls=("1", "1.5"))

    # 350 → 275, at least 315.
    assert [row[::2] for row in lines_of(company) if row[1] == FEBRUARY] == [(MARCH, 4_000)]
    assert period(company) == 31_500


def test_included_vat_is_limited_as_the_prices_are_stated():
    company = limited(100_000, tax_inclusive=True)

    assert period(company) == 38_500
    assert sum(amount for _, start, amount in lines_of(company) if start == FEBRUARY) == -31_500


@pytest.mark.parametrize(
    ("coupon", "wanted"),
    [
        (("percent", 500_000, "forever", "plan"), 19_250), (("percent", 500_000, "forever", "invoice"), 19_250),
        (("amount", 10_000, "forever", "plan"), 28_500),
    ],
)  # fmt: skip
def test_a_coupon_lowers_the_limited_price(coupon, wanted):
    assert period(limited(100_000, coupon=coupon)) == wanted  # of 385


def test_a_coupon_for_one_charge_takes_off_what_the_limit_left_of_it():
    company = limited(100_000, coupon=("percent", 500_000, "forever", "charge"), used=0)
    assert period(company) == 33_000  # the coupon is for no charge that there is

    own = Company(vat={"standard": 0})
    old, new = (own.version(charge("fixed", "flat", tier(flat=fee)), plan_id=1) for fee in ("300", "600"))
    who = own.start(old, JANUARY)
    own.change(
        who, "coupon", JANUARY, coupon_id=own.coupon("percent", 500_000, "forever", "charge", charge_code="fixed")
    )
    own.change(who, "price", FEBRUARY, price_version_id=new, earlier_version_id=old, cap_ppm=0)
    own.bill(JANUARY)
    own.bill(FEBRUARY)
    assert (period(own, JANUARY), period(own)) == (15_000, 15_000)


def test_a_coupon_never_takes_off_more_than_the_limit_left():
    assert period(limited(0, before="0", calls=("0", "2"), coupon=("amount", 50_000, "once", "plan"))) == 0


@settings(max_examples=8 * TIMES)
@given(
    st.tuples(st.integers(0, 2_000_000), st.integers(0, 2_000_000)),
    st.sampled_from([("300", "600"), ("99.99", "310.01"), ("310.01", "99.99"), ("0", "600")]),
    st.sampled_from([("1", "2"), ("2", "1"), ("0", "0.33")]), st.integers(0, 200),
)  # fmt: skip
def test_raising_a_cap_never_lowers_the_bill(caps, fees, calls, used):
    bills = [
        period(limited(cap, before=fees[0], after=fees[1], calls=calls, used=used))
        for cap in (0, *sorted(caps), 10**7, None)
    ]
    assert bills == sorted(bills)


@settings(max_examples=20 * TIMES)
@given(st.sampled_from(["0", "99.99", "300"]), st.sampled_from(["0", "0.33", "2"]), st.integers(0, 200), st.booleans())
def test_a_cap_of_nothing_on_equal_prices_is_no_line(fee, call, used, inclusive):
    company = limited(0, floor=0, before=fee, after=fee, calls=(call, call), used=used, tax_inclusive=inclusive)
    assert lines_of(company) == []


# --- what happens meanwhile -------------------------------------------------------------------------------------------------


def seats(unit=("100", "200"), **more):
    """Three seats, dearer from 1 February, at most by a tenth; billed for January and February."""
    company = Company(vat={"standard": 250_000})
    old, new = (company.version(charge("seat", "per_unit", tier(unit=price)), plan_id=1, **more) for price in unit)
    who = company.start(old, JANUARY, micro=3 * MICRO)
    company.bill(JANUARY)
    rise = company.change(who, "price", FEBRUARY, price_version_id=new, earlier_version_id=old, cap_ppm=100_000)
    company.bill(FEBRUARY)
    return company, who, rise


def test_a_rise_that_is_undone_nets_nothing():
    company, who, rise = seats()
    company.change(who, "undo", FEBRUARY, undoes_id=rise)
    company.bill(date(2026, 2, 2))

    assert period(company) == 30_000
    assert billed_sums(company) == owed_sums(company, date(2026, 2, 2))
    (back,) = company.billed.filter((pl.col("kind") == "limit") & (pl.col("revision") == 1)).to_dicts()
    first = company.billed.filter((pl.col("kind") == "limit") & (pl.col("revision") == 0))
    assert (back["amount_minor"], back["corrects_id"], back["tax_rate_ppm"]) == (27_000, first["line_id"][0], 250_000)


def test_an_upgrade_within_the_limit_that_is_undone_nets_nothing():
    company, who, _ = seats()
    before = period(company)
    more = company.change(who, "quantity", date(2026, 2, 15), quantity_micro=5 * MICRO)
    company.bill(date(2026, 2, 15))
    assert period(company) == before + 11_000  # two seats more at 110 for 14 of 28 days
    company.change(who, "undo", date(2026, 2, 15), undoes_id=more)
    company.bill(date(2026, 2, 16))

    assert period(company) == before == 33_000
    assert company.bill(date(2026, 2, 16)).lines.is_empty()


def test_a_cancellation_with_credit_gives_back_the_limited_price_of_the_days():
    company, who, _ = seats()
    company.change(who, "cancel", date(2026, 2, 15), credit="credit")
    company.bill(date(2026, 2, 15))

    assert period(company) == 16_500


def test_a_price_change_planned_inside_a_billed_period_waits_with_its_limit():
    company, who, _ = seats()
    third = company.version(charge("seat", "per_unit", tier(unit="120")), plan_id=1)
    company.change(who, "price", date(2026, 2, 15), price_version_id=third)
    assert company.bill(date(2026, 2, 5)).lines.is_empty()
    company.bill(date(2026, 2, 15))

    assert period(company) == 16_500 + 18_000  # 110 a seat for half of the days, then 120


def test_another_price_change_ends_a_limit_and_a_change_of_quantity_does_not():
    company, who, _ = seats()
    company.change(who, "quantity", MARCH, quantity_micro=MICRO)
    company.change(who, "price", APRIL, price_version_id=company.version(charge("seat", "per_unit", tier(unit="500"))))
    company.bill(MARCH)
    company.bill(APRIL)

    assert (period(company, MARCH), period(company, APRIL)) == (11_000, 50_000)


def test_late_usage_is_limited_with_its_period():
    company = limited(0)
    company.use(1, date(2026, 2, 20), 50 * MICRO)
    company.bill(date(2026, 3, 5))

    assert period(company) == 40_000
    assert company.bill(date(2026, 3, 5)).lines.is_empty()


def test_each_vat_category_has_its_share_of_the_limit():
    company = Company(vat={"standard": 250_000, "food": 150_000})
    old, new = (
        company.version(
            charge("fixed", "flat", tier(flat=fee)), charge("addon", "per_unit", tier(unit=extra), code="extra", vat_category="food"), plan_id=1
        )
        for fee, extra in (("100", "100"), ("300", "100"))
    )  # fmt: skip
    who = company.start(old, JANUARY)
    company.change(who, "addon", JANUARY, item="extra", quantity_micro=MICRO)
    company.change(who, "price", FEBRUARY, price_version_id=new, earlier_version_id=old, cap_ppm=0)
    company.bill(JANUARY)
    made = company.bill(FEBRUARY)

    limits = made.lines.filter(pl.col("kind") == "limit").select("tax_rate_ppm", "amount_minor").sort("tax_rate_ppm")
    assert limits.rows() == [(150_000, -5_000), (250_000, -15_000)]  # 200 off 400, by what each costs
    assert_totals_tie(made)
