"""Texts, money and days of a document, in its reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from core.language import LANGUAGES, formats, label, translate


@dataclass(frozen=True)
class Words:
    """One language; another than those of the product reads English."""

    language: str

    @classmethod
    def of(cls, language: str) -> Words:
        """The nearest language that documents are written in."""
        return cls(language if language in LANGUAGES else "en")

    def t(self, text: str, /, **values: Any) -> str:
        """The sentence with its places filled."""
        return translate(text, self.language, **values)

    def label(self, value: str) -> str:
        """What a stored word is called."""
        return label(value, self.language)

    def money(self, amount_minor: int, currency: str) -> str:
        """ "1 299,00 kr" """
        return formats.money(amount_minor, currency, self.language)

    def whole_money(self, about: float, currency: str) -> str:
        """A change that rests on assumptions, with its sign: more than whole units would pretend to know more."""
        return formats.whole_money(round(about), currency, self.language, sign=True)

    def share(self, value: float | None, places: int = 1, *, sign: bool = False) -> str:
        """A fraction: 0.123 → "12.3 %", with a sign where it is a change."""
        return formats.share(value, self.language, places, sign=sign)

    def price(self, amount: Decimal, currency: str) -> str:
        """A unit price with all its decimals."""
        return formats.price(amount, currency, self.language)

    def number(self, value: int | float | Decimal) -> str:
        """A number with the locale's groups."""
        return formats.number(value, self.language)

    def day(self, value: date) -> str:
        """ "1. des. 2026" """
        return formats.day(value, self.language)

    def quantity(self, micro: int, convert_by: str | None = None) -> str:
        """A quantity kept in millionths, in billed units."""
        return formats.quantity(micro, self.language, convert_by)

    def percent(self, ppm: int) -> str:
        """A rate kept in millionths."""
        return formats.percent(ppm, self.language)
