"""The letter about a price change: a sentence in the customer's language, with the price as their plan states it, and its limits."""

from __future__ import annotations

from typing import Any

from core.calc.pricebook import MICRO
from core.documents.price_words import limit_text
from core.documents.words import Words
from core.domain.periods import Interval, Unit
from core.domain.price_form import interval_name


def _what(row: dict[str, Any], words: Words) -> str:
    """What the prices are for: the plan, its units where they are several, its add-ons."""
    said: str = row["plan"]
    if row["quantity_micro"] != MICRO:
        said = words.t("{plan} for {quantity} units", plan=said, quantity=words.quantity(row["quantity_micro"]))
    return words.t("{plan} with {addons}", plan=said, addons=row["addons"]) if row["addons"] else said


def letter(row: dict[str, Any]) -> str:
    """The text for a row of `reports.letters.letters`; where a period costs at least what it did, that is told."""
    words = Words.of(row["language"])
    stays = row["before_minor"] == row["after_minor"]
    values = {
        "day": row["effective_on"], "plan": _what(row, words), "after": words.money(row["after_minor"], row["currency"]),
        "interval": words.label(interval_name(Interval(Unit(row["interval_unit"]), row["interval_count"]))),
        "vat": words.t("with VAT") if row["tax_inclusive"] else words.t("before VAT"),
    }  # fmt: skip
    limit = [f"{text}." for text in limit_text(row, words)]
    if stays:
        said = words.t("From {day} other prices hold in {plan}; one {interval} still costs at least {after} ({vat}).", **values)  # fmt: skip
    else:
        before = words.money(row["before_minor"], row["currency"])
        said = words.t("From {day} {plan} costs you {after} per {interval} instead of {before} ({vat}).", before=before, **values)  # fmt: skip
    return " ".join([said, *limit])
