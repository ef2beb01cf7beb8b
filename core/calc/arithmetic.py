"""Exact arithmetic over columns: rounding half away from zero, shares by days, splits by largest remainder.

Polars integers wrap silently, so every product here is proven to fit 64 bits from the column's own extremes, or computed
in 128 bits. Source: billing.md section 1, performance.md section 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from core.domain.errors import InvalidInput

FITS = 2**62  # products below this leave room for the rounding half
LARGEST_LINE_MINOR = 2**53  # a line beyond this cannot be shown, summed and exported exactly; it is refused


def divide(numerator: pl.Expr, denominator: pl.Expr | int, *, positive: bool = False) -> pl.Expr:
    """Quotient rounded half away from zero; the denominator is positive: −3 / 2 → −2. `positive`: no numerator is below 0."""
    if positive:
        return (numerator + denominator // 2).truncdiv(denominator)
    return (numerator + numerator.sign() * (denominator // 2)).truncdiv(denominator)


def wide_enough(*factors: int) -> pl.DataType:
    """The integer type that holds the product of the factors' largest values."""
    product = 1
    for factor in factors:
        product *= max(1, abs(factor))
    if product < FITS:
        return pl.Int64()
    if product < 2**126:
        return pl.Int128()
    raise InvalidInput("The amount is too large to be billed exactly", code="amount_too_large")


def sums_at(places: pl.Series, size: int, amounts: pl.Series | int) -> np.ndarray:
    """Σ of the whole amounts at each of `size` places, exact: a bincount with weights would add them up as floats."""
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, places.to_numpy(), amounts if isinstance(amounts, int) else amounts.to_numpy())
    return sums


def largest(column: pl.Series) -> int:
    """Largest absolute value in a column of integers; 0 when it is empty."""
    if column.len() == 0 or column.null_count() == column.len():
        return 0
    low: Any = column.min()
    high: Any = column.max()
    most: int = max(abs(low), abs(high))
    return most


def part_of_period(
    frame: pl.DataFrame,
    amount: str = "period_amount_minor",
    *,
    period_start: str = "period_start",
    period_end: str = "period_end",
) -> pl.Series:
    """Amount of the part `[service_start, service_end)` of a period, in the unit of `amount`.

    round(A·(P−s)/D) − round(A·(P−e)/D) with P the period's end and D its days: parts of a period sum exactly to A,
    whichever way and however often it is cut (billing.md, Decisions: Segments).
    """
    days = _days(period_start, period_end)
    longest = frame.select(days.max()).item() or 1
    kind = wide_enough(largest(frame[amount]), longest)

    def rest(day: str) -> pl.Expr:
        return divide(pl.col(amount).cast(kind) * _days(day, period_end).cast(kind), days.cast(kind))

    cut = (pl.col("service_start") > pl.col(period_start)) | (pl.col("service_end") < pl.col(period_end))
    if not frame.select(cut.any()).item():
        return frame[amount].alias("part")
    part = pl.when(cut).then(rest("service_start") - rest("service_end")).otherwise(pl.col(amount).cast(kind))
    return frame.select(part.cast(pl.Int64).alias("part"))["part"]


def _days(start: str, end: str) -> pl.Expr:
    """Days from one date to another."""
    return pl.col(end).to_physical() - pl.col(start).to_physical()


def share(frame: pl.DataFrame, amount: str, numerator: pl.Expr, denominator: pl.Expr | int) -> pl.Series:
    """round(amount · numerator / denominator), half away from zero, never wrapping."""
    top = frame.select(numerator.cast(pl.Int64).abs().max()).item() or 1
    kind = wide_enough(largest(frame[amount]), top)
    below = pl.lit(denominator) if isinstance(denominator, int) else denominator
    quotient = divide(pl.col(amount).cast(kind) * numerator.cast(kind), below.cast(kind))
    return frame.select(quotient.cast(pl.Int64).alias("share"))["share"]


def allocate(frame: pl.DataFrame, group: list[str], total: str, weight: str) -> pl.Series:
    """Each row's part of its group's `total` by non-negative `weight`, parts summing exactly to the total.

    Largest remainder; ties go to the earlier row. `total` is the same in all rows of a group. A group without weight
    gives everything to its first row.
    """
    kind = wide_enough(largest(frame[total]), largest(frame[weight]))
    signed, size, share = pl.col("_signed"), pl.col("_size"), pl.col("_share")
    named = frame.select(*group, _signed=total, _share=pl.col(weight).cast(kind)).with_columns(
        _size=signed.abs().cast(kind)
    )
    summed = named.with_columns(_sum=share.sum().over(group))
    some = pl.col("_sum") > 0
    exact = summed.with_columns(
        _part=pl.when(some).then(size * share // pl.col("_sum")).otherwise(0),
        _rest=pl.when(some).then(size * share % pl.col("_sum")).otherwise(0),
    )
    ranked = exact.with_columns(_place_in_group(exact, group)).with_columns(
        _left=size - pl.col("_part").sum().over(group)
    )
    rank = pl.col("_rank")
    whole = pl.when(~some & (rank == 0)).then(size).otherwise(
        pl.col("_part") + ((rank < pl.col("_left")) & some).cast(kind)
    )  # fmt: skip
    return ranked.select(part=(whole * signed.sign().cast(kind)).cast(pl.Int64))["part"]


def _place_in_group(exact: pl.DataFrame, group: list[str]) -> pl.Series:
    """Each row's place in its group by falling `_rest`, from 0; equal ones in the order of rows."""
    order = exact.select(
        pl.arg_sort_by([*group, "_rest"], descending=[False] * len(group) + [True], maintain_order=True)
    ).to_series()
    begins = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in group)
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    first = pl.when(begins | (row == 0)).then(row).otherwise(0).cum_max()
    place = exact.select(pl.col(group).gather(order)).select(place=row - first)["place"]
    return pl.Series("_rank", [0], dtype=pl.Int64).new_from_index(0, place.len()).scatter(order, place).alias("_rank")
