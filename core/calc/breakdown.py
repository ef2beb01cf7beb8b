"""How an amount came about: what each step of pricing adds to it, in parts that sum exactly to what the kernel says.

Nothing is priced twice: a tier's part is what the kernel gives at the tier's end less what it gives at its beginning, a
percentage charge's parts are what the engine gives with and without a term. Amounts in minor units, quantities in micro.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

import polars as pl

from core.calc import kernel
from core.calc.pricebook import MICRO, Component, PriceBook, TierRow, round_up_by
from core.calc.rating import bounded, component_of, priced_quantity
from core.calc.usage import percentage_fees
from core.domain.money import to_major
from core.domain.plans import ChargeModel


class Says(StrEnum):
    """What a part says: English templates, translated at the edge."""

    CONVERTED = "{used} are {quantity} units of {size}"
    INCLUDED = "{included} are included, {rest} remain"
    UP_TO = "Up to {upper}"
    BETWEEN = "Above {lower} up to {upper}"
    ABOVE = "Above {lower}"
    ALL_IN_TIER = "the whole quantity is priced in this tier"
    UNITS = "{quantity} at {price}"
    PACKAGES = "{count} packages of {size} at {price}"
    RATE = "{rate} % of {quantity}"
    FLAT = "fixed price {flat}"
    NOTHING_USED = "Nothing was used"
    EVENTS = "{rate} % of {quantity} in {count} events"
    EVENT_FIXED = "{fixed} for each event"
    FREE = "The free allowance"
    EVENT_BOUNDS = "The least and the most that an event costs"
    CAP = "Never more than {cap}"
    MINIMUM = "At least {minimum}"


@dataclass(frozen=True)
class Part:
    """One part of an amount: `says` are templates for `values`, shown one after the other."""

    amount_minor: int
    says: tuple[str, ...]
    values: dict[str, Any] = field(default_factory=dict)


def breakdown(book: PriceBook, tiers: pl.DataFrame, charge_id: int, quantity_micro: int) -> list[Part]:
    """The parts of what a quantity costs, summing to `rating.rate` of it. `tiers`: the charge's TIERS (for their words).

    For a graduated percentage the quantity is the money that the events carry, in micro.
    """
    at = component_of(book, pl.Series([charge_id], dtype=pl.Int64))
    index: int = at.item()
    component = book.components[index]
    quantity: int = priced_quantity(book, at, pl.Series([quantity_micro], dtype=pl.Int64)).item()
    words = tiers.filter(pl.col("charge_id") == charge_id).sort("position").to_dicts()
    parts = [*_before_tiers(component, quantity_micro, quantity), *_tiers(book, index, words, quantity)]
    return [*parts, *_bounds(book, at, sum(part.amount_minor for part in parts))]


def event_breakdown(book: PriceBook, charge_id: int, amounts_micro: list[int]) -> list[Part]:
    """The parts of a percentage charge's fee for these events, in their order, summing to `usage.percentage_fees`."""
    at = component_of(book, pl.Series([charge_id], dtype=pl.Int64))
    component = book.components[at.item()]
    bare = replace(
        component, event_fixed=0, free_events=None, free_amount=None, event_minimum=None, event_maximum=None,
        minimum=None, maximum=None,
    )  # fmt: skip
    fixed = replace(bare, event_fixed=component.event_fixed)
    free = replace(fixed, free_events=component.free_events, free_amount=component.free_amount)
    limited = replace(free, event_minimum=component.event_minimum, event_maximum=component.event_maximum)
    fees = [_fee(each, amounts_micro) for each in (bare, fixed, free, limited)]
    values = {
        "rate": _plain(Decimal(component.event_rate).scaleb(-12)),
        "quantity": units(sum(amounts_micro)),
        "count": len(amounts_micro),
        "fixed": _plain(Decimal(component.event_fixed).scaleb(-20)),
    }
    said = (Says.EVENTS, Says.EVENT_FIXED, Says.FREE, Says.EVENT_BOUNDS)
    steps = [fees[0], *(after - before for before, after in pairwise(fees))]
    parts = [
        Part(step, (says,), values)
        for step, says in zip(steps, said, strict=True)
        if step or says is Says.EVENTS
    ]  # fmt: skip
    return [*parts, *_bounds(book, at, fees[-1])]


def _fee(component: Component, amounts_micro: list[int]) -> int:
    """What the engine charges for the events under these terms alone."""
    if not amounts_micro:
        return 0
    events = pl.DataFrame({"event_id": range(len(amounts_micro)), "amount_micro": amounts_micro}).with_columns(
        line=pl.lit(0), charge_id=pl.lit(component.charge_id, dtype=pl.Int64)
    )
    fee: int = percentage_fees(PriceBook((component,), ()), events)["amount_minor"].item()
    return fee


def _before_tiers(component: Component, used: int, quantity: int) -> list[Part]:
    """Conversion and included units: they cost nothing, they say what meets the tiers."""
    parts = []
    after = used
    if component.convert:
        size = component.convert
        after = (used + round_up_by(component.convert_rounding, size)) // size * MICRO
        values = {"used": units(used), "quantity": units(after), "size": units(size)}
        parts.append(Part(0, (Says.CONVERTED,), values))
    if component.included:
        parts.append(Part(0, (Says.INCLUDED,), {"included": units(after - quantity), "rest": units(quantity)}))
    return parts


def _tiers(book: PriceBook, index: int, words: list[dict[str, Any]], quantity: int) -> list[Part]:
    """What each tier adds: all tiers reached where they add up, the one reached otherwise."""
    rows = [row for row in book.rows if row.component == index]
    if not rows or not words:
        return []
    uppers: list[int | None] = [*(row.lower for row in rows[1:]), None]
    reached = [place for place, row in enumerate(rows) if not row.first or row.lower < quantity]
    model = ChargeModel(book.components[index].model)
    adds_up = model in (ChargeModel.GRADUATED, ChargeModel.GRADUATED_PERCENTAGE)
    places = reached if adds_up else reached[-1:]
    ends = [min(quantity, uppers[place] or quantity) for place in places]
    totals = kernel.amounts(
        book, pl.Series([index] * len(ends), dtype=pl.Int64), pl.Series(ends, dtype=pl.Int64)
    ).to_list()
    parts = []
    for step, place in enumerate(places):
        row, part = rows[place], ends[step] - (rows[place].lower if adds_up else 0)
        # A stairstep's only tier, or a flat price, needs no bounds to be understood.
        upper = uppers[place] if place + 1 < len(words) else None
        said, values = _tier_words(book, row, words[place], upper, part)
        parts.append(Part(totals[step] - (totals[step - 1] if step else 0), tuple(said), values))
    return parts


def _tier_words(
    book: PriceBook, row: TierRow, word: dict[str, Any], upper: int | None, part: int
) -> tuple[list[str], dict[str, Any]]:
    """The sentences of a tier: where it lies, what its units cost, what it costs itself."""
    model = ChargeModel(book.components[row.component].model)
    values = {
        "lower": units(row.lower), "upper": units(upper or 0), "quantity": units(part), "price": _number(word["unit_amount"]),
        "flat": _number(word["flat_amount"]), "rate": _number(word["rate_percent"]), "size": units(row.size),
    }  # fmt: skip
    said: list[str] = []
    if row.lower or upper is not None:
        said.append(Says.UP_TO if not row.lower else Says.BETWEEN if upper is not None else Says.ABOVE)
    if model is ChargeModel.VOLUME:
        said.append(Says.ALL_IN_TIER)
    said += _price_words(book.components[row.component], row, part, model, values)
    if values["flat"] and not (part == 0 and not book.components[row.component].flat_at_zero):
        said.append(Says.FLAT)
    return said or [Says.NOTHING_USED], values


def _price_words(
    component: Component, row: TierRow, part: int, model: ChargeModel, values: dict[str, Any]
) -> Iterator[str]:
    """What the units of a tier cost."""
    if model in (ChargeModel.FLAT, ChargeModel.STAIRSTEP):
        return
    if model is ChargeModel.GRADUATED_PERCENTAGE:
        yield Says.RATE
    elif row.size:
        above = part if model is ChargeModel.GRADUATED else part - row.origin
        values["count"] = (above + round_up_by(component.package_rounding, row.size)) // row.size
        yield Says.PACKAGES
    elif values["price"] or not values["flat"]:
        yield Says.UNITS


def _bounds(book: PriceBook, at: pl.Series, raw: int) -> list[Part]:
    """What the cap takes away and the minimum adds."""
    component = book.components[at.item()]
    final: int = bounded(book, at, pl.Series([raw], dtype=pl.Int64)).item()
    if final == raw:
        return []
    cap, least = component.maximum, component.minimum
    if final < raw:
        return [Part(final - raw, (Says.CAP,), {"cap": to_major(cap or 0, component.currency)})]
    return [Part(final - raw, (Says.MINIMUM,), {"minimum": to_major(least or 0, component.currency)})]


def units(micro: int) -> Decimal:
    """Millionths as a number of units."""
    return _plain(Decimal(micro) / MICRO)


def _number(text: str | None) -> Decimal:
    return _plain(Decimal(text or 0))


def _plain(value: Decimal) -> Decimal:
    """Without zeros at the end, and never in powers of ten."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
