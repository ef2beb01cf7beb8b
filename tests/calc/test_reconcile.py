"""Expected less billed: corrections name what they correct, undoing nets nothing, a second run is empty."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calc.billing.documents import draft
from tests.calc.companies import FIRST, companies, happen
from tests.calc.conftest import TIMES
from tests.company import Company, charge, tier

JANUARY = date(2026, 1, 1)


def seats(unit: str = "310") -> tuple[Company, int]:
    """A company with one subscription to one seat, billed for January."""
    company = Company(vat={"standard": 250_000})
    subscription = company.start(company.version(charge("seat", "per_unit", tier(unit=unit))), JANUARY)
    company.bill(JANUARY)
    return company, subscription


@settings(max_examples=20 * TIMES)
@given(st.integers(1, 30), st.integers(0, 40), st.sampled_from(["0.01", "9.99", "310", "1234.56"]))
def test_an_upgrade_that_is_undone_at_once_nets_nothing(day, seats_wanted, unit):
    company, subscription = seats(unit)
    on = JANUARY + timedelta(days=day)
    change = company.change(subscription, "quantity", on, quantity_micro=seats_wanted * 10**6)
    company.bill(on)
    company.change(subscription, "undo", on, undoes_id=change)
    company.bill(on)

    sums = company.billed.select("amount_minor", "discount_minor").sum().row(0)
    assert sums == (company.billed["amount_minor"][0], 0)
    assert company.bill(on).lines.is_empty()


@settings(max_examples=15 * TIMES)
@given(companies(), st.data())
def test_corrections_name_their_line_and_no_revision_comes_twice(company, data):
    through = FIRST
    for _ in range(3):
        through += timedelta(days=30)
        for _ in range(2):
            happen(data.draw, company)
        company.bill(through)

    key = ["subscription_id", "charge_id", "service_start", "service_end", "revision"]
    billed = company.billed
    assert billed.select(key).is_unique().all()
    credits = billed.filter(pl.col("amount_minor") < 0)
    original = credits.join(billed, left_on="corrects_id", right_on="line_id", how="left", suffix="_of")
    assert original["amount_minor_of"].fill_null(0).gt(0).all()
    assert original["subscription_id_of"].equals(original["subscription_id"], null_equal=False, check_names=False)
    assert original["charge_id"].eq_missing(original["charge_id_of"]).all()
    assert original["revision"].gt(0).all()


@settings(max_examples=15 * TIMES)
@given(companies(), st.data())
def test_the_order_of_billed_lines_changes_nothing(company, data):
    company.bill(FIRST + timedelta(days=40))
    for _ in range(3):
        happen(data.draw, company)
    inputs = company.inputs()
    through = FIRST + timedelta(days=80)
    before = draft(inputs, through)
    columns = [
        "subscription_id",
        "charge_id",
        "service_start",
        "service_end",
        "amount_minor",
        "revision",
        "corrects_id",
    ]

    company.billed = company.billed.reverse()
    after = draft(company.inputs(), through)

    assert after.lines.select(columns).sort(columns).equals(before.lines.select(columns).sort(columns))
    assert after.documents["total_minor"].sum() == before.documents["total_minor"].sum()


def test_a_cancellation_with_credit_gives_back_the_days_and_a_full_one_all_of_the_vat():
    company, subscription = seats("0.10")  # VAT of 2.5 øre is 3
    company.change(subscription, "cancel", JANUARY, credit="credit")

    (note,) = company.bill(date(2026, 1, 2)).documents.to_dicts()

    assert (note["kind"], note["net_minor"], note["tax_minor"], note["total_minor"]) == ("credit_note", -10, -3, -13)


@settings(max_examples=25 * TIMES)
@given(
    st.lists(st.integers(1, 100_000), min_size=1, max_size=6), st.booleans(), st.integers(0, 1_000_000),
    st.sampled_from([0, 150_000, 250_000]),
)  # fmt: skip
def test_a_full_credit_is_the_original_with_its_discount_and_vat(fees, inclusive, coupon_ppm, rate):
    company = Company(vat={"standard": rate, "food": 150_000})
    charges = [
        charge(
            "fixed", "flat", tier(flat=f"{fee / 100:.2f}"), code=f"fee {n}", vat_category=["standard", "food"][n % 2]
        )
        for n, fee in enumerate(fees)
    ]
    subscription = company.start(company.version(*charges, tax_inclusive=inclusive), JANUARY)
    company.change(subscription, "coupon", JANUARY, coupon_id=company.coupon("percent", coupon_ppm))
    before = company.bill(JANUARY).documents

    company.change(subscription, "cancel", JANUARY, credit="credit")
    after = company.bill(date(2026, 1, 2)).documents

    columns = ["subtotal_minor", "discount_minor", "net_minor", "tax_minor", "total_minor"]
    assert after.select(-pl.col(columns)).rows() == before.select(columns).rows()
