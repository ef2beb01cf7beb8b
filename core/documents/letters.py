"""The letter about a price change: a sentence in the customer's language, with the price as their plan states it, what that price does
not show, and its limits."""

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
from core.domain.plans import Charge, ChargeKind, PriceTerms
from core.domain.price_form import interval_name
from core.reports import letters
from core.reports.letters import is_metered, stands_alone


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
    return " ".join([said, *prices_told(row, terms, words), *(f"{text}." for text in limit_text(row, words))])


def how_stated(row: Mapping[str, Any], terms: Mapping[int, PriceTerms], words: Words) -> str:
    """What the prices of a period count in: VAT, the discount of whoever has one, and what is used where that is billed too."""
    said = [words.t("with VAT") if row["tax_inclusive"] else words.t("before VAT")]
    if row["discounted"]:
        said.append(words.t("before the discount"))
    if is_metered(terms[row["price_version_id"]]):
        said.append(words.t("at least, with what is used") if row["least"] else words.t("without what is used"))
    return ", ".join(said)


def prices_told(row: Mapping[str, Any], terms: Mapping[int, PriceTerms], words: Words) -> Iterator[str]:
    """Each price that changes and that the price of a period does not show, after and before, and each add-on that becomes free, in a
    sentence of its own."""
    old, new = (
        {charge.code: charge for charge in terms[row[name]].charges} for name in ("from_version_id", "price_version_id")
    )
    held = {part["code"] for part in row["parts"]}
    for code in dict.fromkeys([*new, *old]):
        was, now = old.get(code), new.get(code)
        if now and now.kind is ChargeKind.ADDON and now.is_free:
            if was is None or not was.is_free:
                yield _included(was if code in held else None, now, row["currency"], words)
        elif any(stands_alone(each, row) for each in (was, now) if each):
            yield from _changed(was, now, row["currency"], words)


def _included(was: Charge | None, now: Charge, currency: str, words: Words) -> str:
    """An add-on that costs nothing from then on; `was`: what it cost whoever has it."""
    name = now.name or now.code
    if was is None:
        return words.t("{charge} costs nothing from then on, if you want it.", charge=name)
    before = prices_text(was, currency, words)
    return words.t("{charge} is included from then on and costs nothing, instead of {before}.", charge=name, before=before)  # fmt: skip


def _changed(was: Charge | None, now: Charge | None, currency: str, words: Words) -> Iterator[str]:
    """What becomes of a price; nothing where it stays, whatever it is called."""
    if was and now is None:
        yield _sentence(words.t("{charge} is no longer charged", charge=was.name or was.code))
    elif now and was is None:
        prices = whole_text(now, currency, words)
        yield _sentence(words.t("new: {charge} {prices}", charge=now.name or now.code, prices=prices))
    elif was and now and replace(was, name=now.name) != now:
        # What belongs to both is not said twice.
        more = {more_text(each, currency, words) for each in (was, now)}
        text = prices_text if len(more) == 1 else whole_text
        before, after = (text(each, currency, words) for each in (was, now))
        name = (now.name or now.code) + counted(was, now, words)
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
