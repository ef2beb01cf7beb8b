"""The kernel's two ways to find a tier, and its two proofs, give the same amounts."""

from decimal import Decimal

import polars as pl
import pytest

from core.calc import kernel
from core.calc.pricebook import compile_book
from core.calc.rating import rate, tier_of
from tests import oracle
from tests.company import MICRO, Company, charge, tier


def book_of(*rows):
    company = Company()
    company.version(*rows)
    facts = company.facts()
    return compile_book(facts.versions, facts.charges, facts.tiers)


def steps(count, model="graduated"):
    """A charge whose tiers end at 10, 20, 30 … and fall in price."""
    bounds = [str(10 * (n + 1)) for n in range(count - 1)]
    return charge("usage", model, *(tier(bound, unit=f"{count - n}.25") for n, bound in enumerate([*bounds, None])))


@pytest.mark.parametrize("model", ["graduated", "volume"])
@pytest.mark.parametrize("count", [1, 2, kernel.COUNTED_TIERS, kernel.COUNTED_TIERS + 1, 40])
def test_few_tiers_are_counted_and_many_are_searched_to_the_same_amounts(model, count):
    row = steps(count, model)
    quantities = [10 * MICRO * n + beside for n in range(count + 1) for beside in (-1, 0, 1) if n or beside >= 0]
    lines = pl.DataFrame({"charge_id": [1] * len(quantities), "quantity_micro": quantities})

    amounts = rate(book_of(row), lines).to_list()

    assert amounts == [oracle.cost(row, Decimal(micro) / MICRO, "NOK") for micro in quantities]


def test_a_bound_belongs_to_the_tier_below_it_when_searched_too():
    lines = pl.DataFrame({"charge_id": [2, 2, 1], "quantity_micro": [10 * MICRO, 10 * MICRO + 1, 0]})

    assert tier_of(book_of(steps(3), steps(40)), lines).to_list() == [3, 4, 0]


def test_a_dear_charge_that_does_not_occur_does_not_widen_the_others():
    cheap, dear = steps(1), charge("usage", "per_unit", tier(unit="999999999.999999999999"))
    component, quantity = pl.Series([0, 0], dtype=pl.UInt32), pl.Series([MICRO, 10**12])
    book = book_of(cheap, dear)

    *_, told = kernel.proven(book, component, quantity, used=[0])
    _, kind, found = kernel.proven(book, component, quantity)

    assert kind == pl.Int64()
    assert (told, found) == (125_000_001, 125_000_001)  # a million units at 1.25, and one to be safe
