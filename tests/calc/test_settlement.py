"""Credits and payments settle the oldest first, whatever comes in which order."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core.calc.settlement import CLAIMS, settled

FIRST = date(2026, 1, 1)


def left(*amounts: int, payer: int = 1) -> list[int]:
    """What is left of claims a day apart."""
    rows = [(payer, "NOK", at, FIRST + timedelta(days=at), amount) for at, amount in enumerate(amounts)]
    return settled(pl.DataFrame(rows, schema=CLAIMS, orient="row"))["open_minor"].to_list()


def test_a_credit_pays_the_oldest_first() -> None:
    assert left(100, 100, -150) == [0, 50, 0]
    assert left(-150, 100, 100) == [0, 0, 50]


def test_what_is_too_much_stays_in_the_payers_favour() -> None:
    assert left(100, -70, -70) == [0, 0, -40]


def test_payers_and_currencies_do_not_pay_for_each_other() -> None:
    rows = [(1, "NOK", 1, FIRST, 100), (1, "EUR", 2, FIRST, -100), (2, "NOK", 3, FIRST, -100)]
    answer = settled(pl.DataFrame(rows, schema=CLAIMS, orient="row")).sort("document_id")
    assert answer["open_minor"].to_list() == [100, -100, -100]


@given(st.lists(st.integers(-1000, 1000), max_size=12))
def test_it_is_what_paying_one_after_the_other_by_hand_leaves(amounts: list[int]) -> None:
    purse, owed = -sum(each for each in amounts if each < 0), []
    for amount in amounts:
        paid = min(purse, max(amount, 0))
        purse -= paid
        owed.append(max(amount, 0) - paid)
    answer = left(*amounts)
    assert [max(each, 0) for each in answer] == owed
    assert sum(answer) == sum(amounts)
    assert min(answer, default=0) >= 0 or max(answer, default=0) <= 0 or not amounts
