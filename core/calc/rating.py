"""What units cost: one kernel for every charge model, exact in 64-bit integers, with a proof that nothing wraps.

Serves the invoice run, every preview, MRR and the simulation. Order: conversion → rounding → minus included units → tiers
→ cap → minimum (billing.md section 2). Representation: performance.md section 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from core.calc.arithmetic import FITS, LARGEST_LINE_MINOR, divide, largest
from core.calc.pricebook import MICRO, NUMERATOR_SCALE, PriceBook, round_up_by
from core.domain.errors import InvalidInput


@dataclass(frozen=True)
class _Scaled:
    """The book's rows in the smallest scale that holds them: numerator / divisor = minor units; quantity × step = micro."""

    divisor: int
    step: int
    first: list[int]
    slope: list[int]
    intercept: list[int]


def rate(book: PriceBook, lines: pl.DataFrame) -> pl.Series:
    """Amount of each line in minor units, before any discount.

    In: `charge_id`, `quantity_micro` (≥ 0; the money amount in micro for a graduated percentage) and, where a part is
    priced at the tier that a larger whole reaches, `tier_quantity_micro`. Out: Int64, in the order of the lines.
    Raises InvalidInput for an amount too large to be exact.
    """
    if lines.is_empty():
        return pl.Series("amount_minor", [], dtype=pl.Int64)
    component = component_of(book, lines["charge_id"])
    quantity = priced_quantity(book, component, lines["quantity_micro"])
    reached = quantity
    if "tier_quantity_micro" in lines.columns:
        reached = priced_quantity(book, component, lines["tier_quantity_micro"])
    return bounded(book, component, _kernel(book, component, quantity, reached))


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
        quantity = (quantity - _gather([part.included for part in parts], component)).clip(lower_bound=0)
    return quantity


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
    return _tier(_scaled(book, quantity), book, component, quantity)


def _kernel(book: PriceBook, component: pl.Series, quantity: pl.Series, reached: pl.Series) -> pl.Series:
    """round((intercept + slope · n) / divisor) for each line."""
    scaled = _scaled(book, quantity, reached)
    single = len(book.rows) == len(book.components)
    row = component if single else _tier(scaled, book, component, reached)
    kind = _proven_type(book, scaled, component, quantity)
    frame = pl.DataFrame(
        {
            "n": _counted(book, scaled, row, quantity).cast(kind),
            "slope": _gather(scaled.slope, row, kind),
            "intercept": _gather(scaled.intercept, row, kind),
        }
    )
    amount = divide(pl.col("intercept") + pl.col("slope") * pl.col("n"), pl.lit(scaled.divisor, dtype=kind))
    parts = book.components
    if not all(part.flat_at_zero for part in parts):
        free = _gather([not part.flat_at_zero for part in parts], component) & (quantity == 0)
        frame = frame.with_columns(free=free)
        amount = pl.when(pl.col("free")).then(0).otherwise(amount)
    return frame.select(amount.cast(pl.Int64).alias("amount_minor"))["amount_minor"]


def _counted(book: PriceBook, scaled: _Scaled, row: pl.Series, quantity: pl.Series) -> pl.Series:
    """n of each line: scaled units, or packages where the tier has a size."""
    units = quantity if scaled.step == 1 else quantity // scaled.step
    if not any(tier.size for tier in book.rows):
        return units
    rounding = [book.components[tier.component].package_rounding for tier in book.rows]
    add = [round_up_by(how, tier.size) if tier.size else 0 for how, tier in zip(rounding, book.rows, strict=True)]
    above = (quantity - _gather([tier.origin for tier in book.rows], row)).clip(lower_bound=0)
    packages = (above + _gather(add, row)) // _gather([tier.size or 1 for tier in book.rows], row)
    return packages.zip_with(_gather([tier.size > 0 for tier in book.rows], row), units)


def _scaled(book: PriceBook, *quantities: pl.Series) -> _Scaled:
    """Rows in the coarsest quantity step and the smallest common scale that hold everything exactly."""
    step = _step(book, quantities)
    key = f"scaled {step}"
    if key not in book.tables:
        slope = [row.slope if row.size else row.slope * step for row in book.rows]
        intercept = [row.intercept for row in book.rows]
        spare = _spare_zeros([*slope, *intercept])
        # A tier begins one step above the bound before it.
        first = [row.lower // step + 1 if row.first else 0 for row in book.rows]
        book.tables[key] = _Scaled(
            10 ** (NUMERATOR_SCALE - spare), step, first,
            [value // 10**spare for value in slope], [value // 10**spare for value in intercept],
        )  # fmt: skip
    found: _Scaled = book.tables[key]
    return found


def _step(book: PriceBook, quantities: tuple[pl.Series, ...]) -> int:
    """Largest power of ten (micro) that divides every quantity and every bound."""
    step = MICRO
    while step > 1:
        whole = all(row.lower % step == 0 for row in book.rows)
        if whole and all(bool((series % step == 0).all()) for series in quantities):
            return step
        step //= 10
    return step


def _spare_zeros(values: list[int]) -> int:
    """How many trailing decimal zeros all numerators share."""
    for zeros in range(NUMERATOR_SCALE, 0, -1):
        if all(value % 10**zeros == 0 for value in values):
            return zeros
    return 0


def _tier(scaled: _Scaled, book: PriceBook, component: pl.Series, reached: pl.Series) -> pl.Series:
    """Row of the tier that holds each quantity: one binary search on (component, first quantity)."""
    units = reached if scaled.step == 1 else reached // scaled.step
    highest = max(largest(units), *scaled.first)
    width = highest.bit_length()
    if width + len(book.components).bit_length() > 62:
        raise InvalidInput("The quantity is too large to be billed exactly", code="quantity_too_large")
    keys = pl.Series([row.component << width | first for row, first in zip(book.rows, scaled.first, strict=True)])
    row: pl.Series = keys.search_sorted(component * 2**width + units, side="right").cast(pl.Int64) - 1
    owner = _gather([tier.component for tier in book.rows], row)
    assert (owner == component).all(), "every component begins at quantity zero"
    return row


def _proven_type(book: PriceBook, scaled: _Scaled, component: pl.Series, quantity: pl.Series) -> pl.DataType:
    """Int64 where no intermediate can reach 2^62, Int128 where needed; refuses amounts beyond what is exact everywhere."""
    highest = dict(
        pl.DataFrame({"component": component, "q": quantity}).group_by("component").agg(pl.col("q").max()).iter_rows()
    )
    worst = 0
    for row, slope, intercept in zip(book.rows, scaled.slope, scaled.intercept, strict=True):
        if row.component in highest:
            most = highest[row.component] // row.size + 1 if row.size else highest[row.component] // scaled.step
            reach = max(most, 0) if row.lower <= highest[row.component] else 0
            worst = max(worst, abs(intercept) + abs(slope) * reach)
    if worst // scaled.divisor > LARGEST_LINE_MINOR:
        raise InvalidInput("The amount is too large to be billed exactly", code="amount_too_large")
    return pl.Int64() if worst + scaled.divisor < FITS else pl.Int128()


def _gather(
    values: list[int] | list[bool] | list[int | None], at: pl.Series, kind: pl.DataType | None = None
) -> pl.Series:
    """The values at the given positions."""
    dtype = kind or (pl.Boolean() if values and isinstance(values[0], bool) else pl.Int64())
    return pl.Series(values, dtype=dtype).gather(at)
