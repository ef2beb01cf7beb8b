"""VAT per rate and document against slow arithmetic; rates that change, inclusive prices, credits in pieces."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core import frames
from core.calc.billing.documents import draft
from core.calc.billing.tax import credit_tax, net_lines, net_of, tax_on, tax_per_rate
from tests import oracle
from tests.company import Company, charge, frame, tier

JANUARY = date(2026, 1, 1)
RATES = st.sampled_from([0, 150_000, 250_000, 72_500, 88_750, 1_000])
AMOUNTS = st.one_of(st.integers(-2_000, 2_000), st.integers(-(2**52), 2**52))


@given(st.lists(st.tuples(AMOUNTS, RATES), min_size=1, max_size=30))
def test_vat_and_net_are_rounded_half_away_from_zero(rows):
    columns = pl.DataFrame(rows, schema={"amount": pl.Int64, "rate": pl.Int64}, orient="row")

    got = columns.select(tax=tax_on(pl.col("amount"), pl.col("rate")), net=net_of(pl.col("amount"), pl.col("rate")))

    assert got.rows() == [(oracle.vat(amount, rate), oracle.net_of(amount, rate)) for amount, rate in rows]


@given(st.lists(st.tuples(st.integers(1, 3), AMOUNTS, RATES), min_size=1, max_size=20), st.booleans())
def test_each_document_has_vat_once_per_rate_and_net_lines_sum_to_its_base(rows, inclusive):
    lines = pl.DataFrame(rows, schema=["document", "charged_minor", "tax_rate_ppm"], orient="row").with_columns(
        tax_inclusive=pl.lit(inclusive), tax_treatment=pl.lit("standard")
    )

    taxes = tax_per_rate(lines)
    nets = lines.with_columns(net_lines(lines, taxes).alias("net"))

    sums = defaultdict(int)
    for document, amount, rate in rows:
        sums[document, rate] += amount
    for document, rate, base, tax in taxes.select("document", "rate_ppm", "base_minor", "tax_minor").iter_rows():
        total = sums[document, rate]
        assert base == (oracle.net_of(total, rate) if inclusive else total)
        assert tax == (total - base if inclusive else oracle.vat(base, rate))
        own = nets.filter((pl.col("document") == document) & (pl.col("tax_rate_ppm") == rate))
        assert own["net"].sum() == base


@given(st.integers(0, 10**12), RATES, st.lists(st.integers(0, 100), max_size=6))
def test_credits_in_pieces_give_back_exactly_the_vat(net, rate, cuts):
    points = sorted({0, net, *(net * cut // 100 for cut in cuts)})
    pieces = pl.DataFrame(
        [(right - left, left) for left, right in pairwise(points)] or [(0, 0)],
        schema=["net", "credited"], orient="row",
    )  # fmt: skip

    back = pieces.select(credit_tax(pl.lit(rate), pl.col("net"), pl.col("credited"))).to_series()

    assert back.sum() == oracle.vat(net, rate)


def two_rates(change: date, *, inclusive: bool = False) -> Company:
    """A fee of 310 in January; VAT is 25 % and, from a day on, 15 %."""
    company = Company()
    company.start(company.version(charge("fixed", "flat", tier(flat="310")), tax_inclusive=inclusive), JANUARY)
    rule = {"customer_kind": "*", "customer_country": "*", "category": "standard", "treatment": "standard"}
    old = {**rule, "rate_ppm": 250_000, "valid_from": date(2000, 1, 1), "valid_to": change}
    new = {**rule, "rate_ppm": 150_000, "valid_from": change}
    inputs = company.inputs()
    object.__setattr__(inputs, "vat_rules", frame([old, new], frames.VAT_RULES))
    company.inputs = lambda: inputs
    return company


@given(st.integers(-3, 34))
def test_a_rate_that_changes_inside_a_period_splits_it_by_days(day):
    change = JANUARY + timedelta(days=day)

    made = draft(two_rates(change).inputs(), JANUARY)

    before = min(31, max(0, day))
    wanted = {rate: days * 1_000 for rate, days in ((250_000, before), (150_000, 31 - before)) if days}
    assert dict(made.taxes.select("rate_ppm", "base_minor").iter_rows()) == wanted
    assert made.lines["amount_minor"].sum() == 31_000


def test_inclusive_prices_keep_their_gross_when_the_rate_changes():
    made = draft(two_rates(date(2026, 1, 11), inclusive=True).inputs(), JANUARY)

    assert made.documents["total_minor"].to_list() == [31_000]
    assert sorted(made.taxes.select("rate_ppm", "base_minor", "tax_minor").rows()) == [
        (150_000, 18_261, 2_739), (250_000, 8_000, 2_000),
    ]  # fmt: skip
