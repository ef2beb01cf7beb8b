"""Coupons on a draft against slow arithmetic: charge → plan → invoice, oldest first, each on what the ones before left."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.calc.conftest import TIMES
from tests.company import Company, charge, tier

JANUARY = date(2026, 1, 1)
ORDER = {"charge": 0, "plan": 1, "invoice": 2}


@st.composite
def offers(draw):
    """kind, value, scope, and which of two subscriptions and three charges it is for."""
    kind = draw(st.sampled_from(["percent", "amount"]))
    value = draw(
        st.sampled_from([0, 100_000, 333_333, 500_000, 1_000_000]) if kind == "percent" else st.integers(0, 30_000)
    )
    return kind, value, draw(st.sampled_from(list(ORDER))), draw(st.integers(1, 2)), draw(st.integers(0, 2))


def slow_discounts(fees, given_offers):
    """Discount of each line (subscription, charge): one coupon after the other."""
    left = dict(fees)
    total = dict.fromkeys(fees, 0)
    turns = sorted(enumerate(given_offers), key=lambda item: (ORDER[item[1][2]], item[0]))
    for _, (kind, value, scope, owner, number) in turns:
        covered = [
            line for line in fees
            if scope == "invoice" or (line[0] == owner and (scope == "plan" or line[1] == number))
        ]  # fmt: skip
        base = sum(left[line] for line in covered)
        off = min(base, oracle.ratio(base, value, 10**6) if kind == "percent" else value)
        for line, part in zip(covered, oracle.spread(off, [left[line] for line in covered]), strict=True):
            left[line] -= part
            total[line] += part
    return total


@settings(max_examples=30 * TIMES)
@given(st.lists(st.integers(1, 40_000), min_size=6, max_size=6), st.lists(offers(), min_size=1, max_size=5))
def test_coupons_take_turns_and_are_spread_by_largest_remainder(amounts, given_offers):
    company = Company(vat={"standard": 250_000})
    fees = {(owner, number): amounts[(owner - 1) * 3 + number] for owner in (1, 2) for number in range(3)}
    for owner in (1, 2):
        charges = [charge("fixed", "flat", tier(flat=f"{fees[owner, n] / 100:.2f}"), code=f"fee {n}") for n in range(3)]
        company.start(company.version(*charges), JANUARY, customer_id=1)
    for kind, value, scope, owner, number in given_offers:
        coupon = company.coupon(kind, value, "once", scope, charge_code=f"fee {number}" if scope == "charge" else None)
        company.change(owner, "coupon", JANUARY, coupon_id=coupon)

    made = company.bill(JANUARY)

    wanted = slow_discounts(fees, given_offers)
    got = made.lines.select("subscription_id", "charge_id", "discount_minor").rows()
    assert {(owner, (key - 1) % 3): discount for owner, key, discount in got} == wanted
    assert made.shares["amount_minor"].sum() == sum(wanted.values())
    assert made.documents["net_minor"].sum() == sum(fees.values()) - sum(wanted.values())


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        ({"duration": "once"}, [5_000, 0, 0, 0]),
        ({"duration": "periods", "periods": 2}, [5_000, 5_000, 0, 0]),
        ({"duration": "forever"}, [5_000, 5_000, 5_000, 5_000]),
    ],
)
def test_a_percentage_lasts_as_many_periods_as_it_says(terms, wanted):
    company = Company()
    subscription = company.start(company.version(charge("fixed", "flat", tier(flat="100"))), JANUARY)
    company.change(subscription, "coupon", JANUARY, coupon_id=company.coupon("percent", 500_000, **terms))

    assert [company.bill(date(2026, month, 1)).lines["discount_minor"].sum() for month in range(1, 5)] == wanted


def test_a_coupon_granted_inside_a_period_begins_with_the_next_one():
    company = Company()
    subscription = company.start(company.version(charge("fixed", "flat", tier(flat="100"))), JANUARY)
    company.bill(JANUARY)
    company.change(subscription, "coupon", date(2026, 1, 15), coupon_id=company.coupon("percent", 100_000, "once"))

    assert [company.bill(date(2026, month, 1)).lines["discount_minor"].sum() for month in (2, 3)] == [1_000, 0]


def test_an_ended_coupon_gives_no_more():
    company = Company()
    subscription = company.start(company.version(charge("fixed", "flat", tier(flat="100"))), JANUARY)
    coupon = company.coupon("percent", 100_000)
    company.change(subscription, "coupon", JANUARY, coupon_id=coupon)
    company.change(subscription, "coupon_end", date(2026, 2, 1), coupon_id=coupon)

    assert [company.bill(date(2026, month, 1)).lines["discount_minor"].sum() for month in (1, 2)] == [1_000, 0]


@pytest.mark.parametrize(("includes", "wanted"), [(False, 5_000), (True, 15_000)])
def test_an_invoice_wide_coupon_leaves_the_true_up_out_unless_said(includes, wanted):
    company = Company()
    version = company.version(charge("fixed", "flat", tier(flat="100"), timing="in_arrears"), minimum_minor=30_000)
    subscription = company.start(version, JANUARY)
    coupon = company.coupon("percent", 500_000, includes_true_up=includes)
    company.change(subscription, "coupon", JANUARY, coupon_id=coupon)

    assert company.bill(date(2026, 2, 1)).lines["discount_minor"].sum() == wanted


@given(st.integers(1, 30), st.integers(1, 99))
@settings(max_examples=20 * TIMES)
def test_a_credit_gives_the_share_of_the_discount_back_to_its_coupon(day, percent):
    company = Company()
    subscription = company.start(company.version(charge("fixed", "flat", tier(flat="310"))), JANUARY)
    company.change(subscription, "coupon", JANUARY, coupon_id=company.coupon("percent", percent * 10_000))
    company.bill(JANUARY)
    on = JANUARY + timedelta(days=day)
    company.change(subscription, "cancel", on, credit="credit")

    made = company.bill(on)

    off = 310 * percent
    span, month = (on, date(2026, 2, 1)), (JANUARY, date(2026, 2, 1))
    assert made.lines.select("amount_minor", "discount_minor").rows() == [
        (-oracle.part(31_000, span, month), -oracle.part(off, span, month))
    ]
    assert made.shares["amount_minor"].to_list() == [-oracle.part(off, span, month)]


def test_a_fixed_amount_given_once_keeps_its_rest_and_gets_back_what_is_credited():
    company = Company()
    subscription = company.start(company.version(charge("fixed", "flat", tier(flat="310"))), JANUARY)
    company.change(subscription, "coupon", JANUARY, coupon_id=company.coupon("amount", 40_000, "once"))

    given_minor = [company.bill(date(2026, month, 1)).lines["discount_minor"].sum() for month in (1, 2, 3)]
    assert given_minor == [31_000, 9_000, 0]

    company.change(subscription, "cancel", date(2026, 3, 11), credit="credit")
    assert company.bill(date(2026, 3, 11)).lines.select("amount_minor", "discount_minor").rows() == [(-21_000, 0)]
