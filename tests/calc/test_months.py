"""Months of a whole base equal the drafts of the same months, line kind by line kind, on random bases."""

import random
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from core import frames
from core.calc.billing.base_lines import lay_lines
from core.calc.billing.documents import draft
from core.calc.billing.layout import lay_out
from core.calc.billing.months import each_month, usage_by_month, whole_by_month
from core.calc.billing.rated_base import rate_base
from core.calc.billing.spread import after_month
from core.calc.pricebook import compile_book
from core.frames import Seller
from tests.calc.conftest import TIMES
from tests.company import MICRO, Company, charge, tier

MONTHS = [date(2025, month, 1) for month in range(1, 7)]
DAY = timedelta(days=1)


def prices(rng, company, number):
    """A price version with some of every kind of charge; the first ones are plain monthly lists."""
    amount = lambda: f"{rng.randrange(1, 90_000) / 100:.2f}"  # noqa: E731
    metered = [
        charge("usage", "graduated", tier("10", amount(), amount()), tier("100.5", amount()), tier(unit="0.0123")),
        charge("usage", "volume", tier("50", amount()), tier(unit=amount()), included_units="20", meter="calls"),
        charge("usage", "package", tier(unit=amount(), package_size="7"), max_amount="900", min_amount="11"),
        charge("usage", "stairstep", tier("5", flat="0"), tier(flat=amount()), first_tier_flat_at_zero=False),
    ]
    charges = [
        charge("fixed", "flat", tier(flat=amount())),
        charge("seat", "graduated", tier("3", amount()), tier(unit=amount()), vat_category="food"),
        *rng.sample(metered, 2 if number == 3 else 1),
        charge("addon", "per_unit", tier(unit=amount()), code="a1"),
        charge("addon", "per_unit", tier(unit=amount()), code="a2", vat_category="food"),
    ]
    if number == 4:
        charges.append(charge("fixed", "flat", tier(flat=amount()), code="later", timing="in_arrears"))
    if number == 5:
        charges.append(charge("one_off", "flat", tier(flat=amount())))
    terms = {"tax_inclusive": number == 2, "calendar": number % 2 == 0, "months": 3 if number == 6 else 1}
    if number == 7:
        terms["minimum_minor"] = 400_000
    rows = [{**row, "code": row["code"] if row["kind"] != "usage" else row["meter"]} for row in charges]
    return company.version(*rows, **terms)


def base(seed, subscriptions=60):
    """A company whose subscribers start, change, pause and leave on any day around the months."""
    rng = random.Random(seed)
    company = Company(vat={"standard": 250_000, "food": 150_000}, seller=Seller(skip_zero=True))
    versions = [prices(rng, company, number) for number in range(1, 8)]
    coupons = [
        company.coupon("percent", 125_000, scope="plan"),
        company.coupon("percent", 333_333, scope="charge", charge_code="seat"),
        company.coupon("percent", 1_000_000, scope="plan"),
        company.coupon("amount", 5_000, scope="invoice"),
        company.coupon("percent", 200_000, "periods", periods=2, scope="plan"),
    ]
    for _ in range(subscriptions):
        anywhere(rng, company, versions, coupons)
    return company


def anywhere(rng, company, versions, coupons):
    """One subscription with what may happen to it."""
    day = lambda low=-200, high=200: MONTHS[0] + timedelta(days=rng.randrange(low, high))  # noqa: E731
    start = day(-200, 100) if rng.random() < 0.4 else date(2023, rng.randrange(1, 13), rng.choice([1, 1, 15, 31 - 3]))
    owner = (
        {"customer_id": rng.randrange(1, 1 + len(company.subscriptions))}
        if rng.random() < 0.2 and company.subscriptions
        else {}
    )
    key = company.start(rng.choice(versions), start, micro=rng.randrange(0, 9) * MICRO, **owner)
    if rng.random() < 0.4:
        company.change(key, "quantity", max(start, day()), quantity_micro=rng.randrange(0, 9) * MICRO)
    for item in ("a1", "a2"):
        if rng.random() < 0.4:
            since = start if rng.random() < 0.7 else max(start, day())
            company.change(key, "addon", since, item=item, quantity_micro=rng.randrange(1, 4) * MICRO)
            if rng.random() < 0.3:
                company.change(key, "addon", since + DAY * rng.randrange(1, 90), item=item, quantity_micro=0)
    if rng.random() < 0.4:
        company.change(key, "coupon", start, coupon_id=rng.choice(coupons))
    if rng.random() < 0.1:
        company.change(key, "price", max(start, day()), price_version_id=rng.choice(versions))
    if key % 10 == 0:
        limit = {"earlier_version_id": versions[key % 7], "cap_ppm": 100_000}
        company.change(key, "price", max(start, MONTHS[1]), price_version_id=versions[key % 3], **limit)
    if rng.random() < 0.1:
        company.change(key, "pause", max(start, day()), until_on=day(200, 250))
    if rng.random() < 0.25:
        end = max(start + DAY, rng.choice([day(), MONTHS[3], MONTHS[1]]))
        company.change(key, "cancel", end, credit=rng.choice(["none", "credit"]), cause="voluntary")
    for _ in range(rng.randrange(0, 12)):
        company.use(
            key, day(-100, 200), rng.choice([MICRO, 2 * MICRO, 1, 33_333_333]), meter=rng.choice(["units", "calls"])
        )


def drafted(inputs):
    """Each month as `draft` bills it, by the same facts, after the month before."""
    used = [inputs.used]
    for month in MONTHS:
        before = month - DAY
        scope = inputs.scope.with_columns(after=pl.lit(before), billed_through=pl.lit(before), touched=pl.lit(False))
        made = draft(replace(inputs, scope=scope, used=pl.concat(used)), after_month(month) - DAY)
        used.append(frames.conform(made.shares, frames.USED_DISCOUNTS))
        yield made


def told(made):
    """A draft's documents as tuples: customer, amounts by kind, discount, VAT per treatment and rate, totals."""
    kinds = made.lines.pivot("kind", index="document", values="amount_minor", aggregate_function="sum")
    rows = made.documents.join(kinds, on="document").iter_rows(named=True)
    taxes = {}
    for row in made.taxes.iter_rows(named=True):
        key = (row["treatment"], row["rate_ppm"])
        taxes.setdefault(row["document"], {})[key] = (row["base_minor"], row["tax_minor"])
    return sorted(
        (row["customer_id"], *(row.get(kind) or 0 for kind in ("fixed", "seat", "addon", "usage", "limit")), row["discount_minor"],
         sorted((key, both) for key, both in taxes[row["document"]].items() if any(both)),
         row["net_minor"], row["tax_minor"], row["total_minor"])
        for row in rows
    )  # fmt: skip


def wide(layout, block):
    """The same of a wide month."""
    owners = layout.people.select("document", "customer_id").unique()
    return sorted(
        (row["customer_id"], row["fixed_minor"], row["seat_minor"], row["addon_minor"], row["usage_minor"], 0,
         row["discount_minor"],
         sorted((key, both) for n, key in enumerate(layout.slots) if any(both := (row[f"base_{n}"], row[f"tax_{n}"]))),
         row["net_minor"], row["tax_minor"], row["total_minor"])
        for row in block.join(owners, on="document").iter_rows(named=True)
    )  # fmt: skip


@pytest.mark.parametrize("seed", [*range(8 * TIMES), 17, 49])
def test_months_of_a_base_equal_the_drafts_of_its_months(seed):
    inputs = base(seed).inputs()
    layout = lay_out(inputs, MONTHS)
    facts = inputs.facts

    rated = rate_base(lay_lines(layout), compile_book(facts.versions, facts.charges, facts.tiers))
    got = [
        sorted(wide(layout, block) + told(made))
        for block, made in zip(list(each_month(rated, usage_by_month(layout))), whole_by_month(layout), strict=True)
    ]

    assert got == [told(made) for made in drafted(inputs)]
    assert 10 < layout.people.height < 50
