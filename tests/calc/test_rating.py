"""The rating kernel against the oracle: every charge model, at every bound and one step beside it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calc.arithmetic import LARGEST_LINE_MINOR
from core.calc.pricebook import compile_book
from core.calc.rating import cap_then_minimum, rate, rate_runs, tier_of
from core.domain.errors import InvalidInput
from tests import oracle
from tests.calc.conftest import TIMES
from tests.calc.strategies import CURRENCIES, PLAIN, TIERED, charges, quantities_micro
from tests.company import Company, charge, tier


def book_of(*charge_rows, currency="NOK"):
    """A price book of these charges, with ids from 1."""
    company = Company()
    company.version(*charge_rows, currency=currency)
    facts = company.facts()
    return compile_book(facts.versions, facts.charges, facts.tiers)


def rated(book, lines):
    return rate(book, pl.DataFrame(lines, schema=["charge_id", "quantity_micro"], orient="row")).to_list()


def amount_or_refusal(row, micro, currency="NOK"):
    """What a quantity costs, or the code of the refusal."""
    try:
        return rated(book_of(row, currency=currency), [(1, micro)])[0]
    except InvalidInput as refusal:
        return refusal.code


@st.composite
def price_lists(draw):
    """Some charges in one currency, and lines of them in any order."""
    currency = draw(CURRENCIES)
    rows = draw(st.lists(charges(), min_size=1, max_size=6))
    lines = [
        (number, micro)
        for number, row in enumerate(rows, 1)
        for micro in draw(st.lists(quantities_micro(row), min_size=12, max_size=24))
    ]
    return currency, rows, draw(st.permutations(lines))


@settings(max_examples=200 * TIMES)
@given(price_lists())
def test_every_model_costs_what_slow_arithmetic_says(price_list):
    currency, rows, lines = price_list

    got = rated(book_of(*rows, currency=currency), lines)

    wanted = [oracle.cost(rows[number - 1], Decimal(micro) / 10**6, currency) for number, micro in lines]
    assert got == wanted


@settings(max_examples=200 * TIMES)
@given(price_lists(), st.booleans())
def test_charges_whose_lines_stand_together_cost_the_same(price_list, rising):
    currency, rows, lines = price_list
    book = book_of(*rows, currency=currency)
    together = sorted(lines) if rising else sorted(lines, key=lambda line: line[0])
    charge_ids = sorted({number for number, _ in lines}, reverse=True)
    runs = [[micro for number, micro in together if number == each] for each in charge_ids]
    ends = [sum(map(len, runs[: place + 1])) for place in range(len(runs))]
    flat = [(number, micro) for number, run in zip(charge_ids, runs, strict=True) for micro in run]

    def told(work):
        try:
            return work()
        except InvalidInput as refusal:
            return refusal.code

    quantity = pl.Series([micro for _, micro in flat], dtype=pl.Int64)
    quick = told(lambda: rate_runs(book, pl.Series(charge_ids, dtype=pl.Int64), ends, quantity).to_list())
    assert quick == told(lambda: rated(book, flat))


@given(price_lists())
def test_a_line_costs_the_same_alone_and_among_others(price_list):
    currency, rows, lines = price_list
    number, micro = lines[0]

    among = rated(book_of(*rows, currency=currency), lines)[0]

    assert rated(book_of(rows[number - 1], currency=currency), [(1, micro)]) == [among]


@given(charges(models=["graduated"]), CURRENCIES, st.data())
def test_slices_of_a_period_sum_to_the_whole(row, currency, data):
    book = book_of(row, currency=currency)
    steps = data.draw(st.lists(quantities_micro(row), min_size=1, max_size=4))
    running = [sum(steps[: n + 1]) for n in range(len(steps))]

    costs = rated(book, [(1, micro) for micro in [0, *running]])

    assert sum(later - before for before, later in pairwise(costs)) == costs[-1] - costs[0]


@pytest.mark.parametrize("model", PLAIN + TIERED)
@pytest.mark.parametrize("currency", ["NOK", "JPY", "KWD"])
def test_amounts_near_the_limit_are_exact_or_refused_but_never_wrapped(model, currency):
    for power in range(1, 63):
        for quantity in (2**power - 1, 2**power, 2**power + 1):
            row = charge(
                "usage", model, tier(unit="9999.123456789012", flat="7", package_size="1.5", rate_percent="99.9")
            )
            wanted = oracle.cost(row, Decimal(quantity) / 10**6, currency)
            got = amount_or_refusal(row, quantity, currency)
            too_large = quantity >= 2**62 if got == "quantity_too_large" else wanted > LARGEST_LINE_MINOR // 2
            assert got == wanted or (isinstance(got, str) and too_large)


@pytest.mark.parametrize(
    "terms", [{}, {"convert_by": "1000"}, {"included_units": "5"}, {"convert_by": "0.001", "included_units": "1"}]
)
@pytest.mark.parametrize("quantity", [2**62, 2**63 - 2, 2**63 - 1])
def test_the_largest_quantities_are_converted_exactly_or_refused(terms, quantity):
    row = charge("usage", "per_unit", tier(unit="0.000000000001", package_size="3"), **terms)
    wanted = oracle.cost(row, Decimal(quantity) / 10**6, "NOK")

    assert amount_or_refusal(row, quantity) in (wanted, "amount_too_large", "quantity_too_large")


def test_twelve_decimals_and_a_half_are_rounded_once():
    row = charge("usage", "per_unit", tier(unit="0.000000000001"))

    assert rated(book_of(row), [(1, 5 * 10**15), (1, 5 * 10**15 - 10**6)]) == [1, 0]  # half an øre, and just below


def test_a_total_may_fall_at_a_bound_of_volume_prices():
    row = charge("usage", "volume", tier("15", unit="10"), tier(unit="5"))

    assert rated(book_of(row), [(1, 15_000_000), (1, 15_000_001), (1, 16_000_000)]) == [15_000, 7_500, 8_000]


def test_the_tier_of_a_larger_whole_prices_a_part():
    book = book_of(charge("usage", "volume", tier("100", unit="2"), tier(unit="1")))
    lines = pl.DataFrame({"charge_id": [1], "quantity_micro": [60_000_000], "tier_quantity_micro": [120_000_000]})

    assert rate(book, lines).to_list() == [6_000]
    assert tier_of(book, lines.select("charge_id", quantity_micro="tier_quantity_micro")).to_list() == [1]


def test_the_cap_counts_what_was_billed_before_and_the_minimum_waits_for_the_last_slice():
    lines = pl.DataFrame(
        {"amount_minor": [80, 80, 5, 5], "maximum_minor": [100, 100, None, None], "minimum_minor": [None, None, 50, 50],
         "already_billed_minor": [0, 60, 10, 10], "final": [True, True, False, True]},
    )  # fmt: skip

    assert cap_then_minimum(lines).to_list() == [80, 40, 5, 40]
