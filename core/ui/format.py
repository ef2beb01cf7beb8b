"""Money, numbers and days in the page's language (core/language/formats.py)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from core.language import formats
from core.ui.text import language, t


def money(amount_minor: int | None, currency: str, *, sign: bool = False) -> str:
    """ "1 299,00 kr" """
    return formats.money(amount_minor, currency, language(), sign=sign)


def whole_money(amount_minor: int, currency: str, *, sign: bool = False) -> str:
    """ "1 299 kr" """
    return formats.whole_money(amount_minor, currency, language(), sign=sign)


def short_money(amount_minor: int, currency: str) -> str:
    """ "1 299 kr", "482,3 mill. kr" """
    return formats.short_money(amount_minor, currency, language())


def price(text: str | Decimal, currency: str) -> str:
    """A unit price with all its decimals."""
    return formats.price(text, currency, language())


def number(value: int | float | Decimal, *, places: int | None = None) -> str:
    """ "1 299,5" """
    return formats.number(value, language(), places=places)


def quantity(micro: int, convert_by: str | None = None) -> str:
    """A quantity kept in millionths, in billed units."""
    return formats.quantity(micro, language(), convert_by)


def units(micro: int) -> str:
    """ "12 units" of what is kept in millionths."""
    return t("1 unit") if micro == formats.MICRO else t("{quantity} units", quantity=quantity(micro))


def percent(ppm: int | None) -> str:
    """A rate kept in millionths."""
    return formats.percent(ppm, language())


def share(value: float | None, places: int = 1, *, sign: bool = False) -> str:
    """A fraction: 0.123 → "12.3 %"."""
    return formats.share(value, language(), places, sign=sign)


def day(value: date | None) -> str:
    """ "1 Dec 2026" """
    return formats.day(value, language())


def month(value: date) -> str:
    """ "Dec 2026" """
    return formats.month(value, language())


def instant(value: datetime | None) -> str:
    """ "1 Dec 2026 14:03" """
    return formats.instant(value, language())


def period(start: date, end: date) -> str:
    """ "1–30 Nov 2026": a half-open period with its last day printed."""
    return formats.period(start, end, language())


def country(code: str) -> str:
    """A country's name."""
    return formats.country(code, language())
