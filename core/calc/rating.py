"""What units cost: one kernel (`kernel.py`) for every charge model, with what stands around it.

Serves the invoice run, every preview, MRR and the simulation. Order: conversion → rounding → minus included units → tiers
→ cap → minimum (billing.md section 2). Representation: performance.md section 1.
"""

from __future__ import annotations

import polars as pl

from core.calc import kernel
from core.calc.arithmetic import FITS, largest
from core.calc.pricebook import MICRO, PriceBook, round_up_by
from core.domain.errors import InvalidInput


def rate(book: PriceBook, lines: pl.DataFrame) -> pl.Series:
    """Amount of each line in minor units, before any discount.

    In: `charge_id`, `quantity_micro` (≥ 0; the money amount in micro for a graduated percentage) and, where a part is
    priced at the tier that a larger whole reaches, `tier_quantity_micro`. Out: Int64, in the order of the lines.
    Raises InvalidInput for an amount too large to be exact.
    """
    if lines.is_empty():
        return pl.Series("amount_minor", [], dtype=pl.Int64)
    reached = lines["tier_quantity_micro"] if "tier_quantity_micro" in lines.columns else None
    return rate_components(book, component_of(book, lines["charge_id"]), lines["quantity_micro"], reached)


def rate_components(
    book: PriceBook, component: pl.Series, quantity_micro: pl.Series, reached_micro: pl.Series | None = None,
    used: list[int] | None = None,
) -> pl.Series:  # fmt: skip
    """`rate` where the charge's place in the book is known, and perhaps which places occur (`used`)."""
    quantity = priced_quantity(book, component, quantity_micro)
    reached = None if reached_micro is None else priced_quantity(book, component, reached_micro)
    return bounded(book, component, kernel.amounts(book, component, quantity, reached, used))


def rate_runs(book: PriceBook, charge_id: pl.Series, ends: list[int], quantity_micro: pl.Series) -> pl.Series:
    """`rate` where the lines of each charge stand together, up to its end: quickest where their quantities rise."""
    components = component_of(book, charge_id).to_list()
    component = kernel.repeated(components, ends)
    quantity = priced_quantity(book, component, quantity_micro)
    return bounded(book, component, kernel.amounts_of_runs(book, components, ends, quantity))


def component_of(book: PriceBook, charge_id: pl.Series) -> pl.Series:
    """Index of each charge in the book; an unknown charge is our own bug."""
    position = book.charge_ids.search_sorted(charge_id)
    found = book.charge_ids.gather(position.clip(0, len(book.components) - 1))
    assert (found == charge_id).all(), "a line names a charge that the price book does not hold"
    return position.cast(pl.Int64).alias("component")


def priced_quantity(book: PriceBook, component: pl.Series, quantity: pl.Series) -> pl.Series:
    """The quantity that meets the tiers, in micro: converted, rounded to whole units, less the included units."""
    parts = book.components
    if not any(part.convert for part in parts):
        quantity = _within_bounds(quantity)
    else:
        size = _gather([part.convert or 1 for part in parts], component)
        add = _gather([round_up_by(p.convert_rounding, p.convert) if p.convert else 0 for p in parts], component)
        # Without a conversion the size is 1 millionth, so the quotient is the quantity itself.
        unit = _gather([MICRO if part.convert else 1 for part in parts], component)
        wide = pl.Int128() if _may_wrap(book, quantity) else pl.Int64()
        quantity = _within_bounds((quantity.cast(wide) + add.cast(wide)) // size.cast(wide) * unit.cast(wide))
    if any(part.included for part in parts):
        both = pl.DataFrame({"quantity": quantity, "included": _gather([part.included for part in parts], component)})
        quantity = both.select(quantity=above_included())["quantity"]
    return quantity


def above_included() -> pl.Expr:
    """What of `quantity` lies above the `included` units."""
    return (pl.col("quantity") - pl.col("included")).clip(lower_bound=0)


def _may_wrap(book: PriceBook, quantity: pl.Series) -> bool:
    """Could a conversion of the largest quantity leave 64 bits?"""
    sizes = [part.convert for part in book.components if part.convert]
    most = largest(quantity) + max(sizes)
    return most >= FITS or most // min(sizes) * MICRO >= FITS


def _within_bounds(quantity: pl.Series) -> pl.Series:
    """The quantities in 64 bits, with room to add a package; larger ones are refused."""
    if largest(quantity) >= FITS:
        raise InvalidInput("The quantity is too large to be billed exactly", code="quantity_too_large")
    return quantity.cast(pl.Int64)


def bounded(book: PriceBook, component: pl.Series, amount: pl.Series) -> pl.Series:
    """The amount after each charge's cap, then its minimum."""
    parts = book.components
    if all(part.minimum is None and part.maximum is None for part in parts):
        return amount
    bounds = pl.DataFrame(
        {
            "amount_minor": amount,
            "maximum_minor": _gather([part.maximum for part in parts], component),
            "minimum_minor": _gather([part.minimum for part in parts], component),
        }
    )
    return cap_then_minimum(bounds)


def cap_then_minimum(lines: pl.DataFrame) -> pl.Series:
    """Amounts of a period after what is left of the cap, then the minimum.

    In: `amount_minor`, `maximum_minor` and `minimum_minor` (null = none), optional `already_billed_minor` of the same
    period and `final` (is this its last slice? the minimum is owed only then). Source: billing.md section 2.
    """
    already = pl.col("already_billed_minor") if "already_billed_minor" in lines.columns else pl.lit(0)
    final = pl.col("final") if "final" in lines.columns else pl.lit(True)
    left = (pl.col("maximum_minor") - already).clip(lower_bound=0)
    capped = pl.min_horizontal(pl.col("amount_minor"), left)
    raised = pl.max_horizontal(capped, pl.col("minimum_minor") - already)
    amount = pl.when(final & pl.col("minimum_minor").is_not_null()).then(raised).otherwise(capped)
    return lines.select(amount.cast(pl.Int64).alias("amount_minor"))["amount_minor"]


def tier_of(book: PriceBook, lines: pl.DataFrame) -> pl.Series:
    """Row number in `book.rows` of the tier that each line's quantity reaches. In: `charge_id`, `quantity_micro`."""
    component = component_of(book, lines["charge_id"])
    quantity = priced_quantity(book, component, lines["quantity_micro"])
    placed = kernel.terms(book, component).with_columns(quantity.alias("quantity"))
    row = kernel.tier_row(book, kernel.scaled_rows(book, 1), pl.col("quantity"))
    return placed.select(row.cast(pl.Int64).alias("row"))["row"]


def _gather(
    values: list[int] | list[bool] | list[int | None], at: pl.Series, kind: pl.DataType | None = None
) -> pl.Series:
    """The values at the given positions."""
    dtype = kind or (pl.Boolean() if values and isinstance(values[0], bool) else pl.Int64())
    return pl.Series(values, dtype=dtype).gather(at)
