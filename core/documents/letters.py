"""The letter about a price change: a sentence in the customer's language, with the price as their plan states it, what its usage
costs from then on, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core.calc.pricebook import MICRO
from core.documents.price_words import counted, limit_text, more_text, prices_text, whole_text
from core.documents.words import Words
from core.domain.periods import Interval, Unit
from core.domain.plans import PriceTerms
from core.domain.price_form import interval_name
from core.reports import letters
from core.reports.letters import metered


def written(session: Session, scenario_id: int, today: date) -> pl.DataFrame:
    """The rows of `reports.letters` of a roll-out with the text of each: letter."""
    told = letters.letters(session, scenario_id, today)
    texts = [letter(row, told.terms) for row in told.rows.iter_rows(named=True)]
    return told.rows.with_columns(letter=pl.Series(texts, dtype=pl.String))


def letter(row: Mapping[str, Any], terms: Mapping[int, PriceTerms]) -> str:
    """The text for a row of `reports.letters`, with the price versions that it names."""
    words = Words.of(row["language"])
    before, after = (words.money(row[name], row["currency"]) for name in ("before_minor", "after_minor"))
    values = {
        "day": words.day(row["effective_on"]), "plan": _what(row, words), "after": after,
        "interval": words.label(interval_name(Interval(Unit(row["interval_unit"]), row["interval_count"]))),
        "how": how_stated(row, terms, words),
    }  # fmt: skip
    if row["before_minor"] == row["after_minor"]:
        said = words.t("From {day} other prices hold in {plan}; one {interval} still costs {after} ({how}).", **values)
    else:
        said = words.t("From {day} {plan} costs you {after} per {interval} instead of {before} ({how}).", before=before, **values)  # fmt: skip
    return " ".join([said, *usage_told(row, terms, words), *(f"{text}." for text in limit_text(row, words))])


def how_stated(row: Mapping[str, Any], terms: Mapping[int, PriceTerms], words: Words) -> str:
    """What the prices of a period count in: VAT, the discount of whoever has one, and what is used where that is billed too."""
    said = [words.t("with VAT") if row["tax_inclusive"] else words.t("before VAT")]
    if row["discounted"]:
        said.append(words.t("before the discount"))
    if metered(terms[row["price_version_id"]]):
        said.append(words.t("at least, with what is used") if row["least"] else words.t("without what is used"))
    return ", ".join(said)


def usage_told(row: Mapping[str, Any], terms: Mapping[int, PriceTerms], words: Words) -> Iterator[str]:
    """Each price of usage that changes, after and before, in a sentence of its own."""
    old, new = (metered(terms[row[name]]) for name in ("from_version_id", "price_version_id"))
    for code in dict.fromkeys([*new, *old]):
        was, now = old.get(code), new.get(code)
        if now is None:
            yield _sentence(words.t("{charge} is no longer charged", charge=old[code].name or code))
        elif was is None:
            prices = whole_text(now, row["currency"], words)
            yield _sentence(words.t("new: {charge} {prices}", charge=now.name or code, prices=prices))
        elif replace(was, name=now.name) != now:
            # What belongs to both is not said twice.
            more = {more_text(each, row["currency"], words) for each in (was, now)}
            text = prices_text if len(more) == 1 else whole_text
            before, after = (text(each, row["currency"], words) for each in (was, now))
            name = (now.name or code) + counted(was, now, words)
            yield words.t("{charge}: {after} instead of {before}.", charge=name, after=after, before=before)


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."


def _what(row: Mapping[str, Any], words: Words) -> str:
    """What the prices are for: the plan, its seats where they are several, its add-ons."""
    parts = [
        part["name"]
        if part["quantity_micro"] == MICRO
        else f"{words.quantity(part['quantity_micro'])} × {part['name']}"
        for part in row["parts"]
    ]
    return words.t("{plan} with {parts}", plan=row["plan"], parts=", ".join(parts)) if parts else str(row["plan"])
