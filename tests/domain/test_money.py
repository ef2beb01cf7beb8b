"""Rounding and parsing at the edge."""

from decimal import Decimal

import pytest

from core.domain.errors import InvalidInput
from core.domain.money import exponent_of, parse_decimal, to_exact_minor, to_major, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("10.005", "USD", 1001),
        ("0.225", "USD", 23),
        ("-10.005", "USD", -1001),
        ("1023.5", "JPY", 1024),
        ("0.0005", "KWD", 1),
    ],
)
def test_half_is_rounded_away_from_zero(amount, currency, minor):
    assert to_minor(Decimal(amount), currency) == minor


def test_an_unknown_currency_is_refused_by_name():
    with pytest.raises(InvalidInput, match="NOX"):
        exponent_of("NOX")


def test_numbers_are_read_as_norwegians_and_others_type_them():
    assert parse_decimal(" 1 299,50 ") == parse_decimal("1299.50") == Decimal("1299.50")


@pytest.mark.parametrize("text", ["twelve", "NaN", "inf", "1.2.3"])
def test_words_are_no_numbers(text):
    with pytest.raises(InvalidInput, match="not a number"):
        parse_decimal(text)


def test_nothing_is_said_to_be_missing():
    with pytest.raises(InvalidInput, match="A number is missing"):
        parse_decimal(" ")


def test_too_many_decimals_are_refused():
    with pytest.raises(InvalidInput, match="12 decimals"):
        parse_decimal("0.0000000000001")
    with pytest.raises(InvalidInput, match="more decimals than JPY"):
        to_exact_minor(Decimal("1.5"), "JPY")


def test_an_amount_beyond_64_bits_is_refused():
    assert to_minor(Decimal("92233720368547758.07"), "NOK") == 2**63 - 1
    with pytest.raises(InvalidInput, match="too large"):
        to_minor(Decimal("92233720368547758.08"), "NOK")


def test_minor_units_come_back_exactly():
    assert to_major(1001, "USD") == Decimal("10.01")
    assert to_major(1001, "KWD") == Decimal("1.001")
