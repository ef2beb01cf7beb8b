"""Where new prices fall at a bound (volume tiers, packages, free units): what one more unit changes, and whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from core.calc.simulation.base import Base
from core.domain.plans import Charge, ChargeKind, PriceTerms
from core.reports.price_preview import Fall, book_of, falls, rated


@dataclass(frozen=True)
class Edge:
    """A bound of a charge at which one more unit makes the whole cheaper, and how many `bills` are above what more units would cost.

    `convert_by`: so many of the counted units are one billed unit.
    """

    charge: str
    fall: Fall
    bills: int
    convert_by: str | None = None


def edges(base: Base, terms: PriceTerms) -> list[Edge]:
    """The bounds of usage and seats at which the total falls, with the looked-at bills of `base` that lie where more would cost less."""
    found = []
    for charge in terms.charges:
        if charge.kind not in (ChargeKind.USAGE, ChargeKind.SEAT):
            continue
        drops = falls(terms, charge.code)
        if drops:
            amounts = _amounts(base, terms, charge)
            size = None if charge.convert_by is None else str(charge.convert_by)
            found += [Edge(charge.name or charge.code, fall, _dearer(amounts, fall), size) for fall in drops]
    return found


def _dearer(amounts: pl.DataFrame, fall: Fall) -> int:
    """Bills of at most the bound's quantity that cost more than the next unit's total."""
    inside = amounts.filter((pl.col("quantity_micro") <= fall.at_micro) & (pl.col("amount_minor") > fall.above_minor))
    return int(inside["bills"].sum())


def _amounts(base: Base, terms: PriceTerms, charge: Charge) -> pl.DataFrame:
    """Every quantity that was billed, what the charge costs for it, and how many bills have it: quantity_micro, bills, amount_minor."""
    if charge.kind is ChargeKind.SEAT:
        held = base.subs.select("quantity_micro", bills=pl.col("periods").cast(pl.Int64))
    else:
        used = base.uses.join(base.pairs.filter(pl.col("meter") == charge.meter), on="pair")
        held = used.select("quantity_micro", bills=pl.lit(1, dtype=pl.Int64))
    sums = held.group_by("quantity_micro").agg(pl.col("bills").sum()).sort("quantity_micro")
    return sums.with_columns(rated(book_of(terms, charge.code), sums["quantity_micro"].to_list())["amount_minor"])
