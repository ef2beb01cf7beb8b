"""Every segment of a laid-out base rated once with a price book: amounts of all its lines, in the order of `base_lines.py`."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from core.calc import kernel
from core.calc.arithmetic import allocate, part_of_period
from core.calc.billing.base_lines import BaseLines, Block, Discounts
from core.calc.billing.discounts import percentage
from core.calc.billing.price_tables import Metered
from core.calc.pricebook import PriceBook
from core.calc.rating import component_of, rate_components


@dataclass(frozen=True)
class PricedUsage:
    """The rows of a `Metered` with the kernel's terms and included units; are units converted, are amounts bounded?"""

    component: pl.Series
    used: list[int]
    rows: pl.DataFrame
    converted: bool
    bounded: bool


@dataclass(frozen=True)
class RatedBase:
    """`amounts` of all lines, and the usage charges ready to be rated month by month."""

    lines: BaseLines
    book: PriceBook
    amounts: pl.Series
    metered: list[PricedUsage]


def rate_base(lines: BaseLines, book: PriceBook) -> RatedBase:
    """The lines of a base with the prices of a book."""
    component = component_of(book, lines.prices.charges["charge_id"])
    plain = [part for block in lines.blocks for part in _block_amounts(book, component, block)]
    amounts = pl.concat([pl.Series(dtype=pl.Int64), *plain], rechunk=True)
    taken = _taken(lines.discounts, amounts)
    metered = [_priced(book, component, place) for place in lines.metered]
    return RatedBase(lines, book, pl.concat([amounts, *taken], rechunk=True), metered)


def _priced(book: PriceBook, component: pl.Series, place: Metered) -> PricedUsage:
    """A usage charge with what the kernel needs to know of each row."""
    own, used = component.gather(place.rows["row"]), component.gather(place.used).to_list()
    parts = [book.components[index] for index in used]
    included = pl.Series("included", [part.included for part in book.components], dtype=pl.Int64).gather(own)
    rows = place.rows.drop("row").hstack([*kernel.terms(book, own, used=used), included])
    bounded = any(part.minimum is not None or part.maximum is not None for part in parts)
    return PricedUsage(own, used, rows, any(part.convert for part in parts), bounded)


def _block_amounts(book: PriceBook, component: pl.Series, block: Block) -> list[pl.Series]:
    """Amounts of a block's whole lines and of its parts."""
    used = component.gather(block.used).to_list()
    amount = rate_components(book, component.gather(block.rated["row"]), block.rated["quantity_micro"], None, used)
    whole = amount if block.whole is None else amount.gather(block.whole)
    parts = block.parts.with_columns(amount.gather(block.parts["of"]).alias("period_amount_minor"))
    return [whole, part_of_period(parts)]


def _taken(discounts: Discounts, amounts: pl.Series) -> list[pl.Series]:
    """What percentages take off: each state's total, and its negative share per slot."""
    base = discounts.base.of(amounts)
    states = pl.DataFrame({"base": base, "rate": discounts.rate_ppm})
    total = states.select(total=pl.min_horizontal(percentage(pl.col("base"), pl.col("rate")), "base"))["total"]
    mixed = discounts.mixed.with_columns(
        amounts.gather(discounts.mixed["line"]).alias("weight"), total.gather(discounts.mixed["state"]).alias("total")
    )
    return [total, -total.gather(discounts.single), -allocate(mixed, ["state"], "total", "weight")]
