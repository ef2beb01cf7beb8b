"""Rows become exact integers: whatever a row pays, list price, add-ons and adjustment sum to it."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from core.exchange.importing import Intake, read_intake
from core.exchange.mapping import parse_mapping

AS_OF = date(2024, 1, 31)
MAPPING = """
[plans.p]
name = "P"
prices = [{ currency = "NOK", interval = "month", amount = "100" },
          { currency = "JPY", interval = "month", amount = "1000" },
          { currency = "KWD", interval = "month", amount = "3.125" }]
addons = [{ code = "a", name = "A", amount = "7" }]
[customer]
id = "row_number"
name = "'N'"
[subscription]
plan = "'p'"
currency = "currency"
interval = "'month'"
start = "DATE('2023-01-01')"
total_price = "total"
own_price = "own"
[subscription.addons]
a = "a"
"""


def intake(*rows: str) -> Intake:
    """Rows under currency,total,own,a."""
    data = "\n".join(["currency,total,own,a", *rows]).encode()
    return read_intake(parse_mapping(MAPPING), "f.csv", data, AS_OF)


def priced(*rows: str) -> pl.DataFrame:
    """The subscriptions of rows that are all right."""
    read = intake(*rows)
    assert read.findings.count == 0, read.findings.shown
    assert read.subscriptions is not None
    return read.subscriptions


def test_the_adjustment_is_what_list_and_add_ons_leave() -> None:
    # 112.50 = 100 + 2 × 7 − 1.50; 99.99 = 100 − 0.01; 3.130 dinars = 3.125 + 0.005
    rows = priced("NOK,112.50,,2", "NOK,99.99,,", "KWD,3.13,,")

    assert rows["adjustment_minor"].to_list() == [-150, -1, 5]
    assert rows["price_minor"].to_list() == [11_250, 9_999, 3_130]


def test_amounts_round_half_away_from_zero_in_the_currency_of_the_row() -> None:
    rows = priced("NOK,,0.125,", "JPY,,10.5,", "KWD,,0.0005,", "NOK,,0.1249999,")

    assert rows["base_minor"].to_list() == [13, 11, 1, 12]


def test_a_binary_fraction_is_the_decimal_that_it_stands_for() -> None:
    text = MAPPING.replace('"own"', '"CAST(own AS DOUBLE) * 3"')
    data = b"currency,total,own,a\nNOK,,0.335,\n"  # 3 × 0.335 is 1.0050000000000001 in binary, 1.005 in truth
    read = read_intake(parse_mapping(text), "f.csv", data, AS_OF)

    assert read.subscriptions is not None
    assert read.subscriptions["base_minor"].to_list() == [101]


def test_numbers_may_be_written_as_norwegians_write_them() -> None:
    assert priced('NOK,"1 299,50",,')["price_minor"].to_list() == [129_950]


def test_amounts_at_the_edge_of_64_bits_are_refused_and_never_wrap() -> None:
    read = intake("NOK,,92233720368547758.07,", "NOK,,9000000000000000,", "NOK,,1,")

    assert [(finding.line, finding.sentence()) for finding in read.findings.first()] == [
        (2, "The price of this row is too large"), (3, "The price of this row is too large")
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(0, 10**9, places=4), st.decimals(0, 10**5, places=6), st.sampled_from(["NOK", "JPY", "KWD"])
        ),
        min_size=1,
        max_size=20,
    )
)
def test_list_add_ons_and_adjustment_always_sum_to_the_total(drawn: list[tuple[Decimal, Decimal, str]]) -> None:
    rows = priced(*(f"{currency},{total},,{quantity}" for total, quantity, currency in drawn))

    exponents = {"NOK": 2, "JPY": 0, "KWD": 3}
    expected = [int(total.scaleb(exponents[c]).quantize(Decimal(1), ROUND_HALF_UP)) for total, _, c in drawn]
    parts = rows["list_minor"] + rows["addons_minor"].fill_null(0) + rows["adjustment_minor"]
    assert parts.to_list() == rows["price_minor"].to_list() == expected
