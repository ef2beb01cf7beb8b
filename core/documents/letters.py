"""The letter about a price change: one sentence in the customer's language, with the price as their plan states it."""

from __future__ import annotations

from typing import Any

from core.documents.words import Words
from core.domain.periods import Interval, Unit
from core.domain.price_form import interval_name


def letter(row: dict[str, Any]) -> str:
    """The text for a row of `reports.letters.letters`. Where only usage gets other prices, the price of a period stays and is not told."""
    words = Words.of(row["language"])
    if row["before_minor"] == row["after_minor"]:
        return words.t("From {day} other prices hold for what you use in {plan}.", day=row["effective_on"], plan=row["plan"])  # fmt: skip
    interval = words.label(interval_name(Interval(Unit(row["interval_unit"]), row["interval_count"])))
    return words.t(
        "From {day} {plan} costs you {after} per {interval} instead of {before}, {vat}.", day=row["effective_on"], plan=row["plan"],
        after=words.money(row["after_minor"], row["currency"]), before=words.money(row["before_minor"], row["currency"]), interval=interval,
        vat=words.t("with VAT") if row["tax_inclusive"] else words.t("before VAT"),
    )  # fmt: skip
