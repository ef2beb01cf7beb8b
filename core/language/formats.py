"""Money, numbers and days as a locale writes them (babel). Krone amounts end in "kr", others in their ISO code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import NumberPattern, format_compact_decimal, format_decimal, parse_pattern

from core.domain.money import exponent_of, to_major

LOCALES = {"en": Locale("en", "GB"), "nb": Locale("nb", "NO")}
SIGNS = {"NOK": "kr"}
MICRO = 10**6
SHORT_FROM, SHORT_FROM_IN_LETTERS = 10_000_000, 1_000_000  # a card holds fewer digits before "USD" than before "kr"


def money(amount_minor: int | None, currency: str, language: str, *, sign: bool = False) -> str:
    """An amount with its currency: 129900 NOK → "1 299,00 kr". `sign` writes a plus too. Nothing for None."""
    if amount_minor is None:
        return ""
    places = exponent_of(currency)
    pattern = "#,##0" + ("." + "0" * places if places else "")
    written = _written(abs(to_major(amount_minor, currency)), pattern, language)
    before = "−" if amount_minor < 0 else "+" if sign and amount_minor else ""
    return f"{before}{written}\u00a0{SIGNS.get(currency, currency)}"


def whole_money(amount_minor: int, currency: str, language: str, *, sign: bool = False) -> str:
    """An amount without decimals, for cards and axes: "1 299 kr". `sign` writes a plus too."""
    major = to_major(amount_minor, currency).to_integral_value()
    before = "−" if major < 0 else "+" if sign and major else ""
    return f"{before}{number(abs(major), language)}\u00a0{SIGNS.get(currency, currency)}"


def short_money(amount_minor: int, currency: str, language: str) -> str:
    """As `whole_money`, large ones with one decimal of a million or more, for small cards: "482.3M kr", "482,3 mill. kr"."""
    major = to_major(amount_minor, currency)
    if abs(major) < (SHORT_FROM if currency in SIGNS else SHORT_FROM_IN_LETTERS):
        return whole_money(amount_minor, currency, language)
    written = format_compact_decimal(abs(major), locale=LOCALES[language], fraction_digits=1)
    return f"{'−' if major < 0 else ''}{written}\u00a0{SIGNS.get(currency, currency)}"


def price(text: str | Decimal, currency: str, language: str) -> str:
    """A unit price with all its decimals, at least those of the currency."""
    places = exponent_of(currency)
    pattern = "#,##0" + ("." + "0" * places + "#" * (12 - places))
    return f"{_written(Decimal(text), pattern, language)}\u00a0{SIGNS.get(currency, currency)}"


def number(value: int | float | Decimal, language: str, *, places: int | None = None) -> str:
    """A number with the locale's groups; `places` fixes its decimals."""
    if places is not None:
        pattern = "#,##0" + ("." + "0" * places if places else "")
        return _written(value, pattern, language)
    return _written(value, "#,##0.############", language)


@lru_cache(maxsize=20_000)  # lists tell the same amounts many times
def _written(value: int | float | Decimal, pattern: str, language: str) -> str:
    return str(format_decimal(value, format=_parsed(pattern), locale=LOCALES[language]))


@cache
def _parsed(pattern: str) -> NumberPattern:
    return parse_pattern(pattern)


def quantity(micro: int, language: str, convert_by: str | None = None) -> str:
    """A quantity kept in millionths: 12500000 → "12.5"; in billed units where so many of the counted ones are one."""
    return number(round(Decimal(micro) / MICRO / Decimal(convert_by or 1), 6), language)


def percent(ppm: int | None, language: str) -> str:
    """A rate kept in millionths: 250000 → "25 %"."""
    return "" if ppm is None else f"{number(Decimal(ppm) / 10_000, language)}\u00a0%"


def share(value: float | None, language: str, places: int = 1, *, sign: bool = False) -> str:
    """A fraction: 0.123 → "12.3 %", with a sign where it is a change; a dash where there is nothing to divide by."""
    if value is None:
        return "–"
    mark = "−" if value < 0 else "+" if sign and value > 0 else ""
    return f"{mark}{number(abs(100 * value), language, places=places)}\u00a0%"


def day(value: date | None, language: str) -> str:
    """A day: "1 Dec 2026", "1. des. 2026"."""
    return (
        ""
        if value is None
        else str(format_date(value, "d. MMM y" if language == "nb" else "d MMM y", locale=LOCALES[language]))
    )


def month(value: date, language: str) -> str:
    """A month: "Dec 2026", "des. 2026"."""
    return str(format_date(value, "MMM y", locale=LOCALES[language]))


def instant(value: datetime | None, language: str, time_zone: str = "Europe/Oslo") -> str:
    """An instant in the company's time zone."""
    if value is None:
        return ""
    local = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(ZoneInfo(time_zone))
    return str(
        format_datetime(local, "d. MMM y HH:mm" if language == "nb" else "d MMM y HH:mm", locale=LOCALES[language])
    )


def period(start: date, end: date, language: str) -> str:
    """A half-open period with its last day printed: [1 Nov, 1 Dec) → "1–30 Nov 2026"; a year stands once."""
    last = max(start, end - timedelta(days=1))
    if start == last:
        return day(start, language)
    if (start.year, start.month) == (last.year, last.month):
        dot = "." if language == "nb" else ""
        return f"{start.day}{dot}–{day(last, language)}"
    if start.year == last.year:
        pattern = "d. MMM" if language == "nb" else "d MMM"
        return f"{format_date(start, pattern, locale=LOCALES[language])} – {day(last, language)}"
    return f"{day(start, language)} – {day(last, language)}"


def country(code: str, language: str) -> str:
    """A country's name: NO → "Norway", "Norge"."""
    return str(LOCALES[language].territories.get(code, code))
