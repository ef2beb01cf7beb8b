"""What a period should cost, with numbers checkable by head."""

from __future__ import annotations

from datetime import date

from core.calc.billing.expected import expected_lines
from tests.company import Company, charge, tier

JANUARY = date(2026, 1, 1)
FEBRUARY = date(2026, 2, 1)


def amounts(company: Company, through: date) -> dict[str, list[int]]:
    """Amounts by kind, in order of service."""
    made = expected_lines(company.facts(), company.scope(), through)
    return {kind: made.filter(made["kind"] == kind)["amount_minor"].to_list() for kind in made["kind"].unique()}


def test_arrears_are_due_at_the_end_and_advance_at_the_start():
    company = Company()
    late = charge("seat", "per_unit", tier(unit="10"), timing="in_arrears")
    company.start(company.version(charge("fixed", "flat", tier(flat="100")), late), JANUARY, micro=3_000_000)

    assert amounts(company, date(2026, 1, 31)) == {"fixed": [10_000]}
    assert amounts(company, FEBRUARY) == {"fixed": [10_000, 10_000], "seat": [3_000]}


def test_usage_is_split_by_a_plan_change_and_each_part_has_its_own_allowance():
    company = Company()
    use = charge("usage", "per_unit", tier(unit="1"), included_units="5")
    dear = charge("usage", "per_unit", tier(unit="2"), included_units="5")
    first, second = company.version(use), company.version(dear)
    subscription = company.start(first, JANUARY)
    company.change(subscription, "price", date(2026, 1, 16), price_version_id=second)
    for day in (10, 20):
        company.use(subscription, date(2026, 1, day), 8_000_000)

    assert amounts(company, FEBRUARY) == {"usage": [300, 600]}


def test_seats_and_pauses_never_split_usage():
    company = Company()
    subscription = company.start(
        company.version(charge("usage", "graduated", tier("10", unit="1"), tier(unit="0"))), JANUARY
    )
    company.change(subscription, "quantity", date(2026, 1, 10), quantity_micro=2_000_000)
    company.change(subscription, "pause", date(2026, 1, 12), until_on=date(2026, 1, 14), credit="none")
    for day in (5, 20):
        company.use(subscription, date(2026, 1, day), 8_000_000)

    assert amounts(company, FEBRUARY) == {"usage": [1_000]}


def test_a_minimum_is_prorated_and_counts_fees_before_coupons():
    company = Company()
    version = company.version(charge("fixed", "flat", tier(flat="31"), timing="in_arrears"), minimum_minor=31_000)
    company.start(version, date(2026, 1, 17), anchor=JANUARY)
    coupon = company.coupon("percent", 1_000_000)
    company.change(1, "coupon", date(2026, 1, 17), coupon_id=coupon)

    assert amounts(company, FEBRUARY) == {"fixed": [1_500], "true_up": [13_500]}  # 15 of 31 days


def test_a_fee_once_paid_is_not_given_back_by_later_facts_of_the_same_day():
    company = Company()
    subscription = company.start(company.version(charge("one_off", "flat", tier(flat="50"))), JANUARY)
    assert company.bill(JANUARY).lines["amount_minor"].to_list() == [5_000]

    company.change(subscription, "quantity", date(2026, 1, 2), quantity_micro=2_000_000)

    assert company.bill(date(2026, 1, 2)).lines.is_empty()


def test_a_second_change_in_a_period_leaves_the_days_before_the_first_alone():
    company = Company()
    subscription = company.start(company.version(charge("seat", "per_unit", tier(unit="310"))), JANUARY)
    company.bill(JANUARY)
    company.change(subscription, "quantity", date(2026, 1, 11), quantity_micro=2_000_000)
    company.bill(date(2026, 1, 21))

    company.change(subscription, "quantity", date(2026, 1, 30), quantity_micro=3_000_000)
    company.bill(date(2026, 1, 30))

    assert company.billed["amount_minor"].to_list() == [31_000, -21_000, 42_000, -4_000, 6_000]
